//! Operations from L1: always applied or refunded, first in their batch, within a bound of time.

use crate::support::{
    START, TOKEN, User, World, check_batches, id, insert_entry, json, operator, sign, transfer, with_slots, withdraw,
};
use alloy_primitives::Address;
use sheaf_core::operation::Operation;
use sheaf_core::types::TokenId;
use sheaf_sequencer::wire::SubmitResult;
use sqlx::Row;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn a_deposit_goes_to_its_pairs_lowest_index_or_creates_it() {
    let mut world = World::new().await;
    let (alice, bob) = (User::new(1), User::new(2));
    assert_eq!(world.fund(&alice, TokenId::ETH, 10_000).await, 2);
    assert_eq!(world.fund(&bob, TokenId::ETH, 1).await, 3);
    assert_eq!(world.fund(&alice, TOKEN, 20).await, 2);
    assert_eq!(world.fund(&operator(), TOKEN, 20).await, 1);
    // A SetKey makes a duplicate of a pair: bob's account gets the same owner only by being his, so alice makes two.
    world.execute(transfer(2, 0, &alice.with_key(9), 100, 50), &alice).await;
    let same_key = Operation::SetKey { account: id(4), caller: alice.owner, key_hash: alice.key_hash() };
    world.apply(&same_key).await;
    assert_eq!(world.fund(&alice, TokenId::ETH, 1).await, 2);
    assert_eq!(world.balance(4, TokenId::ETH).await, 100);
    // The pair that was replaced is retired, the duplicate is not.
    assert_eq!(world.apply(&alice.with_key(9).deposit(TOKEN, 3)).await, (None, true));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_owner_changes_a_key_or_forces_an_exit() {
    let mut world = World::new().await;
    let (alice, mallory) = (User::new(1), User::new(2));
    world.fund(&alice, TokenId::ETH, 10_000).await;
    let stranger = Operation::SetKey { account: id(2), caller: mallory.owner, key_hash: mallory.key_hash() };
    assert_eq!(world.apply(&stranger).await, (Some(2), false));
    world.execute(transfer(2, 0, &alice, 1, 10), &alice).await;
    let exit = |account, caller| Operation::ForcedExit { account: id(account), token: TokenId::ETH.word(), amount: 0, caller };
    world.apply(&exit(2, mallory.owner)).await;
    assert_eq!(world.balance(2, TokenId::ETH).await, 9_990);
    // Of an account that nobody has, too.
    world.apply(&exit(1_000_000, mallory.owner)).await;
    world.apply(&exit(0xFF_FFFF, mallory.owner)).await;
    world.apply(&exit(2, alice.owner)).await;
    assert_eq!(world.balance(2, TokenId::ETH).await, 0);
    world.apply(&exit(2, alice.owner)).await;
    let replace = Operation::SetKey { account: id(2), caller: alice.owner, key_hash: alice.with_key(5).key_hash() };
    world.apply(&replace).await;
    assert_eq!(world.count("SELECT count(*) FROM retired_pairs").await, 1);
    world.refused(json(&sign(transfer(2, 1, &alice, 0, 10), &alice)), "wrong_key").await;
    world.seal_and_build().await;
    let leaving = "SELECT recipient, amount::text AS amount FROM withdrawals";
    let rows = sqlx::query(leaving).fetch_all(&world.pool).await.unwrap();
    assert_eq!(rows.len(), 1, "strangers and empty accounts get nothing");
    assert_eq!(rows[0].get::<Vec<u8>, _>("recipient"), alice.owner.to_vec());
    assert_eq!(rows[0].get::<String, _>("amount"), "9990");
    check_batches(&world.pool, &world.config).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deposits_that_cannot_be_credited_are_refunded_and_leave() {
    let mut world = World::new().await;
    let (alice, bob) = (User::new(1), User::new(2));
    world.fund(&alice, TOKEN, u128::MAX - 5).await;
    // The sum of all balances of a token stays below 2^128, so no credit can overflow.
    assert_eq!(world.apply(&bob.deposit(TOKEN, 6)).await, (None, true));
    assert_eq!(world.apply(&bob.deposit(TOKEN, 5)).await, (Some(3), false));
    world.fund(&bob, TokenId::ETH, 1_000).await;
    let replace = Operation::SetKey { account: id(3), caller: bob.owner, key_hash: bob.with_key(5).key_hash() };
    world.apply(&replace).await;
    assert_eq!(world.apply(&bob.deposit(TokenId::ETH, 7)).await, (None, true));
    // A withdrawal in the same batch leaves before the refund, as the contract's hash has it.
    world.execute(withdraw(3, 0, Address::repeat_byte(1), 40, 30), &bob.with_key(5)).await;
    world.seal_and_build().await;
    check_batches(&world.pool, &world.config).await;
    assert_eq!(world.count("SELECT count(*) FROM withdrawals").await, 3);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_wait_for_those_before_them_and_for_confirmation() {
    let world = World::new().await;
    let (alice, bob) = (User::new(1), User::new(2));
    insert_entry(&world.pool, 1, &bob.deposit(TokenId::ETH, 1), true).await;
    insert_entry(&world.pool, 0, &alice.deposit(TokenId::ETH, 1), false).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(world.count("SELECT count(*) FROM l1_operations WHERE batch IS NOT NULL").await, 0);
    // Without a bell, too: the watcher looks by itself.
    sqlx::query("UPDATE l1_operations SET confirmed = TRUE").execute(&world.pool).await.unwrap();
    assert_eq!(world.entry(1).await, (Some(3), false));
    assert_eq!(world.entry(0).await, (Some(2), false));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_the_contract_cannot_have_taken_stops_everything() {
    let mut world = World::new().await;
    insert_entry(&world.pool, 0, &User::new(1).deposit(TokenId::ETH, 0), true).await;
    let failure = world.running.take().unwrap().failure().await;
    assert!(failure.to_string().contains("entry 0 of the L1 queue"), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ready_entry_seals_the_open_batch_within_the_bound() {
    const WAIT: Duration = Duration::from_millis(400);
    let mut world = World::with(|config| config.l1_wait_ms = WAIT.as_millis() as u64).await;
    let (alice, bob) = (User::new(1), User::new(2));
    world.fund(&alice, TokenId::ETH, 10_000).await;
    // Entries join a batch of entries at once.
    let start = Instant::now();
    world.fund(&bob, TokenId::ETH, 10_000).await;
    assert!(start.elapsed() < WAIT, "{:?}", start.elapsed());
    assert_eq!(world.execute(transfer(2, 0, &bob, 1, 10), &alice).await, (1, 2));
    // Now the batch has a transaction: the next entries wait, and transactions go on meanwhile.
    let start = Instant::now();
    let (first, second) = (world.queue(&bob.deposit(TOKEN, 1)).await, world.queue(&alice.deposit(TOKEN, 1)).await);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(world.execute(transfer(2, 1, &bob, 1, 10), &alice).await, (1, 3));
    world.entry(first).await;
    world.entry(second).await;
    let waited = start.elapsed();
    assert!(waited >= WAIT && waited < WAIT + Duration::from_millis(400), "{waited:?}");
    // Both stand first in the next batch, and the transactions after them.
    assert_eq!(world.count("SELECT count(*) FROM l1_operations WHERE batch = 2 AND position < 2").await, 2);
    assert_eq!(world.execute(transfer(2, 2, &bob, 1, 10), &alice).await, (2, 2));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_overflows_takes_waiting_entries_along() {
    let mut world = World::with(|config| {
        config.l1_wait_ms = 3_600_000;
        config.shapes = with_slots(3);
    })
    .await;
    let alice = User::new(1);
    world.fund(&alice, TokenId::ETH, 10_000).await;
    world.execute(transfer(2, 0, &alice, 1, 10), &alice).await;
    world.set_clock(START + 10);
    let exit = Operation::ForcedExit { account: id(2), token: TokenId::ETH.word(), amount: 0, caller: alice.owner };
    let entry = world.queue(&exit).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(world.execute(transfer(2, 1, &alice, 1, 10), &alice).await, (1, 2));
    // This one overflows the batch. The exit goes first, and then there is nothing left to pay it with.
    let result = world.submit(&sign(transfer(2, 2, &alice, 1, 10), &alice)).await;
    assert!(matches!(&result, SubmitResult::Rejected { code, .. } if code == "insufficient_balance"), "{result:?}");
    world.entry(entry).await;
    assert_eq!(world.balance(2, TokenId::ETH).await, 0);
    world.seal_and_build().await;
    check_batches(&world.pool, &world.config).await;
    world.stop().await;
}
