//! Why a batch is refused, each cause with its stable name.

use alloy::primitives::U256;

/// Why the contract could not have accepted a batch. The names are those of the contract's errors
/// (`contracts/src/Errors.sol`) in snake case, where it has one for the cause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the fields are what the messages say of them")]
pub enum Refusal {
    /// The contract has no such shape.
    #[error("the contract has {shapes} shapes, the batch names shape {shape}")]
    UnknownShape { shape: u8, shapes: usize },
    /// The batch does not follow the one before it.
    #[error("the root before the batch is {expected:#066x}, the batch says {got:#066x}")]
    WrongOldRoot { expected: U256, got: U256 },
    /// A root is not below the scalar modulus.
    #[error("the root {0:#066x} is not below the modulus")]
    RootOutOfField(U256),
    /// The commitment is not below the scalar modulus.
    #[error("the commitment {0:#066x} is not below the modulus")]
    CommitmentOutOfField(U256),
    /// A bit above the timestamp and the fee account is set.
    #[error("the header {0:#018x} has more than 56 bits")]
    HeaderOutOfRange(u64),
    /// Time went back.
    #[error("the batch's timestamp is {got}, the one before it had {last}")]
    TimestampBackwards { last: u32, got: u32 },
    /// The batch is too old, or from the future.
    #[error(
        "the batch's timestamp is {timestamp}, its block's (or now) {block}: it must be from 3 days before to 15 minutes after"
    )]
    TimestampOutsideWindow { timestamp: u32, block: u64 },
    /// More operations than the shape has slots.
    #[error("the batch says that it has {operations} operations, its shape has {slots} slots")]
    TooManyOperations { operations: u16, slots: u16 },
    /// More operations from L1 than operations.
    #[error("the batch says that {l1} of its {operations} operations are from L1")]
    L1CountAboveTotal { l1: u16, operations: u16 },
    /// The data ends inside an operation.
    #[error("the data ends inside operation {0}")]
    OperationDataTruncated(usize),
    /// More bytes than operations.
    #[error("{0} bytes are left over after the last operation")]
    TrailingBytes(usize),
    /// An operation from L1 that the queue does not have in this place.
    #[error("operation {0} is not the one that the queue has in its place")]
    QueueMismatch(usize),
    /// An operation from L1 after the ones that the queue vouches for.
    #[error("operation {0} is one of L1, but stands among those of L2")]
    L1OperationAmongL2(usize),
    /// A code that names no operation.
    #[error("the code {0} names no operation that can be posted")]
    ReservedOperation(u8),
    /// A posted word is not below the scalar modulus.
    #[error("the key hash of operation {0} is not below the modulus")]
    WordOutOfField(usize),
    /// What leaves names no token.
    #[error("what leaves is of word {0}, which holds no token")]
    TokenWordOutOfRange(u8),
    /// A bit that the operation does not have is set. The contract leaves this to the proof.
    #[error("operation {0} has a bit set that it does not use")]
    UnusedBits(usize),
    /// The proof is no proof.
    #[error("a point of the proof has a coordinate out of range, or is not on its curve or in its subgroup")]
    PointNotOnCurve,
    /// The proof is one of something else.
    #[error("the proof does not hold for the batch's data")]
    InvalidProof,
    /// It is not the batch that was asked for, or not the one after the batch before it.
    #[error("this is batch {got}, not batch {expected}")]
    WrongBatchNumber { expected: u64, got: u64 },
    /// The batch is for another chain or contract.
    #[error("the domain of this chain and contract is {expected:#066x}, the batch says {got:#066x}")]
    WrongDomain { expected: U256, got: U256 },
    /// The decoded operations are not the posted ones.
    #[error("operation {0} is decoded as something that was not posted")]
    OperationsMismatch(usize),
    /// L1 keeps another hash of what leaves.
    #[error("the hash that L1 keeps of what leaves with the batch is another one")]
    WithdrawalsMismatch,
    /// L1 accepted another batch under this number.
    #[error("L1 accepted a batch of this number with another {0}")]
    SettledOtherwise(&'static str),
}

impl Refusal {
    /// The stable name.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownShape { .. } => "unknown_shape",
            Self::WrongOldRoot { .. } => "wrong_old_root",
            Self::RootOutOfField(_) => "root_out_of_field",
            Self::CommitmentOutOfField(_) => "commitment_out_of_field",
            Self::HeaderOutOfRange(_) => "header_out_of_range",
            Self::TimestampBackwards { .. } => "timestamp_backwards",
            Self::TimestampOutsideWindow { .. } => "timestamp_outside_window",
            Self::TooManyOperations { .. } => "too_many_operations",
            Self::L1CountAboveTotal { .. } => "l1_count_above_total",
            Self::OperationDataTruncated(_) => "operation_data_truncated",
            Self::TrailingBytes(_) => "trailing_bytes",
            Self::QueueMismatch(_) => "queue_mismatch",
            Self::L1OperationAmongL2(_) => "l1_operation_among_l2",
            Self::ReservedOperation(_) => "reserved_operation",
            Self::WordOutOfField(_) => "word_out_of_field",
            Self::TokenWordOutOfRange(_) => "token_word_out_of_range",
            Self::UnusedBits(_) => "unused_bits",
            Self::PointNotOnCurve => "point_not_on_curve",
            Self::InvalidProof => "invalid_proof",
            Self::WrongBatchNumber { .. } => "wrong_batch_number",
            Self::WrongDomain { .. } => "wrong_domain",
            Self::OperationsMismatch(_) => "operations_mismatch",
            Self::WithdrawalsMismatch => "withdrawals_mismatch",
            Self::SettledOtherwise(_) => "settled_otherwise",
        }
    }
}
