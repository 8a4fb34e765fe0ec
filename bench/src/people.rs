//! Accounts of the load: keys made from a seed, and transactions signed beforehand.

use alloy_primitives::Address;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use sheaf_core::F;
use sheaf_core::amount::{PackedAmount, PackedFee};
use sheaf_core::eddsa::SecretKey;
use sheaf_core::geometry::Geometry;
use sheaf_core::json::TransactionJson;
use sheaf_core::operation::Operation;
use sheaf_core::transaction::{Pair, Payload, Target, Transaction};
use sheaf_core::types::{AccountId, FIRST_BALANCE_WORD, KEY_HASH_WORD, OWNER_WORD, TokenId, field_from_address};

/// The first account that is not the operator's.
const FIRST_ACCOUNT: u32 = 2;
/// What each gets at first, in the token's smallest unit.
pub(crate) const FUNDS: u128 = 1_000_000_000_000_000;
/// The fee of each transfer.
pub(crate) const FEE: u128 = 100;
/// One person in so many wants more than it has, and sends nothing else.
const OVERSPENDERS_SHARE: usize = 50;

/// Somebody with an account.
pub(crate) struct Person {
    pub(crate) account: AccountId,
    key: SecretKey,
    pair: Pair,
    nonce: u64,
}

/// A transaction that is ready to be sent, and what it is to do.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    /// The body of a request.
    pub(crate) json: String,
    pub(crate) effect: Effect,
}

/// What executing it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// A transfer, by places in [`Crowd::people`].
    Transfer { from: usize, to: usize, amount: u128 },
    /// Nothing: it must be refused.
    Refused,
}

/// Everybody.
pub(crate) struct Crowd {
    pub(crate) people: Vec<Person>,
    random: ChaCha8Rng,
    domain: F,
}

fn owner(number: u32) -> Address {
    let mut bytes = [0xB0; 20];
    bytes[16..].copy_from_slice(&number.to_be_bytes());
    Address::new(bytes)
}

fn person(number: u32) -> Person {
    let mut seed = [0xBE; 32];
    seed[..4].copy_from_slice(&number.to_be_bytes());
    let key = SecretKey::from_seed(&seed);
    let pair = Pair { owner: owner(number), key_hash: key.public_key().key_hash() };
    let account = AccountId::new(FIRST_ACCOUNT + number).expect("few accounts");
    Person { account, key, pair, nonce: 0 }
}

impl Person {
    /// The deposit that makes this account, as an entry of the L1 queue.
    pub(crate) fn deposit(&self) -> Operation {
        let Pair { owner, key_hash } = self.pair;
        let account = AccountId::new(0).expect("0 is an index");
        Operation::Deposit { account, token: TokenId::ETH.word(), amount: FUNDS, owner, key_hash }
    }
}

impl Crowd {
    /// `count` people from number `first` on, on the chain and contract of `domain`.
    pub(crate) fn new(first: u32, count: u32, domain: F, seed: u64) -> Self {
        let people = (first..first + count).into_par_iter().map(person).collect();
        Self { people, random: ChaCha8Rng::seed_from_u64(seed), domain }
    }

    /// Signs `count` transfers among them, of which about `invalid` (0 to 1) have to be refused: half of those have a signature
    /// that does not verify, half want more than the sender has. `expires` is in unix seconds.
    pub(crate) fn prepare(&mut self, count: usize, invalid: f64, expires: u32) -> Vec<Prepared> {
        let plans: Vec<_> = (0..count).map(|_| self.plan(invalid, expires)).collect();
        let people = &self.people;
        let domain = self.domain;
        plans
            .into_par_iter()
            .map(|(payload, effect, forged, from)| {
                let mut transaction = payload.sign(domain, &people[from].key);
                if forged {
                    transaction.payload.expires -= 1;
                }
                let json = serde_json::to_string(&TransactionJson::from(&transaction)).expect("a transaction is plain data");
                Prepared { json, effect }
            })
            .collect()
    }

    /// Who a transfer among them goes to.
    pub(crate) fn account_of(&self, transaction: &Transaction) -> Option<AccountId> {
        let Target::Account(pair) = transaction.payload.target else { return None };
        let number = u32::from_be_bytes(pair.owner.as_slice()[16..].try_into().expect("four bytes"));
        self.people.iter().map(|person| person.account).find(|account| account.get() == number + FIRST_ACCOUNT)
    }

    /// Everybody's words with `balance`, as deposits make them.
    pub(crate) fn words(&self, geometry: Geometry, balance: u128) -> Vec<(u32, F)> {
        let of = |person: &Person| {
            let values = [
                (KEY_HASH_WORD, person.pair.key_hash),
                (OWNER_WORD, field_from_address(person.pair.owner)),
                (FIRST_BALANCE_WORD, F::from(balance)),
            ];
            values.map(|(word, value)| (geometry.address(person.account.get(), word), value))
        };
        self.people.iter().flat_map(of).collect()
    }

    fn plan(&mut self, invalid: f64, expires: u32) -> (Payload, Effect, bool, usize) {
        let count = self.people.len();
        let invalid = self.random.random_bool(invalid);
        let forged = invalid && self.random.random_bool(0.5);
        // Whoever wants more than he has does nothing else: until that is refused, it would hold the place of his next transaction.
        let spenders = count - count.div_ceil(OVERSPENDERS_SHARE).min(count - 1);
        let from = self.random.random_range(if invalid && !forged { spenders..count } else { 0..spenders });
        let to = (from + self.random.random_range(1..count)) % count;
        let amount = if invalid && !forged { FUNDS * 1_000_000 } else { u128::from(self.random.random_range(1..1_000u32)) };
        let payload = Payload {
            from: self.people[from].account,
            nonce: self.people[from].nonce,
            expires,
            token: TokenId::ETH,
            amount: PackedAmount::encode(amount).expect("an amount with an encoding"),
            fee: PackedFee::encode(FEE).expect("a fee with an encoding"),
            target: Target::Account(self.people[to].pair),
        };
        self.people[from].nonce += u64::from(!invalid);
        let effect = if invalid { Effect::Refused } else { Effect::Transfer { from, to, amount } };
        (payload, effect, forged, from)
    }
}
