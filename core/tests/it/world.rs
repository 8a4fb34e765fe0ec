//! A small state with people in it.

use alloy_primitives::Address;
use sheaf_core::F;
use sheaf_core::amount::{PackedAmount, PackedFee};
use sheaf_core::eddsa::SecretKey;
use sheaf_core::geometry::Geometry;
use sheaf_core::operation::Operation;
use sheaf_core::slot::{Context, Memory, apply};
use sheaf_core::transaction::{Pair, Payload, Resolution, Target, Transaction};
use sheaf_core::types::{AccountId, TokenId};
use std::collections::BTreeMap;

pub(crate) const NOW: u32 = 1_800_000_000;

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Map(pub(crate) BTreeMap<u32, F>);

impl Memory for Map {
    fn read(&self, address: u32) -> F {
        self.0.get(&address).copied().unwrap_or_default()
    }
    fn write(&mut self, address: u32, value: F) {
        self.0.insert(address, value);
    }
}

pub(crate) fn id(index: u32) -> AccountId {
    AccountId::new(index).unwrap()
}

pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

/// The pair of person `seed`.
pub(crate) fn pair(seed: u8) -> Pair {
    Pair { owner: Address::repeat_byte(seed), key_hash: key(seed).public_key().key_hash() }
}

pub(crate) fn amount(value: u128) -> PackedAmount {
    PackedAmount::encode(value).unwrap()
}

pub(crate) fn context() -> Context {
    Context { geometry: Geometry::new(6), domain: F::from(77u64), timestamp: NOW, fee_account: id(1) }
}

pub(crate) fn deposit(account: u32, seed: u8, token: TokenId, amount: u128) -> Operation {
    let Pair { owner, key_hash } = pair(seed);
    Operation::Deposit { account: id(account), token: token.word(), amount, owner, key_hash }
}

pub(crate) fn payload(from: u32, nonce: u64, value: u128, target: Target) -> Payload {
    let (token, fee) = (TokenId::ETH, PackedFee::encode(3).unwrap());
    Payload { from: id(from), nonce, expires: NOW, token, amount: amount(value), fee, target }
}

/// Accounts 1 (fees), 2 and 3 of persons 1, 2 and 3, each with 1,000 of ETH.
pub(crate) fn people() -> Map {
    let mut memory = Map::default();
    for index in 1..=3u8 {
        apply(&context(), &deposit(index.into(), index, TokenId::ETH, 1000), None, &mut memory).unwrap();
    }
    memory
}

/// Person 2's signed payment of 100 to `target`.
pub(crate) fn pay(target: Target) -> Transaction {
    payload(2, 0, 100, target).sign(context().domain, &key(2))
}

pub(crate) fn operation(transaction: &Transaction, to: Resolution) -> Operation {
    transaction.payload.operation(to)
}
