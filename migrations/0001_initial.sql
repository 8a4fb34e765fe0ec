-- Field elements and hashes are BYTEA of 32 big-endian bytes, L1 addresses BYTEA of 20, amounts
-- NUMERIC(39,0) in the token's smallest unit. Each table names the one process that writes it.

-- What this database belongs to. Written once, by the sequencer; every process refuses another chain's database.
CREATE TABLE chain (
    singleton   BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (singleton),
    chain_id    BIGINT NOT NULL,
    contract    BYTEA NOT NULL CHECK (length(contract) = 20),
    shape       JSONB NOT NULL,
    depth       INT NOT NULL,
    fee_account INT NOT NULL,
    -- Counts the sequencers that ran here: a block is committed only under the epoch of the latest one.
    epoch       BIGINT NOT NULL DEFAULT 0
);

-- Written by settlement (from TokenListed); ETH is always there.
CREATE TABLE tokens (
    id       SMALLINT PRIMARY KEY CHECK (id BETWEEN 0 AND 60),
    address  BYTEA NOT NULL CHECK (length(address) = 20),
    symbol   TEXT NOT NULL,
    decimals SMALLINT NOT NULL
);
INSERT INTO tokens VALUES (0, decode(repeat('00', 20), 'hex'), 'ETH', 18);

-- The state after the last block. Written by the sequencer.
CREATE TABLE accounts (
    id       INT PRIMARY KEY CHECK (id BETWEEN 0 AND 16777215),
    key_hash BYTEA NOT NULL CHECK (length(key_hash) = 32),
    owner    BYTEA NOT NULL CHECK (length(owner) = 20),
    nonce    BIGINT NOT NULL
);
CREATE INDEX accounts_owner ON accounts (owner);
CREATE INDEX accounts_key_hash ON accounts (key_hash);

CREATE TABLE balances (
    account INT NOT NULL,
    token   SMALLINT NOT NULL,
    amount  NUMERIC(39, 0) NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (account, token)
);

-- (owner, key hash) pairs that a SetKey has replaced: no account is created for them any more. Written by the sequencer.
CREATE TABLE retired_pairs (
    owner    BYTEA NOT NULL,
    key_hash BYTEA NOT NULL,
    PRIMARY KEY (owner, key_hash)
);

-- What was executed and made durable together. Written by the sequencer.
CREATE TABLE blocks (
    number          BIGINT PRIMARY KEY,
    created_at      TIMESTAMPTZ NOT NULL DEFAULT now(),
    operation_count INT NOT NULL
);

-- A batch's life: open → sealed → proven → settled. The sequencer opens, seals and builds it (new_root to witness appear
-- when it is built), the prover stores the proof, settlement marks it settled.
CREATE TABLE batches (
    number      BIGINT PRIMARY KEY,
    status      TEXT NOT NULL CHECK (status IN ('open', 'sealed', 'proven', 'settled')),
    timestamp   BIGINT NOT NULL,
    fee_account INT NOT NULL,
    shape       SMALLINT NOT NULL,
    l1_count    INT NOT NULL DEFAULT 0,
    op_count    INT NOT NULL DEFAULT 0,
    old_root    BYTEA,
    new_root    BYTEA,
    ops         BYTEA,
    commitment  BYTEA,
    witness     BYTEA,
    proof       BYTEA,
    proving_ms  BIGINT,
    opened_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
    sealed_at   TIMESTAMPTZ,
    proven_at   TIMESTAMPTZ,
    settled_at  TIMESTAMPTZ,
    settled_tx  BYTEA
);
CREATE UNIQUE INDEX batches_one_open ON batches (status) WHERE status = 'open';

-- What a word of the state was before a batch first changed it, kept until the batch is built: a restarted builder
-- gets the state after the last built batch from the current one. Written by the sequencer.
CREATE TABLE batch_undo (
    batch   BIGINT NOT NULL REFERENCES batches (number),
    address INT NOT NULL,
    old     BYTEA NOT NULL CHECK (length(old) = 32),
    PRIMARY KEY (batch, address)
);

-- L2 transactions that were executed. Written by the sequencer. Signatures never leave this table.
CREATE TABLE transactions (
    hash         BYTEA PRIMARY KEY,
    batch        BIGINT NOT NULL REFERENCES batches (number),
    position     INT NOT NULL,
    block        BIGINT NOT NULL REFERENCES blocks (number),
    code         SMALLINT NOT NULL,
    posted       BYTEA NOT NULL,
    sender       INT NOT NULL,
    nonce        BIGINT NOT NULL,
    expires      BIGINT NOT NULL,
    token        SMALLINT NOT NULL,
    amount       NUMERIC(39, 0) NOT NULL,
    fee          NUMERIC(39, 0) NOT NULL,
    receiver     INT,
    target_owner BYTEA NOT NULL,
    target_key   BYTEA,
    public_key   BYTEA NOT NULL,
    signature    BYTEA NOT NULL,
    UNIQUE (batch, position)
);
CREATE INDEX transactions_sender ON transactions (sender, nonce);

-- Transactions with a valid signature that were refused, the latest ones only. A row does not outlive its transaction's
-- execution in meaning: what is in `transactions` was executed, whatever stands here. Written by the sequencer.
CREATE TABLE rejections (
    hash    BYTEA PRIMARY KEY,
    code    TEXT NOT NULL,
    message TEXT NOT NULL,
    at      TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX rejections_at ON rejections (at);

-- The contract's queue. Settlement inserts and confirms; the sequencer sets what became of each entry.
-- Rows that are not confirmed may vanish in a reorg and are written anew at each look.
CREATE TABLE l1_operations (
    index     BIGINT PRIMARY KEY,
    op        SMALLINT NOT NULL,
    sender    BYTEA NOT NULL,
    preimage  BYTEA NOT NULL CHECK (length(preimage) = 73),
    deadline  BIGINT NOT NULL,
    tx_hash   BYTEA NOT NULL,
    l1_block  BIGINT NOT NULL,
    confirmed BOOLEAN NOT NULL,
    seen_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
    batch     BIGINT REFERENCES batches (number),
    position  INT,
    block     BIGINT REFERENCES blocks (number),
    posted    BYTEA,
    account   INT,
    refunded  BOOLEAN NOT NULL DEFAULT FALSE,
    UNIQUE (batch, position)
);
CREATE INDEX l1_operations_tx ON l1_operations (tx_hash);

-- How far settlement has read L1.
CREATE TABLE l1_cursor (
    singleton       BOOLEAN PRIMARY KEY DEFAULT TRUE CHECK (singleton),
    head            BIGINT NOT NULL,
    -- When the head last moved, so that a silent L1 node is noticed.
    head_at         TIMESTAMPTZ NOT NULL DEFAULT now(),
    confirmed       BIGINT NOT NULL,
    confirmed_hash  BYTEA NOT NULL
);

-- What leaves with a batch, in the order of the contract's hash. Inserted by the sequencer when the batch is built;
-- settlement moves the status: pending (batch not settled yet) → settled → claimable → claimed.
CREATE TABLE withdrawals (
    batch      BIGINT NOT NULL REFERENCES batches (number),
    index      INT NOT NULL,
    position   INT NOT NULL,
    recipient  BYTEA NOT NULL,
    token      SMALLINT NOT NULL,
    amount     NUMERIC(39, 0) NOT NULL CHECK (amount > 0),
    status     TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'settled', 'claimable', 'claimed')),
    credit_tx  BYTEA,
    claim_tx   BYTEA,
    PRIMARY KEY (batch, index)
);
CREATE INDEX withdrawals_recipient ON withdrawals (recipient, token);

-- One job a built batch, enqueued in the transaction that stores the witness. Fenced by the lease's token.
CREATE TABLE proof_jobs (
    batch       BIGINT PRIMARY KEY REFERENCES batches (number),
    status      TEXT NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'leased', 'done', 'parked')),
    attempts    INT NOT NULL DEFAULT 0,
    not_before  TIMESTAMPTZ NOT NULL DEFAULT now(),
    lease_token UUID,
    lease_until TIMESTAMPTZ,
    worker      TEXT,
    last_error  TEXT
);

-- What settlement sent to L1, for the gas figures and for finding its own transactions after a crash.
CREATE TABLE l1_transactions (
    hash      BYTEA PRIMARY KEY,
    kind      TEXT NOT NULL,
    batch     BIGINT,
    sent_at   TIMESTAMPTZ NOT NULL DEFAULT now(),
    gas_used  BIGINT,
    succeeded BOOLEAN
);
