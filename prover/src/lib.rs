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

mod config;
mod error;
mod job;
pub mod keys;
pub mod queue;
mod wake;
mod worker;

pub use config::{Config, Policy};
pub use error::Error;
pub use job::load;
pub use worker::{Worker, store_verified};

use sqlx::postgres::PgPoolOptions;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of a proof as the contract takes it.
pub const EVM_PROOF_BYTES: usize = 256;

/// What a step of a job answers.
pub type Result<T> = std::result::Result<T, Error>;

/// Proves batches until `shutdown`.
///
/// # Errors
/// If the configuration, the keys or the database's address are unusable. What goes wrong later is logged and tried again.
pub async fn run(config: Config, shutdown: impl Future<Output = ()> + Send + 'static) -> anyhow::Result<()> {
    config.check()?;
    // One connection listens, one sends heartbeats, one works.
    let pool =
        PgPoolOptions::new().max_connections(4).acquire_timeout(Duration::from_secs(10)).connect_lazy(&config.database_url)?;
    let keys = {
        let config = config.clone();
        tokio::task::spawn_blocking(move || keys::Keys::load(&config)).await??
    };
    let worker = Worker::new(&config, pool.clone(), Arc::new(keys))?;
    tracing::info!(worker = config.worker_name(), "the prover waits for batches");
    worker.work(shutdown).await;
    tracing::info!("the prover stops");
    pool.close().await;
    Ok(())
}
