//! The other end of the internal HTTP interface.

use crate::wire::{ErrorBody, HealthResponse, PendingResponse, Status, SubmitResponse, SubmitResult};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Longer than the sequencer lets anybody wait.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(30);

/// Why the sequencer gave no answer, or none for the whole request.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// It can't be reached, or answers nonsense. What was submitted may or may not have been executed.
    #[error("the sequencer can't be reached: {0}")]
    Unreachable(#[from] reqwest::Error),
    /// It refuses the request as a whole.
    #[error("{}", .0.message)]
    Refused(ErrorBody),
}

impl ClientError {
    /// The stable code that users see.
    pub fn code(&self) -> &str {
        match self {
            Self::Unreachable(_) => "not_ready",
            Self::Refused(body) => &body.code,
        }
    }

    /// After how many milliseconds to try again, if the sequencer said so.
    pub const fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::Unreachable(_) => None,
            Self::Refused(body) => body.retry_after_ms,
        }
    }
}

/// [`crate::wire::SubmitRequest`] as it is sent.
#[derive(Serialize)]
struct Submit<T> {
    transactions: Vec<T>,
    wait: bool,
}

/// A client of one sequencer.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    /// A client of the sequencer at `base`, for example `http://127.0.0.1:8600`.
    ///
    /// # Panics
    /// If the system has no sockets.
    pub fn new(base: impl Into<String>) -> Self {
        let http = reqwest::Client::builder().timeout(REQUEST_TIME_MAX).no_proxy().build().expect("a plain HTTP client");
        Self { http, base: base.into().trim_end_matches('/').to_owned() }
    }

    /// Submits transactions, each as JSON of the form of [`sheaf_core::json::TransactionJson`], and gives one result for
    /// each, in order.
    ///
    /// # Errors
    /// [`ClientError`]; codes `not_ready` and `pool_full` mean: send again later.
    pub async fn submit<T: Serialize>(&self, transactions: Vec<T>, wait: bool) -> Result<Vec<SubmitResult>, ClientError> {
        let request = self.http.post(format!("{}/submit", self.base)).json(&Submit { transactions, wait });
        Ok(answer::<SubmitResponse>(request).await?.results)
    }

    /// What wallets need to know.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn status(&self) -> Result<Status, ClientError> {
        answer(self.http.get(format!("{}/status", self.base))).await
    }

    /// Whether the transaction with this hash (0x and 64 hex digits) waits.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn is_pending(&self, hash: &str) -> Result<bool, ClientError> {
        Ok(answer::<PendingResponse>(self.http.get(format!("{}/pending/{hash}", self.base))).await?.pending)
    }

    /// Whether it works, and if not, why.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`].
    pub async fn health(&self) -> Result<HealthResponse, ClientError> {
        Ok(self.http.get(format!("{}/health", self.base)).send().await?.json().await?)
    }
}

async fn answer<T: DeserializeOwned>(request: reqwest::RequestBuilder) -> Result<T, ClientError> {
    let response = request.send().await?;
    if response.status().is_success() {
        return Ok(response.json().await?);
    }
    Err(ClientError::Refused(response.json().await?))
}
