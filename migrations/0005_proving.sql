-- Every sealed batch has its proving job, jobs name their shapes, and provers say which shapes they have keys for.

-- A sequencer that still leads would seal batches without jobs: from here on it can't commit any more.
UPDATE chain SET epoch = epoch + 1;

-- One job a batch: the sequencer enqueues it in the database transaction that seals the batch, `unbuilt`, and queues it in the
-- one that stores the witness. From there on it is the provers', and fenced by the lease's token.
ALTER TABLE proof_jobs
    -- The batch's, which is settled when it is sealed.
    ADD COLUMN shape SMALLINT,
    DROP CONSTRAINT proof_jobs_status_check,
    ADD CONSTRAINT proof_jobs_status_check CHECK (status IN ('unbuilt', 'queued', 'leased', 'done', 'parked')),
    ALTER COLUMN status SET DEFAULT 'unbuilt';
UPDATE proof_jobs SET shape = batches.shape FROM batches WHERE number = batch;
INSERT INTO proof_jobs (batch, shape, status)
SELECT number, shape, CASE WHEN status <> 'sealed' THEN 'done' WHEN commitment IS NULL THEN 'unbuilt' ELSE 'queued' END
FROM batches WHERE status <> 'open' ON CONFLICT DO NOTHING;
ALTER TABLE proof_jobs ALTER COLUMN shape SET NOT NULL;

-- A claim looks at the jobs of the worker's shapes only, however many others wait; heartbeats change neither index.
CREATE INDEX proof_jobs_claimable ON proof_jobs (shape, batch) WHERE status IN ('queued', 'leased');
CREATE INDEX proof_jobs_leased ON proof_jobs (batch) WHERE status = 'leased';

-- The provers that run and the shapes that they have keys for. Each writes its own rows, again and again before they run out,
-- and deletes those of others that are long gone.
CREATE TABLE provers (
    worker      TEXT NOT NULL,
    shape       SMALLINT NOT NULL,
    alive_until TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (worker, shape)
);

-- Shapes with jobs that have been free for more than a minute while no prover that runs has keys for them: everything after the
-- oldest of these batches waits for L1.
CREATE VIEW shapes_without_prover AS
SELECT shape, count(*) FILTER (WHERE free_since <= now()) AS jobs, min(free_since) AS free_since
FROM (SELECT job.shape, CASE job.status WHEN 'queued' THEN job.not_before ELSE job.lease_until END AS free_since
      FROM proof_jobs job JOIN batches ON batches.number = job.batch
      WHERE job.status IN ('queued', 'leased') AND batches.status = 'sealed') AS waiting
GROUP BY shape
HAVING min(free_since) < now() - interval '1 minute'
    AND NOT EXISTS (SELECT FROM provers WHERE provers.shape = waiting.shape AND provers.alive_until > now());
