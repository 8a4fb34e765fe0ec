//! What can go wrong between the database and L1.

use alloy::primitives::{Address, B256, Bytes};
use alloy::transports::TransportError;

/// Why a step of settlement failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The node did not answer, or answered nonsense. Tried again.
    #[error("the L1 node failed: {0}")]
    L1(String),
    /// The database failed. Tried again.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// The contract would refuse a transaction. Tried again, for the reason may go away.
    #[error("the contract refuses {what}: {name}")]
    Refused {
        /// What was about to be sent.
        what: String,
        /// The contract's error with its values, or the revert's bytes.
        name: String,
    },
    /// A transaction was taken into a block and failed there. Looked into again.
    #[error("L1 transaction {hash} failed")]
    Failed {
        /// The transaction.
        hash: B256,
    },
    /// The contract's last root is not the one that the next batch starts from. Tried again: the watcher finds out why.
    #[error("batch {batch} starts from root {ours}, but the contract stands at {contract}")]
    RootDiffers {
        /// The batch that would be next.
        batch: u64,
        /// Its old root.
        ours: B256,
        /// The contract's root.
        contract: B256,
    },
    /// A block that had enough confirmations is no longer in the chain. Halts.
    #[error(
        "L1 reorganised below {confirmations} confirmations: block {block} was {expected}, now it is {found}. \
         What was built on it has to be unwound by hand"
    )]
    Reorg {
        /// The block's number.
        block: u64,
        /// Its hash when it was confirmed.
        expected: B256,
        /// The hash now.
        found: B256,
        /// The configured number.
        confirmations: u64,
    },
    /// A confirmed batch on L1 is not the one in the database. Halts.
    #[error("batch {batch} on L1 is not ours: {reason}")]
    ForeignBatch {
        /// The batch.
        batch: u64,
        /// What differs.
        reason: String,
    },
    /// The contract's queue does not continue what the database has of it. Halts.
    #[error("entry {index} of the contract's queue does not fit: {reason}")]
    QueueDiffers {
        /// The entry.
        index: u64,
        /// What differs.
        reason: String,
    },
    /// What the contract keeps of a batch's withdrawals is not made of ours. Halts.
    #[error("the withdrawals of batch {batch} on L1 are not ours: {reason}")]
    WithdrawalsDiffer {
        /// The batch.
        batch: u64,
        /// What differs.
        reason: String,
    },
    /// The node is on another chain. Halts.
    #[error("the L1 node is on chain {found}, not on chain {expected}")]
    WrongChain {
        /// The configured chain.
        expected: u64,
        /// The node's chain.
        found: u64,
    },
    /// There is no contract. Halts.
    #[error("there is no contract at {0}")]
    NoContract(Address),
    /// Where the contract keeps its verifying keys there is something else. Halts.
    #[error("the verifying keys of contract {contract} can't be read: {reason}")]
    BadKeys {
        /// The contract.
        contract: Address,
        /// What is there.
        reason: String,
    },
    /// The database belongs to another deployment. Halts.
    #[error("the database belongs to contract {contract} on chain {chain_id}")]
    OtherDeployment {
        /// Its chain.
        chain_id: u64,
        /// Its contract.
        contract: Address,
    },
}

impl Error {
    /// A stable name.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::L1(_) => "l1_unavailable",
            Self::Database(_) => "database",
            Self::Refused { .. } => "refused_by_contract",
            Self::Failed { .. } => "transaction_failed",
            Self::RootDiffers { .. } => "root_differs",
            Self::Reorg { .. } => "deep_reorg",
            Self::ForeignBatch { .. } => "foreign_batch",
            Self::QueueDiffers { .. } => "queue_differs",
            Self::WithdrawalsDiffer { .. } => "withdrawals_differ",
            Self::WrongChain { .. } => "wrong_chain",
            Self::NoContract(_) => "no_contract",
            Self::BadKeys { .. } => "bad_keys",
            Self::OtherDeployment { .. } => "other_deployment",
        }
    }

    /// Whether going on could do harm: the process has to stop and somebody has to look.
    pub const fn halts(&self) -> bool {
        !matches!(self, Self::L1(_) | Self::Database(_) | Self::Refused { .. } | Self::Failed { .. } | Self::RootDiffers { .. })
    }

    /// Tells a revert, whose error it names, from a node that fails.
    pub(crate) fn from_call(what: &str, error: &TransportError) -> Self {
        let Some(payload) = error.as_error_resp() else { return Self::L1(error.to_string()) };
        let reverted = payload.message.to_lowercase().contains("revert");
        match payload.as_revert_data() {
            Some(data) => Self::Refused { what: what.to_owned(), name: revert_name(&data) },
            None if reverted => Self::Refused { what: what.to_owned(), name: payload.message.to_string() },
            None => Self::L1(error.to_string()),
        }
    }
}

impl From<TransportError> for Error {
    fn from(error: TransportError) -> Self {
        Self::L1(error.to_string())
    }
}

impl From<alloy::contract::Error> for Error {
    fn from(error: alloy::contract::Error) -> Self {
        Self::L1(error.to_string())
    }
}

/// The contract's error with its values, such as `InvalidProof` or `TrailingBytes(TrailingBytes { bytesLeft: 1 })`; the bytes
/// themselves when they are none of the contract's.
pub fn revert_name(data: &Bytes) -> String {
    let Some(error) = sheaf_contracts::decode_revert(data) else { return data.to_string() };
    let text = format!("{error:?}");
    // `Name(Name { value })` says it twice.
    match text.split_once('(') {
        Some((_, inner)) => inner.strip_suffix(')').unwrap_or(inner).to_owned(),
        None => text,
    }
}
