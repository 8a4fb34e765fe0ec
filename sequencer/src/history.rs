//! What the database knows of transactions that were executed long ago.

use crate::block::TransactionHash;
use crate::store::{StoreError, load_receipt};
use crate::types::{BatchNumber, BlockNumber, Placement};
use sheaf_core::receipt::Receipt;
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
        let query = "SELECT block, batch, position FROM transactions WHERE hash = $1";
        let Some(row) = sqlx::query(query).bind(&hash[..]).fetch_optional(&self.pool).await? else { return Ok(None) };
        let block = BlockNumber(row.try_get::<i64, _>("block")?.cast_unsigned());
        let batch = BatchNumber(row.try_get::<i64, _>("batch")?.cast_unsigned());
        let placement = Placement { block, batch, position: row.try_get::<i32, _>("position")?.cast_unsigned() };
        Ok(Some(Found { placement, receipt: load_receipt(&self.pool, block, hash.into()).await? }))
    }
}
