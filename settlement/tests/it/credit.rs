//! Withdrawals: from a settled batch to its owners.

use crate::log::Log;
use crate::world::{CREDITOR, Proof, USER, World, look, signer, withdraw};
use alloy::primitives::{Address, U256, address};
use alloy::providers::Provider;
use sheaf_settlement::creditor::next_call;
use sheaf_settlement::policy::PayoutPolicy;
use sheaf_settlement::store::withdrawals;
use sheaf_settlement::{Error, Next};
use std::collections::BTreeMap;
use std::time::Duration;

const ANNA: Address = address!("0000000000000000000000000000000000000a11");
const BERT: Address = address!("0000000000000000000000000000000000000b22");

/// A chain with batch 1 settled, out of which five withdrawals go.
async fn settled() -> World {
    settled_to(BERT).await
}

/// The same with another second owner.
async fn settled_to(second: Address) -> World {
    let world = World::new().await;
    world.deposit(1_000_000).await;
    let leaving = [(ANNA, 10), (second, 20), (ANNA, 30), (ANNA, 40), (second, 50)].map(|(to, amount)| withdraw(to, amount));
    world.store(1, &leaving, Proof::Right).await;
    world.submitter().submit_next().await.expect("submits");
    assert_eq!(world.statuses().await, "pending pending pending pending pending");
    look(&mut world.watcher(0)).await;
    assert_eq!(world.statuses().await, "settled settled settled settled settled");
    world
}

/// Credits with one call, and claims what is at least the minimum of ETH.
fn claiming(world: &World, minimum: u128) -> PayoutPolicy {
    PayoutPolicy { chunk: 100, claims: Some(BTreeMap::from([(0, minimum)])), ..world.config(0).payout_policy() }
}

async fn has(world: &World, owner: Address) -> U256 {
    world.l1.provider.get_balance(owner).await.expect("answers")
}

/// How many transactions the creditor has in blocks.
async fn creditor_transactions(world: &World) -> u64 {
    world.l1.provider.get_transaction_count(signer(CREDITOR).address()).await.expect("answers")
}

#[tokio::test(flavor = "multi_thread")]
async fn withdrawals_become_claimable_from_the_last_and_are_claimed_by_owner_and_token() {
    let world = settled().await;
    let (mut creditor, mut watcher) = (world.creditor(2), world.watcher(0));
    assert_eq!(creditor.pay_next().await.expect("credits"), Next::Again);
    look(&mut watcher).await;
    assert_eq!(world.statuses().await, "settled settled settled claimable claimable");

    // Anna claims what is credited so far; the rest comes later.
    world.sheaf(USER).claim(ANNA, 0).send().await.expect("sent").get_receipt().await.expect("in a block");
    look(&mut watcher).await;
    assert_eq!(world.statuses().await, "settled settled settled claimed claimable");

    // A creditor that starts anew goes on where the contract is.
    let mut creditor = world.creditor(2);
    while creditor.pay_next().await.expect("credits") == Next::Again {}
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
    while world.creditor(100).pay_next().await.expect("credits") == Next::Again {}
    look(&mut world.watcher(0)).await;
    assert_eq!(world.statuses().await, "claimable claimable claimable claimable claimable");
    assert_eq!(world.creditor(100).pay_next().await.expect("idle"), Next::Wait);
}

#[tokio::test(flavor = "multi_thread")]
async fn withdrawals_that_are_not_those_on_l1_halt() {
    let world = settled().await;
    sqlx::query("UPDATE withdrawals SET amount = amount + 1 WHERE index = 4").execute(&world.pool).await.expect("changed");
    let error = world.creditor(2).pay_next().await.expect_err("the hash is another one");
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

#[tokio::test(flavor = "multi_thread")]
async fn what_is_credited_is_paid_out_once_wherever_the_creditor_is_killed() {
    let world = settled().await;
    let mut watcher = world.watcher(0);
    assert_eq!(world.creditor_at(claiming(&world, 75)).pay_next().await.expect("credits"), Next::Again);
    // What is credited is known once it is confirmed.
    assert_eq!(world.creditor_at(claiming(&world, 75)).pay_next().await.expect("waits"), Next::Wait);
    look(&mut watcher).await;
    // Each is killed after its call was in a block, and before anybody has read that.
    assert_eq!(world.creditor_at(claiming(&world, 75)).pay_next().await.expect("claims"), Next::Again);
    assert_eq!(world.creditor_at(claiming(&world, 75)).pay_next().await.expect("nothing is left"), Next::Wait);
    assert_eq!((has(&world, ANNA).await, has(&world, BERT).await), (U256::from(80), U256::ZERO), "Bert has less than 75");
    look(&mut watcher).await;
    assert_eq!(world.statuses().await, "claimed claimable claimed claimed claimable");
    let mut creditor = world.creditor_at(claiming(&world, 70));
    assert_eq!(creditor.pay_next().await.expect("claims"), Next::Again);
    assert_eq!(creditor.pay_next().await.expect("nothing is left"), Next::Wait);
    look(&mut watcher).await;
    assert_eq!(world.statuses().await, "claimed claimed claimed claimed claimed");
    assert_eq!((has(&world, BERT).await, creditor_transactions(&world).await), (U256::from(70), 3));
    let kinds =
        "SELECT count(*) || ' ' || kind || ' ' || bool_and(succeeded) FROM l1_transactions WHERE kind <> 'submit' GROUP BY kind";
    assert_eq!(world.text(kinds).await, "3 credit true");
}

#[tokio::test]
async fn an_owner_who_can_not_be_paid_holds_nobody_up() {
    let probe = World::new().await;
    // The n-th deployment of the same account is at the same address on each chain: a contract that takes no ETH.
    let unpayable = probe.deployed.tokens[0];
    drop(probe);
    let world = settled_to(unpayable).await;
    assert_eq!(world.deployed.tokens[0], unpayable);
    let mut creditor = world.creditor_at(claiming(&world, 0));
    assert_eq!(creditor.pay_next().await.expect("credits"), Next::Again);
    look(&mut world.watcher(0)).await;
    let log = Log::start();
    for next in [Next::Again, Next::Wait, Next::Wait] {
        assert_eq!(creditor.pay_next().await.expect("goes on"), next);
    }
    assert_eq!((has(&world, ANNA).await, has(&world, unpayable).await), (U256::from(80), U256::ZERO));
    let warned = log.lines("this owner can't be paid");
    assert!(warned.len() == 1 && warned[0].contains("refused_by_contract") && warned[0].contains("TransferFailed"), "{warned:?}");
    look(&mut world.watcher(0)).await;
    assert_eq!(world.statuses().await, "claimed claimable claimed claimed claimable");
}

#[tokio::test(flavor = "multi_thread")]
async fn dear_gas_is_waited_for_before_crediting_and_claims_but_not_for_ever() {
    const DEAR_WEI: u128 = 50_000_000_000;
    let world = settled().await;
    let policy = PayoutPolicy { dear_wei: DEAR_WEI, patience: Duration::from_secs(3_600), ..claiming(&world, 0) };
    let mut creditor = world.creditor_at(policy);
    world.base_fee(2 * DEAR_WEI).await;
    assert_eq!(creditor.pay_next().await.expect("waits"), Next::Wait);
    assert_eq!(creditor_transactions(&world).await, 0);
    world.base_fee(DEAR_WEI / 50).await;
    assert_eq!(creditor.pay_next().await.expect("credits"), Next::Again);
    look(&mut world.watcher(0)).await;
    world.base_fee(2 * DEAR_WEI).await;
    assert_eq!(creditor.pay_next().await.expect("waits"), Next::Wait);
    assert_eq!(creditor_transactions(&world).await, 1);

    // What has waited long enough is paid at any price.
    sqlx::query("UPDATE batches SET settled_at = now() - interval '61 minutes'").execute(&world.pool).await.expect("aged");
    assert_eq!(creditor.pay_next().await.expect("claims"), Next::Again);
    assert_eq!((has(&world, ANNA).await, creditor_transactions(&world).await), (U256::from(80), 2));
    world.store(2, &[withdraw(BERT, 7)], Proof::Right).await;
    world.submitter().submit_next().await.expect("submits");
    look(&mut world.watcher(0)).await;
    sqlx::query("UPDATE withdrawals SET status = 'claimed' WHERE batch = 1").execute(&world.pool).await.expect("not of interest");
    world.base_fee(2 * DEAR_WEI).await;
    assert_eq!(creditor.pay_next().await.expect("waits"), Next::Wait);
    sqlx::query("UPDATE batches SET settled_at = now() - interval '61 minutes'").execute(&world.pool).await.expect("aged");
    assert_eq!(creditor.pay_next().await.expect("credits"), Next::Again);
    assert_eq!(creditor_transactions(&world).await, 3);
}
