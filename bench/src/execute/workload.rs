//! Accounts and operations to execute: seeded, signatures apart.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, Zipf};
use sheaf_core::F;
use sheaf_core::amount::{PackedAmount, PackedFee};
use sheaf_core::geometry::Geometry;
use sheaf_core::operation::Operation;
use sheaf_core::slot::{Context, Signed};
use sheaf_core::types::{AccountId, FIRST_BALANCE_WORD, KEY_HASH_WORD, NONCE_WORD, OWNER_WORD, TokenId};
use sheaf_executor::{Job, Words};

/// Account 1 gets the fees; the first of the others has this index.
const FIRST_ACCOUNT: u32 = 2;
/// What everybody has at first.
const FUNDS: u128 = 1_000_000_000_000_000_000;
/// Skew of the Zipf distribution.
const ZIPF_EXPONENT: f64 = 1.0;

/// Who pays whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Distribution {
    /// Everybody is as likely as everybody else.
    Uniform,
    /// A few are in most transfers.
    Zipf,
    /// Everybody pays one account, which pays nobody.
    HotReceiver,
    /// Each transfer's receiver sends the next one.
    Chain,
    /// Uniform, and one in twenty transfers more than the sender has.
    Failing,
}

impl Distribution {
    /// As the table and the JSON name it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Zipf => "zipf",
            Self::HotReceiver => "hot_receiver",
            Self::Chain => "chain",
            Self::Failing => "failing_5_percent",
        }
    }
}

/// A state and blocks of operations on it.
pub(crate) struct Workload {
    pub(crate) accounts: u32,
    pub(crate) context: Context,
    pub(crate) words: Words,
    pub(crate) blocks: Vec<Vec<Job>>,
}

fn id(index: u32) -> AccountId {
    AccountId::new(index).expect("accounts are below 2^24")
}

fn key_hash(index: u32) -> F {
    // Any non-zero element does: nothing hashes it here.
    F::from(0x9E37_79B9_7F4A_7C15u64) * F::from(index) + F::from(1u64)
}

fn owner(index: u32) -> F {
    F::from(u64::from(index) << 32 | 0x5EAF)
}

impl Workload {
    /// `blocks` blocks of `block` operations among `accounts` accounts.
    pub(crate) fn new(accounts: u32, distribution: Distribution, blocks: usize, block: usize, seed: u64) -> Self {
        let geometry = Geometry::PROTOCOL;
        let context = Context { geometry, domain: F::from(7u64), timestamp: 1_700_000_000, fee_account: id(1) };
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut nonces = vec![0u64; accounts as usize];
        let zipf = Zipf::new(f64::from(accounts), ZIPF_EXPONENT).expect("at least one account");
        let mut chain = 0;
        let mut job = || {
            let mut pick = || match distribution {
                Distribution::Zipf => zipf.sample(&mut random) as u32 - 1,
                _ => random.random_range(0..accounts),
            };
            let (from, to) = match distribution {
                Distribution::Chain => (chain, (chain + 1) % accounts),
                Distribution::HotReceiver => (1 + pick() % (accounts - 1), 0),
                _ => {
                    let (from, to) = (pick(), pick());
                    (from, if from == to { (to + 1) % accounts } else { to })
                }
            };
            chain = to;
            let fails = distribution == Distribution::Failing && random.random_ratio(1, 20);
            let nonce = &mut nonces[from as usize];
            let job = transfer(from + FIRST_ACCOUNT, to + FIRST_ACCOUNT, *nonce, fails);
            *nonce += u64::from(!fails);
            job
        };
        let blocks = (0..blocks).map(|_| (0..block).map(|_| job()).collect()).collect();
        let mut workload = Self { accounts, context, words: Words::new(geometry), blocks };
        workload.reset();
        workload
    }

    /// Puts the state back to where it was before the first block.
    pub(crate) fn reset(&mut self) {
        let geometry = self.context.geometry;
        for index in 1..FIRST_ACCOUNT + self.accounts {
            let balance = if index < FIRST_ACCOUNT { 0 } else { FUNDS };
            let words = [
                (KEY_HASH_WORD, key_hash(index)),
                (NONCE_WORD, F::from(0u64)),
                (OWNER_WORD, owner(index)),
                (FIRST_BALANCE_WORD, F::from(balance)),
            ];
            for (word, value) in words {
                self.words.set(geometry.address(index, word), value);
            }
        }
    }

    /// Operations in all blocks.
    pub(crate) fn operations(&self) -> usize {
        self.blocks.iter().map(Vec::len).sum()
    }
}

fn transfer(from: u32, to: u32, nonce: u64, fails: bool) -> Job {
    let amount = if fails { 20_000_000_000 * FUNDS } else { 1_000_003 };
    let operation = Operation::Transfer {
        from: id(from),
        to: id(to),
        token: TokenId::ETH.word(),
        amount: PackedAmount::encode(amount).expect("an amount with an encoding"),
        fee: PackedFee::encode(100).expect("a fee with an encoding"),
    };
    let signed = Signed { key_hash: key_hash(from), nonce: F::from(nonce), expires: u32::MAX, target: [owner(to), key_hash(to)] };
    Job { operation, signed: Some(signed) }
}
