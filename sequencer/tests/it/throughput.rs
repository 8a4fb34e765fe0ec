//! A rough measurement, not a check: `cargo test -p sheaf-sequencer --test it -- --ignored --nocapture throughput`.

use crate::support::{User, World, json, one_shape, sign, transfer};
use sheaf_core::types::TokenId;
use sheaf_sequencer::wire::SubmitResult;
use std::time::Instant;

const USERS: u16 = 20;
const EACH: u64 = 200;
const REQUEST: usize = 400;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn transactions_a_second() {
    // `SLOTS` measures with batches of another size: the builder shares the cores.
    let slots = std::env::var("SLOTS").map_or(16, |s| s.parse().unwrap());
    let mut world = World::with(|config| {
        config.shapes = one_shape(slots, 4 * slots, 24 * slots);
        config.block_ms = 20;
    })
    .await;
    let users: Vec<_> = (1..=USERS).map(User::new).collect();
    for user in &users {
        world.fund(user, TokenId::ETH, 1_000_000_000).await;
    }
    let mut transactions = Vec::new();
    for nonce in 0..EACH {
        for (i, user) in users.iter().enumerate() {
            let to = &users[(i + 1 + nonce as usize) % users.len()];
            transactions.push(json(&sign(transfer(i as u32 + 2, nonce, to, 1, 10), user)));
        }
    }
    let start = Instant::now();
    for request in transactions.chunks(REQUEST) {
        let results = world.client().submit(request.to_vec(), true).await.unwrap();
        assert!(results.iter().all(|r| matches!(r, SubmitResult::Executed { .. })));
    }
    let (count, time) = (transactions.len(), start.elapsed());
    println!("{count} transactions in {time:?}: {:.0} a second, {slots} slots", count as f64 / time.as_secs_f64());
    let start = Instant::now();
    world.all_built().await;
    println!("built after another {:?}", start.elapsed());
    world.stop().await;
}
