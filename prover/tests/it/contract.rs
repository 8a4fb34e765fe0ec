//! Workers whose keys are not the contract's, as settlement has written them down.

use crate::worker::start;
use crate::world::{World, key_file, keys, witnesses};
use sheaf_prover::{Error, run};
use std::time::Duration;

const JOB: &str = "SELECT status || ' ' || attempts FROM proof_jobs";

/// Writes down that the contract has this key for a shape.
async fn contract_has(world: &World, shape: i16, hash: &[u8]) {
    const WRITE: &str = "INSERT INTO contract_keys VALUES ($1, $2) ON CONFLICT (shape) DO UPDATE SET vk_hash = excluded.vk_hash";
    sqlx::query(WRITE).bind(shape).bind(hash).execute(&world.pool).await.expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_not_the_contracts_are_refused_and_spend_no_attempt() {
    let world = World::new().await;
    world.seal(1, &witnesses::<1>()[0]).await;
    let ours = keys().2.vk_hash();
    for (shape, theirs, named) in [(0, [0x11; 32], format!("0x{}", "11".repeat(32))), (1, ours.0, "has no shape 0".to_owned())] {
        world.execute("DELETE FROM contract_keys").await;
        contract_has(&world, shape, &theirs).await;
        let error = run(world.config(&key_file()), std::future::pending()).await.expect_err("it can't go on");
        let shown = format!("{error:#}");
        assert!(
            shown.starts_with("keys_other_contract: ") && shown.contains(&ours.to_string()) && shown.contains(&named),
            "{shown}"
        );
        let error = error.downcast::<Error>().expect("a typed one");
        assert_eq!(error.code(), "keys_other_contract");
        assert_eq!(world.text(JOB).await, "queued 0");
    }
    // With the contract's keys, whatever other shapes it has.
    contract_has(&world, 0, ours.as_slice()).await;
    let process = start(world.config(&key_file()));
    world.until("SELECT status FROM batches", "proven").await;
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_waits_learns_that_its_keys_are_others() {
    let world = World::new().await;
    let running = tokio::spawn(run(world.config(&key_file()), std::future::pending()));
    world.until("SELECT count(*)::text FROM provers", "1").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!running.is_finished(), "nothing is known of the contract");
    contract_has(&world, 0, &[0x11; 32]).await;
    world.seal(1, &witnesses::<1>()[0]).await;
    let error = running.await.expect("no panic").expect_err("it ends");
    assert!(format!("{error:#}").starts_with("keys_other_contract: "), "{error:#}");
    assert_eq!(world.text(JOB).await, "queued 0");
    assert_eq!(world.text("SELECT count(*)::text FROM provers").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_whose_proof_was_taken_back_is_proven_anew() {
    let world = World::new().await;
    world.seal(1, &witnesses::<1>()[0]).await;
    let process = start(world.config(&key_file()));
    world.until("SELECT status FROM batches", "proven").await;
    // As settlement does with a proof that does not hold.
    world
        .execute(
            "WITH job AS (UPDATE proof_jobs SET status = 'queued', last_error = 'wrong_proof: x', not_before = now() RETURNING batch)
             UPDATE batches SET status = 'sealed', proof = NULL FROM job",
        )
        .await;
    world.execute("NOTIFY proof_jobs").await;
    world.until("SELECT (SELECT status FROM batches WHERE proof IS NOT NULL)", "proven").await;
    assert_eq!(world.text(JOB).await, "done 2");
    process.stop().await;
}
