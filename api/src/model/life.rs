//! The life of a transaction, of an L1 operation and of a withdrawal.

use crate::error::ErrorBody;
use serde::{Deserialize, Serialize};
use sheaf_core::json::PairJson;
use sheaf_core::receipt::ReceiptJson;

/// How far something has come.
///
/// ```mermaid
/// stateDiagram-v2
///     [*] --> confirming : from L1
///     [*] --> pending : from a wallet
///     confirming --> queued
///     queued --> executed
///     pending --> executed
///     pending --> rejected
///     executed --> reverting : taken back
///     sealed --> reverting
///     proven --> reverting
///     reverting --> executed : it still holds
///     reverting --> reverted : it no longer holds
///     executed --> sealed
///     sealed --> proven
///     proven --> settled
///     settled --> claimable : if it leaves to L1
///     claimable --> claimed
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Refused after it was pending.
    Rejected,
    /// Taken back after it was executed, and no longer valid when it was to be executed again.
    Reverted,
    /// Taken back after it was executed; waits to be executed again.
    Reverting,
    /// On L1, not deep enough yet.
    Confirming,
    /// On L1 and deep enough; next in the queue.
    Queued,
    /// Admitted, not durable: promises nothing.
    Pending,
    /// Durable in an open batch: the operator's promise.
    Executed,
    /// Its batch is closed.
    Sealed,
    /// Its batch's proof exists.
    Proven,
    /// L1 accepted its batch.
    Settled,
    /// It can be claimed on L1.
    Claimable,
    /// It was paid out on L1.
    Claimed,
}

impl Status {
    /// The word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Reverted => "reverted",
            Self::Reverting => "reverting",
            Self::Confirming => "confirming",
            Self::Queued => "queued",
            Self::Pending => "pending",
            Self::Executed => "executed",
            Self::Sealed => "sealed",
            Self::Proven => "proven",
            Self::Settled => "settled",
            Self::Claimable => "claimable",
            Self::Claimed => "claimed",
        }
    }
}

/// One transaction's answer to a submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    /// The transaction's hash.
    pub hash: String,
    /// `executed` or `pending`.
    pub status: Status,
    /// The block that made it durable.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub block: Option<u64>,
    /// Its batch.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub batch: Option<u64>,
    /// Its slot in the batch.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub position: Option<u32>,
    /// The operator's signed promise, once it is executed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub receipt: Option<ReceiptJson>,
}

/// One of many transactions' answer: refused or taken (in this order, so that a refusal is never read as the other).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SubmitResult {
    /// Refused; `status` is `rejected`.
    Refused {
        /// The transaction's hash, if it could be read so far.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        hash: Option<String>,
        /// `rejected`.
        status: Status,
        /// Why.
        #[serde(flatten)]
        error: ErrorBody,
    },
    /// Taken.
    Taken(Submitted),
}

/// Answer of `POST /v1/transactions` to many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmitResults {
    /// In the order of the request.
    pub results: Vec<SubmitResult>,
}

/// Answer of `GET /v1/transactions/{hash}`. Of a transaction that is pending or rejected only the
/// hash and what became of it are known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// Its hash.
    pub hash: String,
    /// How far it has come.
    pub status: Status,
    /// Why it was refused, or why it no longer held when it was to be executed again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rejection: Option<ErrorBody>,
    /// Where it had been executed, if it was taken back.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub taken_back: Option<TakenBack>,
    /// Where and what it is, once it was executed.
    #[serde(flatten)]
    pub executed: Option<Executed>,
}

/// Where a transaction had been executed that was taken back, and why that was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenBack {
    /// Why its batch was taken back.
    pub reason: String,
    /// The block that had made it durable.
    pub block: u64,
    /// The batch that it had been in.
    pub batch: u64,
    /// Its slot there.
    pub position: u32,
}

/// An executed transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Executed {
    /// `transfer`, `transfer_new` or `withdraw`.
    pub kind: String,
    /// Its batch.
    pub batch: u64,
    /// Its slot in the batch.
    pub position: u32,
    /// The block that made it durable.
    pub block: u64,
    /// The sender.
    pub from: u32,
    /// The sender's nonce.
    pub nonce: u64,
    /// Last unix second at which it could have been executed.
    pub expires: u32,
    /// The token of amount and fee.
    pub token: u8,
    /// What the receiver got.
    pub amount: String,
    /// What the operator got.
    pub fee: String,
    /// The receiver's account.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to_account: Option<u32>,
    /// The receiver as it was signed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to: Option<PairJson>,
    /// The L1 address that a withdrawal goes to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub recipient: Option<String>,
    /// The withdrawal that it makes, once its batch is built.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub withdrawal: Option<WithdrawalRef>,
    /// The L1 transaction that settled its batch.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub settled_tx: Option<String>,
    /// The operator's signed promise; absent for blocks that were made before there were receipts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub receipt: Option<ReceiptJson>,
}

/// Where a withdrawal is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithdrawalRef {
    /// The batch.
    pub batch: u64,
    /// The place in the batch's withdrawals.
    pub index: u32,
}

/// An entry of the contract's queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct L1Operation {
    /// Its index in the queue.
    pub index: u64,
    /// `deposit`, `set_key` or `forced_exit`.
    pub kind: String,
    /// How far it has come.
    pub status: Status,
    /// L1 blocks until it is taken; 0 when it is deep enough.
    pub confirmations_left: u64,
    /// Who sent it on L1.
    pub sender: String,
    /// The L1 block.
    pub l1_block: u64,
    /// When it must be settled, by the contract's clock.
    pub deadline: u32,
    /// The token.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub token: Option<u8>,
    /// A deposit's amount, or what a forced exit took.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub amount: Option<String>,
    /// A deposit's receiver.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to: Option<PairJson>,
    /// The account that it concerns: given to a deposit when it is executed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub account: Option<u32>,
    /// A deposit that could not be applied: its amount is claimable on L1 instead.
    pub refunded: bool,
    /// Its batch.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub batch: Option<u64>,
    /// Its slot in the batch.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub position: Option<u32>,
    /// The withdrawal that it makes (a forced exit or a refund).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub withdrawal: Option<WithdrawalRef>,
}

/// Answer of `GET /v1/l1-operations/{L1 transaction hash}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct L1Operations {
    /// By index in the queue.
    pub operations: Vec<L1Operation>,
}

/// Answer of `GET /v1/withdrawals/{batch}/{index}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    /// The batch that it leaves with.
    pub batch: u64,
    /// Its place among the batch's withdrawals, in the order of their hash.
    pub index: u32,
    /// The slot that makes it.
    pub position: u32,
    /// Who may claim it.
    pub recipient: String,
    /// The token.
    pub token: u8,
    /// How much.
    pub amount: String,
    /// From `sealed` on.
    pub status: Status,
    /// The L1 transaction that made it claimable.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub credit_tx: Option<String>,
    /// The L1 transaction that paid it out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub claim_tx: Option<String>,
}

/// Answer of `GET /v1/withdrawals`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawals {
    /// Latest first.
    pub withdrawals: Vec<Withdrawal>,
    /// What to pass as `before` for the next page; null on the last.
    pub next: Option<String>,
}
