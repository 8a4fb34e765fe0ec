//! Why a transaction is refused: each reason with a stable code and a sentence for the user.

use sheaf_core::json::JsonError;
use sheaf_core::types::{AccountId, TokenId};

/// Why a transaction is refused. A refusal changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The JSON has another structure.
    #[error("the transaction is malformed: {0}")]
    Malformed(String),
    /// A field is wrong.
    #[error(transparent)]
    Field(#[from] JsonError),
    /// The signature does not verify for this chain, contract and content.
    #[error("the signature does not verify")]
    InvalidSignature,
    /// The nonce was used by another transaction.
    #[error("the nonce is {found}, the account's next one is {expected}")]
    NonceTooOld {
        /// The account's next nonce.
        expected: u64,
        /// The transaction's.
        found: u64,
    },
    /// Transactions before this one are missing. It waits for them: this is no answer to a user.
    #[error("the nonce is {found}, the account's next one is {expected}")]
    NonceGap {
        /// The account's next nonce.
        expected: u64,
        /// The transaction's.
        found: u64,
    },
    /// More transactions before this one are missing than may wait.
    #[error("the nonce is {found}, {latest} is the latest that may wait now")]
    NonceTooFar {
        /// The latest nonce that is taken now.
        latest: u64,
        /// The transaction's.
        found: u64,
    },
    /// Another transaction with the same nonce and a higher fee took its place.
    #[error("a transaction with the same nonce and a higher fee took this one's place")]
    Replaced,
    /// Another transaction with the same nonce waits, and this one's fee does not make it give way.
    #[error("another transaction with this nonce waits: to replace it takes a fee of at least {minimum}, in the same token")]
    ReplacementUnderpriced {
        /// The smallest fee that replaces it, in the token's smallest unit.
        minimum: u128,
    },
    /// The expiry is before the batch's timestamp.
    #[error("the transaction expired at {expires}, the batch's time is {timestamp}")]
    Expired {
        /// The transaction's last second.
        expires: u32,
        /// The time of the batch that it would be in.
        timestamp: u32,
    },
    /// The expiry is more than a day ahead.
    #[error("the transaction expires at {expires}, {latest} is the latest that is taken")]
    ExpiresTooFar {
        /// The transaction's last second.
        expires: u32,
        /// The latest that is taken now.
        latest: u32,
    },
    /// The sender can't pay amount and fee.
    #[error("account {account} has {balance} of token {token}: too little for amount and fee")]
    InsufficientBalance {
        /// The sender.
        account: AccountId,
        /// The token.
        token: TokenId,
        /// What the sender has.
        balance: u128,
    },
    /// The fee is below the operator's minimum.
    #[error("the fee is too small: the minimum for this transaction is {minimum}")]
    FeeTooSmall {
        /// The minimum, in the token's smallest unit.
        minimum: u128,
    },
    /// The sender does not exist.
    #[error("account {0} does not exist")]
    UnknownAccount(AccountId),
    /// The sender has another key.
    #[error("account {0} has another key")]
    WrongKey(AccountId),
    /// No such token is listed.
    #[error("token {0} is not listed")]
    UnknownToken(TokenId),
    /// The receiver replaced this key, and has no account with it any more.
    #[error("the receiver has replaced this key: ask for the new one")]
    ReceiverRetired,
    /// No index is left for a new account.
    #[error("no account can be created any more")]
    NoFreeAccount,
    /// Too many transactions wait already, or too many batches wait to be built or for L1.
    #[error("too many transactions or batches are waiting: send it again later")]
    PoolFull,
    /// The sequencer can't take transactions now.
    #[error("transactions can't be taken right now: send it again later")]
    NotReady,
    /// A defect of ours.
    #[error("an internal error: the transaction was not executed")]
    Internal,
}

impl Refusal {
    /// The stable code that users see.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed_json",
            Self::Field(error) => error.code(),
            Self::InvalidSignature => "invalid_signature",
            Self::NonceTooOld { .. } => "nonce_too_old",
            Self::NonceGap { .. } => "nonce_gap",
            Self::NonceTooFar { .. } => "nonce_too_far",
            Self::Replaced => "replaced",
            Self::ReplacementUnderpriced { .. } => "replacement_underpriced",
            Self::Expired { .. } => "expired",
            Self::ExpiresTooFar { .. } => "expires_too_far",
            Self::InsufficientBalance { .. } => "insufficient_balance",
            Self::FeeTooSmall { .. } => "fee_too_small",
            Self::UnknownAccount(_) => "unknown_account",
            Self::WrongKey(_) => "wrong_key",
            Self::UnknownToken(_) => "unknown_token",
            Self::ReceiverRetired => "receiver_retired",
            Self::NoFreeAccount => "no_free_account",
            Self::PoolFull => "pool_full",
            Self::NotReady => "not_ready",
            Self::Internal => "internal",
        }
    }

    /// Whether exactly the same may succeed in a moment, without anybody changing it.
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::PoolFull | Self::NotReady)
    }
}
