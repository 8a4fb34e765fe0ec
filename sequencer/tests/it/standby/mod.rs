//! A leader that dies, freezes or stops while others stand by: one of them takes over, in time, and nothing is lost, happens
//! twice or changes its order.

mod load;
mod million;
mod process;

use crate::support::{User, World, check_batches, eventually, root_from_sql, with_slots};
use load::{Load, Sender};
use process::Process;
use serde_json::Value;
use sheaf_core::types::TokenId;
use sheaf_sequencer::{Config, Step};
use sqlx::Row;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const USERS: u16 = 3;
const FUNDS: u128 = 1_000_000_000;
/// What is promised: from a leader's death to the first transaction that its successor executes.
const TAKEOVER_TIME_MAX: Duration = Duration::from_secs(10);

fn configure(config: &mut Config) {
    config.depth = 6;
    config.shapes = with_slots(5);
    config.batch_timeout_ms = 40;
    config.l1_wait_ms = 20;
    config.takeover_after_ms = 3_000;
}

/// A database with funded users, and no sequencer.
async fn world() -> (World, Vec<Sender>) {
    let world = World::stopped(configure).await;
    with_users(world).await
}

async fn with_users(mut world: World) -> (World, Vec<Sender>) {
    let users: Vec<_> = (1..=USERS).map(User::new).collect();
    world.start().await;
    let mut senders = Vec::new();
    for (i, user) in users.iter().enumerate() {
        let account = world.fund(user, TokenId::ETH, FUNDS).await;
        let (next, user) = (users[(i + 1) % users.len()].clone(), user.clone());
        let (acknowledged, last) = (BTreeMap::new(), Instant::now());
        senders.push(Sender { user, account, next, unanswered: None, sent: 0, spent: 0, given: 0, acknowledged, last });
    }
    world.stop().await;
    (world, senders)
}

async fn epoch(world: &World) -> i64 {
    world.count("SELECT epoch FROM chain").await
}

/// Waits until a block is committed under a later epoch than `before`, and says how long after `since` that was.
async fn taken_over(world: &World, before: i64, since: Instant) -> Duration {
    let blocks = world.count("SELECT max(number) FROM blocks").await;
    eventually("somebody takes over and executes", || async {
        let query = "SELECT count(*) FROM leader WHERE epoch > $1 AND (SELECT max(number) FROM blocks) > $2 + 1";
        let done: i64 = sqlx::query_scalar(query).bind(before).bind(blocks).fetch_one(&world.pool).await.unwrap();
        (done == 1).then_some(())
    })
    .await;
    since.elapsed()
}

/// Everything that was acknowledged is there, once and in order, and all batches are right.
async fn check_end(world: &World, senders: &[Sender]) {
    let (mut fees, mut sent) = (0, 0);
    for (i, sender) in senders.iter().enumerate() {
        let got = senders[(i + senders.len() - 1) % senders.len()].given;
        assert_eq!(world.balance(sender.account, TokenId::ETH).await, FUNDS - sender.spent + got, "account {}", sender.account);
        for (hash, placement) in &sender.acknowledged {
            let query = "SELECT block, batch, position FROM transactions WHERE hash = decode($1, 'hex')";
            let row = sqlx::query(query).bind(&hash[2..]).fetch_one(&world.pool).await.expect("what was acknowledged is there");
            let found = (row.get::<i64, _>(0) as u64, row.get::<i64, _>(1) as u64, row.get::<i32, _>(2) as u32);
            assert_eq!(found, *placement);
        }
        let query = "SELECT nonce FROM transactions WHERE sender = $1 ORDER BY block, batch, position";
        let nonces: Vec<i64> = sqlx::query_scalar(query).bind(sender.account as i32).fetch_all(&world.pool).await.unwrap();
        assert!(nonces.iter().copied().eq(0..sender.sent as i64), "each once and in order: {nonces:?}");
        (fees, sent) = (fees + 10 * u128::from(sender.sent), sent + sender.sent);
    }
    assert_eq!(world.balance(1, TokenId::ETH).await, fees);
    assert_eq!(world.count("SELECT count(*) FROM transactions").await as u64, sent);
    assert_eq!(world.count("SELECT max(number) - count(*) FROM blocks").await, 0, "block numbers have no gaps");
    eventually("everything is built", || async {
        let open = world.count("SELECT op_count::bigint FROM batches WHERE status = 'open'").await;
        let unbuilt = world.count("SELECT count(*) FROM batches WHERE status <> 'open' AND commitment IS NULL").await;
        (open + unbuilt == 0).then_some(())
    })
    .await;
    let (tree, built) = check_batches(&world.pool, &world.config).await;
    assert_eq!(tree.root(), root_from_sql(&world.pool, &world.config).await);
    println!("{sent} transactions in {built} batches");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_killed_leader_is_replaced_by_one_of_those_that_stand_by() {
    let (world, mut senders) = world().await;
    let mut leader = Process::start(&world);
    let (mut second, mut third) = (Process::start(&world), Process::start(&world));
    for round in 0..3 {
        assert!(leader.leads().await && !second.leads().await && !third.leads().await);
        let refused = second.client.submit(vec![Value::Null], true).await.unwrap_err();
        assert_eq!(refused.code(), "not_ready");
        assert!(refused.to_string().contains("http://127.0.0.1:"), "it says who leads: {refused}");
        let load = Load::start(senders, &[&leader, &second, &third]);
        tokio::time::sleep(Duration::from_millis(300 + 170 * round)).await;
        let before = epoch(&world).await;
        leader.kill();
        let time = taken_over(&world, before, Instant::now()).await;
        println!("taken over after {time:?}");
        assert!(time < TAKEOVER_TIME_MAX);
        senders = load.end().await;
        assert_eq!(epoch(&world).await, before + 1, "exactly one takes over");
        if third.leads().await {
            std::mem::swap(&mut second, &mut third);
        }
        assert!(second.leads().await && !third.leads().await);
        leader = std::mem::replace(&mut second, Process::start(&world));
    }
    check_end(&world, &senders).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_leader_that_was_frozen_writes_nothing_when_it_wakes() {
    let (world, mut senders) = world().await;
    // With a block's or a built batch's database transaction open, between two, and before and after anybody is told.
    for step in [Step::BlockWritten, Step::BatchWritten, Step::BlockCut, Step::BlockCommitted, Step::BlockAcknowledged] {
        let leader = Process::start_with(&world, Some((step, "-STOP")));
        let second = Process::start(&world);
        assert!(leader.leads().await && !second.leads().await);
        let before = epoch(&world).await;
        let load = Load::start(senders, &[&leader, &second]);
        leader.line("REACHED").unwrap_or_else(|| panic!("{step:?} is never reached"));
        let time = taken_over(&world, before, Instant::now()).await;
        println!("frozen at {step:?}: taken over after {time:?}");
        assert!(time < TAKEOVER_TIME_MAX);
        leader.signal("-CONT");
        let failure = leader.line("FAILED ").expect("it stops by itself");
        assert!(failure.contains("lost the leadership") || failure.contains("another sequencer"), "{failure}");
        senders = load.end().await;
        assert_eq!(epoch(&world).await, before + 1);
        assert!(second.leads().await);
        drop(second);
    }
    let last = Process::start(&world);
    check_end(&world, &senders).await;
    drop(last);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_dies_while_taking_over_is_replaced_too() {
    let (world, mut senders) = world().await;
    for step in Step::ALL.into_iter().filter(|step| step.is_of_takeover()) {
        let mut leader = Process::start(&world);
        let second = Process::start_with(&world, Some((step, "-9")));
        let third = Process::start(&world);
        let load = Load::start(senders, &[&leader, &third]);
        tokio::time::sleep(Duration::from_millis(100)).await;
        // The third one must not come first.
        third.signal("-STOP");
        let before = epoch(&world).await;
        leader.kill();
        second.line("REACHED").unwrap_or_else(|| panic!("{step:?} is never reached"));
        let died = Instant::now();
        third.signal("-CONT");
        let time = taken_over(&world, before, died).await;
        println!("died at {step:?}: replaced after {time:?}");
        senders = load.end().await;
        assert!(third.leads().await);
    }
    let last = Process::start(&world);
    check_end(&world, &senders).await;
    drop(last);
}
