//! Entries of the contract's queue.

use crate::error::ApiError;
use crate::extract::Path;
use crate::model::L1Operations;
use crate::queries;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use sheaf_core::json;
use std::sync::Arc;

pub(super) async fn l1_operations(
    State(state): State<Arc<AppState>>,
    Path(hash): Path<String>,
) -> Result<Json<L1Operations>, ApiError> {
    let tx_hash = json::hex_bytes(&hash, "the L1 transaction's hash")?;
    let operations = queries::l1_operations(&state.pool, tx_hash).await?;
    if operations.is_empty() {
        let message = "no queue entry of this L1 transaction has been seen: it may not be mined yet, or have failed";
        return Err(ApiError::new("unknown_l1_transaction", message));
    }
    Ok(Json(L1Operations { operations }))
}
