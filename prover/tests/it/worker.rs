//! Workers: from a sealed batch to a stored proof, and what is never stored.

use crate::world::{World, forbidden, key_file, keys, witnesses};
use sheaf_circuits::evm::proof_from_bytes;
use sheaf_circuits::prove::verify;
use sheaf_prover::keyring::Keyring;
use sheaf_prover::{Config, Error, Worker, load, run, store_verified};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) struct Process {
    stop: oneshot::Sender<()>,
    end: JoinHandle<anyhow::Result<()>>,
}

pub(crate) fn start(config: Config) -> Process {
    let (stop, stopped) = oneshot::channel();
    let end = tokio::spawn(run(config, async { drop(stopped.await) }));
    Process { stop, end }
}

impl Process {
    pub(crate) async fn stop(self) {
        self.stop.send(()).expect("it runs");
        self.end.await.expect("no panic").expect("it stops well");
    }
}

const STATUSES: &str = "SELECT string_agg(status, ' ' ORDER BY number) FROM batches";
const JOB: &str = "SELECT status || ' ' || attempts || ' ' || coalesce(last_error, '') FROM proof_jobs WHERE batch = 1";

#[tokio::test(flavor = "multi_thread")]
async fn sealed_batches_get_proofs_that_verify() {
    let world = World::new().await;
    let (_, _, set) = keys();
    let [first, second] = witnesses();
    world.seal(1, &first).await;
    let process = start(Config { verifying_keys: vec![set.vk_hash()], ..world.config(&key_file()) });
    world.until(STATUSES, "proven").await;
    // The worker sleeps now; it is woken by the notification, not by the poll.
    let sealed = Instant::now();
    world.seal(2, &second).await;
    world.until(STATUSES, "proven proven").await;
    assert!(sealed.elapsed() < Duration::from_secs(60), "{:?}", sealed.elapsed());
    process.stop().await;
    for (number, witness) in [(1i64, &first), (2, &second)] {
        let query =
            sqlx::query_scalar("SELECT proof FROM batches WHERE number = $1 AND proving_ms > 0 AND proven_at IS NOT NULL");
        let stored: Vec<u8> = query.bind(number).fetch_one(&world.pool).await.expect("a proof");
        let proof = proof_from_bytes(&stored.try_into().expect("256 bytes")).expect("points");
        assert!(verify(set.verifying_key(), &witness.public_inputs(), &proof));
    }
    assert_eq!(world.text("SELECT string_agg(status || ' ' || attempts, ', ') FROM proof_jobs").await, "done 1, done 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_proof_is_never_stored() {
    let world = World::new().await;
    let (keys, ..) = keys();
    let [first, second] = witnesses();
    world.seal(1, &first).await;
    let other = keys.prove(&second, &mut |_| {}).expect("proves");
    let queue = world.queue("liar");
    let lease = queue.claim(&[0]).await.expect("claims").expect("a job");
    let outcome = store_verified(&queue, keys, &lease, &first, &other, Duration::ZERO).await;
    assert!(matches!(&outcome, Err(error @ Error::WrongProof { batch: 1 }) if error.code() == "wrong_proof"), "{outcome:?}");
    assert_eq!(world.text("SELECT status FROM batches WHERE proof IS NULL").await, "sealed");
    assert_eq!(world.text(JOB).await, "leased 1 ");
    let right = keys.prove(&first, &mut |_| {}).expect("proves");
    store_verified(&queue, keys, &lease, &first, &right, Duration::ZERO).await.expect("the right one is stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_is_not_the_batchs_is_refused() {
    let world = World::new().await;
    world.seal(1, &witnesses::<1>()[0]).await;
    load(&world.pool, 1).await.expect("unchanged, it is the batch's");
    world.execute("CREATE TABLE kept AS SELECT * FROM batches").await;
    for (change, named) in [
        ("UPDATE batches SET timestamp = timestamp + 1", "timestamp"),
        ("UPDATE batches SET fee_account = 2", "fee account"),
        ("UPDATE batches SET l1_count = 0", "number of L1 operations"),
        ("UPDATE batches SET op_count = 2", "number of operations"),
        ("UPDATE batches SET old_root = commitment", "old root"),
        ("UPDATE batches SET new_root = commitment", "new root"),
        ("UPDATE batches SET commitment = new_root", "commitment"),
        ("UPDATE batches SET ops = ops || '\\x00'", "operations"),
        ("UPDATE batches SET witness = substring(witness FROM 2)", "format"),
        ("UPDATE batches SET witness = witness || '\\x00'", "left over"),
        ("UPDATE batches SET witness = NULL", "no witness"),
        ("INSERT INTO chain VALUES (true, 31337, decode(repeat('11', 20), 'hex'), '[]', 4, 1, 0)", "domain"),
    ] {
        world.execute(change).await;
        let error = load(&world.pool, 1).await.expect_err(named);
        assert!(matches!(&error, Error::BadWitness { batch: 1, reason } if reason.contains(named)), "{named}: {error}");
        world.execute("UPDATE batches SET (timestamp, fee_account, l1_count, op_count, old_root, new_root, commitment, ops, witness) = (SELECT timestamp, fee_account, l1_count, op_count, old_root, new_root, commitment, ops, witness FROM kept)").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_breaks_a_rule_is_parked_and_the_others_go_on() {
    let world = World::new().await;
    world.seal(1, &forbidden()).await;
    world.seal(2, &witnesses::<1>()[0]).await;
    let process = start(world.config(&key_file()));
    world.until(STATUSES, "sealed proven").await;
    world.until("SELECT status FROM proof_jobs WHERE batch = 1", "parked").await;
    let why = world.text(JOB).await;
    assert!(why.starts_with("parked 2 proving_failed: ") && why.contains("prove_unsatisfied"), "{why}");
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_fails_costs_no_attempt() {
    let world = World::new().await;
    world.seal(1, &witnesses::<1>()[0]).await;
    world.execute("ALTER TABLE batches RENAME COLUMN witness TO hidden").await;
    let process = start(world.config(&key_file()));
    // It is claimed, and read in vain again and again.
    world.until("SELECT status FROM proof_jobs", "leased").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(world.text(JOB).await, "leased 1 ");
    world.execute("ALTER TABLE batches RENAME COLUMN hidden TO witness").await;
    world.until(STATUSES, "proven").await;
    assert_eq!(world.text(JOB).await, "done 1 ");
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_stopped_gives_its_job_back() {
    let world = World::new().await;
    let process = start(world.config(&key_file()));
    world.seal(1, &witnesses::<1>()[0]).await;
    world.until("SELECT status FROM proof_jobs", "leased").await;
    process.stop().await;
    assert_eq!(world.text(JOB).await, "queued 0 ");
    let process = start(world.config(&key_file()));
    world.until(STATUSES, "proven").await;
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_under_a_lost_lease_is_refused() {
    let world = World::new().await;
    let process = start(world.config(&key_file()));
    world.seal(1, &witnesses::<1>()[0]).await;
    world.until("SELECT status FROM proof_jobs", "leased").await;
    // Somebody else has it, for three seconds, and then is gone.
    world.execute("UPDATE proof_jobs SET lease_token = gen_random_uuid(), lease_until = now() + interval '3 seconds'").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(world.text(STATUSES).await, "sealed", "the result came, and was refused");
    assert_eq!(world.text(JOB).await, "leased 1 ");
    world.until(STATUSES, "proven").await;
    assert_eq!(world.text(JOB).await, "done 2 ");
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_with_keys_of_another_size_ends_and_spends_no_attempt() {
    let world = World::new().await;
    let [mut larger] = witnesses();
    larger.shape.slots += 1;
    world.seal(1, &larger).await;
    let error = run(world.config(&key_file()), std::future::pending()).await.expect_err("it can't go on");
    let shown = format!("{error:#}");
    assert!(shown.starts_with("wrong_keys: batch 1 is of "), "{shown}");
    let error = error.downcast::<Error>().expect("a typed one");
    assert_eq!(error.code(), "wrong_keys", "{error}");
    assert!(error.to_string().contains("slots: 3") && error.to_string().contains("slots: 2"), "{error}");
    assert_eq!(world.text(JOB).await, "queued 0 ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_stopped_while_it_claims_holds_nothing() {
    let world = World::new().await;
    let (keys, ..) = keys();
    world.seal(1, &witnesses::<1>()[0]).await;
    for delay_ms in 0..10 {
        let worker = Worker::new(&world.config(&key_file()), world.pool.clone(), Keyring::new([keys.clone()])).expect("threads");
        worker.work(tokio::time::sleep(Duration::from_millis(delay_ms))).await.expect("it stops well");
        assert_eq!(world.text(JOB).await, "queued 0 ", "stopped after {delay_ms} ms");
    }
}
