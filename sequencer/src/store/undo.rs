//! What words were before a batch: packed, see `migrations/0002_pipeline.sql`.

use super::{StoreError, decode};
use crate::block::UndoRow;
use crate::types::BatchNumber;
use sheaf_core::F;
use sheaf_core::types::{field_from_bytes, field_to_bytes};
use sqlx::{PgConnection, Row};
use std::collections::{BTreeMap, HashMap, HashSet};

/// An address and an old value.
const ENTRY_BYTES: usize = 36;

/// The rows of one block by batch, each batch's packed.
pub(super) fn pack(rows: &[UndoRow]) -> BTreeMap<BatchNumber, Vec<u8>> {
    let mut batches = BTreeMap::<_, Vec<u8>>::new();
    for chunk in rows.chunk_by(|a, b| a.batch == b.batch) {
        let bytes = batches.entry(chunk[0].batch).or_default();
        bytes.reserve(chunk.len() * ENTRY_BYTES);
        for row in chunk {
            bytes.extend_from_slice(&row.address.to_be_bytes());
            bytes.extend_from_slice(&field_to_bytes(row.old));
        }
    }
    batches
}

/// Reads addresses and old values.
///
/// # Errors
/// [`StoreError::Damaged`].
fn unpack(bytes: &[u8]) -> Result<Vec<(u32, F)>, StoreError> {
    let damaged = || StoreError::Damaged("packed undo words are cut short or out of range".to_owned());
    let (entries, rest) = bytes.as_chunks::<ENTRY_BYTES>();
    let entry = |entry: &[u8; ENTRY_BYTES]| {
        let (address, old) = entry.split_first_chunk::<4>()?;
        Some((u32::from_be_bytes(*address), field_from_bytes(old.try_into().ok()?)?))
    };
    if !rest.is_empty() {
        return Err(damaged());
    }
    entries.iter().map(|bytes| entry(bytes).ok_or_else(damaged)).collect()
}

/// What the words that batches after `batch` changed were after `batch`, by address.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn words_after(tx: &mut PgConnection, batch: BatchNumber) -> Result<HashMap<u32, F>, StoreError> {
    let mut words = HashMap::new();
    let query = "SELECT words FROM batch_undo WHERE batch > $1 ORDER BY batch, block";
    for row in sqlx::query(query).bind(batch.sql()).fetch_all(tx).await? {
        for (address, old) in unpack(&row.try_get::<Vec<u8>, _>("words")?)? {
            // Of several later batches that changed a word, the earliest knows what it was before all of them.
            words.entry(address).or_insert(old);
        }
    }
    Ok(words)
}

/// The addresses that a batch has changed.
///
/// # Errors
/// [`StoreError`].
pub(super) async fn addresses(tx: &mut PgConnection, batch: BatchNumber) -> Result<HashSet<u32>, StoreError> {
    let query = "SELECT words FROM batch_undo WHERE batch = $1";
    let mut addresses = HashSet::new();
    for row in sqlx::query(query).bind(batch.sql()).fetch_all(tx).await? {
        addresses.extend(unpack(&row.try_get::<Vec<u8>, _>("words")?)?.into_iter().map(|(address, _)| address));
    }
    Ok(addresses)
}

/// The last batch that is built and its root; batch 0 before the first.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn last_built(tx: &mut PgConnection) -> Result<(BatchNumber, Option<F>), StoreError> {
    let query = "SELECT number, new_root FROM batches WHERE commitment IS NOT NULL ORDER BY number DESC LIMIT 1";
    let Some(row) = sqlx::query(query).fetch_optional(tx).await? else { return Ok((BatchNumber(0), None)) };
    Ok((BatchNumber(decode::unsigned(&row, "number")?), Some(decode::field(&row, "new_root")?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back() {
        let row = |batch, address| UndoRow { batch: BatchNumber(batch), address, old: F::from(7u64) - F::from(address) };
        let rows = [row(1, 0), row(1, u32::MAX), row(2, 9), row(1, 5)];
        let packed = pack(&rows);
        assert_eq!(packed.keys().map(|b| b.0).collect::<Vec<_>>(), [1, 2]);
        let read = unpack(&packed[&BatchNumber(1)]).unwrap();
        assert_eq!(read, [0, u32::MAX, 5].map(|address| (address, F::from(7u64) - F::from(address))));
        let mut damaged = packed[&BatchNumber(2)].clone();
        assert!(unpack(&damaged[1..]).is_err());
        damaged[4..].fill(0xFF);
        assert!(unpack(&damaged).is_err(), "not below the modulus");
    }
}
