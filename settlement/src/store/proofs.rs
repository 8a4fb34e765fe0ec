//! Proofs that the contract would not accept, on their way back to the provers.

use crate::Result;
use crate::store::{BATCHES_CHANNEL, notify};
use alloy::primitives::U256;
use sqlx::postgres::PgPool;

/// The channel on which jobs that are free are announced to the provers.
pub const JOBS_CHANNEL: &str = "proof_jobs";

/// What became of a batch whose proof does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenBack {
    /// It is to be proven anew.
    Queued,
    /// It has been proven wrongly too often: its job is parked.
    Parked,
    /// It has another proof by now, or is gone: nothing was changed.
    Changed,
}

/// Removes a proof that is still the batch's, and queues its job anew, or parks it after so many attempts. The attempt that made
/// the proof stays counted.
///
/// # Errors
/// [`crate::Error::Database`]; nothing was changed then.
pub async fn take_back(pool: &PgPool, number: u64, proof: &[U256; 8], attempts_max: u32, reason: &str) -> Result<TakenBack> {
    const REMOVE: &str = "
        UPDATE batches SET status = 'sealed', proof = NULL, proving_ms = NULL, proven_at = NULL
        WHERE number = $1 AND status = 'proven' AND proof = $2 RETURNING shape";
    // Every sealed batch has a job; one that was lost is made anew.
    const QUEUE: &str = "
        INSERT INTO proof_jobs (batch, shape, status, attempts, last_error) VALUES ($1, $2, 'queued', 1, $3)
        ON CONFLICT (batch) DO UPDATE SET status = CASE WHEN proof_jobs.attempts >= $4 THEN 'parked' ELSE 'queued' END,
            last_error = excluded.last_error, not_before = now(), lease_token = NULL, lease_until = NULL
        RETURNING status = 'parked'";
    let stored: Vec<u8> = proof.iter().flat_map(|word| word.to_be_bytes::<32>()).collect();
    let mut transaction = pool.begin().await?;
    let removed = sqlx::query_scalar::<_, i16>(REMOVE).bind(number as i64).bind(stored).fetch_optional(&mut *transaction).await?;
    let Some(shape) = removed else { return Ok(TakenBack::Changed) };
    let queue = sqlx::query_scalar(QUEUE).bind(number as i64).bind(shape).bind(reason);
    let attempts_max = i32::try_from(attempts_max).unwrap_or(i32::MAX);
    let parked: bool = queue.bind(attempts_max).fetch_one(&mut *transaction).await?;
    notify(&mut transaction, JOBS_CHANNEL, &number.to_string()).await?;
    notify(&mut transaction, BATCHES_CHANNEL, &number.to_string()).await?;
    transaction.commit().await?;
    Ok(if parked { TakenBack::Parked } else { TakenBack::Queued })
}
