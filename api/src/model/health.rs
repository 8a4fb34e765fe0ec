//! Whether all is well.

use serde::{Deserialize, Serialize};

/// Answer of `GET /v1/health`; its HTTP status is 200 if `ready`, else 503.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Whether transactions are taken.
    pub ready: bool,
    /// The database.
    pub database: Database,
    /// The sequencer.
    pub sequencer: Sequencer,
    /// How L1 is seen; absent while the database is away or L1 was never read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub l1: Option<L1Health>,
    /// Batches that are not settled.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub waiting: Option<Waiting>,
    /// The keys that pay for gas on L1.
    #[serde(default)]
    pub keys: Vec<KeyHealth>,
}

/// The database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// Whether it answers.
    pub ready: bool,
}

/// The sequencer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequencer {
    /// Whether it takes transactions.
    pub ready: bool,
    /// Transactions that wait to be executed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pending: Option<u64>,
}

/// How L1 is seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct L1Health {
    /// The last block that was seen.
    pub head: u64,
    /// The last block whose queue entries are taken.
    pub confirmed: u64,
    /// Seconds since a new block was last seen.
    pub head_age_seconds: u64,
}

/// Batches that are not settled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Wait for their proof.
    pub sealed: u64,
    /// Wait for L1.
    pub proven: u64,
    /// Proofs that were given up and need an operator.
    pub parked: u64,
    /// The numbers of the shapes whose batches have been free for more than a minute while no prover that runs has keys for
    /// them: this needs an operator, too.
    #[serde(default)]
    pub shapes_without_prover: Vec<u8>,
    /// Age of the oldest, in seconds since it was sealed.
    pub oldest_seconds: Option<u64>,
    /// L1 can't take what comes after this batch any more; the sequencer was asked to take it back, and has not yet.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unwinding_to: Option<u64>,
    /// Operations that were taken back and wait to be executed again; nothing new is taken before.
    #[serde(default)]
    pub reverting: u64,
}

/// A key that pays for gas on L1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyHealth {
    /// What it is for: `submit` or `credit`.
    pub kind: String,
    /// Its address.
    pub address: String,
    /// What it has, in wei.
    pub balance_wei: String,
    /// For how many days that lasts at the rate of the last week; absent while nothing was spent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub days_left: Option<f64>,
    /// Seconds since settlement looked.
    pub age_seconds: u64,
}
