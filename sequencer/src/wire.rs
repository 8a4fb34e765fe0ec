//! The internal HTTP interface's JSON, for both of its ends.

use crate::config::{Limits, MinimumFee};
use crate::types::{BatchNumber, BlockNumber};
use alloy_primitives::Address;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sheaf_core::receipt::ReceiptJson;

/// `POST /submit`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmitRequest {
    /// Transactions, each as wallets send it; one that can't be read is refused alone.
    pub transactions: Vec<Box<RawValue>>,
    /// Whether to answer when they are durable (the default), or already when they are admitted.
    #[serde(default = "yes")]
    pub wait: bool,
}

const fn yes() -> bool {
    true
}

/// The answer to [`SubmitRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmitResponse {
    /// One result a transaction, in order.
    pub results: Vec<SubmitResult>,
}

/// What became of one transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum SubmitResult {
    /// Durable.
    Executed {
        /// 0x and 64 hex digits.
        hash: String,
        /// The block that it is in.
        block: BlockNumber,
        /// The batch that it is in.
        batch: BatchNumber,
        /// Its position in the batch.
        position: u32,
        /// The sequencer's signed promise; absent for blocks that were made before there were receipts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        receipt: Option<ReceiptJson>,
    },
    /// Admitted, or its fate is unknown; promises nothing, and is safe to send again.
    Pending {
        /// 0x and 64 hex digits.
        hash: String,
    },
    /// Refused; changed nothing.
    Rejected {
        /// 0x and 64 hex digits, if the transaction could be read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hash: Option<String>,
        /// Stable code.
        code: String,
        /// A sentence for people.
        message: String,
        /// If the same may succeed later: after how many milliseconds to try again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
}

/// `GET /status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The time at which a transaction is executed now, unix seconds: an expiry before it is refused.
    pub timestamp: u32,
    /// How far beyond an expiry may lie, seconds.
    pub expires_ahead_max: u32,
    /// The open batch.
    pub open_batch: BatchNumber,
    /// The account that fees go to.
    pub fee_account: u32,
    /// Whose signature receipts have.
    pub receipt_signer: Address,
    /// Smallest fees; a token that is not named costs nothing.
    pub minimum_fees: Vec<MinimumFee>,
    /// Transactions that wait or are not durable yet.
    pub pending: usize,
    /// Bounds of queues.
    pub limits: Limits,
}

/// `GET /pending/{hash}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingResponse {
    /// Whether the transaction waits or is not durable yet.
    pub pending: bool,
}

/// `GET /health`: 200 if ready, else 503.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthResponse {
    /// Whether transactions are taken.
    pub ready: bool,
    /// If not, why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The body of an answer that is no success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// Stable code.
    pub code: String,
    /// A sentence for people.
    pub message: String,
    /// If the same may succeed later: after how many milliseconds to try again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}
