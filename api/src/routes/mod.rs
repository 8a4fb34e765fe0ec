//! The routes below `/v1`.

mod accounts;
mod batches;
mod info;
mod l1_operations;
mod params;
mod transactions;
mod withdrawals;

use crate::error::ApiError;
use crate::state::AppState;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, Uri};
use axum::routing::{get, post};
use std::sync::Arc;

pub(crate) fn router(state: Arc<AppState>) -> Router {
    let v1 = Router::new()
        .route("/info", get(info::info))
        .route("/health", get(info::health))
        .route("/tokens", get(info::tokens))
        .route("/transactions", post(transactions::submit))
        .route("/transactions/{hash}", get(transactions::transaction))
        .route("/l1-operations/{hash}", get(l1_operations::l1_operations))
        .route("/accounts", get(accounts::accounts))
        .route("/accounts/{id}", get(accounts::account))
        .route("/batches", get(batches::batches))
        .route("/batches/{number}", get(batches::batch))
        .route("/withdrawals", get(withdrawals::withdrawals))
        .route("/withdrawals/{batch}/{index}", get(withdrawals::withdrawal));
    Router::new()
        .nest("/v1", v1)
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(state.config.max_body_bytes))
        .with_state(state)
}

async fn not_found(uri: Uri) -> ApiError {
    ApiError::new("not_found", format!("there is nothing at {}", uri.path()))
}

async fn method_not_allowed(method: Method, uri: Uri) -> ApiError {
    ApiError::new("method_not_allowed", format!("{} does not take {method}", uri.path()))
}
