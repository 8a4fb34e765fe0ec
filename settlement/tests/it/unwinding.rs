//! When what was executed is taken back: not a moment before L1 can't have it any more, and then once.

use crate::world::{OPERATOR, Proof, World, look, transfer};
use alloy::primitives::U256;
use sheaf_settlement::store::batches;
use sheaf_settlement::store::unwindings::{self, Unsettled};
use sheaf_settlement::unwinding::{Outlook, SUBMISSION_AGE_MAX_S, Unwinding};
use sheaf_settlement::{Error, Next};
use std::time::Duration;

const REQUESTS: &str = "SELECT string_agg(to_batch || CASE WHEN done_at IS NULL THEN ' waits' ELSE ' done' END, ', ' ORDER BY number) FROM unwindings";

/// The time of the latest block.
async fn l1_time(world: &World) -> u64 {
    let head = world.l1.head().await.expect("answers").number;
    world.l1.header(head).await.expect("answers").expect("it is there").timestamp
}

/// Makes a block of this time.
async fn mine_at(world: &World, time: u64) {
    world.node("evm_setNextBlockTimestamp", (U256::from(time),)).await;
    world.mine(1).await;
}

async fn timestamp(world: &World, batch: u64) -> u64 {
    let timestamp = sqlx::query_scalar::<_, i64>("SELECT timestamp FROM batches WHERE number = $1").bind(batch as i64);
    timestamp.fetch_one(&world.pool).await.expect("read") as u64
}

async fn outlook(world: &World) -> Outlook {
    let accepted = world.batch_number().await;
    Unwinding::new(world.pool.clone(), world.l1.clone()).look(accepted).await.expect("looks")
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_asked_for_once_a_confirmed_block_is_too_late_and_not_before() {
    const CONFIRMATIONS: u64 = 2;
    let world = World::new().await;
    let mut watcher = world.watcher(CONFIRMATIONS);
    world.store(1, &[transfer(1)], Proof::Missing).await;
    world.store(2, &[transfer(2)], Proof::Missing).await;
    let end = timestamp(&world, 1).await + SUBMISSION_AGE_MAX_S;
    assert_eq!(outlook(&world).await, Outlook::Open, "nothing is known of L1");
    for time in end..=end + CONFIRMATIONS {
        mine_at(&world, time).await;
    }
    // The blocks above are later than the window, but only the one before them is confirmed.
    look(&mut watcher).await;
    assert!(l1_time(&world).await > end);
    assert_eq!(outlook(&world).await, Outlook::Open);
    let mut submitter = world.submitter();
    assert_eq!(submitter.submit_next().await.expect("nothing to send"), Next::Wait);
    assert_eq!(world.text(REQUESTS).await, "");

    world.mine(1).await;
    assert_eq!(outlook(&world).await, Outlook::Open, "what was not read of L1 does not count");
    look(&mut watcher).await;
    for _ in 0..2 {
        assert_eq!(submitter.submit_next().await.expect("asks"), Next::Wait);
        assert_eq!(outlook(&world).await, Outlook::Unwinding { to_batch: 0 });
        assert_eq!(world.text(REQUESTS).await, "0 waits");
    }
    let reason = world.text("SELECT reason FROM unwindings").await;
    assert!(reason.contains("batch 1") && reason.contains("3 days"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_submitted_until_the_sequencer_has_answered_and_then_what_it_made_anew() {
    let world = World::new().await;
    let mut watcher = world.watcher(0);
    let mut submitter = world.submitter();
    world.store(1, &[transfer(1)], Proof::Right).await;
    submitter.submit_next().await.expect("submits");
    look(&mut watcher).await;
    world.store(2, &[transfer(2)], Proof::Right).await;
    mine_at(&world, timestamp(&world, 2).await + SUBMISSION_AGE_MAX_S + 1).await;
    look(&mut watcher).await;
    assert_eq!(submitter.submit_next().await.expect("asks"), Next::Wait);
    assert_eq!(world.text(REQUESTS).await, "1 waits", "what L1 has is not taken back");

    // The sequencer takes batch 2 back and makes it anew with the time of now.
    let stale = Unsettled { number: 2, timestamp: timestamp(&world, 2).await };
    sqlx::query("DELETE FROM batches WHERE number = 2").execute(&world.pool).await.expect("taken back");
    world.store_at(2, &[transfer(3)], Proof::Right, l1_time(&world).await).await;
    assert_eq!(submitter.submit_next().await.expect("waits"), Next::Wait, "not before it says that it is done");
    sqlx::query("UPDATE unwindings SET done_at = now()").execute(&world.pool).await.expect("done");
    assert!(!unwindings::request(&world.pool, stale, "late").await.expect("looks"), "that batch is gone");
    assert_eq!(submitter.submit_next().await.expect("submits"), Next::Again);
    look(&mut watcher).await;
    assert_eq!(world.text("SELECT string_agg(status, ' ') FROM batches").await, "settled settled");
    assert_eq!(world.text(REQUESTS).await, "1 done");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_l1_has_but_did_not_confirm_yet_is_never_taken_back() {
    let world = World::new().await;
    let mut watcher = world.watcher(2);
    world.store(1, &[transfer(1)], Proof::Right).await;
    let end = timestamp(&world, 1).await + SUBMISSION_AGE_MAX_S;
    // Accepted in the very last second, which is what the contract's window and ours have in common.
    world.node("evm_setNextBlockTimestamp", (U256::from(end),)).await;
    let batches = batches::ready(&world.pool, 1, 1).await.expect("read").batches;
    let call = world.sheaf(OPERATOR).submit(batches.clone()).gas(5_000_000).send().await.expect("sent");
    assert!(call.get_receipt().await.expect("in a block").status());
    world.mine(1).await;
    look(&mut watcher).await;
    assert_eq!(outlook(&world).await, Outlook::Open);
    world.mine(1).await;
    assert_eq!(outlook(&world).await, Outlook::Open, "it is confirmed, but nobody has read that");
    look(&mut watcher).await;
    assert_eq!(world.text("SELECT status FROM batches").await, "settled");
    world.mine(5).await;
    look(&mut watcher).await;
    assert_eq!((outlook(&world).await, world.text(REQUESTS).await), (Outlook::Open, String::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_second_after_the_window_the_contract_refuses() {
    let world = World::new().await;
    world.store(1, &[transfer(1)], Proof::Right).await;
    mine_at(&world, timestamp(&world, 1).await + SUBMISSION_AGE_MAX_S + 1).await;
    // Nothing is read of L1, so it is tried, and refused.
    let error = world.submitter().submit_next().await.expect_err("too old");
    assert!(matches!(&error, Error::Refused { name, .. } if name.contains("TimestampOutsideWindow")), "{error}");
    assert_eq!(world.text(REQUESTS).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_day_without_l1_everything_settles_and_nothing_is_taken_back() {
    let world = World::new().await;
    let mut watcher = world.watcher(0);
    for number in 1..=3 {
        world.store(number, &[transfer(u128::from(number))], Proof::Right).await;
    }
    world.node("evm_increaseTime", (U256::from(25 * 60 * 60),)).await;
    world.mine(1).await;
    look(&mut watcher).await;
    let mut submitter = world.submitter();
    while world.batch_number().await < 3 {
        // The node sometimes answers from two blocks while it makes one.
        submitter.submit_next().await.unwrap_or_else(|error| {
            assert!(!error.halts(), "{error}");
            Next::Again
        });
    }
    look(&mut watcher).await;
    assert_eq!(world.text("SELECT string_agg(status, ' ') FROM batches").await, "settled settled settled");
    assert_eq!(world.text(REQUESTS).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_open_batch_has_no_age() {
    let world = World::new().await;
    world.store(1, &[], Proof::Missing).await;
    sqlx::query("UPDATE batches SET status = 'open'").execute(&world.pool).await.expect("changed");
    mine_at(&world, timestamp(&world, 1).await + SUBMISSION_AGE_MAX_S + 1).await;
    look(&mut world.watcher(0)).await;
    assert_eq!((outlook(&world).await, world.text(REQUESTS).await), (Outlook::Open, String::new()));
    sqlx::query("UPDATE batches SET op_count = 1").execute(&world.pool).await.expect("changed");
    assert_eq!(outlook(&world).await, Outlook::Unwinding { to_batch: 0 }, "but one that somebody has put something into");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_that_waits_for_a_cheap_block_does_not_hide_the_end_of_the_window() {
    let world = World::new().await;
    let mut watcher = world.watcher(0);
    world.store(1, &[transfer(1)], Proof::Right).await;
    let end = timestamp(&world, 1).await + SUBMISSION_AGE_MAX_S;
    world.node("evm_setAutomine", (false,)).await;
    let dear = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(world.text("SELECT count(*)::text FROM l1_transactions").await, "1", "it was sent");
        world.node("anvil_setNextBlockBaseFeePerGas", (U256::from(1_000_000_000_000u64),)).await;
        mine_at(&world, end + 1).await;
        assert_eq!(world.batch_number().await, 0, "the block was too dear for it");
        look(&mut watcher).await;
    };
    let mut submitter = world.submitter_capped(1_900_000_000);
    let submitted = tokio::time::timeout(Duration::from_secs(20), submitter.submit_next());
    let (outcome, ()) = tokio::join!(submitted, dear);
    outcome.expect("it comes back").expect("without an error");
    assert_eq!(world.text(REQUESTS).await, "0 waits");
    assert_eq!(submitter.submit_next().await.expect("waits"), Next::Wait);
    // What is still under way is refused by each block that may come.
    world.node("anvil_setNextBlockBaseFeePerGas", (U256::from(1_000_000_000u64),)).await;
    world.mine(2).await;
    assert_eq!(world.batch_number().await, 0);
}
