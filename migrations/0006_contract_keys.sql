-- The hashes of the contract's verifying keys, by shape. Settlement reads them from L1 and writes them; provers whose keys of a
-- shape are others prove nothing. Empty until settlement has run.
CREATE TABLE contract_keys (
    shape   SMALLINT PRIMARY KEY,
    vk_hash BYTEA NOT NULL CHECK (length(vk_hash) = 32)
);

-- Withdrawals that can be paid out to their owners, oldest first, however many were.
CREATE INDEX withdrawals_claimable ON withdrawals (batch) WHERE status = 'claimable';
