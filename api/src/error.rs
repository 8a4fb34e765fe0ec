//! Errors as users see them: an HTTP status, a stable code and a sentence.

use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use sheaf_core::json::JsonError;
use sheaf_sequencer::store::StoreError;
use std::borrow::Cow;

/// Every code with its HTTP status. `docs/api.md` explains each; a test holds the two together.
pub const CODES: &[(&str, u16)] = &[
    ("malformed_json", 400),
    ("malformed_request", 400),
    ("hex_length", 400),
    ("hex_digit", 400),
    ("field_out_of_range", 400),
    ("key_not_on_curve", 400),
    ("amount_not_representable", 400),
    ("fee_not_representable", 400),
    ("unknown_token", 400),
    ("too_many_transactions", 400),
    ("body_too_large", 413),
    ("not_found", 404),
    ("method_not_allowed", 405),
    ("unknown_transaction", 404),
    ("unknown_l1_transaction", 404),
    ("unknown_account", 404),
    ("unknown_batch", 404),
    ("unknown_withdrawal", 404),
    ("invalid_signature", 422),
    ("wrong_domain", 422),
    ("wrong_key", 422),
    ("nonce_too_old", 422),
    ("nonce_gap", 422),
    ("nonce_too_far", 422),
    ("expired", 422),
    ("expires_too_far", 422),
    ("insufficient_balance", 422),
    ("fee_too_small", 422),
    ("receiver_retired", 422),
    ("no_free_account", 422),
    ("replaced", 409),
    ("replacement_underpriced", 409),
    ("pool_full", 429),
    ("not_ready", 503),
    ("internal", 500),
];

/// Whether exactly the same may succeed in a moment, without anybody changing it.
pub fn is_temporary(code: &str) -> bool {
    matches!(code, "pool_full" | "not_ready")
}

/// The body of every answer that is no success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// One of [`CODES`].
    pub code: String,
    /// A sentence for people.
    pub message: String,
}

/// A refusal, or a failure of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    code: Cow<'static, str>,
    message: String,
    /// If the same may succeed later: after how many milliseconds to try again.
    retry_after_ms: Option<u64>,
}

/// What is said where the sequencer has not said when to try again.
const RETRY_AFTER_MS: u64 = 1_000;

impl ApiError {
    pub(crate) fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), retry_after_ms: None }
    }

    /// Says when to try again, if that is of use at all.
    pub(crate) fn after(mut self, retry_after_ms: Option<u64>) -> Self {
        let may_succeed = is_temporary(&self.code);
        self.retry_after_ms = may_succeed.then(|| retry_after_ms.unwrap_or(RETRY_AFTER_MS));
        self
    }

    /// Our own failure: the cause goes to the log, the client learns only that there was one.
    pub(crate) fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed");
        Self::new("internal", "the request failed for a reason of ours; it has been logged")
    }

    /// Something that we depend on is not up.
    pub(crate) fn not_ready(cause: impl std::fmt::Display) -> Self {
        tracing::warn!(%cause, "not ready");
        Self::new("not_ready", "the service is starting or being restarted; try again in a moment").after(None)
    }

    pub(crate) fn status(&self) -> StatusCode {
        let found = CODES.iter().find(|(code, _)| *code == self.code);
        found.and_then(|(_, status)| StatusCode::from_u16(*status).ok()).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY)
    }

    pub(crate) fn into_body(self) -> ErrorBody {
        ErrorBody { code: self.code.into_owned(), message: self.message }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let retry_after = self.retry_after_ms.map(|ms| HeaderValue::from(ms.div_ceil(1_000).max(1)));
        let mut response = (self.status(), Json(self.into_body())).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        response
    }
}

impl From<JsonError> for ApiError {
    fn from(error: JsonError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Sql(error) => error.into(),
            other => Self::internal(other),
        }
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => Self::not_ready(error),
            other => Self::internal(other),
        }
    }
}
