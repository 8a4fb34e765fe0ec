//! Operations as explorers read them.

use serde::{Deserialize, Serialize};
use sheaf_core::json::{address_to_hex, field_to_hex};
use sheaf_core::operation::Operation as Core;
use sheaf_core::types::{TokenWord, u256_from_field};

/// An operation of a batch, decoded from what is posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the fields are those of sheaf_core::operation::Operation")]
pub enum Operation {
    Noop,
    Deposit { account: u32, token: u8, amount: String, owner: String, key_hash: String },
    SetKey { account: u32, caller: String, key_hash: String },
    ForcedExit { account: u32, token: u8, amount: String, caller: String },
    Transfer { from: u32, to: u32, token: u8, amount: String, fee: String },
    TransferNew { from: u32, to: u32, token: u8, amount: String, fee: String, owner: String, key_hash: String },
    Withdraw { from: u32, token: u8, amount: String, fee: String, recipient: String },
    DepositRefund { token: u8, amount: String, owner: String, key_hash: String },
}

/// The token of an operation that was executed; its word names one, or it would not have been.
fn token(word: TokenWord) -> u8 {
    word.token().map_or(u8::MAX, |token| token.get())
}

impl From<&Core> for Operation {
    fn from(operation: &Core) -> Self {
        let packed = |value: sheaf_core::F| u256_from_field(value).to_string();
        match *operation {
            Core::Noop => Self::Noop,
            Core::Deposit { account, token: word, amount, owner, key_hash } => Self::Deposit {
                account: account.get(),
                token: token(word),
                amount: amount.to_string(),
                owner: address_to_hex(owner),
                key_hash: field_to_hex(key_hash),
            },
            Core::SetKey { account, caller, key_hash } => {
                Self::SetKey { account: account.get(), caller: address_to_hex(caller), key_hash: field_to_hex(key_hash) }
            }
            Core::ForcedExit { account, token: word, amount, caller } => Self::ForcedExit {
                account: account.get(),
                token: token(word),
                amount: amount.to_string(),
                caller: address_to_hex(caller),
            },
            Core::Transfer { from, to, token: word, amount, fee } => Self::Transfer {
                from: from.get(),
                to: to.get(),
                token: token(word),
                amount: packed(amount.to_field()),
                fee: packed(fee.to_field()),
            },
            Core::TransferNew { from, to, token: word, amount, fee, owner, key_hash } => Self::TransferNew {
                from: from.get(),
                to: to.get(),
                token: token(word),
                amount: packed(amount.to_field()),
                fee: packed(fee.to_field()),
                owner: address_to_hex(owner),
                key_hash: field_to_hex(key_hash),
            },
            Core::Withdraw { from, token: word, amount, fee, recipient } => Self::Withdraw {
                from: from.get(),
                token: token(word),
                amount: packed(amount.to_field()),
                fee: packed(fee.to_field()),
                recipient: address_to_hex(recipient),
            },
            Core::DepositRefund { token: word, amount, owner, key_hash } => Self::DepositRefund {
                token: token(word),
                amount: amount.to_string(),
                owner: address_to_hex(owner),
                key_hash: field_to_hex(key_hash),
            },
        }
    }
}
