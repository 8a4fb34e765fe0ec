//! One operation after the other: every refusal and every effect is the model's.

use super::mirror::Mirror;
use super::model::Model;
use super::{CAPACITY, DEPTH, World, config, engine, random_entry, random_transaction};
use crate::engine::L1Entry;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sheaf_core::geometry::Geometry;
use sheaf_core::l1::queue_preimage;
use std::collections::BTreeMap;
use std::time::Instant;

const STEPS: usize = 400;
const SEEDS: u64 = 12;

fn run(seed: u64, outcomes: &mut BTreeMap<String, u32>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let world = World::new();
    let config = config(&world);
    let (mut engine, mut model) = (engine(&config), Model::new(world.operator(), CAPACITY));
    let mut mirror = Mirror::new(&config);
    let (mut now, mut entries) = (1_700_000_000, 0);
    for _ in 0..STEPS {
        now += rng.random_range(0..3);
        let outcome = if rng.random_bool(0.3) {
            let operation = random_entry(&world, &mut rng);
            let entry = L1Entry::read(entries, queue_preimage(&operation).unwrap(), Geometry::new(DEPTH)).unwrap();
            entries += 1;
            engine.offer_l1(entry).unwrap();
            engine.tick(now, Instant::now());
            model.apply(&operation)
        } else {
            let verified = random_transaction(&world, &model, &BTreeMap::new(), now, &mut rng);
            let expected = model.execute(&verified.transaction.payload, verified.signed.key_hash, now, None, false);
            let found = engine.run([&verified], now).pop().unwrap();
            let code = found.as_ref().map_or_else(|refusal| refusal.code(), |_| "executed");
            assert_eq!(code, expected.unwrap_or_else(|code| code), "{:?}: {found:?}", verified.transaction.payload);
            code
        };
        *outcomes.entry(outcome.to_owned()).or_default() += 1;
        model.compare(engine.state());
        if rng.random_bool(0.2) {
            engine.cut().iter().for_each(|block| mirror.take(block));
        }
    }
    if engine.open().op_count() > 0 {
        engine.ledger.seal(now);
    }
    engine.cut().iter().for_each(|block| mirror.take(block));
    mirror.finish(engine.state(), world.pairs());
}

#[test]
fn random_operations_do_what_the_model_says_and_keep_every_sum() {
    let mut outcomes = BTreeMap::new();
    for seed in 0..SEEDS {
        println!("seed {seed}");
        run(seed, &mut outcomes);
    }
    println!("{outcomes:?}");
    let all = [
        "deposited",
        "created",
        "refunded",
        "key_set",
        "key_kept",
        "exited",
        "stranger",
        "executed",
        "unknown_account",
        "wrong_key",
        "nonce_gap",
        "nonce_too_old",
        "expired",
        "expires_too_far",
        "unknown_token",
        "fee_too_small",
        "insufficient_balance",
        "receiver_retired",
        "no_free_account",
    ];
    for outcome in all {
        assert!(outcomes.get(outcome).is_some_and(|n| *n > 0), "no case of {outcome}");
    }
}
