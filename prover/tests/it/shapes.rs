//! Workers with keys of several shapes: which keys they find, and which batches they get.

use crate::worker::start;
use crate::world::{DEPTH, LARGER, SHAPE, World, both_keys, key_file, keys, mixed_witnesses};
use alloy_primitives::B256;
use sheaf_circuits::evm::proof_from_bytes;
use sheaf_circuits::keys::KeySet;
use sheaf_circuits::prove::verify;
use sheaf_core::geometry::Geometry;
use sheaf_prover::keyring::{Keyring, KeyringError};
use sheaf_prover::{Config, Error, load, run};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const STATUSES: &str = "SELECT string_agg(status, ' ' ORDER BY number) FROM batches";
const WORKERS: &str = "SELECT string_agg(status || ':' || coalesce(worker, '-'), ' ' ORDER BY batch) FROM proof_jobs";

/// A worker's configuration with keys of the folder.
fn config(world: &World, name: &str, wanted: &[B256]) -> Config {
    let (dir, _) = both_keys();
    Config { verifying_keys: wanted.to_vec(), worker: Some(name.to_owned()), ..world.config(dir.path()) }
}

fn hashes() -> [B256; 2] {
    [0, 1].map(|i: usize| both_keys().1[i].vk_hash())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_the_large_shape_never_gets_large_batches() {
    let world = World::new().await;
    let [small, large] = hashes();
    let witnesses = mixed_witnesses::<4>();
    for (number, witness) in (1..).zip(&witnesses) {
        world.seal(number, witness).await;
    }
    let first = start(config(&world, "small", &[small]));
    world.until(STATUSES, "proven sealed proven sealed").await;
    // It waits for more of its shape while the others are free.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(world.text(WORKERS).await, "done:small queued:- done:small queued:-");
    let second = start(config(&world, "large", &[large]));
    world.until(STATUSES, "proven proven proven proven").await;
    assert_eq!(world.text(WORKERS).await, "done:small done:large done:small done:large");
    assert_eq!(world.text("SELECT max(attempts)::text FROM proof_jobs").await, "1");
    first.stop().await;
    second.stop().await;
    let proofs = "SELECT proof FROM batches ORDER BY number";
    let proofs: Vec<Vec<u8>> = sqlx::query_scalar(proofs).fetch_all(&world.pool).await.expect("proofs");
    for (witness, proof) in witnesses.iter().zip(proofs) {
        let proof = proof_from_bytes(&proof.try_into().expect("256 bytes")).expect("points");
        let verifies = |set: &KeySet| verify(set.verifying_key(), &witness.public_inputs(), &proof);
        assert_eq!(both_keys().1.iter().map(verifies).collect::<Vec<_>>(), [witness.shape == SHAPE, witness.shape == LARGER]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_worker_proves_batches_of_all_its_shapes() {
    let world = World::new().await;
    for (number, witness) in (1..).zip(&mixed_witnesses::<3>()) {
        world.seal(number, witness).await;
    }
    let process = start(config(&world, "both", &hashes()));
    world.until(STATUSES, "proven proven proven").await;
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_whose_row_names_another_shape_is_not_proven() {
    let world = World::new().await;
    world.seal(1, &mixed_witnesses::<1>()[0]).await;
    world.execute("UPDATE batches SET shape = 1").await;
    let error = load(&world.pool, 1).await.expect_err("refused");
    assert!(matches!(&error, Error::BadWitness { batch: 1, reason } if reason.contains("shape")), "{error}");
    let process = start(config(&world, "both", &hashes()));
    world.until("SELECT status FROM proof_jobs", "parked").await;
    process.stop().await;
}

/// What is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn key_files_that_can_not_be_used_are_warned_of_by_name() {
    let world = World::new().await;
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = std::fs::read(key_file()).expect("reads");
    let mut newer = bytes.clone();
    newer[9] = 0xee;
    for (name, content) in
        [("good.keys", &bytes[..]), ("cut.keys", &bytes[..bytes.len() - 1]), ("newer.keys", &newer), ("notes.txt", b"no keys")]
    {
        std::fs::write(folder.path().join(name), content).expect("written");
    }
    let config = Config { verifying_keys: vec![keys().2.vk_hash()], ..world.config(folder.path()) };
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_env_filter("warn").with_writer(move || writer.clone());
    let ring = tracing::subscriber::with_default(subscriber.finish(), || Keyring::load(&config)).expect("the good one is there");
    assert_eq!(ring.shapes(), [0]);
    let log = String::from_utf8(log.0.lock().expect("no panic").clone()).expect("text");
    let lines: Vec<&str> = log.lines().collect();
    let [cut, newer] = lines[..] else { panic!("{log}") };
    assert!(cut.contains("WARN") && cut.contains("cut.keys") && cut.contains("bytes long, it should have"), "{cut}");
    assert!(newer.contains("newer.keys") && newer.contains("key_file_version") && newer.contains("format 238"), "{newer}");
}

fn refusal(config: &Config) -> KeyringError {
    let error = Keyring::load(config).expect_err("refused");
    assert!(error.to_string().starts_with(&format!("{}: ", error.code())), "it is shown with its name: {error}");
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn development_keys_are_for_local_chains_only() {
    let world = World::new().await;
    let [small, large] = hashes();
    let both = config(&world, "a", &[large, small]);
    for chain_id in [1, 11_155_111, 1_336] {
        let error = refusal(&Config { chain_id, ..both.clone() });
        assert!(error.code() == "development_keys" && error.to_string().contains(&large.to_string()), "{error}");
        assert!(error.to_string().contains(&format!("chain {chain_id} ")), "{error}");
    }
    assert_eq!(Keyring::load(&Config { chain_id: 1_337, ..both.clone() }).expect("a local one").shapes(), [0, 1]);
    let error = run(Config { chain_id: 1, ..both }, std::future::pending()).await.expect_err("the service does not start");
    assert!(format!("{error:#}").starts_with("development_keys: "), "{error:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_found_by_their_verifying_keys_and_refused_by_name() {
    let world = World::new().await;
    let [small, large] = hashes();
    let both = config(&world, "a", &[large, small]);
    assert_eq!(Keyring::load(&both).expect("loads").shapes(), [0, 1]);
    let dir = both.keys_path.clone();
    let one = Keyring::load(&Config { verifying_keys: vec![large], ..both.clone() }).expect("loads");
    assert_eq!((one.shapes(), one.get(1).map(|keys| keys.shape())), (vec![1], Some(LARGER)));

    let wanted = B256::repeat_byte(0x11);
    let error = refusal(&Config { verifying_keys: vec![small, wanted], ..both.clone() });
    assert_eq!(error.code(), "keys_not_found");
    for named in [wanted, small, large] {
        assert!(error.to_string().contains(&named.to_string()), "{error}");
    }
    let error = refusal(&Config { verifying_keys: Vec::new(), ..both.clone() });
    assert_eq!(error.code(), "keys_unnamed", "{error}");
    let error = refusal(&Config { depth: DEPTH + 1, ..both.clone() });
    assert!(error.code() == "keys_depth" && error.to_string().contains(&large.to_string()), "{error}");
    // The service itself does not start with them.
    let started = run(Config { verifying_keys: vec![wanted], ..both }, std::future::pending()).await.expect_err("refused");
    assert!(format!("{started:#}").starts_with(&format!("keys_not_found: no key file in {}", dir.display())), "{started:#}");
    assert!(format!("{started:#}").contains(&wanted.to_string()), "{started:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_a_folder_with_one_key_file() {
    let world = World::new().await;
    let (_, _, set) = keys();
    let plain = world.config(&key_file());
    assert_eq!(Keyring::load(&plain).expect("what it holds").shapes(), [0]);
    assert_eq!(Keyring::load(&Config { verifying_keys: vec![set.vk_hash()], ..plain.clone() }).expect("loads").shapes(), [0]);
    let error = refusal(&Config { verifying_keys: hashes().to_vec(), ..plain.clone() });
    assert!(matches!(&error, KeyringError::NotFound { wanted, .. } if *wanted == hashes()[1]), "{error}");
    let error = refusal(&Config { keys_path: Path::new("/nowhere/keys").to_owned(), ..plain });
    assert!(error.code() == "key_file_io" && error.to_string().contains("/nowhere/keys"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_verifying_keys_of_one_shape_are_refused_and_damaged_keys_too() {
    let world = World::new().await;
    let (small_dir, geometry) = (tempfile::tempdir().expect("a folder"), Geometry::new(DEPTH));
    let wider = sheaf_core::shape::Shape { leaf_rows: SHAPE.leaf_rows + 1, ..SHAPE };
    let other = KeySet::development(small_dir.path(), geometry, wider, &mut |_, _| {}).expect("keys");
    let file = KeySet::development_path(small_dir.path(), geometry, &SHAPE);
    std::fs::copy(key_file(), &file).expect("copied");
    let named = |wanted: Vec<B256>| Config { verifying_keys: wanted, ..world.config(small_dir.path()) };
    let error = refusal(&named(vec![hashes()[0], other.vk_hash()]));
    assert_eq!(error.code(), "keys_same_shape", "{error}");
    // The same keys twice are the same keys.
    assert_eq!(Keyring::load(&named(vec![hashes()[0]; 2])).expect("loads").shapes(), [0]);
    let mut bytes = std::fs::read(&file).expect("reads");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&file, bytes).expect("written");
    let error = refusal(&named(vec![hashes()[0]]));
    assert!(matches!(&error, KeyringError::File { path, .. } if *path == file), "{error}");
}
