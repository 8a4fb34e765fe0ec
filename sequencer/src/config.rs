//! What the operator sets.

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sheaf_core::geometry::{DEPTH, Geometry};
use sheaf_core::receipt::COUNT_MAX;
use sheaf_core::shape::Shape;
use sheaf_core::shapes::Shapes;
use sheaf_core::transaction::Pair;
use sheaf_core::types::{AccountId, TokenId, field_from_bytes};
use sheaf_executor::{Choice, Path};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

/// Configuration of the sequencer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The Postgres database, a `postgres://` URL.
    pub database_url: String,
    /// Where the internal HTTP interface listens. It has no access control: keep it on the loopback.
    pub listen: SocketAddr,
    /// Chain id of L1.
    pub chain_id: u64,
    /// The contract on L1.
    pub contract: Address,
    /// Sizes of batch circuits: the contract's shapes, ascending. A batch gets the smallest that holds it.
    #[serde(default = "defaults::shapes")]
    pub shapes: Shapes,
    /// Depth of the state's tree; other than the protocol's only in tests.
    #[serde(default = "defaults::depth")]
    pub depth: u32,
    /// Owner of the operator's own account, which gets the fees at index 1.
    pub fee_owner: Address,
    /// Key hash of the operator's own account.
    pub fee_key_hash: B256,
    /// File with the private key that signs receipts, 64 hex digits. All sequencers of a database have the same one.
    pub receipt_key_file: PathBuf,
    /// Smallest fees by token; a token that is not named costs nothing.
    #[serde(default)]
    pub minimum_fees: Vec<MinimumFee>,
    /// How often a block is made durable, milliseconds.
    #[serde(default = "defaults::block_ms")]
    pub block_ms: u64,
    /// How long a batch stays open after its first operation, milliseconds.
    #[serde(default = "defaults::batch_timeout_ms")]
    pub batch_timeout_ms: u64,
    /// How long a confirmed L1 operation may wait for an open batch with transactions to fill, milliseconds.
    #[serde(default = "defaults::l1_wait_ms")]
    pub l1_wait_ms: u64,
    /// Threads that execute operations; by default as many as the machine runs at once.
    #[serde(default)]
    pub executor_threads: Option<NonZeroUsize>,
    /// How operations are executed; other than `auto` only in tests, as the result is the same.
    #[serde(default)]
    pub executor_path: ExecutorPath,
    /// Bounds of queues.
    #[serde(default)]
    pub limits: Limits,
    /// Whether to stand by while another sequencer leads, and to take over from it; otherwise it is an error that one does.
    #[serde(default = "defaults::stand_by")]
    pub stand_by: bool,
    /// After how long a leader that shows no life is replaced, milliseconds; the leader shows it five times as often. The
    /// same for all sequencers of a database.
    #[serde(default = "defaults::takeover_after_ms")]
    pub takeover_after_ms: u64,
    /// Where others reach the internal HTTP interface, if that is not `http://` and what it listens on.
    #[serde(default)]
    pub advertise: Option<String>,
    /// Runs on a database that may lose what it acknowledged. For tests only.
    #[serde(default)]
    pub allow_unsafe_durability: bool,
}

/// How operations are executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExecutorPath {
    /// As the executor's plan says.
    #[default]
    Auto,
    /// In one loop.
    Sequential,
    /// By several threads, also where that does not pay.
    Parallel,
}

impl From<ExecutorPath> for Choice {
    fn from(path: ExecutorPath) -> Self {
        match path {
            ExecutorPath::Auto => Self::Auto,
            ExecutorPath::Sequential => Self::Force(Path::Sequential),
            ExecutorPath::Parallel => Self::Force(Path::Parallel),
        }
    }
}

/// The smallest fees that are taken in one token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MinimumFee {
    /// The token of amount and fee.
    pub token: TokenId,
    /// For a transfer to an account that exists.
    pub transfer: Units,
    /// For a transfer that creates an account: pays for the index too, which is used up for good.
    pub transfer_new: Units,
    /// For a withdrawal: pays for crediting it on L1 too.
    pub withdraw: Units,
}

/// An amount in a token's smallest unit; a decimal string in JSON and TOML.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Units(pub u128);

impl Serialize for Units {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Units {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|_| serde::de::Error::custom(format!("{text:?} is no amount")))
    }
}

/// Bounds of queues: what is beyond is refused at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Transactions that wait or are not durable yet.
    pub pending_max: usize,
    /// The same of one account.
    pub pending_per_account_max: usize,
    /// How many nonces of an account, from its next one on, may be waiting or on their way.
    pub future_nonces_max: u64,
    /// Operations of one block.
    pub block_operations_max: usize,
    /// Transactions of one request.
    pub request_transactions_max: usize,
    /// Sealed batches that wait to be built; beyond, no transactions are taken.
    pub unbuilt_batches_max: u64,
    /// Sealed batches that L1 has not accepted; beyond, no transactions are taken.
    pub unsettled_batches_max: u64,
    /// How old the oldest of them may be, seconds; beyond, no transactions are taken. After three days L1 does not accept it any more,
    /// and everything since is taken back.
    pub unsettled_age_s_max: u32,
    /// Rows kept of refused transactions.
    pub rejections_max: u32,
    /// Bytes of changes of the state that blocks may leave in the database before they are folded in, about 40 a transfer.
    pub state_log_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pending_max: 20_000,
            pending_per_account_max: 1_000,
            future_nonces_max: 64,
            block_operations_max: 2_000,
            request_transactions_max: 1_000,
            unbuilt_batches_max: 10_000,
            unsettled_batches_max: 100_000,
            unsettled_age_s_max: 24 * 60 * 60,
            rejections_max: 10_000,
            state_log_bytes_max: 8 << 20,
        }
    }
}

mod defaults {
    use super::{DEPTH, Shape, Shapes};
    pub(super) fn shapes() -> Shapes {
        Shapes::one(Shape::DEVELOPMENT).expect("its id is 0")
    }
    pub(super) const fn depth() -> u32 {
        DEPTH
    }
    pub(super) const fn block_ms() -> u64 {
        20
    }
    pub(super) const fn batch_timeout_ms() -> u64 {
        10_000
    }
    pub(super) const fn l1_wait_ms() -> u64 {
        2_000
    }
    pub(super) const fn stand_by() -> bool {
        true
    }
    pub(super) const fn takeover_after_ms() -> u64 {
        5_000
    }
}

impl Config {
    /// Checks what the types don't.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!((4..=DEPTH).contains(&self.depth), "depth must be 4 to {DEPTH}");
        self.shapes.hold_any_operation(self.geometry())?;
        let key_hash = field_from_bytes(&self.fee_key_hash.0);
        anyhow::ensure!(key_hash.is_some(), "fee_key_hash must be below the field's modulus");
        anyhow::ensure!(!self.fee_key_hash.is_zero() && !self.fee_owner.is_zero(), "fee_owner and fee_key_hash must not be zero");
        let block_max = self.limits.block_operations_max;
        anyhow::ensure!(block_max <= COUNT_MAX as usize, "limits.block_operations_max must be {COUNT_MAX} at most");
        anyhow::ensure!(self.block_ms > 0, "block_ms must be at least 1");
        anyhow::ensure!(self.takeover_after_ms >= 100, "takeover_after_ms must be at least 100");
        anyhow::ensure!(self.chain_id <= i64::MAX as u64, "chain_id is too large");
        Ok(())
    }

    pub(crate) const fn geometry(&self) -> Geometry {
        Geometry::new(self.depth)
    }

    /// The operator's own (owner, key hash).
    ///
    /// # Panics
    /// Unless [`Config::check`] passes.
    pub(crate) fn operator(&self) -> Pair {
        let key_hash = field_from_bytes(&self.fee_key_hash.0).expect("the configuration was checked");
        Pair { owner: self.fee_owner, key_hash }
    }

    /// The account that fees go to.
    pub const FEE_ACCOUNT: AccountId = AccountId::FIRST;

    /// How many threads execute.
    pub(crate) fn executor_threads(&self) -> usize {
        self.executor_threads.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get)
    }

    pub(crate) const fn block_time(&self) -> Duration {
        Duration::from_millis(self.block_ms)
    }

    pub(crate) const fn batch_timeout(&self) -> Duration {
        Duration::from_millis(self.batch_timeout_ms)
    }

    pub(crate) const fn takeover_after(&self) -> Duration {
        Duration::from_millis(self.takeover_after_ms)
    }

    pub(crate) const fn l1_wait(&self) -> Duration {
        Duration::from_millis(self.l1_wait_ms)
    }

    pub(crate) fn minimum_fee(&self, token: TokenId) -> MinimumFee {
        let free = MinimumFee { token, transfer: Units(0), transfer_new: Units(0), withdraw: Units(0) };
        self.minimum_fees.iter().find(|f| f.token == token).cloned().unwrap_or(free)
    }
}
