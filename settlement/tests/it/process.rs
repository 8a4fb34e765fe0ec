//! The whole process: what it does from start to stop, and when it refuses to.

use crate::world::{Proof, USER, World, look, transfer, withdraw};
use alloy::primitives::Address;
use sheaf_devkit::anvil::AnvilOptions;
use sheaf_settlement::deploy::deploy;
use sheaf_settlement::{Config, run};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

struct Process {
    stop: oneshot::Sender<()>,
    end: JoinHandle<anyhow::Result<()>>,
}

fn start(config: Config) -> Process {
    let (stop, stopped) = oneshot::channel();
    let end = tokio::spawn(run(config, async { drop(stopped.await) }));
    Process { stop, end }
}

impl Process {
    async fn stop(self) {
        self.stop.send(()).expect("it runs");
        self.end.await.expect("no panic").expect("it stops well");
    }
}

async fn until(world: &World, query: &'static str, expected: &str) {
    for _ in 0..400 {
        if world.text(query).await == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{query}: {}", world.text(query).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn watching_only_submits_nothing_and_the_next_start_carries_on() {
    let world = World::new().await;
    world.deposit(1_000).await;
    world.store(1, &[withdraw(Address::repeat_byte(7), 10)], Proof::Right).await;
    let watching = Config { watch_only: true, operator_key_file: None, creditor_key_file: None, ..world.config(0) };
    let process = start(watching);
    until(&world, "SELECT count(*)::text FROM l1_operations WHERE confirmed", "1").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(world.batch_number().await, 0);
    process.stop().await;

    let process = start(world.config(0));
    until(&world, "SELECT status FROM withdrawals", "claimable").await;
    world.store(2, &[transfer(2)], Proof::Right).await;
    until(&world, "SELECT status FROM batches WHERE number = 2", "settled").await;
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_l1_node_that_goes_away_is_waited_for() {
    let persistent = AnvilOptions { persistent: true, ..AnvilOptions::default() };
    let mut world = World::with(&persistent).await;
    world.store(1, &[transfer(1)], Proof::Right).await;
    let port = world.anvil.address().port();
    world.anvil.stop();
    let process = start(world.config(0));
    tokio::time::sleep(Duration::from_millis(300)).await;
    let again = AnvilOptions { port, ..persistent };
    world.anvil = sheaf_devkit::anvil::Anvil::start(world.dir.path(), &again).unwrap_or_else(|error| panic!("{error}"));
    until(&world, "SELECT status FROM batches", "settled").await;
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_belong_together_is_refused_by_name() {
    let world = World::new().await;
    let config = world.config(0);
    let keyless = Config { creditor_key_file: None, ..config.clone() };
    let same_key = Config { creditor_key_file: config.operator_key_file.clone(), ..config.clone() };
    let words = world.dir.path().join("words");
    std::fs::write(&words, "no key").expect("written");
    std::fs::set_permissions(&words, Permissions::from_mode(0o600)).expect("it is ours");
    let no_key = Config { creditor_key_file: Some(words), ..config.clone() };
    let other_chain = Config { chain_id: 1, ..config.clone() };
    let nowhere = Config { contract: Address::repeat_byte(9), ..config.clone() };
    for (config, named) in [
        (keyless, "operator_key_file and creditor_key_file are needed"),
        (same_key, "must have different keys"),
        (no_key, "is no private key"),
        (other_chain, "the L1 node is on chain 31337, not on chain 1"),
        (nowhere, "there is no contract at 0x0909"),
    ] {
        let error = run(config, std::future::pending()).await.expect_err(named);
        assert!(format!("{error:#}").contains(named), "{named}: {error:#}");
    }
    let others = world.dir.path().join("others.key");
    std::fs::copy(config.creditor_key_file.as_ref().expect("a file"), &others).expect("copied");
    for mode in [0o640, 0o604, 0o620] {
        std::fs::set_permissions(&others, Permissions::from_mode(mode)).expect("it is ours");
        let readable = Config { creditor_key_file: Some(others.clone()), ..config.clone() };
        let error = run(readable, std::future::pending()).await.expect_err("others may read it");
        let named = format!("key_readable_by_others: {} has mode {mode:o}", others.display());
        assert!(format!("{error:#}").contains(&named), "{error:#}");
    }
    // A start block behind the queue's first entry.
    world.deposit(1).await;
    let second = world.deposit(2).await;
    let late = Config { start_block: second.block_number.expect("in a block"), ..config.clone() };
    let error = run(late, std::future::pending()).await.expect_err("a gap");
    assert!(error.to_string().contains("entry 0 is expected"), "{error}");

    const OTHER: &str = "INSERT INTO chain (chain_id, contract, shapes, depth, fee_account) VALUES (5, decode(repeat('11', 20), 'hex'), '[]', 15, 1)";
    sqlx::query(OTHER).execute(&world.pool).await.expect("written");
    let error = run(config, std::future::pending()).await.expect_err("another deployment's database");
    assert!(error.to_string().contains("belongs to contract 0x1111") && error.to_string().contains("on chain 5"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn development_keys_are_deployed_on_local_chains_only() {
    let world = World::new().await;
    let request = world.request();
    let error = deploy(&sheaf_settlement::deploy::Request { chain_id: 1, ..request.clone() }).await.expect_err("not local");
    assert!(error.to_string().contains("development keys can't be deployed on chain 1"), "{error}");
    let error =
        deploy(&sheaf_settlement::deploy::Request { chain_id: 1_337, ..request.clone() }).await.expect_err("another chain");
    assert!(error.to_string().contains("on chain 31337, not on chain 1337"), "{error}");
    let mut bad_key = request;
    bad_key.key.alpha[0] += alloy::primitives::U256::from(1);
    let error = deploy(&bad_key).await.expect_err("the contract refuses the key");
    assert!(format!("{error:#}").contains("KeyPointInvalid"), "{error:#}");
    look(&mut world.watcher(0)).await;
    let shown = world.sheaf(USER).tokens(1).call().await.expect("answers");
    assert_eq!(shown, world.deployed.tokens[0]);
}
