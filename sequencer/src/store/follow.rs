//! What a leader has made durable since somebody looked last, for whoever stands by.

use super::{StoreError, decode};
use crate::types::{BatchNumber, BlockNumber};
use sheaf_core::F;
use sheaf_core::operation::Operation;
use sheaf_core::trace::BatchHeader;
use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, PgPool, Row};

/// A batch that was built: what moves a tree over it, and where the tree must be then.
#[derive(Clone, Debug)]
pub(crate) struct BuiltBatch {
    pub(crate) number: BatchNumber,
    pub(crate) timestamp: u32,
    pub(crate) operations: Vec<Operation>,
    pub(crate) root: F,
}

/// What is new, as of one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct News {
    /// Whether work was taken back meanwhile: then nothing else counts, and everything is to be read again.
    pub(crate) unwound: bool,
    /// Blocks in order, each with its operations in order.
    pub(crate) blocks: Vec<(BlockNumber, Vec<Operation>)>,
    /// Batches in order.
    pub(crate) built: Vec<BuiltBatch>,
}

/// Reads the `limit` next blocks and built batches.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn news_after(pool: &PgPool, block: BlockNumber, built: BatchNumber, limit: u32) -> Result<News, StoreError> {
    let mut connection = pool.acquire().await?;
    let mut tx = connection.begin().await?;
    sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY").execute(&mut *tx).await?;
    let unwound = "SELECT EXISTS (SELECT FROM blocks WHERE number > $1 AND unwinding IS NOT NULL)";
    if sqlx::query_scalar(unwound).bind(block.sql()).fetch_one(&mut *tx).await? {
        return Ok(News { unwound: true, ..News::default() });
    }
    let blocks = blocks_after(&mut tx, block, limit).await?;
    let built = built_after(&mut tx, built, limit).await?;
    Ok(News { unwound: false, blocks, built })
}

/// The blocks after `block` with their operations in order of execution, `limit` blocks at most.
async fn blocks_after(
    tx: &mut PgConnection,
    block: BlockNumber,
    limit: u32,
) -> Result<Vec<(BlockNumber, Vec<Operation>)>, StoreError> {
    let numbers = "SELECT number, operation_count FROM blocks WHERE number > $1 ORDER BY number LIMIT $2";
    let numbers = sqlx::query(numbers).bind(block.sql()).bind(i64::from(limit)).fetch_all(&mut *tx).await?;
    let Some(last) = numbers.last() else { return Ok(Vec::new()) };
    let last: i64 = last.try_get("number")?;
    let rows = sqlx::query(
        "SELECT block, batch, position, posted, FALSE AS l1 FROM transactions WHERE block > $1 AND block <= $2
         UNION ALL
         SELECT block, batch, position, posted, TRUE FROM l1_operations WHERE block > $1 AND block <= $2
         ORDER BY block, batch, position",
    )
    .bind(block.sql())
    .bind(last)
    .fetch_all(tx)
    .await?;
    let mut rows = rows.iter().peekable();
    let mut blocks = Vec::with_capacity(numbers.len());
    for (expected, row) in (block.0 + 1..).zip(&numbers) {
        let number = decode::unsigned(row, "number")?;
        if number != expected {
            return Err(StoreError::Damaged(format!("block {expected} is missing")));
        }
        let mut operations = Vec::new();
        while let Some(row) = rows.next_if(|row| row.try_get::<i64, _>("block").is_ok_and(|b| b == number.cast_signed())) {
            operations.push(decode::operation(row, "posted", row.try_get("l1")?)?);
        }
        let count: i32 = row.try_get("operation_count")?;
        if operations.len() != count as usize {
            return Err(StoreError::Damaged(format!("block {number} has {} operations of {count}", operations.len())));
        }
        blocks.push((BlockNumber(number), operations));
    }
    Ok(blocks)
}

/// The batches that were built after `built`, in order, `limit` at most.
async fn built_after(tx: &mut PgConnection, built: BatchNumber, limit: u32) -> Result<Vec<BuiltBatch>, StoreError> {
    let query = "SELECT number, timestamp, l1_count, op_count, ops, new_root FROM batches
         WHERE number > $1 AND commitment IS NOT NULL ORDER BY number LIMIT $2";
    let rows = sqlx::query(query).bind(built.sql()).bind(i64::from(limit)).fetch_all(tx).await?;
    let batches = rows.iter().map(batch).collect::<Result<Vec<_>, _>>()?;
    if (built.0 + 1..).zip(&batches).any(|(expected, batch)| batch.number.0 != expected) {
        return Err(StoreError::Damaged(format!("batches after {built} are not built in order")));
    }
    Ok(batches)
}

fn batch(row: &PgRow) -> Result<BuiltBatch, StoreError> {
    let number = BatchNumber(decode::unsigned(row, "number")?);
    let (posted, l1, all): (Vec<u8>, i32, i32) = (row.try_get("ops")?, row.try_get("l1_count")?, row.try_get("op_count")?);
    let operations = Operation::decode_all(&posted, l1 as usize, all as usize)
        .map_err(|error| StoreError::Damaged(format!("batch {number}: {error}")))?;
    Ok(BuiltBatch { number, timestamp: decode::seconds(row, "timestamp")?, operations, root: decode::field(row, "new_root")? })
}

/// The header of a batch of `domain`.
impl BuiltBatch {
    pub(crate) const fn header(&self, domain: F) -> BatchHeader {
        BatchHeader { domain, timestamp: self.timestamp, fee_account: crate::config::Config::FEE_ACCOUNT }
    }
}
