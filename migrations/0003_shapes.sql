-- A contract has several shapes. A batch gets the smallest that holds it when it is sealed; until then `batches.shape` is
-- the smallest that holds what is in it so far.

-- All of the contract's shapes, by their numbers: before, there was one.
ALTER TABLE chain RENAME COLUMN shape TO shapes;
UPDATE chain SET shapes = jsonb_build_array(shapes);

-- Claims look at jobs that are not done, however many are.
CREATE INDEX proof_jobs_not_done ON proof_jobs (batch) WHERE status <> 'done';
