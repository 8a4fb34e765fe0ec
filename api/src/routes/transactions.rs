//! Submission, and what became of it.

use crate::error::{ApiError, ErrorBody};
use crate::extract::{Body, Path, Query};
use crate::model::{Status, SubmitResult, SubmitResults, Submitted, Transaction};
use crate::queries::{self, Found};
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::IgnoredAny;
use sheaf_core::json::{self, TransactionJson};
use sheaf_sequencer::client::ClientError;
use sheaf_sequencer::wire::SubmitResult as Outcome;
use std::sync::Arc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SubmitQuery {
    wait: Option<Wait>,
}

/// What the answer waits for.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Wait {
    /// Nothing: `pending`, which promises nothing.
    None,
    /// Until the block is durable.
    Executed,
}

/// Many transactions.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Many {
    transactions: Vec<TransactionJson>,
}

/// Only looks whether a body holds many.
#[derive(Deserialize)]
struct Kind {
    transactions: Option<IgnoredAny>,
}

pub(super) async fn submit(
    State(state): State<Arc<AppState>>,
    Query(query): Query<SubmitQuery>,
    Body(body): Body,
) -> Result<Response, ApiError> {
    let wait = query.wait != Some(Wait::None);
    let malformed = |error: serde_json::Error| ApiError::new("malformed_json", error.to_string());
    let kind: Kind = serde_json::from_slice(&body).map_err(malformed)?;
    if kind.transactions.is_some() {
        let Many { transactions } = serde_json::from_slice(&body).map_err(malformed)?;
        let results = submit_all(&state, &transactions, wait).await?;
        return Ok(Json(SubmitResults { results }).into_response());
    }
    let transaction = serde_json::from_slice(&body).map_err(malformed)?;
    match submit_all(&state, &[transaction], wait).await?.pop() {
        Some(SubmitResult::Taken(submitted)) => Ok(Json(submitted).into_response()),
        Some(SubmitResult::Refused { error, .. }) => Err(ApiError::new(error.code, error.message)),
        None => Err(ApiError::internal("the sequencer answered nothing")),
    }
}

/// Hands the transactions to the sequencer, which checks each; the answers are in the request's order.
async fn submit_all(state: &AppState, transactions: &[TransactionJson], wait: bool) -> Result<Vec<SubmitResult>, ApiError> {
    let limit = state.config.max_transactions;
    if transactions.len() > limit {
        return Err(ApiError::new("too_many_transactions", format!("a request has at most {limit} transactions")));
    }
    let values = transactions.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>().map_err(ApiError::internal)?;
    let outcomes = state.sequencer.submit(values, wait).await.map_err(from_sequencer)?;
    if outcomes.len() != transactions.len() {
        return Err(ApiError::internal("the sequencer answered another number of transactions"));
    }
    Ok(outcomes.into_iter().map(answer).collect())
}

fn from_sequencer(error: ClientError) -> ApiError {
    match error {
        ClientError::Refused(body) => ApiError::new(body.code, body.message),
        unreachable @ ClientError::Unreachable(_) => ApiError::not_ready(unreachable),
    }
}

fn answer(outcome: Outcome) -> SubmitResult {
    match outcome {
        Outcome::Executed { hash, block, batch, position } => SubmitResult::Taken(Submitted {
            hash,
            status: Status::Executed,
            block: Some(block.0),
            batch: Some(batch.0),
            position: Some(position),
        }),
        Outcome::Pending { hash } => {
            SubmitResult::Taken(Submitted { hash, status: Status::Pending, block: None, batch: None, position: None })
        }
        Outcome::Rejected { hash, code, message } => {
            SubmitResult::Refused { hash, status: Status::Rejected, error: ErrorBody { code, message } }
        }
    }
}

pub(super) async fn transaction(
    State(state): State<Arc<AppState>>,
    Path(hash): Path<String>,
) -> Result<Json<Transaction>, ApiError> {
    let bytes: [u8; 32] = json::hex_bytes(&hash, "the transaction's hash")?;
    let hash = alloy_primitives::hex::encode_prefixed(bytes);
    let before = queries::transaction(&state.pool, bytes).await?;
    if let Some(found @ Found::Executed(..)) = before {
        return Ok(Json(shown(hash, found)));
    }
    // What was refused once may have been sent again, so what is pending goes before a refusal.
    match (state.sequencer.is_pending(&hash).await, before) {
        (Ok(true), _) => return Ok(Json(Transaction { hash, status: Status::Pending, rejection: None, executed: None })),
        (Ok(false), _) => {}
        (Err(_), Some(found)) => return Ok(Json(shown(hash, found))),
        (Err(error), None) => return Err(from_sequencer(error)),
    }
    // It may have been executed or refused since we looked.
    if let Some(found) = queries::transaction(&state.pool, bytes).await? {
        return Ok(Json(shown(hash, found)));
    }
    Err(ApiError::new("unknown_transaction", "no such transaction was executed, refused or is pending"))
}

fn shown(hash: String, found: Found) -> Transaction {
    match found {
        Found::Executed(status, executed) => Transaction { hash, status, rejection: None, executed: Some(*executed) },
        Found::Rejected(error) => Transaction { hash, status: Status::Rejected, rejection: Some(error), executed: None },
    }
}
