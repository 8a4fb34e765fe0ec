//! Batches.

use super::params;
use crate::error::ApiError;
use crate::extract::{Path, Query};
use crate::model::{Batch, Batches};
use crate::queries;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use sheaf_core::json::field_to_hex;
use std::sync::Arc;

pub(super) async fn batch(State(state): State<Arc<AppState>>, Path(number): Path<String>) -> Result<Json<Batch>, ApiError> {
    let number: i64 = params::number(&number, "the batch")?;
    let domain = field_to_hex(state.chain().await?.domain);
    let unknown = || ApiError::new("unknown_batch", format!("there is no batch {number}"));
    queries::batch(&state.pool, number, domain).await?.map(Json).ok_or_else(unknown)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchesQuery {
    before: Option<u64>,
    limit: Option<u32>,
}

pub(super) async fn batches(
    State(state): State<Arc<AppState>>,
    Query(query): Query<BatchesQuery>,
) -> Result<Json<Batches>, ApiError> {
    let limit = params::limit(query.limit)?;
    let before = query.before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX);
    let batches = queries::batches(&state.pool, before, limit.into()).await?;
    let next = (batches.len() == limit as usize).then(|| batches.last().map(|batch| batch.number)).flatten();
    Ok(Json(Batches { batches, next }))
}
