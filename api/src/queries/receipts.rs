//! Receipts, made again from the rows of their block.

use crate::error::ApiError;
use alloy_primitives::B256;
use sheaf_core::receipt::ReceiptJson;
use sheaf_sequencer::BlockNumber;
use sheaf_sequencer::store::{StoreError, load_receipt};
use sqlx::PgPool;

/// The receipt of a transaction of a block; `None` if the block was not signed, or its rows do not make what was signed.
pub(super) async fn receipt(pool: &PgPool, block: u64, hash: B256) -> Result<Option<ReceiptJson>, ApiError> {
    match load_receipt(pool, BlockNumber(block), hash).await {
        Err(StoreError::Damaged(reason)) => {
            tracing::error!(reason, "no receipt can be given");
            Ok(None)
        }
        found => Ok(found?.as_ref().map(ReceiptJson::from)),
    }
}
