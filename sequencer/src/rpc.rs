//! The internal HTTP interface. It trusts whoever reaches it: the public one is the API's.

use crate::block::TransactionHash;
use crate::body::{self, BodyError};
use crate::config::Config;
use crate::driver::{Reply, View};
use crate::engine::EXPIRES_AHEAD_MAX_S;
use crate::error::Refusal;
use crate::health::Health;
use crate::intake::{Fate, Gate, Intake, hash_to_hex};
use crate::journal::Journal;
use crate::wire::{ErrorBody, HealthResponse, PendingResponse, Status, SubmitRequest, SubmitResponse, SubmitResult};
use alloy_primitives::Address;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use sheaf_core::json::hex_bytes;
use sqlx::PgPool;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// After this, whoever waits is told "pending".
const WAIT_MAX: Duration = Duration::from_secs(10);
/// Bytes of JSON of one transaction at most.
const TRANSACTION_BYTES_MAX: usize = 4096;

/// What the handlers share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) gate: Gate,
    pub(crate) health: Health,
    pub(crate) view: watch::Receiver<View>,
    pub(crate) pool: PgPool,
    pub(crate) journal: Journal,
    /// Whose signature receipts have.
    pub(crate) receipt_signer: Address,
}

/// The routes.
pub(crate) fn router(shared: Shared) -> Router {
    Router::new()
        .route("/submit", post(submit))
        .route("/status", get(status))
        .route("/pending/{hash}", get(pending))
        .route("/health", get(health))
        .with_state(Arc::new(shared))
}

fn refuse(status: StatusCode, code: &str, message: impl ToString) -> Response {
    (status, Json(ErrorBody { code: code.to_owned(), message: message.to_string(), retry_after_ms: None })).into_response()
}

async fn submit(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let body_max = shared.config.limits.request_transactions_max * TRANSACTION_BYTES_MAX;
    let body = match body::read(request.into_body(), body_max).await {
        Ok(body) => body,
        Err(BodyError::TooLarge) => {
            return refuse(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", format!("a body has at most {body_max} bytes"));
        }
        Err(error @ BodyError::Broken) => return refuse(StatusCode::BAD_REQUEST, "malformed_json", error),
    };
    let request: SubmitRequest = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, "malformed_json", error),
    };
    if let Some(problem) = shared.health.problem() {
        tracing::warn!(problem, "a submission is refused");
        return refuse(StatusCode::SERVICE_UNAVAILABLE, Refusal::NotReady.code(), Refusal::NotReady);
    }
    if request.transactions.len() > shared.config.limits.request_transactions_max {
        let max = shared.config.limits.request_transactions_max;
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", format!("a request has {max} transactions at most"));
    }
    let deadline = Instant::now() + WAIT_MAX;
    let mut results = Vec::with_capacity(request.transactions.len());
    for intake in shared.gate.submit(request.transactions, request.wait).await {
        results.push(shared.result(intake, deadline).await);
    }
    Json(SubmitResponse { results }).into_response()
}

impl Shared {
    async fn result(&self, intake: Intake, deadline: Instant) -> SubmitResult {
        let (hash, reply) = match (intake.hash, intake.fate) {
            (hash, Fate::Refused(refusal)) => return rejected(hash.as_ref(), &refusal),
            (None, Fate::Submitted(_)) => unreachable!("what is submitted has a hash"),
            // A sequencer that stops answers nobody; then the fate is unknown too.
            (Some(hash), Fate::Submitted(receiver)) => (hash, tokio::time::timeout_at(deadline, receiver).await),
        };
        match reply {
            Ok(Ok(Reply::Executed(place))) => SubmitResult::Executed {
                hash: hash_to_hex(&hash),
                block: place.block,
                batch: place.batch,
                position: place.position,
                receipt: None,
            },
            Ok(Ok(Reply::Pending)) | Ok(Err(_)) | Err(_) => SubmitResult::Pending { hash: hash_to_hex(&hash) },
            Ok(Ok(Reply::Refused(refusal))) => {
                let refusal = self.explain(&hash, refusal).await;
                if refusal != Refusal::Duplicate {
                    self.journal.note(hash, &refusal);
                }
                rejected(Some(&hash), &refusal)
            }
        }
    }

    /// An old nonce may be that of exactly this transaction.
    async fn explain(&self, hash: &TransactionHash, refusal: Refusal) -> Refusal {
        if !matches!(refusal, Refusal::NonceTooOld { .. }) {
            return refusal;
        }
        let query = "SELECT EXISTS (SELECT FROM transactions WHERE hash = $1)";
        match sqlx::query_scalar(query).bind(&hash[..]).fetch_one(&self.pool).await {
            Ok(true) => Refusal::Duplicate,
            Ok(false) => refusal,
            Err(error) => {
                tracing::warn!(%error, "can't look whether a transaction was executed");
                refusal
            }
        }
    }
}

fn rejected(hash: Option<&TransactionHash>, refusal: &Refusal) -> SubmitResult {
    SubmitResult::Rejected { hash: hash.map(hash_to_hex), code: refusal.code().to_owned(), message: refusal.to_string(), retry_after_ms: None }
}

async fn status(State(shared): State<Arc<Shared>>) -> Json<Status> {
    let view = *shared.view.borrow();
    Json(Status {
        timestamp: view.timestamp,
        expires_ahead_max: EXPIRES_AHEAD_MAX_S,
        open_batch: view.open_batch,
        fee_account: Config::FEE_ACCOUNT.get(),
        receipt_signer: shared.receipt_signer,
        minimum_fees: shared.config.minimum_fees.clone(),
        pending: shared.gate.pool.len(),
        limits: shared.config.limits.clone(),
    })
}

async fn pending(State(shared): State<Arc<Shared>>, Path(hash): Path<String>) -> Response {
    match hex_bytes(&hash, "hash") {
        Ok(hash) => Json(PendingResponse { pending: shared.gate.pool.contains(&hash) }).into_response(),
        Err(error) => refuse(StatusCode::BAD_REQUEST, error.code(), error),
    }
}

async fn health(State(shared): State<Arc<Shared>>) -> Response {
    let reason = shared.health.problem();
    let status = if reason.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(HealthResponse { ready: reason.is_none(), reason })).into_response()
}
