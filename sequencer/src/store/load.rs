//! What an engine needs to go on.

use super::build::load_slots;
use super::replays::load_replays;
use super::state::{Loaded, last_block};
use super::{StoreError, decode, undo};
use crate::batcher::{BatchRules, OpenBatch};
use crate::engine::Resume;
use crate::types::BatchNumber;
use sqlx::{PgConnection, Row};

/// Reads what the engine needs besides the state. `tx` sees one snapshot.
///
/// # Errors
/// [`StoreError::Damaged`] if `loaded` is not the state after the last block.
pub(crate) async fn load_rest(tx: &mut PgConnection, rules: BatchRules, loaded: Loaded) -> Result<Resume, StoreError> {
    let Loaded { state, block } = loaded;
    let last_block = last_block(tx).await?;
    if block != last_block {
        return Err(StoreError::Damaged(format!("the state is after block {block}, but the last block is {last_block}")));
    }
    let next_l1: i64 = sqlx::query_scalar("SELECT COALESCE(max(index) + 1, 0) FROM l1_operations WHERE batch IS NOT NULL")
        .fetch_one(&mut *tx)
        .await?;
    let tokens = super::listed_tokens(tx).await?;
    let replays = load_replays(tx, rules.geometry, rules.domain).await?;
    let (open, batch_is_stored) = load_open(tx, rules).await?;
    Ok(Resume { state, open, last_block, next_l1: next_l1.cast_unsigned(), tokens, batch_is_stored, replays })
}

/// The open batch, and whether its row exists. After an unwinding there may be batches but no open one.
async fn load_open(tx: &mut PgConnection, rules: BatchRules) -> Result<(OpenBatch, bool), StoreError> {
    let query = "SELECT number, timestamp, status = 'open' AS open FROM batches ORDER BY number DESC LIMIT 1";
    let Some(row) = sqlx::query(query).fetch_optional(&mut *tx).await? else {
        return Ok((OpenBatch::new(rules, BatchNumber::FIRST, 0), false));
    };
    let (number, timestamp) = (BatchNumber(decode::unsigned(&row, "number")?), decode::seconds(&row, "timestamp")?);
    if !row.try_get::<bool, _>("open")? {
        return Ok((OpenBatch::new(rules, number.next(), timestamp), false));
    }
    let operations: Vec<_> = load_slots(tx, number).await?.into_iter().map(|slot| slot.operation).collect();
    let open = OpenBatch::new(rules, number, timestamp);
    Ok((open.restore(&operations, undo::addresses(tx, number).await?), true))
}
