//! What an unwinding took back is executed again, and what no longer holds is dropped with its reason.

use super::mirror::Mirror;
use super::model::Model;
use super::{CAPACITY, World, config, engine, operations, random_entry, random_transaction, resume};
use crate::block::BlockRecord;
use crate::config::{Config, MinimumFee, Units};
use crate::engine::{Engine, L1Entry, ReplayItem, ReplayKind, Verified};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sheaf_core::geometry::Geometry;
use sheaf_core::l1::queue_preimage;
use sheaf_core::operation::Operation;
use std::collections::BTreeMap;
use std::time::Instant;

const STEPS: usize = 300;
const SEEDS: u64 = 6;

/// A history of blocks.
fn history(world: &World, config: &Config, seed: u64) -> (Engine, Vec<BlockRecord>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut engine, mut model) = (engine(config), Model::new(world.operator(), CAPACITY));
    let (mut now, mut entries, mut blocks) = (1_700_000_000, 0, Vec::new());
    for _ in 0..STEPS {
        now += rng.random_range(0..3);
        if rng.random_bool(0.2) {
            let operation = random_entry(world, &mut rng);
            let entry = L1Entry::read(entries, queue_preimage(&operation).unwrap(), Geometry::new(config.depth)).unwrap();
            entries += 1;
            engine.offer_l1(entry).unwrap();
            engine.tick(now, Instant::now());
            model.apply(&operation);
        } else {
            let mut verified = random_transaction(world, &model, &BTreeMap::new(), now, &mut rng);
            // Some expire before they are executed again.
            let expires = now + if rng.random_bool(0.05) { 10 } else { 80_000 };
            (verified.transaction.payload.expires, verified.signed.expires) = (expires, expires);
            let _ = model.execute(&verified.transaction.payload, verified.signed.key_hash, now, None, false);
            engine.run([&verified], now);
        }
        if rng.random_bool(0.2) {
            blocks.extend(engine.cut());
        }
    }
    blocks.extend(engine.cut());
    (engine, blocks)
}

/// What the blocks executed, in order.
fn items(blocks: &[BlockRecord]) -> Vec<ReplayItem> {
    let mut items = Vec::new();
    for block in blocks {
        for (batch, position, slot) in operations(block) {
            let kind = if slot.signature.is_some() {
                let row = block.transactions.iter().find(|row| (row.batch, row.position) == (batch, position)).unwrap();
                let verified = Verified { transaction: row.transaction, hash: row.hash, signed: row.transaction.signed() };
                let created_at = if let Operation::TransferNew { to, .. } = row.operation { Some(to) } else { None };
                ReplayKind::Transaction { verified: Box::new(verified), created_at }
            } else {
                let row = block.l1.iter().find(|row| (row.batch, row.position) == (batch, position)).unwrap();
                let mut entry = L1Entry::read(row.index, row.preimage, Geometry::new(super::DEPTH)).unwrap();
                if let (Operation::Deposit { account, .. }, Operation::Deposit { account: had, .. }) =
                    (&mut entry.operation, &row.operation)
                {
                    *account = *had;
                }
                ReplayKind::L1(entry)
            };
            items.push(ReplayItem { seq: items.len() as u64 + 7, kind });
        }
    }
    items
}

/// Replays everything in pieces, and gives the blocks.
fn replay(config: &Config, items: &[ReplayItem], now: u32) -> (Engine, Vec<BlockRecord>) {
    let mut resume = resume(config);
    resume.replays = items.iter().cloned().collect();
    let l1 = items.iter().filter(|item| matches!(item.kind, ReplayKind::L1(_))).count();
    assert_eq!(resume.next_unread_l1(), l1 as u64);
    let mut engine = Engine::new(config.clone(), resume);
    let mut blocks = Vec::new();
    while engine.replaying() > 0 {
        engine.replay_waiting(23, now);
        engine.tick(now, Instant::now());
        blocks.extend(engine.cut());
    }
    assert_eq!(blocks.last().unwrap().replayed_to, items.last().map(|item| item.seq));
    (engine, blocks)
}

#[test]
fn what_is_replayed_unchanged_gives_the_same_state() {
    for seed in 0..SEEDS {
        println!("seed {seed}");
        let world = World::new();
        let config = config(&world);
        let (before, blocks) = history(&world, &config, seed);
        let items = items(&blocks);
        // What was promised holds, also where the operator would ask for more now.
        let dear = MinimumFee { token: super::token(0), transfer: Units(99), transfer_new: Units(99), withdraw: Units(99) };
        let config = Config { minimum_fees: vec![dear], ..config };
        let (mut after, mut blocks) = replay(&config, &items, 1_700_000_000);
        assert!(blocks.iter().all(|block| block.dropped.is_empty()));
        assert!(after.state().words().nonzero().eq(before.state().words().nonzero()));
        let mut mirror = Mirror::new(&config);
        if after.open().op_count() > 0 {
            after.ledger.seal(1_700_000_000);
            blocks.extend(after.cut());
        }
        blocks.iter().for_each(|block| mirror.take(block));
        mirror.finish(after.state(), world.pairs());
    }
}

#[test]
fn what_no_longer_holds_is_dropped_as_the_model_says() {
    let mut reasons: BTreeMap<&str, u32> = BTreeMap::new();
    for seed in 0..SEEDS {
        println!("seed {seed}");
        let world = World::new();
        let config = config(&world);
        let (_, blocks) = history(&world, &config, seed);
        let items = items(&blocks);
        let now = 1_700_000_000 + 2 * STEPS as u32;
        let (engine, blocks) = replay(&config, &items, now);
        let dropped: BTreeMap<_, _> = blocks.iter().flat_map(|b| &b.dropped).map(|row| (row.seq, row.code)).collect();
        let created: BTreeMap<_, _> = blocks.iter().flat_map(|b| &b.transactions).map(|r| (r.hash, r.operation)).collect();
        let mut model = Model::new(world.operator(), CAPACITY);
        for ReplayItem { seq, kind } in &items {
            let (verified, expected) = match kind {
                ReplayKind::L1(entry) => {
                    model.apply(&entry.operation);
                    continue;
                }
                ReplayKind::Transaction { verified, .. } => (verified, dropped.get(seq).copied().map_or(Ok("executed"), Err)),
            };
            let at = if let Some(Operation::TransferNew { to, .. }) = created.get(&verified.hash) { Some(*to) } else { None };
            let (payload, signer) = (&verified.transaction.payload, verified.signed.key_hash);
            assert_eq!(model.execute(payload, signer, now, at, true), expected, "{payload:?}");
            reasons.entry(expected.unwrap_or_else(|code| code)).and_modify(|n| *n += 1).or_insert(1);
        }
        model.compare(engine.state());
    }
    println!("{reasons:?}");
    for reason in ["executed", "expired", "nonce_gap", "insufficient_balance"] {
        assert!(reasons.contains_key(reason), "no case of {reason}");
    }
}
