//! What a wallet needs to know before it signs.

use serde::{Deserialize, Serialize};
use sheaf_core::shapes::Shapes;

/// Answer of `GET /v1/info`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// The L1 chain.
    pub chain_id: u64,
    /// The contract on it.
    pub contract: String,
    /// What every signature is made for.
    pub domain: String,
    /// Whose signature receipts have.
    pub receipt_signer: String,
    /// The account that fees go to.
    pub fee_account: u32,
    /// The sizes that a batch can have, ascending: it gets the smallest that holds it.
    pub shapes: Shapes,
    /// Levels of the state tree.
    pub depth: u32,
    /// The tokens that can be used.
    pub tokens: Vec<Token>,
    /// The least fee of each kind of transaction, by token.
    pub minimum_fees: Vec<MinimumFee>,
    /// The batch that executes now.
    pub batch: OpenBatch,
    /// What a request may hold.
    pub limits: Limits,
}

/// A token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its number in transactions.
    pub id: u8,
    /// The ERC-20; the zero address for ETH.
    pub address: String,
    /// What people call it.
    pub symbol: String,
    /// Decimal places between its smallest unit and one.
    pub decimals: u8,
}

/// Answer of `GET /v1/tokens`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// By number.
    pub tokens: Vec<Token>,
}

/// The least fees in one token, in its smallest unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinimumFee {
    /// The token.
    pub token: u8,
    /// To an account that exists.
    pub transfer: String,
    /// To one that does not exist yet.
    pub transfer_new: String,
    /// To L1.
    pub withdraw: String,
}

/// The batch that executes now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenBatch {
    /// Its number.
    pub number: u64,
    /// Its time: a transaction that expires before it is refused.
    pub timestamp: u32,
}

/// What a request may hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of a body.
    pub max_body_bytes: usize,
    /// Transactions of one request.
    pub max_transactions: usize,
    /// How far after the open batch's time a transaction may expire, in seconds.
    pub max_expiry_seconds: u32,
    /// Transactions that may wait to be executed.
    pub max_pending: usize,
}
