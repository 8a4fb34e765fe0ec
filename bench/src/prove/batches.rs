//! Batches to prove: transfers among people of a large state, as many as a shape holds.

use alloy_primitives::Address;
use anyhow::{Context as _, Result, ensure};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, Zipf};
use sheaf_core::F;
use sheaf_core::amount::{PackedAmount, PackedFee};
use sheaf_core::eddsa::SecretKey;
use sheaf_core::geometry::Geometry;
use sheaf_core::shape::{RowCounter, Shape};
use sheaf_core::slot::{Context, addresses};
use sheaf_core::trace::{BatchHeader, BatchWitness, SlotInput, build};
use sheaf_core::transaction::{Pair, Payload, Resolution, Target};
use sheaf_core::tree::Tree;
use sheaf_core::types::{AccountId, FIRST_BALANCE_WORD, KEY_HASH_WORD, OWNER_WORD, TokenId, field_from_address};
use std::collections::BTreeMap;

/// Accounts of the state; people with keys are spread over them.
const ACCOUNTS: u32 = 1_000_000;
/// People of the Zipf distribution.
const ZIPF_PEOPLE: u32 = 1_000;
const ZIPF_EXPONENT: f64 = 1.0;
const FUNDS: u128 = 1_000_000_000_000;
const NOW_S: u32 = 1_800_000_000;

/// Who pays whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accounts {
    /// Nobody is in two transfers.
    Distinct,
    /// A few are in most transfers.
    Zipf,
    /// Everybody pays one account.
    Hot,
}

impl Accounts {
    /// As the table and the JSON name it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Distinct => "distinct",
            Self::Zipf => "zipf",
            Self::Hot => "hot_receiver",
        }
    }

    /// The sender and the receiver of each of `count` transfers.
    fn pairs(self, count: u32, seed: u64) -> Vec<(u32, u32)> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let zipf = Zipf::new(f64::from(ZIPF_PEOPLE), ZIPF_EXPONENT).expect("at least one person");
        let pair = |i: u32| match self {
            Self::Distinct => (2 * i, 2 * i + 1),
            Self::Hot => (i + 1, 0),
            Self::Zipf => {
                let mut pick = || zipf.sample(&mut random) as u32 - 1;
                let (from, to) = (pick(), pick());
                // An even number of people: nobody pays himself.
                if from == to { (from, from ^ 1) } else { (from, to) }
            }
        };
        (0..count).map(pair).collect()
    }
}

struct Person {
    account: AccountId,
    key: SecretKey,
    pair: Pair,
    nonce: u64,
}

impl Person {
    /// Somebody whose account is anywhere, the same for the same number and seed.
    fn new(number: u32, random: &mut ChaCha8Rng, taken: &mut Vec<u32>) -> Self {
        let account = loop {
            // Account 1 gets the fees.
            let account = random.random_range(2..ACCOUNTS);
            if !taken.contains(&account) {
                break account;
            }
        };
        taken.push(account);
        let mut seed = [0x9A; 32];
        seed[..4].copy_from_slice(&number.to_be_bytes());
        let key = SecretKey::from_seed(&seed);
        let pair = Pair { owner: Address::left_padding_from(&seed[..4]), key_hash: key.public_key().key_hash() };
        Self { account: AccountId::new(account).expect("fewer than 2^24 accounts"), key, pair, nonce: 0 }
    }

    fn pay(&mut self, to: Pair) -> Result<Payload> {
        let payload = Payload {
            from: self.account,
            nonce: self.nonce,
            expires: NOW_S + 60,
            token: TokenId::ETH,
            amount: PackedAmount::encode(1_003).ok().context("an amount with an encoding")?,
            fee: PackedFee::encode(100).ok().context("a fee with an encoding")?,
            target: Target::Account(to),
        };
        self.nonce += 1;
        Ok(payload)
    }
}

/// A batch with as many transfers as fit into the shape, and their number.
///
/// # Errors
/// If no transfer fits.
pub(crate) fn batch(shape: Shape, accounts: Accounts, seed: u64) -> Result<(BatchWitness, usize)> {
    let geometry = Geometry::PROTOCOL;
    let header = BatchHeader { domain: F::from(7u64), timestamp: NOW_S, fee_account: AccountId::FIRST };
    let context = Context { geometry, domain: header.domain, timestamp: header.timestamp, fee_account: header.fee_account };
    let pairs = accounts.pairs(u32::try_from(shape.slots)?, seed);
    let (mut random, mut taken) = (ChaCha8Rng::seed_from_u64(seed), Vec::new());
    let mut people = BTreeMap::new();
    for number in pairs.iter().flat_map(|(from, to)| [*from, *to]) {
        people.entry(number).or_insert_with(|| Person::new(number, &mut random, &mut taken));
    }
    let words = people.values().flat_map(|person| {
        let values = [
            (KEY_HASH_WORD, person.pair.key_hash),
            (OWNER_WORD, field_from_address(person.pair.owner)),
            (FIRST_BALANCE_WORD, F::from(FUNDS)),
        ];
        values.map(|(word, value)| (geometry.address(person.account.get(), word), value))
    });
    let mut tree = Tree::from_words(geometry, words);
    let mut rows = RowCounter::new(geometry, shape, header.fee_account);
    let mut inputs = Vec::new();
    for (from, to) in pairs {
        let (receiver, pair) = (people[&to].account, people[&to].pair);
        let sender = people.get_mut(&from).context("everybody has keys")?;
        let payload = sender.pay(pair)?;
        let operation = payload.operation(Resolution::Existing(receiver));
        if !rows.try_add(&addresses(&context, &operation)) {
            break;
        }
        let signature = Some(payload.sign(header.domain, &sender.key).slot_signature());
        inputs.push(SlotInput { operation, signature });
    }
    ensure!(!inputs.is_empty(), "no transfer fits into the shape");
    Ok((build(&mut tree, shape, header, &inputs)?, inputs.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewer_accounts_the_more_transfers_fit() {
        let narrow = Shape { leaf_rows: 16, node_rows: 120, ..Shape::DEVELOPMENT };
        let fits = |accounts| batch(narrow, accounts, 1).unwrap().1;
        let (distinct, zipf, hot) = (fits(Accounts::Distinct), fits(Accounts::Zipf), fits(Accounts::Hot));
        assert!(0 < distinct && distinct <= zipf && distinct < hot, "{distinct} {zipf} {hot}");
    }

    #[test]
    fn nobody_is_in_two_transfers_of_distinct_accounts_or_pays_himself() {
        let distinct = Accounts::Distinct.pairs(50, 3);
        let people: std::collections::BTreeSet<_> = distinct.iter().flat_map(|(from, to)| [from, to]).collect();
        assert_eq!(people.len(), 100);
        for accounts in [Accounts::Zipf, Accounts::Hot] {
            assert!(accounts.pairs(5_000, 3).iter().all(|(from, to)| from != to));
        }
        assert!(Accounts::Hot.pairs(9, 3).iter().all(|(_, to)| *to == 0));
    }
}
