//! What the operator sets.

use alloy_primitives::B256;
use serde::Deserialize;
use sheaf_core::geometry::DEPTH;
use std::path::PathBuf;
use std::time::Duration;

/// Configuration of a prover.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The Postgres database, a `postgres://` URL.
    pub database_url: String,
    /// Chain id of L1: development keys are for local test chains only.
    pub chain_id: u64,
    /// A file with proving keys, or a folder of them.
    pub keys_path: PathBuf,
    /// The hashes of the verifying keys of the shapes that this prover proves: the keys in `keys_path` that are wanted. Of a
    /// file that is named, its keys when the list is empty.
    #[serde(default)]
    pub verifying_keys: Vec<B256>,
    /// Depth of the state's tree that the keys must be for; other than the protocol's only in tests.
    #[serde(default = "defaults::depth")]
    pub depth: u32,
    /// Threads that a proof runs on; 0 takes one for each core.
    #[serde(default)]
    pub threads: usize,
    /// How long a job stays this prover's without a heartbeat, seconds. Heartbeats come three times as often.
    #[serde(default = "defaults::lease_seconds")]
    pub lease_seconds: u64,
    /// How often a job is tried before it is parked.
    #[serde(default = "defaults::attempts_max")]
    pub attempts_max: u32,
    /// Wait after the first failure, milliseconds; doubled after each further one.
    #[serde(default = "defaults::backoff_ms")]
    pub backoff_ms: u64,
    /// The longest wait after a failure, milliseconds.
    #[serde(default = "defaults::backoff_ms_max")]
    pub backoff_ms_max: u64,
    /// How often the queue is looked at when no notification comes, milliseconds.
    #[serde(default = "defaults::poll_ms")]
    pub poll_ms: u64,
    /// What this prover is called in the queue; by default its host's name and process number.
    #[serde(default)]
    pub worker: Option<String>,
}

mod defaults {
    use super::DEPTH;
    pub(super) const fn depth() -> u32 {
        DEPTH
    }
    pub(super) const fn lease_seconds() -> u64 {
        30
    }
    pub(super) const fn attempts_max() -> u32 {
        5
    }
    pub(super) const fn backoff_ms() -> u64 {
        1_000
    }
    pub(super) const fn backoff_ms_max() -> u64 {
        300_000
    }
    pub(super) const fn poll_ms() -> u64 {
        15_000
    }
}

/// When leases end and failures are tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long a lease lasts without a heartbeat.
    pub lease: Duration,
    /// Attempts before a job is parked.
    pub attempts_max: u32,
    /// Wait after the first failure.
    pub backoff: Duration,
    /// The longest wait.
    pub backoff_max: Duration,
}

impl Policy {
    /// How long a job waits after its `attempt`th attempt (from 1) has failed.
    pub fn wait_after(&self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(20);
        self.backoff.saturating_mul(1 << doublings).min(self.backoff_max)
    }
}

impl Config {
    /// Checks what the types don't.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!((4..=DEPTH).contains(&self.depth), "depth must be 4 to {DEPTH}");
        anyhow::ensure!(self.lease_seconds > 0, "lease_seconds must be at least 1");
        anyhow::ensure!(self.attempts_max > 0, "attempts_max must be at least 1");
        anyhow::ensure!(self.poll_ms > 0, "poll_ms must be at least 1");
        Ok(())
    }

    /// The queue's policy.
    pub fn policy(&self) -> Policy {
        Policy {
            lease: Duration::from_secs(self.lease_seconds),
            attempts_max: self.attempts_max,
            backoff: Duration::from_millis(self.backoff_ms),
            backoff_max: Duration::from_millis(self.backoff_ms_max),
        }
    }

    pub(crate) const fn poll(&self) -> Duration {
        Duration::from_millis(self.poll_ms)
    }

    /// What this prover is called in the queue.
    pub(crate) fn worker_name(&self) -> String {
        let host = || std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        self.worker.clone().unwrap_or_else(|| format!("{}:{}", host().trim(), std::process::id()))
    }
}
