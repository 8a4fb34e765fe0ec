//! Submission, and what became of it.

use crate::error::{ApiError, ErrorBody, is_temporary};
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
        let outcomes = submit_all(&state, &transactions, wait).await?;
        if let Some(error) = come_again(&outcomes) {
            return Err(error);
        }
        return Ok(Json(SubmitResults { results: outcomes.into_iter().map(answer).collect() }).into_response());
    }
    let transaction = serde_json::from_slice(&body).map_err(malformed)?;
    let outcomes = submit_all(&state, &[transaction], wait).await?;
    match outcomes.into_iter().next() {
        Some(Outcome::Rejected { code, message, retry_after_ms, .. }) => Err(ApiError::new(code, message).after(retry_after_ms)),
        Some(taken) => Ok(Json(answer(taken)).into_response()),
        None => Err(ApiError::internal("the sequencer answered nothing")),
    }
}

/// If nothing of many was taken and all may be taken later: the refusal of the whole request, which tells when.
fn come_again(outcomes: &[Outcome]) -> Option<ApiError> {
    let temporary = |outcome: &Outcome| match outcome {
        Outcome::Rejected { code, message, retry_after_ms, .. } if is_temporary(code) => {
            Some((retry_after_ms.unwrap_or(0), code.clone(), message.clone()))
        }
        _ => None,
    };
    let all = outcomes.iter().map(temporary).collect::<Option<Vec<_>>>()?;
    let (ms, code, message) = all.into_iter().max_by_key(|(ms, ..)| *ms)?;
    Some(ApiError::new(code, message).after((ms > 0).then_some(ms)))
}

/// Hands the transactions to the sequencer, which checks each; the answers are in the request's order.
async fn submit_all(state: &AppState, transactions: &[TransactionJson], wait: bool) -> Result<Vec<Outcome>, ApiError> {
    let limit = state.config.max_transactions;
    if transactions.len() > limit {
        return Err(ApiError::new("too_many_transactions", format!("a request has at most {limit} transactions")));
    }
    let outcomes = state.sequencers.submit(transactions, wait).await?;
    if outcomes.len() != transactions.len() {
        return Err(ApiError::internal("the sequencer answered another number of transactions"));
    }
    Ok(outcomes)
}

fn answer(outcome: Outcome) -> SubmitResult {
    match outcome {
        Outcome::Executed { hash, block, batch, position, receipt } => SubmitResult::Taken(Submitted {
            hash,
            status: Status::Executed,
            block: Some(block.0),
            batch: Some(batch.0),
            position: Some(position),
            receipt,
        }),
        Outcome::Pending { hash } => SubmitResult::Taken(Submitted {
            hash,
            status: Status::Pending,
            block: None,
            batch: None,
            position: None,
            receipt: None,
        }),
        Outcome::Rejected { hash, code, message, .. } => {
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
    if let Some(found @ (Found::Executed(..) | Found::Reverting(_))) = before {
        return Ok(Json(shown(hash, found)));
    }
    // What was refused once may have been sent again, so what is pending goes before a refusal.
    match (state.sequencers.is_pending(&hash).await, before) {
        (Ok(true), _) => return Ok(Json(bare(hash, Status::Pending))),
        (Ok(false), _) => {}
        (Err(_), Some(found)) => return Ok(Json(shown(hash, found))),
        (Err(error), None) => return Err(error),
    }
    // It may have been executed or refused since we looked.
    if let Some(found) = queries::transaction(&state.pool, bytes).await? {
        return Ok(Json(shown(hash, found)));
    }
    Err(ApiError::new("unknown_transaction", "no such transaction was executed, refused or is pending"))
}

fn shown(hash: String, found: Found) -> Transaction {
    match found {
        Found::Executed(status, executed) => Transaction { executed: Some(*executed), ..bare(hash, status) },
        Found::Rejected(error) => Transaction { rejection: Some(error), ..bare(hash, Status::Rejected) },
        Found::Reverting(place) => Transaction { taken_back: Some(place), ..bare(hash, Status::Reverting) },
        Found::Reverted(error, place) => {
            Transaction { rejection: Some(error), taken_back: Some(place), ..bare(hash, Status::Reverted) }
        }
    }
}

const fn bare(hash: String, status: Status) -> Transaction {
    Transaction { hash, status, rejection: None, taken_back: None, executed: None }
}
