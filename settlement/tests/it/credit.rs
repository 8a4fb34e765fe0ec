//! Withdrawals: from a settled batch to its owners.

use crate::world::{CREDITOR, Proof, USER, World, look, withdraw};
use alloy::primitives::{Address, address};
use sheaf_settlement::creditor::next_call;
use sheaf_settlement::store::withdrawals;
use sheaf_settlement::{Error, Next};

const ANNA: Address = address!("0000000000000000000000000000000000000a11");
const BERT: Address = address!("0000000000000000000000000000000000000b22");

/// A chain with batch 1 settled, out of which five withdrawals go.
async fn settled() -> World {
    let world = World::new().await;
    world.deposit(1_000_000).await;
    let leaving = [(ANNA, 10), (BERT, 20), (ANNA, 30), (ANNA, 40), (BERT, 50)].map(|(to, amount)| withdraw(to, amount));
    world.store(1, &leaving, Proof::Right).await;
    world.submitter().submit_next().await.expect("submits");
    assert_eq!(world.statuses().await, "pending pending pending pending pending");
    look(&mut world.watcher(0)).await;
    assert_eq!(world.statuses().await, "settled settled settled settled settled");
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn withdrawals_become_claimable_from_the_last_and_are_claimed_by_owner_and_token() {
    let world = settled().await;
    let (mut creditor, mut watcher) = (world.creditor(2), world.watcher(0));
    assert_eq!(creditor.credit_next().await.expect("credits"), Next::Again);
    look(&mut watcher).await;
    assert_eq!(world.statuses().await, "settled settled settled claimable claimable");

    // Anna claims what is credited so far; the rest comes later.
    world.sheaf(USER).claim(ANNA, 0).send().await.expect("sent").get_receipt().await.expect("in a block");
    look(&mut watcher).await;
    assert_eq!(world.statuses().await, "settled settled settled claimed claimable");

    // A creditor that starts anew goes on where the contract is.
    let mut creditor = world.creditor(2);
    while creditor.credit_next().await.expect("credits") == Next::Again {}
    look(&mut watcher).await;
    assert_eq!(world.statuses().await, "claimable claimable claimable claimed claimable");
    let claimable = world.sheaf(USER).claimable(BERT, 0).call().await.expect("answers");
    assert_eq!(claimable, 70);
    world.sheaf(USER).claim(BERT, 0).send().await.expect("sent").get_receipt().await.expect("in a block");
    look(&mut watcher).await;
    assert_eq!(world.statuses().await, "claimable claimed claimable claimed claimed");
    let kinds = "SELECT count(*) || ' ' || kind || ' ' || batch || ' ' || bool_and(succeeded) FROM l1_transactions WHERE kind = 'credit' GROUP BY kind, batch";
    assert_eq!(world.text(kinds).await, "3 credit 1 true");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_may_credit_meanwhile() {
    let world = settled().await;
    let all = withdrawals::leaving(&world.pool, 1).await.expect("read").all;
    let stored = world.l1.withdrawals_hash(1).await.expect("answers");
    let call = next_call(1, &all, stored, 3).expect("they are ours");
    let sheaf = world.sheaf(USER);
    sheaf
        .creditWithdrawals(1, call.prefix, call.withdrawals)
        .send()
        .await
        .expect("sent")
        .get_receipt()
        .await
        .expect("in a block");
    while world.creditor(100).credit_next().await.expect("credits") == Next::Again {}
    look(&mut world.watcher(0)).await;
    assert_eq!(world.statuses().await, "claimable claimable claimable claimable claimable");
    assert_eq!(world.creditor(100).credit_next().await.expect("idle"), Next::Wait);
}

#[tokio::test(flavor = "multi_thread")]
async fn withdrawals_that_are_not_those_on_l1_halt() {
    let world = settled().await;
    sqlx::query("UPDATE withdrawals SET amount = amount + 1 WHERE index = 4").execute(&world.pool).await.expect("changed");
    let error = world.creditor(2).credit_next().await.expect_err("the hash is another one");
    assert!(matches!(error, Error::WithdrawalsDiffer { batch: 1, .. }) && error.halts(), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_whose_withdrawals_differ_is_not_settled() {
    let world = World::new().await;
    world.store(1, &[withdraw(ANNA, 10)], Proof::Right).await;
    sqlx::query("UPDATE withdrawals SET amount = 11").execute(&world.pool).await.expect("changed");
    world.submitter().submit_next().await.expect("submits");
    let mut watcher = world.watcher(0);
    let error = loop {
        match watcher.look().await {
            Ok(next) => assert_eq!(next, Next::Again, "it must be noticed"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::WithdrawalsDiffer { batch: 1, .. }), "{error}");
    assert_eq!(world.text("SELECT status FROM batches").await, "proven");
    assert_eq!(world.sheaf(CREDITOR).claimable(ANNA, 0).call().await.expect("answers"), 0);
}
