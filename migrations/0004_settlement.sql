-- What each key of settlement has, and for how long that lasts; settlement writes it every minute.
CREATE TABLE l1_keys (
    -- What the key is for: the kind of its l1_transactions.
    kind        TEXT PRIMARY KEY,
    address     BYTEA NOT NULL,
    balance_wei NUMERIC(78, 0) NOT NULL,
    -- At the rate of the last week; absent while nothing was spent.
    days_left   DOUBLE PRECISION,
    at          TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- What a transaction cost its key.
ALTER TABLE l1_transactions ADD COLUMN fee_wei NUMERIC(78, 0);
CREATE INDEX l1_transactions_kind ON l1_transactions (kind, sent_at);

-- The oldest batch that is not settled, however many are.
CREATE INDEX batches_unsettled ON batches (number) WHERE status IN ('sealed', 'proven');
