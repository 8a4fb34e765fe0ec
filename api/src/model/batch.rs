//! Batches: what L1 gets.

use super::Operation;
use serde::{Deserialize, Serialize};

/// A batch without its data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchSummary {
    /// Its number; also the contract's.
    pub number: u64,
    /// `open`, `sealed`, `proven` or `settled`.
    pub status: String,
    /// Its time, fixed when it was opened.
    pub timestamp: u32,
    /// The account that fees go to.
    pub fee_account: u32,
    /// The circuit's number in the contract.
    pub shape: u8,
    /// Operations from L1, which stand first.
    pub l1_count: u32,
    /// All operations.
    pub op_count: u32,
    /// State root before, once it is built.
    pub old_root: Option<String>,
    /// State root after, once it is built.
    pub new_root: Option<String>,
    /// When it was opened.
    pub opened_at: u64,
    /// When it was closed.
    pub sealed_at: Option<u64>,
    /// When its proof came.
    pub proven_at: Option<u64>,
    /// When it was seen accepted on L1.
    pub settled_at: Option<u64>,
    /// The L1 transaction that settled it.
    pub settled_tx: Option<String>,
    /// How long proving took, in milliseconds.
    pub proving_ms: Option<u64>,
}

/// Answer of `GET /v1/batches/{number}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// What lists show.
    #[serde(flatten)]
    pub summary: BatchSummary,
    /// The domain, first word of the public data.
    pub domain: String,
    /// The operations as posted on L1, once it is built.
    pub ops: Option<String>,
    /// The commitment `c`, once it is built.
    pub commitment: Option<String>,
    /// The proof as the contract takes it: A.x A.y B.x1 B.x0 B.y1 B.y0 C.x C.y.
    pub proof: Option<Vec<String>>,
    /// The operations, decoded, in the order of their slots.
    pub operations: Vec<Operation>,
}

/// Answer of `GET /v1/batches`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batches {
    /// Latest first.
    pub batches: Vec<BatchSummary>,
    /// What to pass as `before` for the next page; null on the last.
    pub next: Option<u64>,
}
