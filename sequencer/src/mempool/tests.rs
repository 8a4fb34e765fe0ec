//! The pool against a naive one that keeps everything in lists, over random calls.

use super::{Bounds, Entry, Inserted, Mempool, TURN, WAITERS_MAX};
use crate::engine::Verified;
use crate::error::Refusal;
use alloy_primitives::Address;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sheaf_core::F;
use sheaf_core::amount::{PackedAmount, PackedFee};
use sheaf_core::eddsa::SecretKey;
use sheaf_core::transaction::{Payload, Target, Transaction};
use sheaf_core::types::{AccountId, TokenId};
use std::collections::BTreeMap;

const SEEDS: u64 = 60;
const STEPS: usize = 600;
const BOUNDS: Bounds = Bounds { total: 30, per_account: 12 };

fn id(index: u32) -> AccountId {
    AccountId::new(index).unwrap()
}

/// Makes transactions; the pool takes signatures as verified.
struct Maker(Transaction);

impl Maker {
    fn new() -> Self {
        let payload = Payload {
            from: id(2),
            nonce: 0,
            expires: 100,
            token: TokenId::ETH,
            amount: PackedAmount::ZERO,
            fee: PackedFee::ZERO,
            target: Target::L1(Address::repeat_byte(1)),
        };
        Self(payload.sign(F::from(1u64), &SecretKey::from_seed(&[1; 32])))
    }

    fn make(&self, account: u32, nonce: u64, fee: u128, expires: u32, hash: u64) -> Verified {
        let mut transaction = self.0;
        let fee = PackedFee::encode(fee).unwrap();
        transaction.payload = Payload { from: id(account), nonce, fee, expires, ..transaction.payload };
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&hash.to_be_bytes());
        Verified { transaction, hash: bytes, signed: transaction.signed() }
    }
}

/// The pool as plain as can be.
#[derive(Default)]
struct Model {
    waiting: Vec<Entry<u64>>,
    /// Accounts that can go on, in the order of their turns.
    ring: Vec<AccountId>,
    next: BTreeMap<AccountId, u64>,
}

impl Model {
    fn of(&self, account: AccountId) -> Vec<u64> {
        let mut nonces: Vec<_> = self.waiting.iter().filter(|e| e.account() == account).map(Entry::nonce).collect();
        nonces.sort_unstable();
        nonces
    }

    fn ready(&self, account: AccountId) -> usize {
        let next = self.next[&account];
        self.of(account).into_iter().filter(|n| *n >= next).zip(next..).take_while(|(found, expected)| found == expected).count()
    }

    /// Puts accounts into the ring and takes them out.
    fn turn(&mut self, account: AccountId) {
        let ready = self.ready(account) > 0;
        let at = self.ring.iter().position(|a| *a == account);
        match (ready, at) {
            (true, None) => self.ring.push(account),
            (false, Some(at)) => drop(self.ring.remove(at)),
            _ => {}
        }
    }

    fn remove(&mut self, account: AccountId, nonce: u64) -> Entry<u64> {
        let at = self.waiting.iter().position(|e| (e.account(), e.nonce()) == (account, nonce)).unwrap();
        let entry = self.waiting.remove(at);
        self.turn(account);
        entry
    }

    fn insert(&mut self, verified: Verified, waiter: u64) -> String {
        let Payload { from, nonce, token, fee, .. } = verified.transaction.payload;
        let mut outcome = "new".to_owned();
        if let Some(old) = self.waiting.iter_mut().find(|e| e.account() == from && e.nonce() == nonce) {
            if old.verified.hash == verified.hash {
                if old.waiters.len() == WAITERS_MAX {
                    return "crowded".to_owned();
                }
                old.waiters.push(waiter);
                return "joined".to_owned();
            }
            let payload = &old.verified.transaction.payload;
            let (old_fee, new_fee) = (payload.fee.value().unwrap(), fee.value().unwrap());
            if payload.token != token || new_fee * 10 < old_fee * 11 || new_fee <= old_fee {
                return "replacement_underpriced".to_owned();
            }
            outcome = format!("replaced {:?}", self.remove(from, nonce).waiters);
        } else {
            let own = self.of(from);
            let most = self.waiting.iter().map(|e| (self.of(e.account()).len(), e.account())).max();
            if self.waiting.len() == BOUNDS.total || own.len() == BOUNDS.per_account {
                let (account, last) = match own.last() {
                    Some(last) if *last > nonce => (from, *last),
                    _ if own.len() == BOUNDS.per_account => return "pool_full".to_owned(),
                    _ => {
                        let (most, account) = most.unwrap();
                        if most < 2 * own.len() + 2 {
                            return "pool_full".to_owned();
                        }
                        (account, *self.of(account).last().unwrap())
                    }
                };
                outcome = format!("pool_full {:?}", self.remove(account, last).waiters);
            }
        }
        self.waiting.push(Entry { verified, waiters: vec![waiter] });
        self.turn(from);
        outcome
    }

    fn take(&mut self, max: usize) -> Vec<[u8; 32]> {
        let mut taken = Vec::new();
        while taken.len() < max && !self.ring.is_empty() {
            let account = self.ring.remove(0);
            for _ in 0..TURN.min(max - taken.len()).min(self.ready(account)) {
                let next = self.next[&account];
                let at = self.waiting.iter().position(|e| (e.account(), e.nonce()) == (account, next)).unwrap();
                taken.push(self.waiting.remove(at).verified.hash);
                self.next.insert(account, next + 1);
            }
            self.turn(account);
        }
        taken
    }
}

fn outcome(result: Result<Inserted<u64>, (Option<u64>, Refusal)>) -> String {
    match result {
        Ok(Inserted::New(None)) => "new".to_owned(),
        Ok(Inserted::New(Some(removed))) => format!("{} {:?}", removed.refusal.code(), removed.entry.waiters),
        Ok(Inserted::Joined) => "joined".to_owned(),
        Ok(Inserted::Crowded(_)) => "crowded".to_owned(),
        Err((_, refusal)) => refusal.code().to_owned(),
    }
}

struct Run {
    pool: Mempool<u64>,
    model: Model,
    maker: Maker,
    sent: Vec<Verified>,
    count: u64,
}

impl Run {
    fn insert(&mut self, rng: &mut ChaCha8Rng) -> String {
        // Some accounts send much more than others.
        let account = id([2, 2, 2, 2, 2, 3, 3, 4, 5, 6][rng.random_range(0..10)]);
        let next = self.model.next[&account];
        let again = self.sent.iter().rev().take(6).find(|_| rng.random_bool(0.1)).cloned();
        let verified = again.filter(|v| v.transaction.payload.nonce >= self.model.next[&v.transaction.payload.from]);
        let verified = verified.unwrap_or_else(|| {
            let nonce = next + rng.random_range(0..14);
            let mut made =
                self.maker.make(account.get(), nonce, rng.random_range(0..40), rng.random_range(50..120), self.count + 1_000_000);
            if rng.random_bool(0.1) {
                made.transaction.payload.token = TokenId::new(1).unwrap();
            }
            made
        });
        self.count += 1;
        self.sent.push(verified.clone());
        let next = self.model.next[&verified.transaction.payload.from];
        let found = outcome(self.pool.insert(verified.clone(), Some(self.count), next));
        assert_eq!(found, self.model.insert(verified, self.count));
        found.split(' ').next().unwrap().to_owned()
    }

    /// Executes what is taken, refuses some of it, and puts back what comes after.
    fn take(&mut self, rng: &mut ChaCha8Rng) -> String {
        let max = rng.random_range(0..20);
        let taken = self.pool.take(max);
        let hashes: Vec<_> = taken.iter().map(|e| e.verified.hash).collect();
        let expected_next = self.model.next.clone();
        assert_eq!(hashes, self.model.take(max));
        let mut engine = expected_next;
        let mut all_well = true;
        let mut back = Vec::new();
        for entry in taken {
            let next = engine.get_mut(&entry.account()).unwrap();
            if entry.nonce() == *next && rng.random_bool(0.9) {
                *next += 1;
            } else if entry.nonce() == *next {
                all_well = false;
                assert!(self.pool.advance(entry.account(), *next).is_empty());
                self.model.next.insert(entry.account(), *next);
                self.model.turn(entry.account());
            } else {
                back.push(entry);
            }
        }
        for entry in back {
            self.pool.put_back(entry.clone(), engine[&entry.account()]);
            self.model.waiting.push(entry);
        }
        for account in 2..7 {
            self.model.turn(id(account));
        }
        if all_well { "executed" } else { "put_back" }.to_owned()
    }

    fn step(&mut self, rng: &mut ChaCha8Rng) -> String {
        match rng.random_range(0..100) {
            0..84 => self.insert(rng),
            84..95 => self.take(rng),
            95..98 => {
                let (account, ahead) = (id(rng.random_range(2..7)), rng.random_range(0..3));
                let next = self.model.next[&account] + ahead;
                let found: Vec<_> = self.pool.advance(account, next).iter().map(|r| r.entry.nonce()).collect();
                let expected: Vec<_> = self.model.of(account).into_iter().filter(|n| *n < next).collect();
                assert_eq!(found, expected);
                self.model.waiting.retain(|e| e.account() != account || e.nonce() >= next);
                self.model.next.insert(account, next);
                self.model.turn(account);
                "advanced".to_owned()
            }
            _ => {
                let timestamp = rng.random_range(40..70);
                let mut found: Vec<_> = self.pool.expire(timestamp).iter().map(|r| r.entry.verified.hash).collect();
                let late = |e: &&Entry<u64>| e.verified.transaction.payload.expires < timestamp;
                let mut gone: Vec<_> = self.model.waiting.iter().filter(late).cloned().collect();
                // In the order of their expiry, as they lose their turns.
                gone.sort_by_key(Entry::expiry);
                for entry in &gone {
                    self.model.remove(entry.account(), entry.nonce());
                }
                let mut expected: Vec<_> = gone.iter().map(|e| e.verified.hash).collect();
                found.sort_unstable();
                expected.sort_unstable();
                assert_eq!(found, expected);
                "expired".to_owned()
            }
        }
    }

    fn compare(&self) {
        assert_eq!(self.pool.len(), self.model.waiting.len());
        assert!(self.pool.len() <= BOUNDS.total);
        let ready: usize = (2..7).map(|account| self.model.ready(id(account))).sum();
        assert_eq!(self.pool.ready(), ready);
        assert_eq!(self.pool.turns.values().copied().collect::<Vec<_>>(), self.model.ring);
        assert!(self.model.waiting.iter().all(|e| self.pool.contains(&e.verified.hash)));
        assert_eq!(self.pool.expiries.len(), self.pool.len());
        assert_eq!(self.pool.sizes.iter().map(|(size, _)| size).sum::<usize>(), self.pool.len());
    }
}

#[test]
fn random_calls_do_what_the_plain_pool_does() {
    let mut outcomes: BTreeMap<String, u32> = BTreeMap::new();
    for seed in 0..SEEDS {
        println!("seed {seed}");
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let next = (2..7).map(|account| (id(account), 0)).collect();
        let model = Model { next, ..Model::default() };
        let mut run = Run { pool: Mempool::new(BOUNDS), model, maker: Maker::new(), sent: Vec::new(), count: 0 };
        for _ in 0..STEPS {
            let outcome = run.step(&mut rng);
            *outcomes.entry(outcome).or_default() += 1;
            run.compare();
        }
    }
    println!("{outcomes:?}");
    let all =
        ["new", "joined", "replaced", "replacement_underpriced", "pool_full", "executed", "put_back", "advanced", "expired"];
    for outcome in all {
        assert!(outcomes.get(outcome).is_some_and(|n| *n > 0), "no case of {outcome}");
    }
}

#[test]
fn nobody_crowds_out_the_others() {
    let maker = Maker::new();
    let mut pool = Mempool::<u64>::new(Bounds { total: 64, per_account: 64 });
    for nonce in 0..64 {
        pool.insert(maker.make(2, nonce, 1, 100, nonce), Some(nonce), 0).unwrap();
    }
    // The one that fills the pool gets no more, others do, and it gives up its last ones for them.
    let refused = pool.insert(maker.make(2, 64, 1, 100, 64), Some(64), 0).unwrap_err();
    assert_eq!(refused, (Some(64), Refusal::PoolFull));
    for account in 3..19 {
        let hash = 1_000 + u64::from(account);
        let Ok(Inserted::New(Some(removed))) = pool.insert(maker.make(account, 0, 1, 100, hash), None, 0) else { panic!() };
        assert_eq!((removed.entry.account(), removed.refusal), (id(2), Refusal::PoolFull));
        assert_eq!(removed.entry.nonce(), 63 - (u64::from(account) - 3));
    }
    // And in what is executed, everybody has his turn.
    let accounts: Vec<_> = pool.take(TURN + 16).iter().map(Entry::account).collect();
    assert!((3..19).all(|account| accounts.contains(&id(account))), "{accounts:?}");
}

#[test]
fn the_one_that_others_wait_for_gets_in() {
    let maker = Maker::new();
    let mut pool = Mempool::<u64>::new(Bounds { total: 4, per_account: 3 });
    for nonce in 1..4 {
        pool.insert(maker.make(2, nonce, 1, 100, nonce), Some(nonce), 0).unwrap();
    }
    assert_eq!(pool.ready(), 0);
    let Ok(Inserted::New(Some(removed))) = pool.insert(maker.make(2, 0, 1, 100, 99), None, 0) else { panic!() };
    assert_eq!((removed.entry.nonce(), pool.ready()), (3, 3));
}

#[test]
fn few_wait_for_one_fate() {
    let maker = Maker::new();
    let mut pool = Mempool::<usize>::new(BOUNDS);
    for waiter in 0..WAITERS_MAX {
        pool.insert(maker.make(2, 0, 1, 100, 1), Some(waiter), 0).unwrap();
    }
    assert!(matches!(pool.insert(maker.make(2, 0, 1, 100, 1), Some(77), 0), Ok(Inserted::Crowded(77))));
    assert!(matches!(pool.insert(maker.make(2, 0, 1, 100, 1), None, 0), Ok(Inserted::Joined)));
    assert_eq!(pool.take(1)[0].waiters, (0..WAITERS_MAX).collect::<Vec<_>>());
}

#[test]
fn a_tenth_more_replaces() {
    let maker = Maker::new();
    for (old, enough) in [(0, 1), (1, 2), (10, 11), (11, 13), (100, 110)] {
        let mut pool = Mempool::<u64>::new(BOUNDS);
        pool.insert(maker.make(2, 0, old, 100, 1), Some(1), 0).unwrap();
        let (_, refusal) = pool.insert(maker.make(2, 0, enough - 1, 100, 2), Some(2), 0).unwrap_err();
        assert_eq!(refusal, Refusal::ReplacementUnderpriced { minimum: enough });
        let Ok(Inserted::New(Some(removed))) = pool.insert(maker.make(2, 0, enough, 100, 3), Some(3), 0) else { panic!() };
        assert_eq!((removed.refusal, removed.entry.waiters), (Refusal::Replaced, vec![1]));
    }
}
