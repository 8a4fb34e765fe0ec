//! The sequencers of one database: one leads, others stand by.
//!
//! The one that answered last is asked first. Who can't be reached, or says that it takes nothing, is passed over for
//! the next at once; who is silent, as soon as another one says that it leads. A submission may then have reached two
//! of them: that is harmless, for a transaction is executed once, and whoever is sent it again answers what became of it.

use crate::error::ApiError;
use serde::Serialize;
use sheaf_sequencer::client::{Client, ClientError};
use sheaf_sequencer::wire::{HealthResponse, Status, SubmitResult};
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How often the others are asked who leads while one does not answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long each of the others has to say so.
const HEALTH_TIME_MAX: Duration = Duration::from_secs(1);

/// Clients of all sequencers.
#[derive(Debug)]
pub(crate) struct Sequencers {
    clients: Vec<Client>,
    /// Which of them answered last.
    last: AtomicUsize,
}

/// Why one sequencer gave no answer that counts.
enum Failure {
    Client(ClientError),
    /// It is silent, and another one leads.
    Superseded,
}

impl Sequencers {
    /// # Errors
    /// Without any URL.
    pub(crate) fn new(urls: &[String]) -> anyhow::Result<Self> {
        anyhow::ensure!(!urls.is_empty(), "sequencer_urls names no sequencer");
        Ok(Self { clients: urls.iter().map(Client::new).collect(), last: AtomicUsize::new(0) })
    }

    /// Hands transactions to the one that leads; one result for each, in order.
    pub(crate) async fn submit<T: Serialize>(&self, transactions: &[T], wait: bool) -> Result<Vec<SubmitResult>, ApiError> {
        self.ask(|client| async move { client.submit(transactions.iter().collect(), wait).await }).await
    }

    /// What the one that leads says of itself.
    pub(crate) async fn status(&self) -> Result<Status, ApiError> {
        self.ask(|client| async move { client.status().await }).await
    }

    /// Whether the transaction waits.
    pub(crate) async fn is_pending(&self, hash: &str) -> Result<bool, ApiError> {
        self.ask(|client| async move { client.is_pending(hash).await }).await
    }

    /// Whether one of them takes transactions, and if not, why.
    pub(crate) async fn health(&self) -> Result<HealthResponse, ApiError> {
        let mut best = Err(ApiError::not_ready("no sequencer can be reached"));
        for at in self.order() {
            match tokio::time::timeout(HEALTH_TIME_MAX, self.clients[at].health()).await {
                Ok(Ok(health)) if health.ready => return Ok(health),
                Ok(Ok(health)) => best = Ok(health),
                Ok(Err(_)) | Err(_) => {}
            }
        }
        best
    }

    /// All of them, the one that answered last first.
    fn order(&self) -> impl Iterator<Item = usize> + use<> {
        let (count, last) = (self.clients.len(), self.last.load(Ordering::Relaxed));
        (0..count).map(move |step| (last + step) % count)
    }

    async fn ask<'a, T, F: Future<Output = Result<T, ClientError>>>(
        &'a self,
        request: impl Fn(&'a Client) -> F,
    ) -> Result<T, ApiError> {
        let mut failure = None;
        for at in self.order() {
            let answer = tokio::select! {
                answer = request(&self.clients[at]) => answer.map_err(Failure::Client),
                () = self.another_leads(at) => Err(Failure::Superseded),
            };
            match answer {
                Ok(answer) => {
                    if self.last.swap(at, Ordering::Relaxed) != at {
                        tracing::info!(sequencer = at, "another sequencer leads");
                    }
                    return Ok(answer);
                }
                Err(Failure::Client(ClientError::Refused(body))) if body.code != "not_ready" => {
                    return Err(ApiError::new(body.code, body.message).after(body.retry_after_ms));
                }
                Err(Failure::Client(error)) => failure = Some(error.to_string()),
                Err(Failure::Superseded) => failure = Some("a sequencer that led is silent".to_owned()),
            }
        }
        Err(ApiError::not_ready(failure.unwrap_or_default()))
    }

    /// Returns when one of the others takes transactions; never, as long as none does.
    async fn another_leads(&self, silent: usize) {
        loop {
            tokio::time::sleep(PATIENCE).await;
            for (at, client) in self.clients.iter().enumerate() {
                if at != silent
                    && let Ok(Ok(health)) = tokio::time::timeout(HEALTH_TIME_MAX, client.health()).await
                    && health.ready
                {
                    return;
                }
            }
        }
    }
}
