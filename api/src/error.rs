//! Errors as users see them: an HTTP status, a stable code and a sentence.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use sheaf_core::json::JsonError;
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
    ("expired", 422),
    ("expires_too_far", 422),
    ("insufficient_balance", 422),
    ("fee_too_small", 422),
    ("receiver_retired", 422),
    ("no_free_account", 422),
    ("duplicate_transaction", 409),
    ("pool_full", 503),
    ("not_ready", 503),
    ("internal", 500),
];

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
}

impl ApiError {
    pub(crate) fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }

    /// Our own failure: the cause goes to the log, the client learns only that there was one.
    pub(crate) fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed");
        Self::new("internal", "the request failed for a reason of ours; it has been logged")
    }

    /// Something that we depend on is not up.
    pub(crate) fn not_ready(cause: impl std::fmt::Display) -> Self {
        tracing::warn!(%cause, "not ready");
        Self::new("not_ready", "the service is starting or being restarted; try again in a moment")
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
        (self.status(), Json(self.into_body())).into_response()
    }
}

impl From<JsonError> for ApiError {
    fn from(error: JsonError) -> Self {
        Self::new(error.code(), error.to_string())
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
