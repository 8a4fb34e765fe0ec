//! Which jobs can be claimed, and by whom: the statements of a claim.
//!
//! A claim costs as much as there are jobs of the worker's shapes that others work on or that wait after a failure. Jobs of
//! other shapes, unbuilt and parked ones, and those that are done are not read, however many they are: each shape has its own
//! part of the index `proof_jobs_claimable`, in the batches' order.

/// Parks the jobs whose worker vanished at the last attempt: what kills its worker each time must not be tried for ever.
pub(crate) const PARK_ABANDONED: &str = "
    UPDATE proof_jobs SET status = 'parked', lease_token = NULL, lease_until = NULL,
        last_error = 'lease_expired: worker ' || coalesce(worker, '?') || ' vanished at attempt ' || attempts
    WHERE status = 'leased' AND lease_until < now() AND attempts >= $1
    RETURNING batch, last_error";

/// A job that can be claimed. Only the first condition is one of an index; the batch is asked for by its number, so that no plan
/// reads them all.
macro_rules! is_free {
    () => {
        "status IN ('queued', 'leased')
                AND ((status = 'queued' AND not_before <= now()) OR (status = 'leased' AND lease_until < now()))
                AND (SELECT batches.status FROM batches WHERE number = batch) = 'sealed'"
    };
}

/// Claims the oldest free job of the shapes `$1` for the worker `$2`, for `$3` milliseconds.
///
/// The first step finds which of the shapes has the oldest job; the second one locks one job, and looks at the next shape only if
/// others have taken all of the first one meanwhile. MATERIALIZED: the row is chosen and locked once.
pub(crate) const CLAIM: &str = concat!(
    "
    WITH mine AS MATERIALIZED (
        SELECT wanted.shape FROM unnest($1::smallint[]) AS wanted (shape) CROSS JOIN LATERAL (
            SELECT batch FROM proof_jobs WHERE proof_jobs.shape = wanted.shape AND ",
    is_free!(),
    "
            ORDER BY batch LIMIT 1
        ) AS oldest ORDER BY oldest.batch
    ), next AS MATERIALIZED (
        SELECT job.batch FROM mine CROSS JOIN LATERAL (
            SELECT batch FROM proof_jobs WHERE proof_jobs.shape = mine.shape AND ",
    is_free!(),
    "
            ORDER BY batch LIMIT 1
            FOR UPDATE SKIP LOCKED
        ) AS job LIMIT 1
    )
    UPDATE proof_jobs SET status = 'leased', attempts = attempts + 1, worker = $2,
        lease_token = gen_random_uuid(), lease_until = now() + $3 * interval '1 millisecond'
    FROM next WHERE proof_jobs.batch = next.batch
    RETURNING proof_jobs.batch, shape, attempts, lease_token::text AS token"
);

/// In how many milliseconds the next job of the shapes `$1` is free; none is claimable at all: NULL.
pub(crate) const NEXT_DUE: &str = "
    SELECT (extract(epoch FROM min(CASE status WHEN 'queued' THEN not_before ELSE lease_until END) - now()) * 1000)::float8
    FROM proof_jobs
    WHERE status IN ('queued', 'leased') AND shape = ANY($1)
        AND (SELECT batches.status FROM batches WHERE number = batch) = 'sealed'";
