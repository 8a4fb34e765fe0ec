//! What an operator sees and does: the list of jobs, and trying them again.

use crate::world::{POLICY, World, key_file, witnesses};
use sheaf_prover::jobs::{Job, Jobs, Refusal, Status};
use sheaf_prover::{Error, run};
use std::time::Duration;
use tokio::sync::oneshot;

const JOBS: &str = "SELECT string_agg(batch || ' ' || status || ' ' || attempts, ', ' ORDER BY batch) FROM proof_jobs";

fn jobs(world: &World) -> Jobs {
    Jobs::open(&world.url).expect("a URL")
}

/// One job of each kind: 1 done, 2 leased, 3 waiting, 4 parked, 5 queued, 6 unbuilt.
async fn one_of_each() -> World {
    let world = World::new().await;
    world.seal_unread(1..=6).await;
    world.execute("UPDATE proof_jobs SET status = 'unbuilt' WHERE batch = 6").await;
    world.execute("UPDATE proof_jobs SET status = 'done', attempts = 1 WHERE batch = 1").await;
    world.execute("UPDATE proof_jobs SET status = 'parked', attempts = 3, last_error = 'why' WHERE batch = 4").await;
    let queue = world.queue("a");
    assert_eq!(queue.claim(&[0]).await.expect("claims").map(|l| l.batch), Some(2));
    let lease = queue.claim(&[0]).await.expect("claims").expect("a job");
    let cause = Error::Proving { batch: 3, reason: "out of luck".to_owned() };
    queue.fail(&lease, &cause).await.expect("reported");
    world.execute("UPDATE proof_jobs SET not_before = not_before + interval '1 hour' WHERE batch = 3").await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn unfinished_jobs_are_listed_the_parked_ones_first() {
    let world = one_of_each().await;
    let list = jobs(&world).list().await.expect("lists");
    let shown: Vec<_> = list.iter().map(|j| (j.batch, j.status, j.attempts, j.worker.as_deref())).collect();
    let expected = [
        (4, Status::Parked, 3, None),
        (2, Status::Leased, 1, Some("a")),
        (3, Status::Queued, 1, Some("a")),
        (5, Status::Queued, 0, None),
        (6, Status::Unbuilt, 0, None),
    ];
    assert_eq!(shown, expected);
    let errors: Vec<_> = list.iter().map(|j| j.last_error.as_deref()).collect();
    assert_eq!(errors, [Some("why"), None, Some("proving_failed: proving batch 3 failed: out of luck"), None, None]);
    let lease_max = POLICY.lease.as_millis() as u64;
    let times = |job: &Job| (job.lease_left_ms, job.wait_left_ms);
    assert_eq!((times(&list[0]), times(&list[3]), times(&list[4])), ((None, None), (None, Some(0)), (None, None)));
    assert!(matches!(times(&list[1]), (Some(left), None) if left <= lease_max), "{list:?}");
    assert!(matches!(times(&list[2]), (None, Some(3_500_000..=3_601_000))), "{list:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_parked_or_waiting_is_refused_by_name_and_nothing_changes() {
    let world = one_of_each().await;
    let jobs = jobs(&world);
    let before = world.text(JOBS).await;
    for (batches, code, named) in [
        (&[3, 4, 2][..], "job_leased", "batch 2 is being proven by a"),
        (&[4, 1, 9], "job_done", "batch 1"),
        (&[4, 6], "job_unbuilt", "batch 6"),
        (&[4, 3, 9], "job_unknown", "batch 9"),
    ] {
        let refusal = jobs.retry(batches).await.expect_err(code);
        assert_eq!(refusal.code(), code);
        assert!(refusal.to_string().starts_with(code) && refusal.to_string().contains(named), "{refusal}");
        assert_eq!(world.text(JOBS).await, before, "all or none");
    }
    assert!(!matches!(jobs.retry(&[3, 4, 3]).await, Err(Refusal::Unknown { .. })), "named twice is named");
    assert_eq!(world.text(JOBS).await, "1 done 1, 2 leased 1, 3 queued 0, 4 queued 0, 5 queued 0, 6 unbuilt 0");
    let again = world.queue("b").claim(&[0]).await.expect("claims").expect("free at once");
    assert_eq!((again.batch, again.attempt), (3, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_are_parked_are_queued_and_nothing_else() {
    let world = one_of_each().await;
    world.execute("UPDATE proof_jobs SET status = 'parked' WHERE batch = 5").await;
    let jobs = jobs(&world);
    assert_eq!(jobs.retry_parked().await.expect("queued"), [4, 5]);
    assert_eq!(world.text(JOBS).await, "1 done 1, 2 leased 1, 3 queued 1, 4 queued 0, 5 queued 0, 6 unbuilt 0");
    assert_eq!(jobs.retry_parked().await.expect("none"), [0; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_job_that_is_queued_again_is_proven_at_once() {
    let world = World::new().await;
    world.seal(1, &witnesses::<1>()[0]).await;
    world.execute("UPDATE proof_jobs SET status = 'parked', attempts = 2").await;
    let (stop, stopped) = oneshot::channel::<()>();
    let worker = tokio::spawn(run(world.config(&key_file()), async { drop(stopped.await) }));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(world.text(JOBS).await, "1 parked 2");
    // The worker's poll is far away: it is the notification that wakes it.
    jobs(&world).retry(&[1]).await.expect("queued");
    world.until(JOBS, "1 done 1").await;
    stop.send(()).expect("it runs");
    worker.await.expect("no panic").expect("it stops well");
}
