//! What the database knows of transactions that were executed long ago.

use crate::block::TransactionHash;
use crate::store::StoreError;
use crate::types::{BatchNumber, BlockNumber, Placement};
use alloy_primitives::B256;
use sheaf_core::receipt::{Leaf, Receipt, Tree};
use sqlx::{PgPool, Row};
use tokio::sync::Semaphore;

/// Look-ups at once: they share the connections with parts that must not wait.
const LOOKUPS_MAX: usize = 2;

/// Finds executed transactions.
pub(crate) struct History {
    pool: PgPool,
    lookups: Semaphore,
}

/// Where a transaction was executed, and the promise of it, if its block has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) placement: Placement,
    pub(crate) receipt: Option<Receipt>,
}

impl History {
    pub(crate) fn new(pool: PgPool) -> Self {
        Self { pool, lookups: Semaphore::new(LOOKUPS_MAX) }
    }

    /// The transaction with this hash, if it was executed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn find(&self, hash: &TransactionHash) -> Result<Option<Found>, StoreError> {
        let _lookup = self.lookups.acquire().await;
        let query = "SELECT t.block, t.batch, t.position, b.signature
                     FROM transactions t JOIN blocks b ON b.number = t.block WHERE t.hash = $1";
        let Some(row) = sqlx::query(query).bind(&hash[..]).fetch_optional(&self.pool).await? else { return Ok(None) };
        let block = BlockNumber(row.try_get::<i64, _>("block")?.cast_unsigned());
        let batch = BatchNumber(row.try_get::<i64, _>("batch")?.cast_unsigned());
        let placement = Placement { block, batch, position: row.try_get::<i32, _>("position")?.cast_unsigned() };
        let receipt = match row.try_get::<Option<Vec<u8>>, _>("signature")? {
            None => None,
            Some(signature) => Some(self.receipt(hash, block, &signature).await?),
        };
        Ok(Some(Found { placement, receipt }))
    }

    async fn receipt(&self, hash: &TransactionHash, block: BlockNumber, signature: &[u8]) -> Result<Receipt, StoreError> {
        let damaged = |what: &str| StoreError::Damaged(format!("block {block}: {what}"));
        let signature = signature.try_into().map_err(|_| damaged("the signature has another length"))?;
        // In the order of execution; what was taken back since has a place in the tree nevertheless.
        let query = "SELECT hash, batch, position FROM transactions WHERE block = $1
                     UNION ALL SELECT hash, batch, position FROM unwound_leaves WHERE block = $1 ORDER BY batch, position";
        let rows = sqlx::query(query).bind(block.sql()).fetch_all(&self.pool).await?;
        let mut leaves = Vec::with_capacity(rows.len());
        for (index, row) in (0..).zip(&rows) {
            let hash = B256::try_from(row.try_get::<&[u8], _>("hash")?).map_err(|_| damaged("a hash has another length"))?;
            let (batch, position): (i64, i32) = (row.try_get("batch")?, row.try_get("position")?);
            let (batch, position) = (batch.cast_unsigned(), position.cast_unsigned());
            leaves.push(Leaf { hash, block: block.0, index, batch, position });
        }
        let leaf = leaves.iter().find(|leaf| leaf.hash == *hash).ok_or_else(|| damaged("a transaction is missing"))?;
        Ok(Receipt::new(leaf, &Tree::new(&leaves), signature))
    }
}
