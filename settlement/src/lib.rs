//! Stands between the database and L1: the only process that talks to an L1 node.
//!
//! ```text
//!                     ┌── watcher ◀── events ───────────┐
//!  database ◀─ queue, │   batches settled, withdrawals  │  contract
//!     │        tokens ┘                                 │  on L1
//!     ├── proven batches ──────▶ submitter ── submit ──▶│
//!     └── settled withdrawals ─▶ creditor ── credit, ──▶┘
//!                                             claim
//! ```
//!
//! Invariants:
//! * Nothing is taken back that L1 may still accept: see [`unwinding`].
//! * No database transaction is open during a call to L1.
//! * What is to be sent next follows from the contract's state; nothing is remembered that a crash could lose.
//! * No proof is sent that the contract's own keys don't verify: see [`keys`].
//! * Only blocks with enough confirmations count. What contradicts one that counted halts the process.

mod config;
pub mod creditor;
pub mod deploy;
mod error;
pub mod funds;
pub mod keys;
pub mod l1;
pub mod policy;
mod proofs;
mod repeat;
pub mod sender;
pub mod store;
pub mod submitter;
pub mod unwinding;
pub mod watcher;

pub use config::{ClaimMinimum, Config, read_key};
pub use error::{Error, revert_name};
pub use repeat::{Next, Step};

use crate::creditor::Creditor;
use crate::funds::Funds;
use crate::l1::L1;
use crate::repeat::{Pace, repeat};
use crate::sender::{SendPolicy, Sender};
use crate::submitter::Submitter;
use crate::watcher::Watcher;
use anyhow::Context as _;
use sqlx::postgres::{PgPool, PgPoolOptions};
use std::future::Future;
use std::path::Path;
use std::time::Duration;

/// What a step of settlement answers.
pub type Result<T> = std::result::Result<T, Error>;

/// Reads L1 into the database, and submits and credits unless it only watches, until `shutdown`.
///
/// # Errors
/// If the configuration or a key is unusable, or when something is found that must not be built on, see [`Error::halts`].
/// Failures of L1 or the database are logged and tried again.
pub async fn run(config: Config, shutdown: impl Future<Output = ()> + Send + 'static) -> anyhow::Result<()> {
    config.check()?;
    // Each of the parts may listen and write.
    let options = PgPoolOptions::new().max_connections(8).acquire_timeout(Duration::from_secs(10));
    let pool = options.connect_lazy(&config.database_url)?;
    let l1 = L1 { provider: l1::connect(&config.rpc_url)?, chain_id: config.chain_id, contract: config.contract };
    let senders = if config.watch_only { None } else { Some(senders(&config, &pool, &l1)?) };
    let halted = tokio::select! {
        () = shutdown => None,
        error = work(&config, pool.clone(), l1, senders) => Some(error),
    };
    pool.close().await;
    if let Some(error) = halted {
        tracing::error!(code = error.code(), %error, "settlement halts");
        return Err(error.into());
    }
    tracing::info!("settlement stops");
    Ok(())
}

/// Runs the parts until one of them halts.
async fn work(config: &Config, pool: PgPool, l1: L1, senders: Option<(Sender, Sender)>) -> Error {
    if let Some(error) = checked(&l1, config.poll()).await {
        return error;
    }
    tracing::info!(contract = %config.contract, chain_id = config.chain_id, watch_only = senders.is_none(), "settlement watches L1");
    let watcher = repeat(Watcher::new(config, pool.clone(), l1.clone()), Pace::every(config.poll()));
    let Some((operator, creditor)) = senders else { return watcher.await };
    tracing::info!(operator = %operator.address(), creditor = %creditor.address(), "settlement submits and credits");
    let funds = Funds::new(pool.clone(), l1.clone(), [&operator, &creditor], config.funds_warning_days);
    let funds = repeat(funds, Pace::every(funds::INTERVAL));
    let pace = || Pace::every(config.poll()).or_on(&pool, store::BATCHES_CHANNEL);
    let submitter =
        repeat(Submitter::new(pool.clone(), l1.clone(), operator, config.call_policy(), config.proof_attempts_max), pace());
    let creditor = repeat(Creditor::new(pool.clone(), l1, creditor, config.payout_policy()), pace());
    tokio::select! {
        error = watcher => error,
        error = submitter => error,
        error = creditor => error,
        error = funds => error,
    }
}

/// Waits for the node, and makes sure that it is the right one.
async fn checked(l1: &L1, poll: Duration) -> Option<Error> {
    let mut silent = false;
    loop {
        match l1.check().await {
            Ok(()) => return None,
            Err(error) if error.halts() => return Some(error),
            Err(error) => {
                if !silent {
                    tracing::warn!(code = error.code(), %error, "waiting for L1");
                }
                silent = true;
                tokio::time::sleep(poll).await;
            }
        }
    }
}

fn senders(config: &Config, pool: &PgPool, l1: &L1) -> anyhow::Result<(Sender, Sender)> {
    let policy = SendPolicy {
        fee_cap_wei: u128::from(config.fee_cap_gwei) * 1_000_000_000,
        stuck_after: Duration::from_secs(config.stuck_seconds),
        poll: config.poll(),
    };
    let sender = |path: Option<&Path>, kind| {
        let signer = read_key(path.context("a key file is missing")?)?;
        anyhow::Ok(Sender::new(pool.clone(), l1.clone(), signer, policy, kind))
    };
    let operator = sender(config.operator_key_file.as_deref(), submitter::KIND)?;
    let creditor = sender(config.creditor_key_file.as_deref(), creditor::KIND)?;
    // With one key for both, each would wait for nonces that the other uses.
    anyhow::ensure!(operator.address() != creditor.address(), "the operator and the creditor must have different keys");
    Ok((operator, creditor))
}
