//! Three provers as processes, of which one is killed, one is frozen and one lies, while Postgres is started anew: every
//! batch is proven exactly once. The last one is of the development shape.

mod process;

use crate::world::{FULL, SHAPE, World, full_keys, key_file, keys, witnesses_of};
use process::{LEASE, Process, number};
use sheaf_circuits::evm::proof_from_bytes;
use sheaf_circuits::prove::verify;
use sheaf_core::trace::BatchWitness;
use sheaf_devkit::postgres::{Cluster, ClusterOptions};
use std::path::Path;
use std::time::{Duration, Instant};

const BATCHES: usize = 30;
/// How many batches wait at least while a process is watched.
const BACKLOG: i64 = 4;
/// From the end of a lease to the next claim, on a busy machine.
const CLAIM_TIME_MAX: Duration = Duration::from_secs(20);
/// For anything else to happen.
const TIME_MAX: Duration = Duration::from_secs(120);
const BEAT: Duration = Duration::from_millis(10);

/// A database of their own, and the batches that come in.
struct Fleet {
    world: World,
    witnesses: [BatchWitness; BATCHES],
    sealed: usize,
    /// The keys of both shapes.
    keys: tempfile::TempDir,
}

fn cluster(folder: &Path, port: Option<u16>) -> Cluster {
    let options = ClusterOptions { connections_max: 60, temporary: true, port, ..ClusterOptions::default() };
    Cluster::start(folder, options).expect("Postgres starts")
}

impl Fleet {
    async fn new(url: &str) -> Self {
        let world = World::at(url).await;
        // What is proven leaves a trace for each time.
        world.execute("CREATE TABLE provings (batch BIGINT NOT NULL)").await;
        const NOTE: &str = "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN INSERT INTO provings VALUES (NEW.number); RETURN NEW; END'";
        world.execute(NOTE).await;
        const TRIGGER: &str = "CREATE TRIGGER note AFTER UPDATE ON batches FOR EACH ROW
            WHEN (NEW.status = 'proven') EXECUTE FUNCTION note()";
        world.execute(TRIGGER).await;
        let shape = |place| if place + 1 == BATCHES { FULL } else { SHAPE };
        let keys = tempfile::tempdir().expect("a folder");
        for file in [&key_file(), &full_keys().0] {
            std::os::unix::fs::symlink(file, keys.path().join(file.file_name().expect("a name"))).expect("linked");
        }
        Self { world, witnesses: witnesses_of(shape), sealed: 0, keys }
    }

    fn process(&self, name: &'static str, liar: bool) -> Process {
        Process::start(name, &self.world.url, self.keys.path(), liar)
    }

    async fn seal_next(&mut self) {
        assert!(self.sealed < BATCHES, "there are no more batches");
        self.sealed += 1;
        self.world.seal(self.sealed as i64, &self.witnesses[self.sealed - 1]).await;
    }

    async fn unproven(&self) -> i64 {
        self.world.text("SELECT count(*)::text FROM batches WHERE status = 'sealed'").await.parse().expect("a number")
    }

    /// The status, the worker and the attempts of a batch's job.
    async fn job(&self, batch: i64) -> (String, String, i32) {
        let query = sqlx::query_as("SELECT status, coalesce(worker, ''), attempts FROM proof_jobs WHERE batch = $1");
        query.bind(batch).fetch_one(&self.world.pool).await.expect("a job")
    }

    /// Freezes a process in the middle of a proof, and says of which batch and at which attempt.
    async fn freeze(&mut self, process: &Process) -> (i64, i32) {
        let began = Instant::now();
        loop {
            assert!(began.elapsed() < TIME_MAX, "{} proves nothing:\n{}", process.name, process.log().join("\n"));
            if self.unproven().await < BACKLOG {
                self.seal_next().await;
            }
            if let Some(batch) = process.proving() {
                process.signal("-STOP");
                // What was on its way arrives.
                tokio::time::sleep(BEAT * 10).await;
                let (status, worker, attempt) = self.job(batch).await;
                if process.proving() == Some(batch) && (&*status, &*worker) == ("leased", process.name) {
                    return (batch, attempt);
                }
                process.signal("-CONT");
            }
            tokio::time::sleep(BEAT).await;
        }
    }

    /// Waits until another worker has the batch.
    async fn taken_over(&self, batch: i64, attempt: i32) {
        let began = Instant::now();
        while self.job(batch).await.2 == attempt {
            assert!(began.elapsed() < LEASE + CLAIM_TIME_MAX, "nobody claims batch {batch}: {:?}", self.job(batch).await);
            tokio::time::sleep(BEAT).await;
        }
        println!("batch {batch} was claimed again after {:?}", began.elapsed());
    }

    /// Everything is proven, once, and verifies.
    async fn check(&self) {
        const COUNTS: &str = "SELECT concat_ws(' ',
            (SELECT count(*) FROM batches), (SELECT count(*) FROM batches WHERE status = 'proven' AND proven_at IS NOT NULL),
            (SELECT count(*) FROM proof_jobs), (SELECT count(*) FROM proof_jobs WHERE status = 'done' AND lease_token IS NULL),
            (SELECT count(*) FROM provings), (SELECT count(DISTINCT batch) FROM provings))";
        assert_eq!(self.world.text(COUNTS).await, vec![BATCHES.to_string(); 6].join(" "));
        let query = sqlx::query_scalar("SELECT proof FROM batches ORDER BY number");
        let proofs: Vec<Vec<u8>> = query.fetch_all(&self.world.pool).await.expect("the proofs");
        for (witness, proof) in self.witnesses.iter().zip(proofs) {
            let proof = proof_from_bytes(&proof.try_into().expect("256 bytes")).expect("points");
            let keys = if witness.shape == FULL { &full_keys().1 } else { &keys().2 };
            assert!(verify(keys.verifying_key(), &witness.public_inputs(), &proof));
        }
    }
}

/// Waits for a line of a process's log.
async fn logged(process: &Process, words: &[&str]) -> String {
    let began = Instant::now();
    loop {
        if let Some(line) = process.line(words) {
            return line;
        }
        assert!(began.elapsed() < TIME_MAX, "{} does not say {words:?}:\n{}", process.name, process.log().join("\n"));
        tokio::time::sleep(BEAT).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_to_the_provers_every_batch_is_proven_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = cluster(folder.path(), None);
    let mut fleet = Fleet::new(&server.url("postgres")).await;

    let liar = fleet.process("liar", true);
    fleet.seal_next().await;
    let lied = number(&logged(&liar, &["lied", "wrong_proof"]).await, "batch=").expect("a batch");
    assert_eq!((lied, fleet.unproven().await), (1, 1), "the wrong proof is not stored");
    logged(&liar, &["proven batch=1 "]).await;
    assert_eq!(fleet.job(lied).await, ("done".to_owned(), "liar".to_owned(), 2));

    let (mayfly, sleeper) = (fleet.process("mayfly", false), fleet.process("sleeper", false));
    let (batch, attempt) = fleet.freeze(&mayfly).await;
    mayfly.kill();
    fleet.taken_over(batch, attempt).await;

    let mayfly = fleet.process("mayfly again", false);
    let (batch, attempt) = fleet.freeze(&sleeper).await;
    fleet.taken_over(batch, attempt).await;
    sleeper.signal("-CONT");
    let refusal = logged(&sleeper, &["the result was refused", &format!("batch={batch} "), "lease_lost"]).await;
    println!("{refusal}");

    while fleet.sealed < BATCHES {
        fleet.seal_next().await;
    }
    let left = fleet.unproven().await;
    server.stop();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let server = cluster(folder.path(), Some(server.port()));
    assert!(left > 0 && fleet.unproven().await > 0, "Postgres went away in the middle of the work");
    println!("Postgres is back, {left} batches were left");

    let began = Instant::now();
    while fleet.unproven().await > 0 {
        assert!(began.elapsed() < TIME_MAX, "{} batches are left", fleet.unproven().await);
        tokio::time::sleep(BEAT * 5).await;
    }
    for process in [liar, mayfly, sleeper] {
        let name = process.name;
        assert!(process.stop().success(), "{name}");
    }
    fleet.check().await;
    drop(server);
}
