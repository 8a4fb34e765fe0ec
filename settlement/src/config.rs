//! What the operator sets.

use crate::policy::{CallPolicy, PayoutPolicy};
use alloy::primitives::Address;
use alloy::signers::local::PrivateKeySigner;
use anyhow::Context as _;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

/// More batches than this are never put into a call: each takes some 50,000 gas for its proof alone.
const SUBMIT_BATCHES_MAX: usize = 128;

/// Configuration of settlement.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The Postgres database, a `postgres://` URL.
    pub database_url: String,
    /// JSON-RPC of an L1 node.
    pub rpc_url: String,
    /// Chain id of L1.
    pub chain_id: u64,
    /// The contract on L1.
    pub contract: Address,
    /// The block in which the contract was deployed, or one before.
    #[serde(default)]
    pub start_block: u64,
    /// How many blocks must follow a block before it counts.
    #[serde(default = "defaults::confirmations")]
    pub confirmations: u64,
    /// How often L1 is looked at, milliseconds.
    #[serde(default = "defaults::poll_ms")]
    pub poll_ms: u64,
    /// Blocks whose events are asked for at once.
    #[serde(default = "defaults::log_range")]
    pub log_range: u64,
    /// Only reads L1: submits and credits nothing.
    #[serde(default)]
    pub watch_only: bool,
    /// File with the operator's private key, 64 hex digits; it submits batches and nothing else.
    #[serde(default)]
    pub operator_key_file: Option<PathBuf>,
    /// File with another private key, which pays for crediting withdrawals, and for claims.
    #[serde(default)]
    pub creditor_key_file: Option<PathBuf>,
    /// The most that is offered for gas, gwei.
    #[serde(default = "defaults::fee_cap_gwei")]
    pub fee_cap_gwei: u64,
    /// How long a transaction may wait before it is sent again with a higher fee, seconds.
    #[serde(default = "defaults::stuck_seconds")]
    pub stuck_seconds: u64,
    /// Proven batches that are submitted with one call as soon as so many wait: their proofs are checked together.
    #[serde(default = "defaults::submit_batches")]
    pub submit_batches: usize,
    /// How long a proven batch waits for others before it is submitted, seconds.
    #[serde(default = "defaults::submit_after_seconds")]
    pub submit_after_seconds: u64,
    /// Above this price of gas, gwei, a proven batch waits for it to become cheaper.
    #[serde(default = "defaults::dear_gwei")]
    pub dear_gwei: u64,
    /// For so long at most, seconds. The same holds for crediting and claims, from when the batch was settled.
    #[serde(default = "defaults::dear_wait_seconds")]
    pub dear_wait_seconds: u64,
    /// A key whose funds last for fewer days than this, at the rate of the last week, is warned of.
    #[serde(default = "defaults::funds_warning_days")]
    pub funds_warning_days: u32,
    /// Withdrawals that are credited with one call.
    #[serde(default = "defaults::credit_chunk")]
    pub credit_chunk: usize,
    /// Whether what is credited is paid out to its owners as well; otherwise they claim it themselves.
    #[serde(default)]
    pub claim_for_owners: bool,
    /// What an owner must have of a token for that; of a token that is not named, any amount.
    #[serde(default)]
    pub claim_minimums: Vec<ClaimMinimum>,
    /// How often a batch is proven whose stored proofs don't verify with the contract's key, before its job is parked.
    #[serde(default = "defaults::proof_attempts_max")]
    pub proof_attempts_max: u32,
}

/// From which amount on a token is paid out to its owners.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimMinimum {
    /// The token's number.
    pub token: u8,
    /// In its smallest unit; a decimal string.
    #[serde(deserialize_with = "amount")]
    pub amount: u128,
}

fn amount<'de, D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<u128, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| serde::de::Error::custom(format!("{text:?} is no amount")))
}

mod defaults {
    pub(super) const fn confirmations() -> u64 {
        12
    }
    pub(super) const fn poll_ms() -> u64 {
        1_000
    }
    pub(super) const fn log_range() -> u64 {
        1_000
    }
    pub(super) const fn fee_cap_gwei() -> u64 {
        300
    }
    pub(super) const fn stuck_seconds() -> u64 {
        60
    }
    pub(super) const fn submit_batches() -> usize {
        16
    }
    pub(super) const fn submit_after_seconds() -> u64 {
        60
    }
    pub(super) const fn dear_gwei() -> u64 {
        100
    }
    pub(super) const fn dear_wait_seconds() -> u64 {
        3_600
    }
    pub(super) const fn funds_warning_days() -> u32 {
        7
    }
    pub(super) const fn credit_chunk() -> usize {
        100
    }
    pub(super) const fn proof_attempts_max() -> u32 {
        5
    }
}

impl Config {
    /// Checks what the types don't.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(self.poll_ms > 0, "poll_ms must be at least 1");
        anyhow::ensure!(self.log_range > 0, "log_range must be at least 1");
        anyhow::ensure!(self.credit_chunk > 0, "credit_chunk must be at least 1");
        anyhow::ensure!(
            (1..=SUBMIT_BATCHES_MAX).contains(&self.submit_batches),
            "submit_batches must be 1 to {SUBMIT_BATCHES_MAX}"
        );
        anyhow::ensure!(self.proof_attempts_max > 0, "proof_attempts_max must be at least 1");
        anyhow::ensure!(self.fee_cap_gwei > 0, "fee_cap_gwei must be at least 1");
        anyhow::ensure!(i64::try_from(self.chain_id).is_ok(), "chain_id is too large");
        let keys = self.operator_key_file.is_some() && self.creditor_key_file.is_some();
        anyhow::ensure!(self.watch_only || keys, "operator_key_file and creditor_key_file are needed unless watch_only is set");
        Ok(())
    }

    /// When batches are submitted.
    pub fn call_policy(&self) -> CallPolicy {
        CallPolicy {
            batches: self.submit_batches,
            after: Duration::from_secs(self.submit_after_seconds),
            dear_wei: u128::from(self.dear_gwei) * 1_000_000_000,
            patience: Duration::from_secs(self.dear_wait_seconds),
        }
    }

    /// When what left is credited and paid out.
    pub fn payout_policy(&self) -> PayoutPolicy {
        let CallPolicy { dear_wei, patience, .. } = self.call_policy();
        let minimums = || self.claim_minimums.iter().map(|minimum| (minimum.token, minimum.amount)).collect();
        PayoutPolicy { chunk: self.credit_chunk, dear_wei, patience, claims: self.claim_for_owners.then(minimums) }
    }

    pub(crate) const fn poll(&self) -> Duration {
        Duration::from_millis(self.poll_ms)
    }
}

/// Reads a private key from a file of 64 hex digits, with or without `0x`.
///
/// # Errors
/// If others may read the file, if it can't be read, or if it holds something else. The message never shows the content.
pub fn read_key(path: &Path) -> anyhow::Result<PrivateKeySigner> {
    use std::io::Read as _;
    use std::os::unix::fs::PermissionsExt as _;
    let shown = path.display();
    let reading = || format!("reading the private key {shown}");
    let mut file = std::fs::File::open(path).with_context(reading)?;
    let mode = file.metadata().with_context(reading)?.permissions().mode();
    anyhow::ensure!(mode & 0o077 == 0, "key_readable_by_others: {shown} has mode {:03o}: set it to 600", mode & 0o777);
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).with_context(reading)?;
    text.trim().parse().map_err(|_| anyhow::anyhow!("{shown} is no private key: 64 hex digits are expected"))
}
