//! Proves sealed batches: any number of these processes share one queue in the database.
//!
//! ```text
//!  proof_jobs ── claim ──▶ worker ── load ──▶ witness ── prove (own threads) ──▶ proof ── verify ──▶ store
//!      ▲ lease, heartbeat, fail │                                                                  │
//!      └────────────────────────┘                       batches.proof, status proven, job done ◀───┘
//! ```
//!
//! Invariants:
//! * A result counts only under the job's latest lease: see [`queue`].
//! * A proof is verified before it is stored.
//! * No database transaction is open while a proof runs.
//! * A worker gets only batches of shapes that it has keys for, and says which those are for as long as it runs.
//! * A worker that is configured wrongly stops; it spends no attempt of any batch.
//! * A worker that is stopped has no job any more when it ends.

mod claim;
mod config;
mod contract;
mod database;
mod error;
mod heartbeat;
mod job;
pub mod jobs;
pub mod keyring;
pub mod keys;
mod presence;
mod proving;
pub mod queue;
mod wake;
mod worker;

pub use config::{Config, Policy};
pub use error::Error;
pub use job::load;
pub use presence::Unattended;
pub use worker::{Worker, store_verified};

use std::future::Future;

/// Bytes of a proof as the contract takes it.
pub const EVM_PROOF_BYTES: usize = 256;

/// How long connections may take to be closed.
const CLOSING_TIME_MAX: std::time::Duration = std::time::Duration::from_secs(5);

/// What a step of a job answers.
pub type Result<T> = std::result::Result<T, Error>;

/// Proves batches until `shutdown`.
///
/// # Errors
/// If the configuration, the keys or the database's address are unusable, batches are of another size than the keys of their shape
/// ([`Error::WrongKeys`]), or the contract has other keys ([`Error::OtherKeys`]). What else goes wrong is logged and tried again.
pub async fn run(config: Config, shutdown: impl Future<Output = ()> + Send + 'static) -> anyhow::Result<()> {
    config.check()?;
    // One connection listens, one sends heartbeats, one says that the worker runs, one works.
    let pool = database::pool(&config.database_url, 4)?;
    let keys = {
        let config = config.clone();
        tokio::task::spawn_blocking(move || keyring::Keyring::load(&config)).await??
    };
    let worker = Worker::new(&config, pool.clone(), keys.clone())?;
    tracing::info!(worker = config.worker_name(), shapes = ?keys.shapes(), "the prover waits for batches");
    let outcome = worker.work(shutdown).await;
    tracing::info!("the prover stops");
    // A connection that broke without a sign does not close either.
    let _ = tokio::time::timeout(CLOSING_TIME_MAX, pool.close()).await;
    outcome.map_err(named)
}

/// With its stable name before it.
fn named(error: Error) -> anyhow::Error {
    let code = error.code();
    anyhow::Error::new(error).context(code)
}
