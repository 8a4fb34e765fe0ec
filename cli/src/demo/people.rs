//! Who takes part: each with fresh keys.

use super::l1::Key;
use super::tally::Token;
use alloy::primitives::Address;
use alloy::signers::local::PrivateKeySigner;
use sheaf_core::amount::{PackedAmount, PackedFee};
use sheaf_core::eddsa::SecretKey;
use sheaf_core::transaction::{Pair, Payload, Target, Transaction};
use sheaf_core::types::{AccountId, TokenId};

/// Names, in the order in which people come in.
const NAMES: [&str; 16] = [
    "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "kim", "leo", "mia", "nina", "oscar",
    "peggy",
];

/// Someone with an L1 key, an L2 key and, once it exists, an account.
#[derive(Debug)]
pub struct Person {
    /// What the demo calls them.
    pub name: String,
    /// Their L1 key.
    pub l1: Key,
    /// Their L2 key.
    pub l2: SecretKey,
    /// Their account.
    pub account: Option<AccountId>,
    /// Their next nonce.
    pub nonce: u64,
}

impl Person {
    /// The `n`th participant, with fresh keys.
    pub fn new(n: usize) -> Self {
        let name = NAMES.get(n).map_or_else(|| format!("user {n}"), |name| (*name).to_owned());
        Self { name, l1: Key::random(), l2: fresh_l2_key(), account: None, nonce: 0 }
    }

    /// How others address them: by owner and key hash.
    pub fn pair(&self) -> Pair {
        Pair { owner: self.l1.address(), key_hash: self.l2.public_key().key_hash() }
    }

    /// Signs their next transaction.
    ///
    /// # Panics
    /// If they have no account yet, or the scenario chose an amount that has no encoding.
    pub fn sign(&mut self, order: &Order, expires: u32, domain: sheaf_core::F) -> Transaction {
        let payload = Payload {
            from: self.account.expect("whoever signs has an account"),
            nonce: self.nonce,
            expires,
            token: TokenId::new(order.token).expect("a listed token"),
            amount: PackedAmount::encode(order.amount).expect("the scenario's amounts have an encoding"),
            fee: PackedFee::encode(order.fee).expect("the scenario's fees have an encoding"),
            target: order.target,
        };
        self.nonce += 1;
        payload.sign(domain, &self.l2)
    }
}

/// What someone wants done on L2.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// Which token.
    pub token: Token,
    /// How much, in the token's smallest unit.
    pub amount: u128,
    /// What the operator gets.
    pub fee: u128,
    /// Where it goes.
    pub target: Target,
}

/// A random L2 key.
pub fn fresh_l2_key() -> SecretKey {
    SecretKey::from_seed(&PrivateKeySigner::random().to_bytes().0)
}

/// A random L1 address whose key nobody keeps.
pub fn fresh_address() -> Address {
    PrivateKeySigner::random().address()
}
