//! Batches as L1 gets them.

use crate::Result;
use crate::error::Error;
use alloy::primitives::{B256, U256};
use sheaf_contracts::Sheaf;
use sqlx::postgres::{PgPool, PgRow};
use sqlx::{Postgres, Row, Transaction};
use std::time::Duration;

/// Proven batches that follow each other, and the last one on L1.
#[derive(Clone, Debug)]
pub struct Run {
    /// They can be submitted.
    pub batches: Vec<Sheaf::Batch>,
    /// How long the first of them has been proven.
    pub waited: Duration,
    /// The batch behind them, if its proof has failed too often, and the last failure.
    pub parked: Option<(u64, String)>,
}

const READ: &str = "
    SELECT batches.*, proof_jobs.status AS job, proof_jobs.last_error, EXTRACT(epoch FROM now() - proven_at)::float8 AS waited
    FROM batches LEFT JOIN proof_jobs ON proof_jobs.batch = batches.number
    WHERE number >= $1 AND number < $1 + $2 ORDER BY number";

/// Reads the batches from `first` on that can be submitted, `limit` at most.
///
/// # Errors
/// [`Error::Database`].
pub async fn ready(pool: &PgPool, first: u64, limit: usize) -> Result<Run> {
    let rows = sqlx::query(READ).bind(first as i64).bind(limit as i64).fetch_all(pool).await?;
    let mut run = Run { batches: Vec::new(), waited: Duration::ZERO, parked: None };
    for (number, row) in (first..).zip(&rows) {
        if row.try_get::<i64, _>("number")? as u64 != number {
            break;
        }
        if row.try_get::<Option<String>, _>("job")?.as_deref() == Some("parked") {
            run.parked = Some((number, row.try_get::<Option<String>, _>("last_error")?.unwrap_or_default()));
            break;
        }
        let Some(proof) = row.try_get::<Option<Vec<u8>>, _>("proof")? else { break };
        let Some(batch) = built(row, &proof)? else { break };
        if run.batches.is_empty() {
            // A clock that was set back makes it negative.
            let waited = row.try_get::<Option<f64>, _>("waited")?.unwrap_or(0.0);
            run.waited = Duration::try_from_secs_f64(waited).unwrap_or(Duration::ZERO);
        }
        run.batches.push(batch);
    }
    Ok(run)
}

/// Puts a row together; `None` until the batch is built.
fn built(row: &PgRow, proof: &[u8]) -> Result<Option<Sheaf::Batch>> {
    let word = |column: &str| Ok::<_, sqlx::Error>(row.try_get::<Option<Vec<u8>>, _>(column)?.map(|b| U256::from_be_slice(&b)));
    let (Some(old_root), Some(new_root), Some(c)) = (word("old_root")?, word("new_root")?, word("commitment")?) else {
        return Ok(None);
    };
    let Some(ops) = row.try_get::<Option<Vec<u8>>, _>("ops")? else { return Ok(None) };
    let count = |column: &str| Ok::<_, sqlx::Error>(row.try_get::<i32, _>(column)? as u16);
    let (timestamp, fee_account): (i64, i32) = (row.try_get("timestamp")?, row.try_get("fee_account")?);
    assert!(proof.is_empty() || proof.len() == 256, "a stored proof has 256 bytes");
    Ok(Some(Sheaf::Batch {
        shape: row.try_get::<i16, _>("shape")? as u8,
        header: timestamp as u64 | (fee_account as u64) << 32,
        oldRoot: old_root,
        newRoot: new_root,
        c,
        l1Count: count("l1_count")?,
        opCount: count("op_count")?,
        ops: ops.into(),
        proof: std::array::from_fn(|i| proof.get(32 * i..32 * (i + 1)).map_or(U256::ZERO, U256::from_be_slice)),
    }))
}

/// Marks a batch as settled, and its withdrawals, if what L1 accepted is what the database has.
///
/// Whoever sent it, whatever its commitment and proof: it is ours if roots, header and operations are.
///
/// # Errors
/// [`Error::ForeignBatch`] or [`Error::Database`].
pub async fn settle(transaction: &mut Transaction<'_, Postgres>, number: u64, on_l1: &Sheaf::Batch, hash: B256) -> Result<()> {
    let foreign = |reason: &str| Error::ForeignBatch { batch: number, reason: reason.to_owned() };
    let row =
        sqlx::query("SELECT * FROM batches WHERE number = $1").bind(number as i64).fetch_optional(&mut **transaction).await?;
    let ours = row.map(|row| built(&row, &[])).transpose()?.flatten().ok_or_else(|| foreign("the database has no such batch"))?;
    if (ours.oldRoot, ours.newRoot) != (on_l1.oldRoot, on_l1.newRoot) {
        return Err(foreign("its roots differ"));
    }
    if ours.header != on_l1.header {
        return Err(foreign("its header differs"));
    }
    if (ours.l1Count, ours.opCount, &ours.ops) != (on_l1.l1Count, on_l1.opCount, &on_l1.ops) {
        return Err(foreign("its operations differ"));
    }
    const SETTLE: &str = "UPDATE batches SET status = 'settled', settled_at = now(), settled_tx = $2 WHERE number = $1";
    sqlx::query(SETTLE).bind(number as i64).bind(hash.as_slice()).execute(&mut **transaction).await?;
    const LEAVE: &str = "UPDATE withdrawals SET status = 'settled' WHERE batch = $1 AND status = 'pending'";
    sqlx::query(LEAVE).bind(number as i64).execute(&mut **transaction).await?;
    Ok(())
}
