//! People, and what they sign.

use alloy_primitives::Address;
use serde_json::Value;
use sheaf_core::F;
use sheaf_core::amount::{PackedAmount, PackedFee};
use sheaf_core::eddsa::SecretKey;
use sheaf_core::json::TransactionJson;
use sheaf_core::l1::domain;
use sheaf_core::operation::Operation;
use sheaf_core::transaction::{Pair, Payload, Target, Transaction};
use sheaf_core::types::{AccountId, TokenId};
use std::sync::Arc;

pub(crate) const CHAIN_ID: u64 = 31_337;
pub(crate) const CONTRACT: Address = Address::repeat_byte(0xCC);
pub(crate) const START: u32 = 1_790_000_000;
/// The ERC-20 that is listed besides ETH.
pub(crate) const TOKEN: TokenId = TokenId::new(7).unwrap();

/// Somebody with a key and an L1 address.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) key: Arc<SecretKey>,
    pub(crate) owner: Address,
}

impl User {
    pub(crate) fn new(number: u16) -> Self {
        let mut seed = [0x5E; 32];
        seed[..2].copy_from_slice(&number.to_be_bytes());
        let mut owner = [0xA0; 20];
        owner[18..].copy_from_slice(&number.to_be_bytes());
        Self { key: Arc::new(SecretKey::from_seed(&seed)), owner: Address::new(owner) }
    }

    /// The same person with another key.
    pub(crate) fn with_key(&self, number: u16) -> Self {
        Self { owner: self.owner, ..Self::new(number) }
    }

    pub(crate) fn key_hash(&self) -> F {
        self.key.public_key().key_hash()
    }

    pub(crate) fn pair(&self) -> Pair {
        Pair { owner: self.owner, key_hash: self.key_hash() }
    }

    pub(crate) fn deposit(&self, token: TokenId, amount: u128) -> Operation {
        Operation::Deposit { account: id(0), token: token.word(), amount, owner: self.owner, key_hash: self.key_hash() }
    }
}

pub(crate) fn operator() -> User {
    User::new(60_000)
}

pub(crate) fn id(index: u32) -> AccountId {
    AccountId::new(index).unwrap()
}

/// A transfer of ETH that is good for an hour.
pub(crate) fn transfer(from: u32, nonce: u64, to: &User, amount: u128, fee: u128) -> Payload {
    Payload {
        from: id(from),
        nonce,
        expires: START + 3600,
        token: TokenId::ETH,
        amount: PackedAmount::encode(amount).unwrap(),
        fee: PackedFee::encode(fee).unwrap(),
        target: Target::Account(to.pair()),
    }
}

/// The same to an L1 address.
pub(crate) fn withdraw(from: u32, nonce: u64, to: Address, amount: u128, fee: u128) -> Payload {
    Payload { target: Target::L1(to), ..transfer(from, nonce, &operator(), amount, fee) }
}

pub(crate) fn sign(payload: Payload, user: &User) -> Transaction {
    payload.sign(domain(CHAIN_ID, CONTRACT), &user.key)
}

pub(crate) fn json(transaction: &Transaction) -> Value {
    serde_json::to_value(TransactionJson::from(transaction)).unwrap()
}
