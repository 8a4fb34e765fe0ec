//! Whether anybody has the keys that a batch waits for, and who is told.

use crate::worker::start;
use crate::world::{World, both_keys};
use alloy_primitives::B256;
use sheaf_prover::jobs::Jobs;
use sheaf_prover::keyring::Keyring;
use sheaf_prover::{Config, Unattended, Worker};
use std::time::Duration;

const PROVERS: &str =
    "SELECT string_agg(worker || ' ' || shape, ', ' ORDER BY worker, shape) FROM provers WHERE alive_until > now()";
const UNATTENDED: &str = "SELECT string_agg(shape::text, ' ' ORDER BY shape) FROM shapes_without_prover";

/// A worker with keys of some of both shapes.
fn config(world: &World, name: &str, shapes: &[usize]) -> Config {
    let (dir, sets) = both_keys();
    let wanted: Vec<B256> = shapes.iter().map(|shape| sets[*shape].vk_hash()).collect();
    Config { verifying_keys: wanted, worker: Some(name.to_owned()), ..world.config(dir.path()) }
}

/// One parked batch of shape 0, and three of shape 1 that have been free for longer and longer.
async fn waiting() -> World {
    let world = World::new().await;
    world.seal_unread_of("least(number - 1, 1)", 1..=4).await;
    world.execute("UPDATE proof_jobs SET not_before = now() - interval '40 seconds' * (batch - 2)").await;
    world.execute("UPDATE proof_jobs SET status = 'parked' WHERE batch = 1").await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shape_that_nobody_has_keys_for_is_named_after_a_minute() {
    let world = World::new().await;
    world.seal_unread_of("number", 1..=6).await;
    assert_eq!(world.text(UNATTENDED).await, "", "somebody may come");
    world.execute("UPDATE proof_jobs SET not_before = now() - interval '61 seconds'").await;
    assert_eq!(world.text(UNATTENDED).await, "1 2 3 4 5 6");
    // Nobody needs keys for what is not built, is given up, or has its proof.
    world.execute("UPDATE proof_jobs SET status = 'unbuilt' WHERE batch = 1").await;
    world.execute("UPDATE proof_jobs SET status = 'parked' WHERE batch = 2").await;
    world.execute("UPDATE proof_jobs SET status = 'done' WHERE batch = 3").await;
    world.execute("UPDATE batches SET status = 'settled' WHERE number = 4").await;
    assert_eq!(world.text(UNATTENDED).await, "5 6");
    // A lease is somebody's until it has run out.
    const LEASE: &str = "UPDATE proof_jobs SET status = 'leased', lease_until = now() - interval '59 seconds' WHERE batch = 5";
    world.execute(LEASE).await;
    assert_eq!(world.text(UNATTENDED).await, "6");
    world.execute("UPDATE proof_jobs SET lease_until = now() - interval '61 seconds' WHERE batch = 5").await;
    assert_eq!(world.text(UNATTENDED).await, "5 6");
    world
        .execute("INSERT INTO provers VALUES ('a', 5, now() + interval '1 minute'), ('b', 6, now() - interval '1 second')")
        .await;
    assert_eq!(world.text(UNATTENDED).await, "6", "of two, one is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_say_which_shapes_they_have_keys_for_as_long_as_they_run() {
    let world = waiting().await;
    let jobs = Jobs::open(&world.url).expect("a URL");
    let small = start(config(&world, "small", &[0]));
    world.until(PROVERS, "small 0").await;
    let found = jobs.unattended().await.expect("reads");
    let [Unattended { shape: 1, jobs: 3, waited }] = found[..] else { panic!("{found:?}") };
    assert!((80..90).contains(&waited.as_secs()), "{waited:?}");

    let both = start(config(&world, "both", &[0, 1]));
    world.until(PROVERS, "both 0, both 1, small 0").await;
    assert_eq!(jobs.unattended().await.expect("reads"), []);
    // Longer than one word holds.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(world.text(PROVERS).await, "both 0, both 1, small 0");
    both.stop().await;
    assert_eq!(world.text(PROVERS).await, "small 0", "who ends says so");
    small.stop().await;
    assert_eq!(world.text(PROVERS).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_is_forgotten_and_one_that_wakes_is_back() {
    let world = waiting().await;
    world
        .execute("INSERT INTO provers VALUES ('old', 1, now() - interval '2 hours'), ('late', 1, now() - interval '30 minutes')")
        .await;
    world.execute("INSERT INTO provers VALUES ('dies', 1, now() - interval '2 hours')").await;
    let config = config(&world, "dies", &[1]);
    let ring = Keyring::load(&config).expect("loads");
    let worker = Worker::new(&config, world.pool.clone(), ring).expect("threads");
    let task = tokio::spawn(worker.work(std::future::pending()));
    world.until(PROVERS, "dies 1").await;
    assert_eq!(
        world.text("SELECT string_agg(worker, ' ' ORDER BY worker) FROM provers").await,
        "dies late",
        "the old one is gone"
    );
    // Its jobs are not of batches that can be proven; whatever becomes of them, they count again once it is dead.
    task.abort();
    world.until(PROVERS, "").await;
    const AGAIN: &str = "UPDATE proof_jobs SET status = 'queued', not_before = now() - interval '2 minutes' WHERE batch = 4";
    world.execute(AGAIN).await;
    assert_eq!(world.text(UNATTENDED).await, "1");
}
