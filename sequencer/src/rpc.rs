//! The internal HTTP interface. It trusts whoever reaches it: the public one is the API's.

use crate::block::TransactionHash;
use crate::body::{self, BodyError};
use crate::config::Config;
use crate::driver::{Reply, View};
use crate::engine::EXPIRES_AHEAD_MAX_S;
use crate::error::Refusal;
use crate::health::Health;
use crate::history::History;
use crate::intake::{Fate, Gate, Intake, hash_to_hex};
use crate::journal::Journal;
use crate::types::Placement;
use crate::wire::{ErrorBody, HealthResponse, PendingResponse, Status, SubmitRequest, SubmitResponse, SubmitResult};
use alloy_primitives::Address;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use sheaf_core::json::hex_bytes;
use sheaf_core::receipt::{Receipt, ReceiptJson};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

/// After this, whoever waits is told "pending".
const WAIT_MAX: Duration = Duration::from_secs(10);
/// Bytes of JSON of one transaction at most.
const TRANSACTION_BYTES_MAX: usize = 4096;

/// Bodies that are read or wait to be verified, all together.
const BODIES_BYTES_MAX: usize = 256 << 20;
/// After this it is worth looking whether what was broken works again.
const NOT_READY_PAUSE: Duration = Duration::from_secs(1);

/// What the handlers share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) gate: Gate,
    pub(crate) health: Health,
    pub(crate) view: watch::Receiver<View>,
    pub(crate) history: History,
    pub(crate) journal: Journal,
    /// Whose signature receipts have.
    pub(crate) receipt_signer: Address,
}

/// The handlers' state.
struct Server {
    shared: Shared,
    /// One permit a byte of a body.
    bodies: Semaphore,
}

/// The routes.
pub(crate) fn router(shared: Shared) -> Router {
    Router::new()
        .route("/submit", post(submit))
        .route("/status", get(status))
        .route("/pending/{hash}", get(pending))
        .route("/health", get(health))
        .with_state(Arc::new(Server { shared, bodies: Semaphore::new(BODIES_BYTES_MAX) }))
}

fn refuse(status: StatusCode, code: &str, message: impl ToString) -> Response {
    (status, Json(ErrorBody { code: code.to_owned(), message: message.to_string(), retry_after_ms: None })).into_response()
}

async fn submit(State(server): State<Arc<Server>>, request: Request) -> Response {
    let limits = &server.shared.config.limits;
    let body_max = limits.request_transactions_max * TRANSACTION_BYTES_MAX;
    let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let Ok(room) = server.bodies.try_acquire_many(length.unwrap_or(body_max).min(body_max) as u32) else {
        return server.shared.come_again(&Refusal::PoolFull);
    };
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
    drop(body);
    if let Some(problem) = server.shared.problem() {
        // What is the matter was logged when it began.
        tracing::debug!(problem, "a submission is refused");
        return server.shared.come_again(&Refusal::NotReady);
    }
    if request.transactions.len() > limits.request_transactions_max {
        let max = limits.request_transactions_max;
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", format!("a request has {max} transactions at most"));
    }
    let deadline = Instant::now() + WAIT_MAX;
    let intakes = server.shared.gate.submit(request.transactions, request.wait).await;
    // Whoever waits now takes no more room than an answer.
    drop(room);
    let mut results = Vec::with_capacity(intakes.len());
    for intake in intakes {
        results.push(server.shared.result(intake, deadline).await);
    }
    Json(SubmitResponse { results }).into_response()
}

impl Shared {
    /// Why nothing is taken, if that is so.
    fn problem(&self) -> Option<String> {
        let replaying = self.view.borrow().replaying;
        let replay = || format!("unwinding: {replaying} operations that were taken back wait to be executed again");
        self.health.problem().or_else(|| (replaying > 0).then(replay))
    }

    async fn result(&self, intake: Intake, deadline: Instant) -> SubmitResult {
        let (hash, reply) = match (intake.hash, intake.fate) {
            (hash, Fate::Refused(refusal)) => return self.rejected(hash.as_ref(), &refusal),
            (None, Fate::Submitted(_)) => unreachable!("what is submitted has a hash"),
            // A sequencer that stops answers nobody; then the fate is unknown too.
            (Some(hash), Fate::Submitted(receiver)) => (hash, tokio::time::timeout_at(deadline, receiver).await),
        };
        match reply {
            Ok(Ok(Reply::Executed(done))) => executed(&hash, done.placement, Some(&done.block.receipt(done.index))),
            Ok(Ok(Reply::Pending)) | Ok(Err(_)) | Err(_) => SubmitResult::Pending { hash: hash_to_hex(&hash) },
            Ok(Ok(Reply::Refused(refusal @ Refusal::NonceTooOld { .. }))) => self.look_up(&hash, &refusal).await,
            Ok(Ok(Reply::Refused(refusal))) => self.rejected(Some(&hash), &refusal),
        }
    }

    /// An old nonce may be that of exactly this transaction.
    async fn look_up(&self, hash: &TransactionHash, refusal: &Refusal) -> SubmitResult {
        match self.history.find(hash).await {
            Ok(Some(found)) => executed(hash, found.placement, found.receipt.as_ref()),
            Ok(None) => {
                self.journal.note(*hash, refusal);
                self.rejected(Some(hash), refusal)
            }
            Err(error) => {
                tracing::warn!(%error, "can't look whether a transaction was executed");
                SubmitResult::Pending { hash: hash_to_hex(hash) }
            }
        }
    }

    fn rejected(&self, hash: Option<&TransactionHash>, refusal: &Refusal) -> SubmitResult {
        SubmitResult::Rejected {
            hash: hash.map(hash_to_hex),
            code: refusal.code().to_owned(),
            message: refusal.to_string(),
            retry_after_ms: self.retry_after_ms(refusal),
        }
    }

    /// The answer to a whole request that may be sent again.
    fn come_again(&self, refusal: &Refusal) -> Response {
        let (code, message) = (refusal.code().to_owned(), refusal.to_string());
        let body = ErrorBody { code, message, retry_after_ms: self.retry_after_ms(refusal) };
        (StatusCode::SERVICE_UNAVAILABLE, Json(body)).into_response()
    }

    fn retry_after_ms(&self, refusal: &Refusal) -> Option<u64> {
        match refusal {
            Refusal::PoolFull => Some(self.view.borrow().retry_after_ms),
            other => other.is_temporary().then_some(NOT_READY_PAUSE.as_millis() as u64),
        }
    }
}

fn executed(hash: &TransactionHash, placement: Placement, receipt: Option<&Receipt>) -> SubmitResult {
    let Placement { block, batch, position } = placement;
    SubmitResult::Executed { hash: hash_to_hex(hash), block, batch, position, receipt: receipt.map(ReceiptJson::from) }
}

async fn status(State(server): State<Arc<Server>>) -> Json<Status> {
    let shared = &server.shared;
    let view = *shared.view.borrow();
    Json(Status {
        timestamp: view.timestamp,
        expires_ahead_max: EXPIRES_AHEAD_MAX_S,
        open_batch: view.open_batch,
        fee_account: Config::FEE_ACCOUNT.get(),
        receipt_signer: shared.receipt_signer,
        minimum_fees: shared.config.minimum_fees.clone(),
        pending: view.pending,
        limits: shared.config.limits.clone(),
    })
}

async fn pending(State(server): State<Arc<Server>>, Path(hash): Path<String>) -> Response {
    match hex_bytes(&hash, "hash") {
        Ok(hash) => Json(PendingResponse { pending: server.shared.gate.is_pending(hash).await }).into_response(),
        Err(error) => refuse(StatusCode::BAD_REQUEST, error.code(), error),
    }
}

async fn health(State(server): State<Arc<Server>>) -> Response {
    let reason = server.shared.problem();
    let status = if reason.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(HealthResponse { ready: reason.is_none(), reason })).into_response()
}
