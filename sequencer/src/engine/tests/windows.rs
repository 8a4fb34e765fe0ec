//! Many operations at once: the engine that executes in parallel, the one that has a loop, and the model agree.

use super::mirror::Mirror;
use super::model::Model;
use super::{CAPACITY, DEPTH, World, config, engine, id, random_entry, random_transaction, token};
use crate::config::{Config, ExecutorPath};
use crate::engine::{Engine, L1Entry, Verified};
use crate::error::Refusal;
use crate::types::Placement;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sheaf_core::amount::{PackedAmount, PackedFee};
use sheaf_core::geometry::Geometry;
use sheaf_core::l1::queue_preimage;
use sheaf_core::operation::Operation;
use sheaf_core::transaction::{Pair, Payload, Target, Transaction};
use sheaf_core::types::AccountId;
use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroUsize;
use std::time::Instant;

const STEPS: usize = 60;
const SEEDS: u64 = 16;
const RUN_MAX: usize = 40;
const THREADS: [usize; 4] = [1, 2, 3, 4];
const HOUR_MS: u64 = 3_600_000;

fn with(config: &Config, path: ExecutorPath, threads: usize) -> Engine {
    engine(&Config { executor_path: path, executor_threads: NonZeroUsize::new(threads), ..config.clone() })
}

/// A transaction that is valid where `from` exists with this key and can pay.
fn payment(world: &World, from: AccountId, sender: &Pair, nonce: u64, target: Target, amount: u128, now: u32) -> Verified {
    let key = world.keys.iter().find(|key| key.public_key().key_hash() == sender.key_hash).unwrap();
    let payload = Payload {
        from,
        nonce,
        expires: now + 80_000,
        token: token(0),
        amount: PackedAmount::encode(amount).unwrap(),
        fee: PackedFee::encode(5).unwrap(),
        target,
    };
    let signature = key.sign(sheaf_core::F::from(0u64));
    let transaction = Transaction { payload, public_key: key.public_key(), signature };
    let mut hash = [0; 32];
    hash[..4].copy_from_slice(&from.get().to_be_bytes());
    hash[4..12].copy_from_slice(&nonce.to_be_bytes());
    Verified { transaction, hash, signed: transaction.signed() }
}

/// A run with chains of nonces, some of them broken, and with senders that the run itself creates.
fn random_run(world: &World, model: &Model, now: u32, rng: &mut ChaCha8Rng) -> Vec<Verified> {
    let mut planned: BTreeMap<AccountId, u64> = BTreeMap::new();
    let mut run = Vec::new();
    for _ in 0..rng.random_range(1..=RUN_MAX) {
        let verified = random_transaction(world, model, &planned, now, rng);
        let Payload { from, nonce, target, .. } = verified.transaction.payload;
        if nonce == model.account(from).nonce + planned.get(&from).copied().unwrap_or(0) {
            *planned.entry(from).or_default() += 1;
        }
        run.push(verified);
        if let Target::Account(pair) = target
            && let Ok((index, true)) = model.find(&pair)
            && rng.random_bool(0.3)
        {
            let mut next = payment(world, id(index), &pair, 0, Target::Account(world.pair(rng)), 1, now);
            next.hash = rng.random();
            run.push(next);
        }
    }
    run
}

/// Where an engine's new operations begin in its draft.
#[derive(Default)]
struct Seen {
    transactions: usize,
    l1: usize,
}

/// Does with the model what the engine has done, and compares.
fn follow(
    model: &mut Model,
    engine: &Engine,
    seen: &mut Seen,
    l1: &[Operation],
    run: &[Verified],
    results: &[Result<Placement, Refusal>],
    now: u32,
) {
    let draft = engine.draft();
    let mut entries: VecDeque<_> = draft.l1[seen.l1..].iter().collect();
    let mut rows = draft.transactions[seen.transactions..].iter();
    let apply = |model: &mut Model, row: &crate::block::L1Row| {
        let refunded = model.apply(&l1[row.index as usize]) == "refunded";
        assert_eq!(refunded, matches!(row.operation, Operation::DepositRefund { .. }), "entry {}", row.index);
    };
    for (i, (verified, result)) in run.iter().zip(results).enumerate() {
        let (payload, signer) = (&verified.transaction.payload, verified.signed.key_hash);
        match result {
            Ok(placement) => {
                while entries.front().is_some_and(|row| row.batch <= placement.batch) {
                    apply(model, entries.pop_front().unwrap());
                }
                let row = rows.next().unwrap();
                assert_eq!((row.hash, row.batch, row.position), (verified.hash, placement.batch, placement.position));
                let at = if let Operation::TransferNew { to, .. } = row.operation { Some(to) } else { None };
                assert_eq!(model.execute(payload, signer, now, at, false), Ok("executed"), "{payload:?}");
            }
            Err(refusal) => {
                // Entries of the L1 queue may have gone before it, as far as they stand before the next transaction.
                let next = results[i..].iter().flatten().next();
                let mut model = model.clone();
                let mut found = vec![model.clone().execute(payload, signer, now, None, false)];
                for row in entries.iter().take_while(|row| next.is_none_or(|placement| row.batch <= placement.batch)) {
                    apply(&mut model, row);
                    found.push(model.clone().execute(payload, signer, now, None, false));
                }
                assert!(found.contains(&Err(refusal.code())), "{payload:?}: {refusal:?}, but {found:?}");
            }
        }
    }
    entries.into_iter().for_each(|row| apply(model, row));
    assert!(rows.next().is_none(), "every transaction has a result");
    *seen = Seen { transactions: draft.transactions.len(), l1: draft.l1.len() };
    model.compare(engine.state());
}

fn differ(seed: u64, outcomes: &mut BTreeMap<&'static str, u32>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let world = World::new();
    // Entries of the L1 queue go in at once, or wait until a batch is full.
    let l1_wait_ms = if seed.is_multiple_of(2) { 0 } else { HOUR_MS };
    let config = Config { l1_wait_ms, batch_timeout_ms: HOUR_MS, ..config(&world) };
    let mut reference = with(&config, ExecutorPath::Sequential, 1);
    let mut others: Vec<_> = THREADS.iter().map(|threads| with(&config, ExecutorPath::Parallel, *threads)).collect();
    let (mut model, mut mirror, mut seen) = (Model::new(world.operator(), CAPACITY), Mirror::new(&config), Seen::default());
    let (mut now, mut entries) = (1_700_000_000, Vec::new());
    for step in 0..STEPS {
        now += rng.random_range(0..3);
        let mut run = Vec::new();
        if step == 0 || rng.random_bool(0.25) {
            for _ in 0..rng.random_range(1..12) {
                let operation = random_entry(&world, &mut rng);
                let index = entries.len() as u64;
                let entry = L1Entry::read(index, queue_preimage(&operation).unwrap(), Geometry::new(DEPTH)).unwrap();
                entries.push(operation);
                others.iter_mut().chain([&mut reference]).for_each(|engine| engine.offer_l1(entry.clone()).unwrap());
            }
        } else {
            run = random_run(&world, &model, now, &mut rng);
        }
        let cuts = rng.random_bool(0.3);
        let go = |engine: &mut Engine| {
            engine.tick(now, Instant::now());
            engine.run(&run, now)
        };
        let results = go(&mut reference);
        follow(&mut model, &reference, &mut seen, &entries, &run, &results, now);
        for result in &results {
            *outcomes.entry(result.as_ref().map_or_else(Refusal::code, |_| "executed")).or_default() += 1;
        }
        let block = if cuts { reference.cut() } else { None };
        for (engine, threads) in others.iter_mut().zip(THREADS) {
            assert_eq!(go(engine), results, "{threads} threads");
            assert!(engine.state().words().nonzero().eq(reference.state().words().nonzero()), "{threads} threads");
            if cuts {
                assert_eq!(format!("{:?}", engine.cut()), format!("{block:?}"), "{threads} threads");
            }
        }
        if let Some(block) = block {
            mirror.take(&block);
            seen = Seen::default();
        }
    }
    if reference.open().op_count() > 0 {
        reference.ledger.seal(now);
    }
    reference.cut().iter().for_each(|block| mirror.take(block));
    mirror.finish(reference.state(), world.pairs());
}

#[test]
fn in_parallel_in_a_loop_and_one_by_one_the_same_happens() {
    let mut outcomes = BTreeMap::new();
    for seed in 0..SEEDS {
        println!("seed {seed}");
        differ(seed, &mut outcomes);
    }
    println!("{outcomes:?}");
    for outcome in
        ["executed", "nonce_gap", "nonce_too_old", "insufficient_balance", "unknown_account", "expired", "no_free_account"]
    {
        assert!(outcomes.get(outcome).is_some_and(|n| *n > 0), "no case of {outcome}");
    }
}

/// An engine whose account 2 has 1000 of token 0, and what it takes to pay from it.
struct Rich {
    world: World,
    engine: Engine,
    now: u32,
    l1: u64,
}

impl Rich {
    fn new(path: ExecutorPath) -> Self {
        let world = World::new();
        let config = Config { l1_wait_ms: HOUR_MS, batch_timeout_ms: HOUR_MS, ..config(&world) };
        let mut rich = Self { engine: with(&config, path, 2), world, now: 1_700_000_000, l1: 0 };
        let sender = rich.pair(1);
        rich.deposit(sender);
        rich.engine.tick(rich.now, Instant::now());
        rich
    }

    fn pair(&self, n: usize) -> Pair {
        self.world.pairs().nth(n).unwrap()
    }

    fn deposit(&mut self, Pair { owner, key_hash }: Pair) {
        let operation = Operation::Deposit { account: id(0), token: token(0).word(), amount: 1000, owner, key_hash };
        let entry = L1Entry::read(self.l1, queue_preimage(&operation).unwrap(), Geometry::new(DEPTH)).unwrap();
        self.engine.offer_l1(entry).unwrap();
        self.l1 += 1;
    }

    fn pay(&self, nonce: u64, to: usize, amount: u128) -> Verified {
        payment(&self.world, id(2), &self.pair(1), nonce, Target::Account(self.pair(to)), amount, self.now)
    }

    fn run(&mut self, entries: &[Verified]) -> Vec<&'static str> {
        let results = self.engine.run(entries, self.now);
        results.iter().map(|result| result.as_ref().map_or_else(Refusal::code, |_| "executed")).collect()
    }
}

#[test]
fn who_follows_a_refused_transaction_has_a_gap_before_it() {
    for path in [ExecutorPath::Sequential, ExecutorPath::Parallel, ExecutorPath::Auto] {
        let mut rich = Rich::new(path);
        let run = [rich.pay(0, 1, 10), rich.pay(1, 1, 5000), rich.pay(2, 1, 10), rich.pay(3, 1, 10)];
        assert_eq!(rich.run(&run), ["executed", "insufficient_balance", "nonce_gap", "nonce_gap"]);
        // The same nonce again, and the two that waited for it.
        let run = [rich.pay(1, 1, 20), rich.pay(2, 1, 10), rich.pay(3, 1, 10)];
        assert_eq!(rich.run(&run), ["executed"; 3]);
    }
}

#[test]
fn an_index_that_a_refused_creation_leaves_empty_is_used_next() {
    let mut rich = Rich::new(ExecutorPath::Parallel);
    let run = [rich.pay(0, 5, 10), rich.pay(1, 6, 10), rich.pay(2, 7, 5000), rich.pay(3, 8, 10)];
    assert_eq!(rich.run(&run), ["executed", "executed", "insufficient_balance", "nonce_gap"]);
    let created = |rich: &Rich| -> Vec<u32> {
        let to = |operation: &Operation| if let Operation::TransferNew { to, .. } = operation { Some(to.get()) } else { None };
        rich.engine.draft().transactions.iter().filter_map(|row| to(&row.operation)).collect()
    };
    assert_eq!(created(&rich), [3, 4]);
    let run = [rich.pay(2, 9, 10), rich.pay(3, 9, 10), rich.pay(4, 10, 10)];
    assert_eq!(rich.run(&run), ["executed"; 3]);
    assert_eq!(created(&rich), [3, 4, 5, 6]);
}

#[test]
fn waiting_l1_entries_go_first_where_a_batch_fills_within_a_run() {
    for path in [ExecutorPath::Sequential, ExecutorPath::Parallel] {
        let mut rich = Rich::new(path);
        assert_eq!(rich.run(&[rich.pay(0, 1, 1)]), ["executed"]);
        let (other, third) = (rich.pair(2), rich.pair(3));
        rich.deposit(other);
        rich.deposit(third);
        rich.engine.tick(rich.now, Instant::now());
        assert_eq!(rich.engine.waiting_l1(), 2, "the open batch has transactions");
        let run: Vec<_> = (1..8).map(|nonce| rich.pay(nonce, 1, 1)).collect();
        assert_eq!(rich.run(&run), ["executed"; 7]);
        let places: Vec<_> = rich.engine.draft().transactions.iter().map(|row| (row.batch.0, row.position)).collect();
        assert_eq!(places, [(1, 1), (1, 2), (1, 3), (1, 4), (2, 2), (2, 3), (2, 4), (3, 0)]);
        let places: Vec<_> = rich.engine.draft().l1.iter().map(|row| (row.batch.0, row.position)).collect();
        assert_eq!(places, [(1, 0), (2, 0), (2, 1)]);
    }
}

#[test]
fn a_batch_begun_at_an_earlier_second_takes_what_is_executed_now() {
    let mut rich = Rich::new(ExecutorPath::Sequential);
    let first = rich.engine.open().timestamp(rich.now);
    rich.now += 100;
    let mut late = rich.pay(0, 1, 1);
    (late.transaction.payload.expires, late.signed.expires) = (first + 50, first + 50);
    assert_eq!(rich.run(&[late]), ["expired"], "its time is over, though not the batch's");
    let run: Vec<_> = (0..5).map(|nonce| rich.pay(nonce, 1, 1)).collect();
    assert_eq!(rich.run(&run), ["executed"; 5]);
    let block = rich.engine.cut().unwrap();
    let times: Vec<_> = block.batches.iter().map(|batch| batch.timestamp - first).collect();
    assert_eq!(times, [0, 100]);
}
