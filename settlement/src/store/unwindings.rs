//! Requests to the sequencer to take back what L1 can't accept any more.

use crate::Result;
use sqlx::Row;
use sqlx::postgres::PgPool;

/// The channel on which requests are announced to the sequencer.
pub const UNWINDINGS_CHANNEL: &str = "unwindings";

/// The oldest batch that L1 does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsettled {
    /// Its number.
    pub number: u64,
    /// Its timestamp, unix seconds.
    pub timestamp: u64,
}

/// The oldest batch that is not settled; `None` while it has no operation, for then its timestamp is not fixed yet.
///
/// # Errors
/// [`crate::Error::Database`].
pub async fn oldest_unsettled(pool: &PgPool) -> Result<Option<Unsettled>> {
    const READ: &str = "
        SELECT number, timestamp, op_count FROM batches WHERE status <> 'settled' ORDER BY number LIMIT 1";
    let Some(row) = sqlx::query(READ).fetch_optional(pool).await? else { return Ok(None) };
    let (number, timestamp): (i64, i64) = (row.try_get("number")?, row.try_get("timestamp")?);
    let filled = row.try_get::<i32, _>("op_count")? > 0;
    Ok(filled.then_some(Unsettled { number: number as u64, timestamp: timestamp as u64 }))
}

/// The batch to which a request asks to go back that is not carried out yet, if there is one.
///
/// # Errors
/// [`crate::Error::Database`].
pub async fn pending(pool: &PgPool) -> Result<Option<u64>> {
    const READ: &str = "SELECT to_batch FROM unwindings WHERE done_at IS NULL ORDER BY number LIMIT 1";
    Ok(sqlx::query_scalar::<_, i64>(READ).fetch_optional(pool).await?.map(|number| number as u64))
}

/// Asks the sequencer to take back `oldest` and everything after it; answers `false` if that is asked for already, or if
/// the batch is another one by now.
///
/// # Errors
/// [`crate::Error::Database`].
pub async fn request(pool: &PgPool, oldest: Unsettled, reason: &str) -> Result<bool> {
    let mut transaction = pool.begin().await?;
    // Waits for a sequencer that is carrying a request out. What is looked at below is as it left it: a batch that was made
    // anew meanwhile must not be taken back for the age of the one before.
    sqlx::query("LOCK TABLE unwindings IN SHARE ROW EXCLUSIVE MODE").execute(&mut *transaction).await?;
    const WRITE: &str = "
        INSERT INTO unwindings (to_batch, reason)
        SELECT number - 1, $3 FROM batches
        WHERE number = $1 AND timestamp = $2 AND status <> 'settled' AND op_count > 0
            AND NOT EXISTS (SELECT FROM unwindings WHERE done_at IS NULL)
            AND NOT EXISTS (SELECT FROM batches earlier WHERE earlier.number < $1 AND earlier.status <> 'settled')";
    let (number, timestamp) = (oldest.number as i64, oldest.timestamp as i64);
    let written = sqlx::query(WRITE).bind(number).bind(timestamp).bind(reason).execute(&mut *transaction).await?.rows_affected();
    super::notify(&mut transaction, UNWINDINGS_CHANNEL, "").await?;
    transaction.commit().await?;
    Ok(written == 1)
}
