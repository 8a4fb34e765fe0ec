//! Small states, and operations that nobody has to sign.

use alloy_primitives::Address;
use sheaf_core::F;
use sheaf_core::amount::{PackedAmount, PackedFee};
use sheaf_core::geometry::Geometry;
use sheaf_core::operation::Operation;
use sheaf_core::slot::{Context, Memory, Signed};
use sheaf_core::types::{AccountId, TokenWord, field_from_address};
use sheaf_executor::{Job, Words};
use std::collections::BTreeMap;

pub(crate) const NOW: u32 = 1_800_000_000;
pub(crate) const FEE_ACCOUNT: u32 = 1;

/// The plainest memory there is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Map(pub(crate) BTreeMap<u32, F>);

impl Memory for Map {
    fn read(&self, address: u32) -> F {
        self.0.get(&address).copied().unwrap_or_default()
    }
    fn write(&mut self, address: u32, value: F) {
        if value == F::from(0u64) {
            self.0.remove(&address)
        } else {
            self.0.insert(address, value)
        };
    }
}

pub(crate) fn context(depth: u32) -> Context {
    Context { geometry: Geometry::new(depth), domain: F::from(77u64), timestamp: NOW, fee_account: id(FEE_ACCOUNT) }
}

pub(crate) fn id(index: u32) -> AccountId {
    AccountId::new(index).unwrap()
}

pub(crate) fn token(number: u8) -> TokenWord {
    TokenWord::new(number + 3).unwrap()
}

pub(crate) fn owner(index: u32) -> Address {
    Address::left_padding_from(&(index + 1_000_000).to_be_bytes())
}

pub(crate) fn key_hash(index: u32) -> F {
    F::from(index + 5_000_000)
}

pub(crate) fn amount(value: u128) -> PackedAmount {
    PackedAmount::encode(value).unwrap()
}

pub(crate) fn fee(value: u128) -> PackedFee {
    PackedFee::encode(value).unwrap()
}

/// A deposit to the account that person `index` has, or would have, at their index.
pub(crate) fn deposit(index: u32, token: TokenWord, amount: u128) -> Job {
    let operation = Operation::Deposit { account: id(index), token, amount, owner: owner(index), key_hash: key_hash(index) };
    Job { operation, signed: None }
}

/// What person `from` signed with `nonce`.
pub(crate) fn signed(from: u32, nonce: u64, target: [F; 2]) -> Option<Signed> {
    Some(Signed { key_hash: key_hash(from), nonce: F::from(nonce), expires: NOW, target })
}

/// Person `index` as the target of a payment.
pub(crate) fn target(index: u32) -> [F; 2] {
    [field_from_address(owner(index)), key_hash(index)]
}

pub(crate) fn transfer(from: u32, nonce: u64, to: u32, token: TokenWord, value: u128) -> Job {
    let operation = Operation::Transfer { from: id(from), to: id(to), token, amount: amount(value), fee: fee(3) };
    Job { operation, signed: signed(from, nonce, target(to)) }
}

/// A state with accounts `1..=count`, each of which has `balance` of each of `tokens`.
pub(crate) fn people(ctx: &Context, count: u32, tokens: &[TokenWord], balance: u128) -> Words {
    let mut words = Words::new(ctx.geometry);
    for index in 1..=count {
        words.set(ctx.geometry.address(index, 0), key_hash(index));
        words.set(ctx.geometry.address(index, 2), field_from_address(owner(index)));
        for token in tokens {
            words.set(ctx.geometry.address(index, token.get().into()), F::from(balance));
        }
    }
    words
}

pub(crate) fn map_of(words: &Words) -> Map {
    Map(words.nonzero().collect())
}
