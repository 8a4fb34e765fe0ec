//! Receipts, made again from the rows of their block.

use super::unsigned;
use crate::error::ApiError;
use alloy_primitives::B256;
use sheaf_core::receipt::{Leaf, Receipt, ReceiptJson, Tree};
use sqlx::PgPool;

/// The receipt of a transaction of a block; `None` if the block was not signed.
pub(super) async fn receipt(pool: &PgPool, block: u64, hash: B256) -> Result<Option<ReceiptJson>, ApiError> {
    let number = i64::try_from(block).map_err(ApiError::internal)?;
    let query = "SELECT receipts_root, signature FROM blocks
                 WHERE number = $1 AND receipts_root IS NOT NULL AND signature IS NOT NULL";
    let signed: Option<(Vec<u8>, Vec<u8>)> = sqlx::query_as(query).bind(number).fetch_optional(pool).await?;
    let Some((root, signature)) = signed else { return Ok(None) };
    // What was taken back since has a place in the tree nevertheless.
    let query = "SELECT hash, batch, position FROM transactions WHERE block = $1
                 UNION ALL SELECT hash, batch, position FROM unwound_leaves WHERE block = $1 ORDER BY batch, position";
    let rows: Vec<(Vec<u8>, i64, i32)> = sqlx::query_as(query).bind(number).fetch_all(pool).await?;
    let leaf = |(index, (hash, batch, position)): (usize, (Vec<u8>, i64, i32))| {
        let hash = B256::try_from(&hash[..]).map_err(ApiError::internal)?;
        Ok(Leaf { hash, block, index: index as u32, batch: unsigned(batch)?, position: unsigned(position)? })
    };
    let leaves = rows.into_iter().enumerate().map(leaf).collect::<Result<Vec<_>, ApiError>>()?;
    let tree = Tree::new(&leaves);
    let signature = signature.try_into().map_err(|_| ApiError::internal("a stored signature has another length"))?;
    // A receipt that does not verify is worse than none.
    if tree.root().as_slice() != root {
        tracing::error!(block, "the rows of a block do not make the root that was signed");
        return Ok(None);
    }
    let leaf = leaves.iter().find(|leaf| leaf.hash == hash);
    Ok(leaf.map(|leaf| ReceiptJson::from(&Receipt::new(leaf, &tree, signature))))
}
