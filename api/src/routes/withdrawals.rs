//! What leaves to L1.

use super::params;
use crate::error::ApiError;
use crate::extract::{Path, Query};
use crate::model::{Withdrawal, Withdrawals};
use crate::queries::{self, WithdrawalFilter};
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use sheaf_core::json;
use std::sync::Arc;

pub(super) async fn withdrawal(
    State(state): State<Arc<AppState>>,
    Path((batch, index)): Path<(String, String)>,
) -> Result<Json<Withdrawal>, ApiError> {
    let (batch, index): (i64, i32) = (params::number(&batch, "the batch")?, params::number(&index, "the index")?);
    let unknown = || ApiError::new("unknown_withdrawal", format!("batch {batch} has no withdrawal {index}, or is not built yet"));
    queries::withdrawal(&state.pool, batch, index).await?.map(Json).ok_or_else(unknown)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WithdrawalsQuery {
    recipient: Option<String>,
    before: Option<String>,
    limit: Option<u32>,
}

pub(super) async fn withdrawals(
    State(state): State<Arc<AppState>>,
    Query(query): Query<WithdrawalsQuery>,
) -> Result<Json<Withdrawals>, ApiError> {
    let recipient = query.recipient.map(|recipient| json::address(&recipient, "recipient")).transpose()?;
    let limit = params::limit(query.limit)?;
    let before = query.before.as_deref().map_or(Ok((i64::MAX, i32::MAX)), cursor)?;
    let filter = WithdrawalFilter { recipient: recipient.map(|r| r.into_array()), before, limit: limit.into() };
    let withdrawals = queries::withdrawals(&state.pool, &filter).await?;
    let last = withdrawals.last().filter(|_| withdrawals.len() == limit as usize);
    let next = last.map(|w| format!("{}-{}", w.batch, w.index));
    Ok(Json(Withdrawals { withdrawals, next }))
}

/// `batch-index` of the last row of the page before.
fn cursor(text: &str) -> Result<(i64, i32), ApiError> {
    let (batch, index) =
        text.split_once('-').ok_or_else(|| ApiError::new("malformed_request", "before is the `next` of another answer"))?;
    Ok((params::number(batch, "before")?, params::number(index, "before")?))
}
