//! How long a take-over takes when there is much to take over.

use super::load::Load;
use super::process::Process;
use super::{TAKEOVER_TIME_MAX, configure, epoch, taken_over, with_users};
use crate::support::World;
use std::time::{Duration, Instant};

/// Accounts of the measurement.
const MANY: i32 = 1_000_000;

/// Puts many accounts where the state after block 0 is, each with a key of its own and a billion of token 0.
async fn put_accounts(world: &World) {
    let accounts = "INSERT INTO accounts (id, key_hash, owner)
        SELECT a, '\\x00'::bytea || substring(sha256(int4send(a)) FROM 2), substring(sha256(int4send(-a)) FROM 1 FOR 20)
        FROM generate_series(2, $1 + 1) a";
    sqlx::query(accounts).bind(MANY).execute(&world.pool).await.unwrap();
    let chunks = "INSERT INTO state_chunks (chunk, block, words)
        SELECT a / 256, 0, string_agg(int4send(a) || '\\x0304'::bytea || int4send(1000000000), ''::bytea ORDER BY a)
        FROM generate_series(2, $1 + 1) a GROUP BY a / 256";
    sqlx::query(chunks).bind(MANY).execute(&world.pool).await.unwrap();
}

/// A process's resident memory, MiB.
fn memory_mib(process: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// `cargo test -p sheaf-sequencer --test it -- --ignored --nocapture a_million`
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "a measurement, with a million accounts"]
async fn a_million_accounts_are_taken_over_in_time() {
    let world = World::stopped(|config| {
        configure(config);
        config.depth = sheaf_core::geometry::DEPTH;
        config.takeover_after_ms = 5_000;
    })
    .await;
    put_accounts(&world).await;
    let (world, senders) = with_users(world).await;
    let began = Instant::now();
    let mut leader = Process::start(&world);
    println!("a leader of {MANY} accounts began within {:?} with {} MiB", began.elapsed(), memory_mib(&leader));
    let began = Instant::now();
    let second = Process::start(&world);
    println!("another one was warm within {:?} with {} MiB", began.elapsed(), memory_mib(&second));
    assert!(leader.leads().await && !second.leads().await);
    let load = Load::start(senders, &[&leader, &second]);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let before = epoch(&world).await;
    leader.kill();
    let time = taken_over(&world, before, Instant::now()).await;
    println!("taken over within {time:?}, then {} MiB", memory_mib(&second));
    assert!(time < TAKEOVER_TIME_MAX);
    let senders = load.end().await;
    assert!(second.leads().await);
    let sent: u64 = senders.iter().map(|s| s.sent).sum();
    assert_eq!(world.count("SELECT count(*) FROM transactions").await as u64, sent);
}
