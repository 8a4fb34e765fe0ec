//! Provers as processes of their own: this very test binary, which is told to run [`child`] only.

use crate::world::{config, full_keys, keys, witnesses};
use sheaf_prover::keyring::Keyring;
use sheaf_prover::queue::Queue;
use sheaf_prover::{Config, Error, load, run, store_verified};
use sqlx::postgres::PgPool;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const URL_VARIABLE: &str = "SHEAF_TEST_FLEET_URL";
const KEYS_VARIABLE: &str = "SHEAF_TEST_FLEET_KEYS";
const HASHES_VARIABLE: &str = "SHEAF_TEST_FLEET_HASHES";
const NAME_VARIABLE: &str = "SHEAF_TEST_FLEET_NAME";
const LIAR_VARIABLE: &str = "SHEAF_TEST_FLEET_LIAR";

/// How long a lease lasts without a heartbeat.
pub(super) const LEASE: Duration = Duration::from_secs(2);

/// The child's whole life; nothing when the tests are run by hand.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Ok(url) = std::env::var(URL_VARIABLE) else { return };
    let log = tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stderr).with_env_filter("info,sqlx=warn");
    log.init();
    let keys_path = std::env::var(KEYS_VARIABLE).expect("a path");
    let hashes = std::env::var(HASHES_VARIABLE).expect("hashes");
    let config = Config {
        threads: 1,
        lease_seconds: LEASE.as_secs(),
        // On a busy machine even a good worker may lose a lease now and then.
        attempts_max: 50,
        worker: std::env::var(NAME_VARIABLE).ok(),
        verifying_keys: hashes.split(' ').map(|hash| hash.parse().expect("a hash")).collect(),
        ..config(&url, Path::new(&keys_path))
    };
    if std::env::var(LIAR_VARIABLE).is_ok() {
        lie(&config).await;
    }
    run(config, end_of_input()).await.expect("it stops well");
}

/// Answers one job with the proof of another batch.
async fn lie(config: &Config) {
    let ring = Keyring::load(config).expect("loads");
    let keys = ring.get(0).expect("of the small shape");
    let pool = PgPool::connect(&config.database_url).await.expect("connects");
    let queue = Queue::new(pool.clone(), config.policy(), config.worker.clone().expect("a name"));
    // Of two batches, so that one of them is not the claimed one.
    let [first, second] = witnesses();
    let proofs = [&first, &second].map(|witness| keys.prove(witness, &mut |_| {}).expect("proves"));
    let lease = loop {
        if let Some(lease) = queue.claim(&ring.shapes()).await.expect("claims") {
            break lease;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let witness = load(&pool, lease.batch).await.expect("loads");
    let proof = &proofs[usize::from(witness.c == first.c)];
    let error = store_verified(&queue, keys, &lease, &witness, proof, Duration::ZERO).await.expect_err("refused");
    assert!(matches!(error, Error::WrongProof { .. }), "{error}");
    queue.fail(&lease, &error).await.expect("reported");
    tracing::error!(batch = lease.batch, code = error.code(), "lied");
}

/// Resolves when the parent closes the pipe, or is gone.
async fn end_of_input() {
    let read = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    drop(read.await);
}

/// A prover that runs.
pub(super) struct Process {
    pub(super) name: &'static str,
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
}

impl Process {
    /// Starts one with the keys of both shapes; a liar answers its first job with a wrong proof.
    pub(super) fn start(name: &'static str, url: &str, folder: &Path, liar: bool) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["fleet::process::child", "--exact", "--nocapture"]);
        let hashes = [&keys().2, &full_keys().1].map(|keys| keys.vk_hash().to_string()).join(" ");
        command.env(HASHES_VARIABLE, hashes);
        command.env(URL_VARIABLE, url).env(KEYS_VARIABLE, folder).env(NAME_VARIABLE, name);
        if liar {
            command.env(LIAR_VARIABLE, "1");
        }
        let command = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("starts");
        let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let log = Arc::<Mutex<Vec<String>>>::default();
        let kept = log.clone();
        std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| kept.lock().expect("no panic").push(line));
        });
        Self { name, child, log }
    }

    /// What it has logged.
    pub(super) fn log(&self) -> Vec<String> {
        self.log.lock().expect("no panic").clone()
    }

    /// The batch whose proof is being made, as its log says.
    pub(super) fn proving(&self) -> Option<i64> {
        let log = self.log();
        let last = log.iter().rev().find(|line| !line.contains("proving goes on") && !line.contains("no heartbeat"))?;
        number(last, "proving batch=")
    }

    /// The first line that has all of these words.
    pub(super) fn line(&self, words: &[&str]) -> Option<String> {
        self.log().into_iter().find(|line| words.iter().all(|word| line.contains(word)))
    }

    pub(super) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().expect("kill");
        assert!(sent.success(), "{} has ended:\n{}", self.name, self.log().join("\n"));
    }

    /// Kills it with SIGKILL.
    pub(super) fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
    }

    /// Asks it to stop, and waits for it.
    pub(super) fn stop(mut self) -> ExitStatus {
        drop(self.child.stdin.take());
        self.child.wait().expect("ended")
    }
}

/// The number after `name`.
pub(super) fn number(line: &str, name: &str) -> Option<i64> {
    let rest = line.split(name).nth(1)?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
