//! Accounts and what they hold.

use serde::{Deserialize, Serialize};

/// Answer of `GET /v1/accounts/{id}`: the state after the last block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The account's index.
    pub id: u32,
    /// The L1 address that can replace the key and force an exit.
    pub owner: String,
    /// Hash of the L2 key.
    pub key_hash: String,
    /// The nonce that the next transaction carries.
    pub nonce: u64,
    /// What it holds; tokens of which it holds nothing may be absent.
    pub balances: Vec<Balance>,
}

/// A balance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// The token.
    pub token: u8,
    /// In its smallest unit.
    pub amount: String,
}

/// Answer of `GET /v1/accounts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accounts {
    /// By index.
    pub accounts: Vec<Account>,
    /// What to pass as `after` for the next page; null on the last.
    pub next: Option<u32>,
}

impl Account {
    /// The balance of a token, 0 if there is none.
    pub fn balance(&self, token: u8) -> u128 {
        self.balances.iter().find(|b| b.token == token).and_then(|b| b.amount.parse().ok()).unwrap_or(0)
    }
}
