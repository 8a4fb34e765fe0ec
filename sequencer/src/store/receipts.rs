//! Receipts, made again from the rows of their block.

use super::StoreError;
use crate::types::BlockNumber;
use alloy_primitives::B256;
use sheaf_core::receipt::{Leaf, Receipt, Tree};
use sqlx::{PgPool, Row};

/// The receipt of a transaction that is in the block, or was before it was taken back; `None` if the block was not signed.
///
/// # Errors
/// [`StoreError::Damaged`] if the rows do not make the root that was signed, or the transaction is not among them:
/// a receipt that does not verify is worse than none. [`StoreError::Sql`].
pub async fn load_receipt(pool: &PgPool, block: BlockNumber, hash: B256) -> Result<Option<Receipt>, StoreError> {
    let damaged = |what: &str| StoreError::Damaged(format!("block {block}: {what}"));
    let query = "SELECT receipts_root, signature FROM blocks
                 WHERE number = $1 AND receipts_root IS NOT NULL AND signature IS NOT NULL";
    let signed: Option<(Vec<u8>, Vec<u8>)> = sqlx::query_as(query).bind(block.sql()).fetch_optional(pool).await?;
    let Some((root, signature)) = signed else { return Ok(None) };
    let signature = signature.try_into().map_err(|_| damaged("the signature has another length"))?;
    // In the order of execution; what was taken back since has a place in the tree nevertheless.
    let query = "SELECT hash, batch, position FROM transactions WHERE block = $1
                 UNION ALL SELECT hash, batch, position FROM unwound_leaves WHERE block = $1 ORDER BY batch, position";
    let rows = sqlx::query(query).bind(block.sql()).fetch_all(pool).await?;
    let mut leaves = Vec::with_capacity(rows.len());
    for (index, row) in (0..).zip(&rows) {
        let hash = B256::try_from(row.try_get::<&[u8], _>("hash")?).map_err(|_| damaged("a hash has another length"))?;
        let (batch, position): (i64, i32) = (row.try_get("batch")?, row.try_get("position")?);
        let (batch, position) = (batch.cast_unsigned(), position.cast_unsigned());
        leaves.push(Leaf { hash, block: block.0, index, batch, position });
    }
    let tree = Tree::new(&leaves);
    if tree.root().as_slice() != root {
        return Err(damaged("its rows do not make the root that was signed"));
    }
    let leaf = leaves.iter().find(|leaf| leaf.hash == hash).ok_or_else(|| damaged("a transaction is missing"))?;
    Ok(Some(Receipt::new(leaf, &tree, signature)))
}
