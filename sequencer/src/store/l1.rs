//! What settlement has read from L1.

use super::{StoreError, decode};
use crate::engine::{BadEntry, L1Entry};
use crate::types::BatchNumber;
use sheaf_core::geometry::Geometry;
use sheaf_core::types::TokenId;
use sqlx::{PgConnection, PgPool};
use std::collections::BTreeSet;

/// Entries of the queue that are confirmed, in order from `next`, without gaps, `limit` at most.
///
/// # Errors
/// [`StoreError::Damaged`] for an entry that the contract can't have taken.
pub(crate) async fn confirmed_entries(
    pool: &PgPool,
    geometry: Geometry,
    next: u64,
    limit: usize,
) -> Result<Vec<L1Entry>, StoreError> {
    let query =
        "SELECT index, preimage FROM l1_operations WHERE index >= $1 AND confirmed AND batch IS NULL ORDER BY index LIMIT $2";
    let rows = sqlx::query(query).bind(next.cast_signed()).bind(limit as i64).fetch_all(pool).await?;
    let mut entries = Vec::with_capacity(rows.len());
    for (expected, row) in (next..).zip(rows) {
        let index = decode::unsigned(&row, "index")?;
        if index != expected {
            // An earlier one is not confirmed yet.
            break;
        }
        let entry = L1Entry::read(index, decode::bytes(&row, "preimage")?, geometry);
        entries.push(entry.map_err(|error: BadEntry| StoreError::Damaged(error.to_string()))?);
    }
    Ok(entries)
}

/// A batch that is sealed and not settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unsettled {
    pub(crate) number: BatchNumber,
    /// Unix seconds.
    pub(crate) timestamp: u32,
}

/// The oldest batch that is sealed and not settled.
pub(crate) async fn oldest_unsettled(pool: &PgPool) -> Result<Option<Unsettled>, StoreError> {
    let query = "SELECT number, timestamp FROM batches WHERE status IN ('sealed', 'proven') ORDER BY number LIMIT 1";
    let oldest = sqlx::query(query).fetch_optional(pool).await?;
    oldest
        .map(|row| {
            let number = BatchNumber(decode::unsigned(&row, "number")?);
            Ok(Unsettled { number, timestamp: decode::seconds(&row, "timestamp")? })
        })
        .transpose()
}

/// The tokens that transactions may name.
pub(crate) async fn listed_tokens(connection: &mut PgConnection) -> Result<BTreeSet<TokenId>, StoreError> {
    let rows = sqlx::query("SELECT id FROM tokens").fetch_all(connection).await?;
    rows.iter().map(|row| decode::token(row, "id")).collect()
}
