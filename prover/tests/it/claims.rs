//! Claims on a long queue: what they read, and who gets what.

use crate::queue::{LONG, past_the_lease};
use crate::world::World;
use sheaf_prover::queue::Queue;

/// How many rows of batches and jobs a worker with keys for `shapes` reads while it claims all that there is for it, which is
/// these batches, and asks each time what comes next.
async fn rows_read(world: &World, shapes: &[u8], expected: impl Iterator<Item = i64>) -> i64 {
    world.execute("ANALYZE batches, proof_jobs").await;
    // One connection in one transaction, which can see its own counts.
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(1).connect(&world.url).await.expect("connects");
    let queue = Queue::new(pool.clone(), LONG, "a");
    sqlx::query("BEGIN").execute(&pool).await.expect("begins");
    for batch in expected {
        assert_eq!(queue.claim(shapes).await.expect("claims").map(|lease| lease.batch), Some(batch));
        queue.next_due(shapes).await.expect("reads");
    }
    assert_eq!(queue.claim(shapes).await.expect("claims"), None);
    let query = "SELECT (sum(seq_tup_read) + sum(coalesce(idx_tup_fetch, 0)))::bigint FROM pg_stat_xact_user_tables
        WHERE relname IN ('proof_jobs', 'batches')";
    let rows = sqlx::query_scalar(query).fetch_one(&pool).await.expect("reads");
    sqlx::query("COMMIT").execute(&pool).await.expect("commits");
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_does_not_read_jobs_that_are_done() {
    let world = World::new().await;
    world.seal_unread(1..=20_010).await;
    world.execute("UPDATE batches SET status = 'settled' WHERE number <= 20000").await;
    world.execute("UPDATE proof_jobs SET status = 'done' WHERE batch <= 20000").await;
    let rows = rows_read(&world, &[0], 20_001..=20_010).await;
    assert!((20..2_000).contains(&rows), "{rows} rows were read for 10 jobs beside 20000");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_does_not_read_jobs_that_the_worker_has_no_keys_for() {
    let world = World::new().await;
    // Five of each of the worker's shapes among and behind them.
    world.seal_unread_of("CASE WHEN number > 10000 THEN number % 2 * 2 ELSE 1 END", 1..=10_010).await;
    // Nor jobs of its own shapes that nobody can claim.
    world.seal_unread_of("0", 10_011..=20_000).await;
    world
        .execute("UPDATE proof_jobs SET status = CASE batch % 2 WHEN 0 THEN 'unbuilt' ELSE 'parked' END WHERE batch > 10010")
        .await;
    let rows = rows_read(&world, &[2, 0], 10_001..=10_010).await;
    assert!((20..2_000).contains(&rows), "{rows} rows were read for 10 jobs beside 20000");
    assert_eq!(world.text("SELECT count(*)::text FROM proof_jobs WHERE status = 'queued'").await, "10000");
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_with_several_shapes_share_the_jobs() {
    let world = World::new().await;
    world.seal_unread_of("number % 3", 1..=60).await;
    let workers: Vec<_> = [&[0, 1][..], &[1, 2], &[0, 1, 2], &[2]]
        .map(|shapes| {
            let queue = Queue::new(world.pool.clone(), LONG, format!("{shapes:?}"));
            tokio::spawn(async move {
                let mut held = Vec::new();
                // What is free only looks taken for a moment while another one claims.
                while queue.next_due(shapes).await.expect("reads").is_some_and(|due| due < LONG.lease / 2) {
                    held.extend(
                        queue.claim(shapes).await.expect("claims").inspect(|lease| assert!(shapes.contains(&lease.shape))),
                    );
                }
                held
            })
        })
        .into();
    let mut batches = Vec::new();
    for worker in workers {
        batches.extend(worker.await.expect("no panic").into_iter().map(|lease| lease.batch));
    }
    batches.sort_unstable();
    assert_eq!(batches, (1..=60).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_not_built_is_nobodys_job() {
    let world = World::new().await;
    world.seal_unread(1..=2).await;
    world.execute("UPDATE proof_jobs SET status = 'unbuilt' WHERE batch = 1").await;
    let queue = world.queue("a");
    assert_eq!(queue.claim(&[0]).await.expect("claims").map(|lease| lease.batch), Some(2));
    assert_eq!(queue.claim(&[0]).await.expect("claims"), None);
    past_the_lease().await;
    assert_eq!(queue.claim(&[0]).await.expect("claims").map(|lease| lease.batch), Some(2));
    // As the sequencer does when it stores the witness.
    world.execute("UPDATE proof_jobs SET status = 'queued', not_before = now() WHERE batch = 1").await;
    assert_eq!(queue.claim(&[0]).await.expect("claims").map(|lease| lease.batch), Some(1));
}
