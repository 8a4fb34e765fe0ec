//! What can go wrong in the wallet, each with a stable code.

use sheaf_api::client::ClientError;
use sheaf_core::receipt::ReceiptError;

/// Why a command of the wallet did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum WalletError {
    /// The API refused the request or can't be reached.
    #[error(transparent)]
    Api(#[from] ClientError),
    /// The keystore can't be used.
    #[error("{0}")]
    Keystore(String),
    /// There is a keystore already.
    #[error("{0} exists: a keystore is never overwritten, choose another file with --keystore")]
    KeystoreExists(String),
    /// The password does not open the keystore.
    #[error("the password does not open the keystore")]
    WrongPassword,
    /// No password was given.
    #[error("no password: {0}")]
    Password(String),
    /// An amount can't be read.
    #[error("{0}")]
    Amount(String),
    /// An amount has no encoding on L2.
    #[error("{0}")]
    NotRepresentable(String),
    /// An address can't be read.
    #[error("{0}")]
    Address(String),
    /// There is no such token.
    #[error("no token is called {0:?}; `sheaf wallet balance` lists what there is")]
    Token(String),
    /// None of the accounts can pay.
    #[error("{0}")]
    Balance(String),
    /// The wallet has no account yet.
    #[error("this wallet has no account yet: deposit first, or let somebody pay {0}")]
    NoAccount(String),
    /// There is nothing to be claimed.
    #[error("nothing can be claimed{0}")]
    NothingToClaim(String),
    /// The L1 node is not the one of the API.
    #[error("the L1 node has chain id {found}, the API works for chain id {expected}")]
    WrongChain {
        /// The API's.
        expected: u64,
        /// The node's.
        found: u64,
    },
    /// The L1 node does not answer, or refuses.
    #[error("L1: {0}")]
    L1(String),
    /// The contract refused a call.
    #[error("the contract refused the call: {0}")]
    Reverted(String),
    /// Nothing by this hash is known.
    #[error("nothing is known by the hash {0}, neither a transaction nor one on L1")]
    UnknownHash(String),
    /// The operator's receipt proves nothing.
    #[error("transaction {hash} is said to be executed, but its receipt proves nothing: {error}; look again before paying again")]
    Receipt {
        /// The transaction.
        hash: String,
        /// What is wrong.
        error: ReceiptError,
    },
    /// There is no receipt.
    #[error("there is no receipt of transaction {0}")]
    NoReceipt(String),
    /// The files beside the keystore can't be used.
    #[error("{0}")]
    Book(String),
    /// Waiting took too long.
    #[error("{0}")]
    Timeout(String),
}

impl WalletError {
    /// The stable code.
    pub fn code(&self) -> &str {
        match self {
            Self::Api(error) => error.code(),
            Self::Keystore(_) => "keystore",
            Self::KeystoreExists(_) => "keystore_exists",
            Self::WrongPassword => "wrong_password",
            Self::Password(_) => "no_password",
            Self::Amount(_) => "malformed_amount",
            Self::NotRepresentable(_) => "amount_not_representable",
            Self::Address(_) => "malformed_address",
            Self::Token(_) => "unknown_token",
            Self::Balance(_) => "insufficient_balance",
            Self::NoAccount(_) => "no_account",
            Self::NothingToClaim(_) => "nothing_to_claim",
            Self::WrongChain { .. } => "wrong_chain",
            Self::L1(_) => "l1",
            Self::Reverted(_) => "l1_reverted",
            Self::UnknownHash(_) => "unknown_transaction",
            Self::Receipt { error, .. } => error.code(),
            Self::NoReceipt(_) => "no_receipt",
            Self::Book(_) => "receipts_file",
            Self::Timeout(_) => "timeout",
        }
    }
}
