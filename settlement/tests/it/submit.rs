//! The submitter: it is killed everywhere, and still each batch is on L1 once.

use crate::log::Log;
use crate::world::{OPERATOR, Proof, USER, World, look, transfer, withdraw};
use alloy::primitives::{Address, U256};
use alloy::providers::Provider;
use alloy::rpc::types::Filter;
use alloy::sol_types::SolEvent;
use sheaf_contracts::Sheaf;
use sheaf_core::operation::Operation;
use sheaf_core::types::TokenId;
use sheaf_settlement::policy::CallPolicy;
use sheaf_settlement::store::batches;
use sheaf_settlement::{Error, Next, submitter};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const OWNER: Address = Address::repeat_byte(7);
const SENT: &str = "SELECT string_agg(kind || ' ' || batch || ' ' || coalesce(succeeded::text, '?'), ', ' ORDER BY sent_at) FROM l1_transactions";

/// How many batches the contract has accepted, by its events.
async fn accepted(world: &World) -> usize {
    let filter = Filter::new().address(world.l1.contract).event_signature(Sheaf::BatchSubmitted::SIGNATURE_HASH).from_block(0);
    world.l1.provider.get_logs(&filter).await.expect("answers").len()
}

/// How many transactions the operator has in blocks.
async fn operator_transactions(world: &World) -> u64 {
    let address = crate::world::signer(OPERATOR).address();
    world.l1.provider.get_transaction_count(address).await.expect("answers")
}

#[tokio::test(flavor = "multi_thread")]
async fn proven_batches_are_submitted_in_order_and_their_gas_is_recorded() {
    let world = World::new().await;
    let mut submitter = world.submitter();
    assert_eq!(submitter.submit_next().await.expect("idle"), Next::Wait);
    world.store(2, &[transfer(2)], Proof::Right).await;
    assert_eq!(submitter.submit_next().await.expect("waits for batch 1"), Next::Wait);
    world.store(1, &[transfer(1)], Proof::Right).await;
    world.store(3, &[transfer(3)], Proof::Missing).await;
    assert_eq!(submitter.submit_next().await.expect("submits"), Next::Again);
    assert_eq!(submitter.submit_next().await.expect("submits"), Next::Again);
    assert_eq!(submitter.submit_next().await.expect("waits for a proof"), Next::Wait);
    assert_eq!(world.batch_number().await, 2);
    assert_eq!(world.text(SENT).await, "submit 1 true, submit 2 true");
    let gas: i64 = sqlx::query_scalar("SELECT min(gas_used) FROM l1_transactions").fetch_one(&world.pool).await.expect("read");
    assert!(gas > 100_000, "{gas}");
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_that_wait_are_settled_with_one_call() {
    let world = World::new().await;
    let policy = CallPolicy { batches: 4, after: Duration::from_secs(3_600), dear_wei: u128::MAX, patience: Duration::ZERO };
    let mut submitter = world.submitter_at(policy);
    for number in 1..=3 {
        world.store(number, &[transfer(number.into()), withdraw(OWNER, 1)], Proof::Right).await;
        assert_eq!(submitter.submit_next().await.expect("waits for others"), Next::Wait);
    }
    world.store(5, &[transfer(5)], Proof::Right).await;
    assert_eq!(submitter.submit_next().await.expect("waits for batch 4"), Next::Wait);
    world.store(4, &[transfer(4)], Proof::Right).await;
    assert_eq!(submitter.submit_next().await.expect("submits"), Next::Again);
    assert_eq!((world.batch_number().await, accepted(&world).await, operator_transactions(&world).await), (4, 4, 1));
    assert_eq!(world.text(SENT).await, "submit 1 true");

    // The watcher finds each of them in the call, and the rest waits for the time to pass.
    look(&mut world.watcher(0)).await;
    const SETTLED: &str = "SELECT string_agg(number || ' ' || status, ', ' ORDER BY number) FROM batches";
    assert_eq!(world.text(SETTLED).await, "1 settled, 2 settled, 3 settled, 4 settled, 5 proven");
    assert_eq!(world.text("SELECT count(DISTINCT settled_tx)::text FROM batches").await, "1");
    assert_eq!(world.statuses().await, "settled settled settled");
    assert_eq!(submitter.submit_next().await.expect("waits"), Next::Wait);
    sqlx::query("UPDATE batches SET proven_at = now() - interval '2 hours'").execute(&world.pool).await.expect("aged");
    assert_eq!(submitter.submit_next().await.expect("submits"), Next::Again);
    assert_eq!(world.batch_number().await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn dear_gas_is_waited_for_but_not_for_ever() {
    const DEAR_WEI: u128 = 50_000_000_000;
    let world = World::new().await;
    world.store(1, &[transfer(1)], Proof::Right).await;
    let policy = CallPolicy { dear_wei: DEAR_WEI, patience: Duration::from_secs(3_600), ..world.config(0).call_policy() };
    let mut submitter = world.submitter_at(policy);
    world.base_fee(2 * DEAR_WEI).await;
    assert_eq!(submitter.submit_next().await.expect("waits"), Next::Wait);
    assert_eq!((world.batch_number().await, operator_transactions(&world).await), (0, 0));
    world.base_fee(DEAR_WEI / 50).await;
    assert_eq!(submitter.submit_next().await.expect("submits"), Next::Again);
    assert_eq!(world.batch_number().await, 1);

    // One that has waited long enough is submitted at any price.
    world.store(2, &[transfer(2)], Proof::Right).await;
    world.base_fee(2 * DEAR_WEI).await;
    assert_eq!(submitter.submit_next().await.expect("waits"), Next::Wait);
    sqlx::query("UPDATE batches SET proven_at = now() - interval '61 minutes'").execute(&world.pool).await.expect("aged");
    assert_eq!(submitter.submit_next().await.expect("submits"), Next::Again);
    assert_eq!((world.batch_number().await, operator_transactions(&world).await), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_accepted_once_wherever_the_submitter_is_killed() {
    let world = World::new().await;
    world.store(1, &[transfer(1)], Proof::Right).await;

    // Killed after it wrote the transaction down, before it sent it.
    const UNSENT: &str = "INSERT INTO l1_transactions (hash, kind, batch) VALUES (decode(repeat('ab', 32), 'hex'), 'submit', 1)";
    sqlx::query(UNSENT).execute(&world.pool).await.expect("written");

    // Killed after it sent it, with no record of that: the transaction waits for a block.
    world.node("evm_setAutomine", (false,)).await;
    let run = batches::ready(&world.pool, 1, 1).await.expect("read");
    drop(world.sheaf(OPERATOR).submit(run.batches).send().await.expect("sent"));

    // Killed while it waited: its own replacement is sent and recorded.
    let mut killed = world.submitter();
    let cut = tokio::time::timeout(Duration::from_millis(400), killed.submit_next()).await;
    assert!(cut.is_err(), "no block, no end");
    drop(killed);

    // The last one finds its way.
    let mine = async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        world.node("evm_setAutomine", (true,)).await;
        world.mine(1).await;
    };
    let mut submitter = world.submitter();
    let (outcome, ()) = tokio::join!(submitter.submit_next(), mine);
    outcome.expect("submits");
    assert_eq!(world.batch_number().await, 1);
    assert_eq!((accepted(&world).await, operator_transactions(&world).await), (1, 1));
    assert_eq!(submitter.submit_next().await.expect("idle"), Next::Wait);
    assert!(!world.text(SENT).await.contains('?'), "what was never in a block is forgotten");

    // Killed after the block, before the database heard of it.
    sqlx::query("UPDATE l1_transactions SET succeeded = NULL, gas_used = NULL, fee_wei = NULL")
        .execute(&world.pool)
        .await
        .expect("changed");
    world.store(2, &[transfer(2)], Proof::Right).await;
    world.submitter().submit_next().await.expect("submits");
    assert_eq!((accepted(&world).await, operator_transactions(&world).await), (2, 2));
    assert!(!world.text(SENT).await.contains('?'));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_that_a_reorg_throws_out_is_sent_again() {
    let world = World::new().await;
    world.store(1, &[transfer(1)], Proof::Right).await;
    let snapshot = world.node("evm_snapshot", ()).await;
    world.submitter().submit_next().await.expect("submits");
    assert_eq!(world.batch_number().await, 1);
    world.node("evm_revert", (snapshot,)).await;
    assert_eq!(world.batch_number().await, 0);
    let mut watcher = world.watcher(1);
    world.submitter().submit_next().await.expect("submits again");
    world.mine(1).await;
    look(&mut watcher).await;
    assert_eq!(world.batch_number().await, 1);
    assert_eq!(world.text("SELECT status FROM batches").await, "settled");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reason_of_a_refusal_is_named_and_nothing_is_sent() {
    let world = World::new().await;
    let refused = async |named: &str| {
        let error = world.submitter().submit_next().await.expect_err(named);
        assert!(matches!(&error, Error::Refused { name, .. } if name.contains(named)), "{named}: {error}");
        assert!(!error.halts(), "it may go away");
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    world.store_at(1, &[transfer(1)], Proof::Right, now - 300_000).await;
    refused("TimestampOutsideWindow").await;
    // Nothing of the kind is in the queue.
    let deposit = Operation::DepositRefund { token: TokenId::ETH.word(), amount: 1, owner: OWNER, key_hash: 5u64.into() };
    sqlx::query("DELETE FROM withdrawals").execute(&world.pool).await.expect("deleted");
    sqlx::query("DELETE FROM batches").execute(&world.pool).await.expect("deleted");
    world.store(1, &[deposit], Proof::Right).await;
    refused("Queue").await;
    let (sender, policy) = (world.sender(USER, submitter::KIND), world.config(0).call_policy());
    let other = submitter::Submitter::new(world.pool.clone(), world.l1.clone(), sender, policy, 5);
    let error = { other }.submit_next().await.expect_err("not the operator");
    assert!(error.to_string().contains("NotOperator"), "{error}");

    sqlx::query("UPDATE batches SET old_root = new_root").execute(&world.pool).await.expect("changed");
    let error = world.submitter().submit_next().await.expect_err("it does not follow");
    assert!(matches!(error, Error::RootDiffers { batch: 1, .. }), "{error}");
    assert_eq!((operator_transactions(&world).await, world.text(SENT).await), (0, String::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_transaction_is_replaced_with_a_higher_fee_up_to_the_cap() {
    let world = World::new().await;
    world.store(1, &[transfer(1)], Proof::Right).await;
    world.node("evm_setAutomine", (false,)).await;
    let mine = async {
        // Long enough for one replacement; the next one would pass the cap.
        tokio::time::sleep(Duration::from_millis(2_700)).await;
        let offers: i64 = sqlx::query_scalar("SELECT count(*) FROM l1_transactions").fetch_one(&world.pool).await.expect("read");
        assert_eq!(offers, 2, "one transaction and its replacement");
        // The next block is far too dear, and the node drops what can't pay for it.
        world.node("anvil_setNextBlockBaseFeePerGas", (U256::from(1_000_000_000_000u64),)).await;
        world.mine(1).await;
        assert_eq!(world.batch_number().await, 0);
        // It becomes cheap again, and some time later the transaction is offered again.
        world.node("anvil_setNextBlockBaseFeePerGas", (U256::from(1_000_000_000u64),)).await;
        for _ in 0..50 {
            world.mine(1).await;
            if world.batch_number().await == 1 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("it was not offered again");
    };
    let mut submitter = world.submitter_capped(1_900_000_000);
    let (outcome, ()) = tokio::join!(submitter.submit_next(), mine);
    outcome.expect("submits");
    assert_eq!((world.batch_number().await, operator_transactions(&world).await), (1, 1));
    assert_eq!(world.text(SENT).await, "submit 1 true", "the replaced one is forgotten");
}

#[tokio::test]
async fn behind_an_older_transaction_at_the_cap_one_waits_and_says_so_once() {
    const CAP_WEI: u128 = 1_900_000_000;
    let world = World::new().await;
    world.store(1, &[transfer(1)], Proof::Right).await;
    world.node("evm_setAutomine", (false,)).await;
    // One that an earlier process has sent, for as much as is allowed.
    let run = batches::ready(&world.pool, 1, 1).await.expect("read");
    let sheaf = world.sheaf(OPERATOR);
    let older = sheaf.submit(run.batches).max_fee_per_gas(CAP_WEI).max_priority_fee_per_gas(CAP_WEI);
    drop(older.send().await.expect("sent"));
    let log = Log::start();
    let mine = async {
        tokio::time::sleep(Duration::from_millis(2_700)).await;
        world.mine(1).await;
    };
    let mut submitter = world.submitter_capped(CAP_WEI);
    let (outcome, ()) = tokio::join!(submitter.submit_next(), mine);
    outcome.expect("the older one is in a block");
    assert_eq!((world.batch_number().await, operator_transactions(&world).await), (1, 1));
    let (warned, offered) = (log.lines("waits at the highest fee"), log.lines("underpriced"));
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!((1..=4).contains(&offered.len()), "once each second: {offered:?}");
}

#[tokio::test]
async fn a_parked_proof_stops_submission_without_an_error() {
    let world = World::new().await;
    world.store(1, &[transfer(1)], Proof::Missing).await;
    const PARK: &str = "INSERT INTO proof_jobs (batch, shape, status, last_error) VALUES (1, 0, 'parked', 'wrong_proof')";
    sqlx::query(PARK).execute(&world.pool).await.expect("parked");
    let log = Log::start();
    let mut submitter = world.submitter();
    for _ in 0..3 {
        assert_eq!(submitter.submit_next().await.expect("waits"), Next::Wait);
    }
    let said = log.lines("nothing more can be submitted: the proof of this batch is parked");
    let [line] = &said[..] else { panic!("it is said once: {said:?}") };
    assert!(line.contains("ERROR") && line.contains("batch=1") && line.contains("wrong_proof"), "{line}");
    let run = batches::ready(&world.pool, 1, 9).await.expect("read");
    assert_eq!((run.batches.len(), run.parked), (0, Some((1, "wrong_proof".to_owned()))));
}
