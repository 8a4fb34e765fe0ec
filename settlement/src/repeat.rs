//! Repeats a step for as long as the process runs: at once while there is more to do, else when something is announced or
//! some time has passed. Failures are logged and tried again, each time later; those that halt end it.

use crate::Result;
use crate::error::Error;
use sqlx::postgres::{PgListener, PgPool};
use std::future::Future;
use std::time::Duration;

/// The longest wait after failures.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// What a step leaves to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// There is more to do now.
    Again,
    /// Nothing is to do for the moment.
    Wait,
}

/// One of the process's jobs.
pub trait Step {
    /// What the log calls it.
    const NAME: &'static str;
    /// Does what is to do next.
    fn step(&mut self) -> impl Future<Output = Result<Next>> + Send;
}

/// Repeats a step until it fails with an error that halts, and returns that error.
pub(crate) async fn repeat<S: Step>(mut step: S, mut pace: Pace) -> Error {
    let mut failures = 0u32;
    loop {
        match step.step().await {
            Ok(next) => {
                if failures > 0 {
                    tracing::info!(part = S::NAME, failures, "works again");
                }
                failures = 0;
                if next == Next::Wait {
                    pace.wait().await;
                }
            }
            Err(error) if error.halts() => return error,
            Err(error) => {
                failures += 1;
                let wait = pace.poll.saturating_mul(1 << (failures - 1).min(10)).min(WAIT_MAX.max(pace.poll));
                tracing::warn!(part = S::NAME, code = error.code(), %error, failures, wait_ms = wait.as_millis() as u64, "trying again");
                tokio::time::sleep(wait).await;
            }
        }
    }
}

/// When to look again.
pub(crate) struct Pace {
    poll: Duration,
    channel: Option<(PgPool, &'static str)>,
    listener: Option<PgListener>,
}

impl Pace {
    /// Looks again after each `poll`.
    pub(crate) const fn every(poll: Duration) -> Self {
        Self { poll, channel: None, listener: None }
    }

    /// Looks again also when something is announced on a channel.
    pub(crate) fn or_on(self, pool: &PgPool, channel: &'static str) -> Self {
        Self { channel: Some((pool.clone(), channel)), ..self }
    }

    async fn wait(&mut self) {
        if self.listener.is_none()
            && let Some((pool, channel)) = &self.channel
            && let Ok(mut listener) = PgListener::connect_with(pool).await
            && listener.listen(channel).await.is_ok()
        {
            self.listener = Some(listener);
        }
        let Some(listener) = &mut self.listener else { return tokio::time::sleep(self.poll).await };
        match tokio::time::timeout(self.poll, listener.try_recv()).await {
            Ok(Ok(Some(_))) | Err(_) => {}
            // The connection was lost: the poll goes on meanwhile.
            Ok(Ok(None) | Err(_)) => {
                self.listener = None;
                tokio::time::sleep(self.poll).await;
            }
        }
    }
}
