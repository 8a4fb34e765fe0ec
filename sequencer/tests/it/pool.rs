//! What waits: nonces ahead, replacement, duplicates, expiry, and who gets room when there is little.

use crate::support::{CHAIN_ID, CONTRACT, START, User, World, eventually, json, sign, transfer};
use alloy_primitives::B256;
use serde_json::Value;
use sheaf_core::transaction::Payload;
use sheaf_core::types::TokenId;
use sheaf_sequencer::Config;
use sheaf_sequencer::wire::SubmitResult;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::task::JoinHandle;

/// A sequencer with alice (account 2, rich) and bob (account 3).
async fn world(change: impl FnOnce(&mut Config)) -> (World, User, User) {
    let mut world = World::with(change).await;
    let (alice, bob) = (User::new(1), User::new(2));
    assert_eq!(world.fund(&alice, TokenId::ETH, 1_000_000).await, 2);
    assert_eq!(world.fund(&bob, TokenId::ETH, 1_000).await, 3);
    (world, alice, bob)
}

/// Sends a transaction, and waits for its fate elsewhere.
fn send(world: &World, payload: Payload, user: &User) -> JoinHandle<SubmitResult> {
    let (client, transaction) = (world.client().clone(), json(&sign(payload, user)));
    tokio::spawn(async move { client.submit(vec![transaction], true).await.unwrap().remove(0) })
}

/// Sends a transaction that can't be executed yet, and returns when it waits.
async fn park(world: &World, payload: Payload, user: &User) -> JoinHandle<SubmitResult> {
    let pending = world.client().status().await.unwrap().pending;
    let sent = send(world, payload, user);
    waiting(world, pending + 1).await;
    sent
}

async fn waiting(world: &World, count: usize) {
    eventually("that many wait", || async { (world.client().status().await.unwrap().pending == count).then_some(()) }).await;
}

fn place(result: &SubmitResult) -> (u64, u32) {
    match result {
        SubmitResult::Executed { batch, position, .. } => (batch.0, *position),
        other => panic!("{other:?}"),
    }
}

fn code(result: &SubmitResult) -> &str {
    match result {
        SubmitResult::Rejected { code, .. } => code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_too_early_waits_for_what_is_missing() {
    let (mut world, alice, bob) = world(|_| {}).await;
    let third = park(&world, transfer(2, 2, &bob, 1, 10), &alice).await;
    let second = park(&world, transfer(2, 1, &bob, 1, 10), &alice).await;
    // Nothing of it is executed, nor holds up anybody else.
    world.execute(transfer(3, 0, &alice, 1, 10), &bob).await;
    assert!(!second.is_finished() && !third.is_finished());
    let first = world.submit(&sign(transfer(2, 0, &bob, 1, 10), &alice)).await;
    let places = [place(&first), place(&second.await.unwrap()), place(&third.await.unwrap())];
    assert!(places.is_sorted(), "{places:?}");
    assert_eq!(world.client().status().await.unwrap().pending, 0);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_higher_fee_replaces_what_waits() {
    let (mut world, alice, bob) = world(|_| {}).await;
    let old = park(&world, transfer(2, 1, &bob, 1, 20), &alice).await;
    let result = world.submit(&sign(transfer(2, 1, &bob, 2, 21), &alice)).await;
    assert_eq!(code(&result), "replacement_underpriced");
    let SubmitResult::Rejected { message, retry_after_ms, .. } = result else { unreachable!() };
    assert!(message.contains("at least 22") && retry_after_ms.is_none(), "{message}");
    let new = send(&world, transfer(2, 1, &bob, 3, 22), &alice);
    assert_eq!(code(&old.await.unwrap()), "replaced");
    world.execute(transfer(2, 0, &bob, 1, 10), &alice).await;
    place(&new.await.unwrap());
    assert_eq!(world.balance(3, TokenId::ETH).await, 1_004);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_have_one_fate_and_one_receipt() {
    let (mut world, alice, bob) = world(|config| config.block_ms = 50).await;
    let transaction = sign(transfer(2, 0, &bob, 1, 10), &alice);
    // In the same request, while it waits, when it is durable, and when only the database remembers it.
    let twice = world.client().submit(vec![json(&transaction); 2], true).await.unwrap();
    let later = world.submit(&transaction).await;
    world.restart().await;
    let after_restart = world.submit(&transaction).await;
    for other in [&twice[1], &later, &after_restart] {
        assert_eq!(other, &twice[0]);
    }
    assert_eq!(world.count("SELECT count(*) FROM transactions").await, 1);
    let SubmitResult::Executed { hash, block, batch, position, receipt } = after_restart else { panic!() };
    let (receipt, hash) = (receipt.expect("a receipt"), hash.parse::<B256>().unwrap());
    assert_eq!((receipt.block, receipt.batch, receipt.position), (block.0, batch.0, position));
    let signer = world.client().status().await.unwrap().receipt_signer;
    receipt.verify(hash, CHAIN_ID, CONTRACT, signer).unwrap();
    receipt.verify(B256::ZERO, CHAIN_ID, CONTRACT, signer).unwrap_err();
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_transaction_of_a_block_has_its_own_receipt() {
    let (mut world, alice, bob) = world(|config| config.block_ms = 100).await;
    let transactions: Vec<_> = (0..5).map(|nonce| json(&sign(transfer(2, nonce, &bob, 1, 10), &alice))).collect();
    let results = world.client().submit(transactions.clone(), true).await.unwrap();
    let signer = world.client().status().await.unwrap().receipt_signer;
    let receipts = |results: &[SubmitResult]| -> Vec<_> {
        let receipt = |result: &SubmitResult| match result {
            SubmitResult::Executed { hash, receipt: Some(receipt), .. } => {
                receipt.verify(hash.parse().unwrap(), CHAIN_ID, CONTRACT, signer).unwrap();
                (receipt.block, receipt.index, receipt.count)
            }
            other => panic!("{other:?}"),
        };
        results.iter().map(receipt).collect()
    };
    let first = receipts(&results);
    assert_eq!(first, (0..5).map(|index| (first[0].0, index, 5)).collect::<Vec<_>>());
    world.restart().await;
    assert_eq!(world.client().submit(transactions, true).await.unwrap(), results);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_a_refused_one_waits_on() {
    let (mut world, alice, bob) = world(|config| config.block_ms = 50).await;
    // All three are taken for the same block; the first one costs more than bob has.
    let payloads = [transfer(3, 0, &alice, 2_000, 10), transfer(3, 1, &alice, 1, 10), transfer(3, 2, &alice, 1, 10)];
    let transactions: Vec<_> = payloads.iter().map(|payload| json(&sign(*payload, &bob))).collect();
    let results = world.client().submit(transactions.clone(), false).await.unwrap();
    assert!(results.iter().all(|result| matches!(result, SubmitResult::Pending { .. })), "{results:?}");
    waiting(&world, 2).await;
    eventually("the refusal is remembered", || async {
        (world.count("SELECT count(*) FROM rejections WHERE code = 'insufficient_balance'").await == 1).then_some(())
    })
    .await;
    assert_eq!(world.count("SELECT count(*) FROM transactions").await, 0);
    // Refused is not for ever: with money it is executed, and the others after it.
    world.fund(&bob, TokenId::ETH, 5_000).await;
    let rest: Vec<_> = world.client().submit(transactions, true).await.unwrap().iter().map(place).collect();
    assert!(rest.is_sorted(), "{rest:?}");
    assert_eq!(world.count("SELECT count(*) FROM transactions").await, 3);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_too_long_expires() {
    let (mut world, alice, bob) = world(|_| {}).await;
    let late = park(&world, Payload { expires: START + 10, ..transfer(2, 1, &bob, 1, 10) }, &alice).await;
    world.set_clock(START + 11);
    assert_eq!(code(&late.await.unwrap()), "expired");
    waiting(&world, 0).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_takes_all_the_room() {
    let (mut world, alice, bob) = world(|config| config.limits.pending_max = 8).await;
    let gapped: Vec<_> = (1..9).map(|nonce| json(&sign(transfer(2, nonce, &bob, 1, 10), &alice))).collect();
    world.client().submit(gapped, false).await.unwrap();
    waiting(&world, 8).await;
    let result = world.submit(&sign(transfer(2, 9, &bob, 1, 10), &alice)).await;
    assert_eq!(code(&result), "pool_full");
    assert!(matches!(result, SubmitResult::Rejected { retry_after_ms: Some(1..), .. }), "{result:?}");
    // Somebody else gets in, at the cost of the last one of those.
    world.execute(transfer(3, 0, &alice, 1, 10), &bob).await;
    eventually("the one that gave way is remembered", || async {
        (world.count("SELECT count(*) FROM rejections WHERE code = 'pool_full'").await > 0).then_some(())
    })
    .await;
    waiting(&world, 7).await;
    // And the one that the others wait for gets in too.
    world.execute(transfer(2, 0, &bob, 1, 10), &alice).await;
    waiting(&world, 0).await;
    assert_eq!(world.count("SELECT count(*) FROM transactions WHERE sender = 2").await, 8);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_taken_while_too_many_batches_wait_to_be_built() {
    let (mut world, alice, bob) = world(|_| {}).await;
    world.config.limits.unbuilt_batches_max = 0;
    world.restart().await;
    let result = world.submit(&sign(transfer(2, 0, &bob, 1, 10), &alice)).await;
    assert_eq!(code(&result), "pool_full");
    assert!(matches!(result, SubmitResult::Rejected { retry_after_ms: Some(1..), .. }), "{result:?}");
    world.config.limits.unbuilt_batches_max = 1;
    world.restart().await;
    world.execute(transfer(2, 0, &bob, 1, 10), &alice).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_taken_while_too_many_batches_wait_for_l1() {
    let (mut world, alice, bob) = world(|_| {}).await;
    world.seal_and_build().await;
    world.config.limits.unsettled_batches_max = 0;
    world.restart().await;
    let nonce = AtomicU64::new(0);
    let refused = async |world: &World| -> bool {
        let next = nonce.load(Ordering::Relaxed);
        match world.submit(&sign(transfer(2, next, &bob, 1, 10), &alice)).await {
            SubmitResult::Rejected { code, retry_after_ms: Some(1..), .. } if code == "pool_full" => true,
            // It had not heard yet.
            SubmitResult::Executed { .. } => {
                nonce.store(next + 1, Ordering::Relaxed);
                false
            }
            other => panic!("{other:?}"),
        }
    };
    eventually("it is refused", || async { refused(&world).await.then_some(()) }).await;
    // What L1 asks for is not held up.
    world.fund(&bob, TokenId::ETH, 5).await;
    world.all_built().await;
    sqlx::query("UPDATE batches SET status = 'settled' WHERE status = 'sealed'").execute(&world.pool).await.unwrap();
    eventually("it is taken again", || async { (!refused(&world).await).then_some(()) }).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_taken_while_a_batch_has_waited_for_l1_too_long() {
    let (mut world, alice, bob) = world(|_| {}).await;
    world.seal_and_build().await;
    let age_max = world.config.limits.unsettled_age_s_max;
    assert_eq!(age_max, 24 * 60 * 60, "the default leaves two of the three days for L1 to come back");
    let late = |nonce| sign(Payload { expires: START + age_max + 600, ..transfer(2, nonce, &bob, 1, 10) }, &alice);
    let nonce = AtomicU64::new(0);
    world.set_clock(START + age_max + 1);
    eventually("it is refused", || async {
        match world.submit(&late(nonce.load(Ordering::Relaxed))).await {
            SubmitResult::Rejected { code, retry_after_ms: Some(1..), .. } if code == "pool_full" => Some(()),
            // It had not heard of the batch yet.
            SubmitResult::Executed { .. } => {
                nonce.fetch_add(1, Ordering::Relaxed);
                None
            }
            other => panic!("{other:?}"),
        }
    })
    .await;
    // A second earlier the batch is not too old.
    world.set_clock(START + age_max);
    let result = world.submit(&late(nonce.fetch_add(1, Ordering::Relaxed))).await;
    assert!(matches!(result, SubmitResult::Executed { .. }), "{result:?}");
    world.set_clock(START + age_max + 1);
    let next = nonce.load(Ordering::Relaxed);
    assert_eq!(code(&world.submit(&late(next)).await), "pool_full");
    // What L1 asks for is not held up.
    world.fund(&bob, TokenId::ETH, 5).await;
    world.all_built().await;
    sqlx::query("UPDATE batches SET status = 'settled' WHERE status = 'sealed'").execute(&world.pool).await.unwrap();
    eventually("it is taken again", || async {
        matches!(world.submit(&late(next)).await, SubmitResult::Executed { .. }).then_some(())
    })
    .await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_any_size_are_answered_in_order() {
    let (mut world, alice, bob) = world(|_| {}).await;
    let mut transactions: Vec<Value> = (0..60).map(|nonce| json(&sign(transfer(2, nonce, &bob, 1, 10), &alice))).collect();
    transactions.insert(20, Value::Null);
    transactions.insert(41, json(&sign(transfer(9, 0, &bob, 1, 10), &alice)));
    let results = world.client().submit(transactions, true).await.unwrap();
    assert_eq!((code(&results[20]), code(&results[41])), ("malformed_json", "unknown_account"));
    let places: Vec<_> = results.iter().filter(|r| !matches!(r, SubmitResult::Rejected { .. })).map(place).collect();
    assert!(places.len() == 60 && places.is_sorted(), "{places:?}");
    assert_eq!(world.client().submit(Vec::<Value>::new(), true).await.unwrap(), []);
    world.stop().await;
}
