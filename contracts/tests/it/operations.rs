//! Plain operations where it does not matter which.

use alloy::primitives::Address;
use sheaf_core::amount::{PackedAmount, PackedFee};
use sheaf_core::operation::Operation;
use sheaf_core::types::{AccountId, TokenId};

use crate::rollup::CAROL;

fn account(index: u32) -> AccountId {
    AccountId::new(index).expect("24 bits")
}

fn amount(value: u128) -> PackedAmount {
    PackedAmount::encode(value).expect("a representable amount")
}

fn fee() -> PackedFee {
    PackedFee::encode(7).expect("a representable fee")
}

/// A transfer from an account to the next one.
pub(crate) fn transfer(from: u32) -> Operation {
    let (from, to) = (account(from), account(from + 1));
    Operation::Transfer { from, to, token: TokenId::ETH.word(), amount: amount(1_234_567), fee: fee() }
}

/// A transfer from an account that creates the next one.
pub(crate) fn transfer_new(from: u32) -> Operation {
    let (from, to) = (account(from), account(from + 1));
    let (owner, key_hash) = (CAROL, 123_456_789u64.into());
    Operation::TransferNew { from, to, token: TokenId::ETH.word(), amount: amount(89), fee: fee(), owner, key_hash }
}

/// A withdrawal of ETH.
pub(crate) fn withdraw(from: u32, recipient: Address, value: u128) -> Operation {
    Operation::Withdraw { from: account(from), token: TokenId::ETH.word(), amount: amount(value), fee: fee(), recipient }
}
