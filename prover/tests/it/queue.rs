//! The queue: one holder a job, whoever stalls, dies or comes late.

use crate::world::{POLICY, World};
use sheaf_prover::queue::{Failure, Lease, Queue};
use sheaf_prover::{EVM_PROOF_BYTES, Error, Policy};
use std::collections::BTreeMap;
use std::time::Duration;

const PROOF: [u8; EVM_PROOF_BYTES] = [1; EVM_PROOF_BYTES];
const JOBS: &str = "SELECT string_agg(batch || ' ' || status || ' ' || attempts, ', ' ORDER BY batch) FROM proof_jobs";

/// For tests that take a while and in which nobody vanishes.
pub(crate) const LONG: Policy = Policy { lease: Duration::from_secs(60), ..POLICY };

pub(crate) async fn past_the_lease() {
    tokio::time::sleep(POLICY.lease + Duration::from_millis(50)).await;
}

fn is_lost<T: std::fmt::Debug>(outcome: Result<T, Error>) -> bool {
    matches!(outcome, Err(error @ Error::LeaseLost { .. }) if error.code() == "lease_lost")
}

fn cause(batch: i64) -> Error {
    Error::Proving { batch, reason: "out of luck".to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_has_one_holder_however_many_workers_claim() {
    let world = World::new().await;
    world.seal_unread(1..=40).await;
    let workers: Vec<_> = (0..8)
        .map(|i| {
            let queue = world.queue(&format!("worker {i}"));
            tokio::spawn(async move {
                let mut held: Vec<Lease> = Vec::new();
                while let Some(lease) = queue.claim(&[0]).await.expect("claims") {
                    held.push(lease);
                }
                held
            })
        })
        .collect();
    let mut holders: BTreeMap<i64, usize> = BTreeMap::new();
    for worker in workers {
        let held = worker.await.expect("no panic");
        assert!(held.is_sorted_by_key(|lease| lease.batch), "each gets the oldest that is free");
        held.iter().for_each(|lease| *holders.entry(lease.batch).or_default() += 1);
    }
    assert_eq!(holders, (1..=40).map(|n| (n, 1)).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_sealed_batch_of_the_shape_comes_first() {
    let world = World::new().await;
    world.seal_unread_of("CASE number WHEN 1 THEN 1 ELSE 0 END", 1..=5).await;
    world.execute("UPDATE batches SET status = 'open' WHERE number = 2").await;
    world.execute("UPDATE proof_jobs SET not_before = now() + interval '1 hour' WHERE batch = 3").await;
    world.execute("UPDATE proof_jobs SET status = 'parked' WHERE batch = 4").await;
    let queue = world.queue("a");
    assert_eq!(queue.claim(&[0]).await.expect("claims").map(|l| (l.batch, l.attempt)), Some((5, 1)));
    assert_eq!(queue.claim(&[0]).await.expect("claims"), None);
    assert_eq!(queue.claim(&[1]).await.expect("claims").map(|l| l.batch), Some(1));
    let due = queue.next_due(&[0]).await.expect("reads").expect("batch 5's lease");
    assert!(due <= POLICY.lease, "{due:?}");
    assert_eq!(queue.next_due(&[7]).await.expect("reads"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_gets_the_oldest_batch_of_its_shapes_and_no_other() {
    let world = World::new().await;
    world.seal_unread_of("number % 3", 1..=6).await;
    let queue = |name| Queue::new(world.pool.clone(), LONG, name);
    let (small, both) = (queue("small"), queue("both"));
    assert_eq!(small.claim(&[]).await.expect("claims"), None);
    let held = |lease: Option<Lease>| lease.map(|lease| (lease.batch, lease.shape));
    assert_eq!(held(both.claim(&[2, 0]).await.expect("claims")), Some((2, 2)));
    assert_eq!(held(small.claim(&[0]).await.expect("claims")), Some((3, 0)));
    assert_eq!(held(both.claim(&[2, 0]).await.expect("claims")), Some((5, 2)));
    assert_eq!(held(small.claim(&[0]).await.expect("claims")), Some((6, 0)));
    assert_eq!(small.claim(&[0]).await.expect("claims"), None);
    let free = world.text("SELECT string_agg(batch::text, ' ' ORDER BY batch) FROM proof_jobs WHERE status = 'queued'").await;
    assert_eq!(free, "1 4", "nobody has keys for them");
    assert_eq!(both.next_due(&[1]).await.expect("reads").map(|due| due < LONG.lease / 2), Some(true), "they are free now");
    // What is expected of a proof is told by those of its shape.
    world.execute("UPDATE batches SET proving_ms = 1000 * number WHERE number < 5").await;
    for (shape, seconds) in [(0, 3), (1, 4), (2, 2)] {
        assert_eq!(both.last_proving(shape).await.expect("reads"), Some(Duration::from_secs(seconds)), "shape {shape}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_keep_a_lease() {
    let world = World::new().await;
    world.seal_unread(1..=1).await;
    let (queue, other) = (world.queue("a"), world.queue("b"));
    let lease = queue.claim(&[0]).await.expect("claims").expect("a job");
    for _ in 0..6 {
        tokio::time::sleep(POLICY.lease / 2).await;
        queue.heartbeat(&lease).await.expect("still its");
        assert_eq!(other.claim(&[0]).await.expect("claims"), None);
    }
    queue.complete(&lease, &PROOF, Duration::from_millis(7)).await.expect("completes");
    assert_eq!(world.text("SELECT status || ' ' || proving_ms || ' ' || length(proof) FROM batches").await, "proven 7 256");
    assert_eq!(world.text(JOBS).await, "1 done 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_lost_the_lease_changes_nothing_any_more() {
    let world = World::new().await;
    world.seal_unread(1..=1).await;
    let (slow, quick) = (world.queue("slow"), world.queue("quick"));
    let old = slow.claim(&[0]).await.expect("claims").expect("a job");
    past_the_lease().await;
    let new = quick.claim(&[0]).await.expect("claims").expect("taken over");
    assert_eq!((new.batch, new.attempt), (1, 2));

    assert!(is_lost(slow.heartbeat(&old).await));
    assert!(is_lost(slow.complete(&old, &[2; EVM_PROOF_BYTES], Duration::ZERO).await));
    assert!(is_lost(slow.fail(&old, &cause(1)).await));
    assert!(is_lost(slow.give_back(&old).await));
    assert_eq!(world.text(JOBS).await, "1 leased 2");
    assert_eq!(world.text("SELECT status FROM batches WHERE proof IS NULL").await, "sealed");

    quick.heartbeat(&new).await.expect("untouched");
    quick.complete(&new, &PROOF, Duration::ZERO).await.expect("completes");
    assert!(is_lost(slow.complete(&old, &[2; EVM_PROOF_BYTES], Duration::ZERO).await), "nor after the job is done");
    assert!(is_lost(quick.complete(&new, &[2; EVM_PROOF_BYTES], Duration::ZERO).await), "nor twice");
    assert_eq!(world.text("SELECT encode(proof, 'hex') FROM batches").await, "01".repeat(EVM_PROOF_BYTES));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_result_counts_while_nobody_took_over() {
    let world = World::new().await;
    world.seal_unread(1..=1).await;
    let queue = world.queue("a");
    let lease = queue.claim(&[0]).await.expect("claims").expect("a job");
    past_the_lease().await;
    queue.complete(&lease, &PROOF, Duration::ZERO).await.expect("completes");
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_wait_longer_and_longer_and_are_parked_at_last() {
    let world = World::new().await;
    world.seal_unread(1..=1).await;
    let queue = world.queue("a");
    for (attempt, wait_ms) in [(1, 100), (2, 150)] {
        let lease = queue.claim(&[0]).await.expect("claims").expect("a job");
        assert_eq!(lease.attempt, attempt);
        let failure = queue.fail(&lease, &cause(1)).await.expect("reported");
        assert_eq!(failure, Failure::Retried(Duration::from_millis(wait_ms)));
        assert_eq!(queue.claim(&[0]).await.expect("claims"), None, "not before the wait is over");
        let due = queue.next_due(&[0]).await.expect("reads").expect("it waits");
        assert!(due <= Duration::from_millis(wait_ms + 1), "{due:?}");
        tokio::time::sleep(due).await;
    }
    let lease = queue.claim(&[0]).await.expect("claims").expect("a job");
    assert_eq!(queue.fail(&lease, &cause(1)).await.expect("reported"), Failure::Parked);
    past_the_lease().await;
    assert_eq!(queue.claim(&[0]).await.expect("claims"), None);
    assert_eq!(queue.next_due(&[0]).await.expect("reads"), None);
    let why = world.text("SELECT status || ': ' || last_error FROM proof_jobs").await;
    assert_eq!(why, "parked: proving_failed: proving batch 1 failed: out of luck");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_kills_its_workers_is_parked() {
    let world = World::new().await;
    world.seal_unread(1..=1).await;
    let queue = world.queue("mayfly");
    for attempt in 1..=POLICY.attempts_max {
        assert_eq!(queue.claim(&[0]).await.expect("claims").map(|l| l.attempt), Some(attempt));
        past_the_lease().await;
    }
    assert_eq!(queue.claim(&[0]).await.expect("claims"), None);
    let why = world.text("SELECT status || ': ' || last_error FROM proof_jobs").await;
    assert_eq!(why, "parked: lease_expired: worker mayfly vanished at attempt 3");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_given_back_is_free_at_once_and_no_attempt() {
    let world = World::new().await;
    world.seal_unread(1..=1).await;
    let queue = world.queue("a");
    let lease = queue.claim(&[0]).await.expect("claims").expect("a job");
    queue.give_back(&lease).await.expect("given back");
    assert_eq!(world.queue("b").claim(&[0]).await.expect("claims").map(|l| l.attempt), Some(1));
    assert!(is_lost(queue.heartbeat(&lease).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_is_stored_for_a_sealed_batch_only() {
    let world = World::new().await;
    world.seal_unread(1..=1).await;
    let queue = world.queue("a");
    let lease = queue.claim(&[0]).await.expect("claims").expect("a job");
    for status in ["settled", "open"] {
        sqlx::query("UPDATE batches SET status = $1").bind(status).execute(&world.pool).await.expect("changed");
        let outcome = queue.complete(&lease, &PROOF, Duration::ZERO).await;
        assert!(matches!(outcome, Err(Error::BatchNotSealed { batch: 1 })), "{outcome:?}");
    }
    assert_eq!(world.text(JOBS).await, "1 leased 1", "neither half of it happened");
    assert_eq!(world.text("SELECT count(*)::text FROM batches WHERE proof IS NULL").await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_on_a_batch_that_was_unwound_is_worth_nothing_on_its_successor() {
    let world = World::new().await;
    world.seal_unread(1..=1).await;
    let (slow, quick) = (world.queue("slow"), world.queue("quick"));
    let old = slow.claim(&[0]).await.expect("claims").expect("a job");
    // The sequencer takes the batch back, and later builds another one of the same number.
    world.execute("DELETE FROM proof_jobs").await;
    world.execute("DELETE FROM batches").await;
    assert!(is_lost(slow.heartbeat(&old).await));
    assert!(is_lost(slow.complete(&old, &[2; EVM_PROOF_BYTES], Duration::ZERO).await), "there is no such job");
    world.seal_unread(1..=1).await;

    let untouched = async |jobs: &str| {
        assert!(is_lost(slow.heartbeat(&old).await));
        assert!(is_lost(slow.complete(&old, &[2; EVM_PROOF_BYTES], Duration::ZERO).await));
        assert!(is_lost(slow.fail(&old, &cause(1)).await));
        assert!(is_lost(slow.give_back(&old).await));
        assert_eq!(world.text(JOBS).await, jobs);
    };
    untouched("1 queued 0").await;
    let new = quick.claim(&[0]).await.expect("claims").expect("the new job");
    assert_eq!((new.batch, new.attempt), (old.batch, old.attempt), "the leases differ by nothing but their tokens");
    untouched("1 leased 1").await;
    quick.complete(&new, &PROOF, Duration::ZERO).await.expect("completes");
    assert_eq!(world.text("SELECT encode(proof, 'hex') FROM batches").await, "01".repeat(EVM_PROOF_BYTES));
}
