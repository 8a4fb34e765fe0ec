//! Batches, with what L1 gets of them.

use super::{to_hex, unsigned};
use crate::error::ApiError;
use crate::model::{Batch, BatchSummary, Operation};
use sheaf_core::operation::Operation as Core;
use sqlx::{FromRow, PgPool};

#[derive(FromRow)]
struct SummaryRow {
    number: i64,
    status: String,
    timestamp: i64,
    fee_account: i32,
    shape: i16,
    l1_count: i64,
    op_count: i64,
    old_root: Option<Vec<u8>>,
    new_root: Option<Vec<u8>>,
    opened_at: i64,
    sealed_at: Option<i64>,
    proven_at: Option<i64>,
    settled_at: Option<i64>,
    settled_tx: Option<Vec<u8>>,
    proving_ms: Option<i64>,
}

#[derive(FromRow)]
struct DataRow {
    #[sqlx(flatten)]
    summary: SummaryRow,
    ops: Option<Vec<u8>>,
    commitment: Option<Vec<u8>>,
    proof: Option<Vec<u8>>,
}

/// The columns of a [`SummaryRow`] of `batches b`. The operations are counted where they lie: the batch's
/// own counts are set when it is sealed.
macro_rules! summary_columns {
    () => {
        "b.number, b.status, b.timestamp, b.fee_account, b.shape,
         (SELECT count(*) FROM l1_operations o WHERE o.batch = b.number) AS l1_count,
         (SELECT count(*) FROM l1_operations o WHERE o.batch = b.number)
           + (SELECT count(*) FROM transactions t WHERE t.batch = b.number) AS op_count,
         b.old_root, b.new_root,
         extract(epoch FROM b.opened_at)::bigint AS opened_at, extract(epoch FROM b.sealed_at)::bigint AS sealed_at,
         extract(epoch FROM b.proven_at)::bigint AS proven_at, extract(epoch FROM b.settled_at)::bigint AS settled_at,
         b.settled_tx, b.proving_ms"
    };
}

pub(crate) async fn batches(pool: &PgPool, before: i64, limit: i64) -> Result<Vec<BatchSummary>, ApiError> {
    let rows: Vec<SummaryRow> = sqlx::query_as(concat!(
        "SELECT ",
        summary_columns!(),
        " FROM batches b WHERE b.number < $1 ORDER BY b.number DESC LIMIT $2"
    ))
    .bind(before)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(SummaryRow::into_summary).collect()
}

pub(crate) async fn batch(pool: &PgPool, number: i64, domain: String) -> Result<Option<Batch>, ApiError> {
    let row: Option<DataRow> = sqlx::query_as(concat!(
        "SELECT ",
        summary_columns!(),
        ", b.ops, b.commitment, b.proof FROM batches b WHERE b.number = $1"
    ))
    .bind(number)
    .fetch_optional(pool)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Batch {
        operations: operations(pool, number).await?,
        summary: row.summary.into_summary()?,
        domain,
        ops: row.ops.map(to_hex),
        commitment: row.commitment.map(to_hex),
        proof: row.proof.map(|proof| proof.chunks(32).map(to_hex).collect()),
    }))
}

/// The operations in the order of their slots, also while the batch is open.
async fn operations(pool: &PgPool, number: i64) -> Result<Vec<Operation>, ApiError> {
    let rows: Vec<(Vec<u8>, bool)> = sqlx::query_as(
        "SELECT posted, l1 FROM (
             SELECT posted, TRUE AS l1, position FROM l1_operations WHERE batch = $1 AND posted IS NOT NULL
             UNION ALL SELECT posted, FALSE, position FROM transactions WHERE batch = $1
         ) AS slots ORDER BY position",
    )
    .bind(number)
    .fetch_all(pool)
    .await?;
    let decode = |(posted, l1): (Vec<u8>, bool)| {
        let operation = Core::decode_as(&mut &posted[..], l1).map_err(ApiError::internal)?;
        Ok(Operation::from(&operation))
    };
    rows.into_iter().map(decode).collect()
}

impl SummaryRow {
    fn into_summary(self) -> Result<BatchSummary, ApiError> {
        Ok(BatchSummary {
            number: unsigned(self.number)?,
            status: self.status,
            timestamp: unsigned(self.timestamp)?,
            fee_account: unsigned(self.fee_account)?,
            shape: unsigned(self.shape)?,
            l1_count: unsigned(self.l1_count)?,
            op_count: unsigned(self.op_count)?,
            old_root: self.old_root.map(to_hex),
            new_root: self.new_root.map(to_hex),
            opened_at: unsigned(self.opened_at)?,
            sealed_at: self.sealed_at.map(unsigned).transpose()?,
            proven_at: self.proven_at.map(unsigned).transpose()?,
            settled_at: self.settled_at.map(unsigned).transpose()?,
            settled_tx: self.settled_tx.map(to_hex),
            proving_ms: self.proving_ms.map(unsigned).transpose()?,
        })
    }
}
