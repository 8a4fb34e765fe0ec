//! A database with batches of a small shape, and keys for them.

use alloy_primitives::Address;
use sheaf_circuits::keys::KeySet;
use sheaf_core::F;
use sheaf_core::geometry::Geometry;
use sheaf_core::l1;
use sheaf_core::operation::Operation;
use sheaf_core::shape::Shape;
use sheaf_core::trace::{BatchHeader, BatchWitness, SlotInput, build, build_unchecked};
use sheaf_core::tree::Tree;
use sheaf_core::types::{AccountId, TokenId, field_to_bytes};
use sheaf_devkit::postgres::TestDatabase;
use sheaf_prover::keys::Keys;
use sheaf_prover::queue::Queue;
use sheaf_prover::{Config, Policy};
use sqlx::postgres::{PgPool, PgPoolOptions};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub(crate) const SHAPE: Shape = Shape { id: 0, slots: 2, leaf_rows: 8, node_rows: 16 };
/// The shape after it, one operation larger.
pub(crate) const LARGER: Shape = Shape { id: 1, slots: 3, ..SHAPE };
/// The development shape's circuit, beside the small one.
pub(crate) const FULL: Shape = Shape { id: 1, ..Shape::DEVELOPMENT };
pub(crate) const DEPTH: u32 = 4;

pub(crate) const POLICY: Policy = Policy {
    lease: Duration::from_millis(400),
    attempts_max: 3,
    backoff: Duration::from_millis(100),
    backoff_max: Duration::from_millis(150),
};

/// The keys of the small shape and the folder that they are in.
pub(crate) fn keys() -> &'static (Arc<Keys>, tempfile::TempDir, KeySet) {
    static KEYS: OnceLock<(Arc<Keys>, tempfile::TempDir, KeySet)> = OnceLock::new();
    KEYS.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let set = KeySet::development(dir.path(), Geometry::new(DEPTH), SHAPE, &mut |_, _| {}).expect("keys");
        (Arc::new(Keys::new(set.clone())), dir, set)
    })
}

/// The keys of both shapes in one folder, beside a file that is none, and the hashes of their verifying keys.
pub(crate) fn both_keys() -> &'static (tempfile::TempDir, [KeySet; 2]) {
    static KEYS: OnceLock<(tempfile::TempDir, [KeySet; 2])> = OnceLock::new();
    KEYS.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a directory");
        let make = |shape| KeySet::development(dir.path(), Geometry::new(DEPTH), shape, &mut |_, _| {}).expect("keys");
        let sets = [SHAPE, LARGER].map(make);
        std::fs::write(dir.path().join("notes.txt"), "no keys").expect("written");
        (dir, sets)
    })
}

/// The keys of the full shape, and their folder: making them takes a quarter of a minute, so they are kept.
pub(crate) fn full_keys() -> &'static (PathBuf, KeySet) {
    static KEYS: OnceLock<(PathBuf, KeySet)> = OnceLock::new();
    KEYS.get_or_init(|| {
        let dir = sheaf_devkit::paths::keys();
        let set = KeySet::development(&dir, Geometry::new(DEPTH), FULL, &mut |_, _| {}).expect("keys");
        (KeySet::development_path(&dir, Geometry::new(DEPTH), &FULL), set)
    })
}

/// The file of the small shape's keys.
pub(crate) fn key_file() -> PathBuf {
    KeySet::development_path(keys().1.path(), Geometry::new(DEPTH), &SHAPE)
}

/// The configuration of a worker that takes what a key file holds.
pub(crate) fn config(url: &str, keys_path: &Path) -> Config {
    Config {
        database_url: url.to_owned(),
        chain_id: 31_337,
        keys_path: keys_path.to_owned(),
        verifying_keys: Vec::new(),
        depth: DEPTH,
        threads: 2,
        lease_seconds: 2,
        attempts_max: 2,
        backoff_ms: 50,
        backoff_ms_max: 100,
        // What comes sooner, came by notification.
        poll_ms: 600_000,
        worker: Some("test".to_owned()),
    }
}

pub(crate) struct World {
    pub(crate) pool: PgPool,
    pub(crate) url: String,
    _database: Option<TestDatabase>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let database = TestDatabase::create();
        let world = Self::at(database.url()).await;
        Self { _database: Some(database), ..world }
    }

    /// In a database that somebody else keeps.
    pub(crate) async fn at(url: &str) -> Self {
        let pool = PgPoolOptions::new().max_connections(12).connect(url).await.expect("connects");
        sqlx::migrate!("../migrations").run(&pool).await.expect("migrates");
        Self { pool, url: url.to_owned(), _database: None }
    }

    pub(crate) fn queue(&self, worker: &str) -> Queue {
        Queue::new(self.pool.clone(), POLICY, worker)
    }

    pub(crate) fn config(&self, keys_path: &Path) -> Config {
        config(&self.url, keys_path)
    }

    /// Puts a sealed batch with its job into the database, as the sequencer does.
    pub(crate) async fn seal(&self, number: i64, witness: &BatchWitness) {
        let public = &witness.public;
        const STORE: &str = "
            INSERT INTO batches (number, status, timestamp, fee_account, shape, l1_count, op_count, old_root, new_root, ops,
                commitment, witness)
            VALUES ($1, 'sealed', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        let mut transaction = self.pool.begin().await.expect("begins");
        sqlx::query(STORE)
            .bind(number)
            .bind(i64::from(public.timestamp))
            .bind(public.fee_account.get() as i32)
            .bind(i16::from(witness.shape.id))
            .bind(l1::l1_count(&public.operations) as i32)
            .bind(public.operations.len() as i32)
            .bind(field_to_bytes(public.old_root))
            .bind(field_to_bytes(public.new_root))
            .bind(l1::posted(&public.operations))
            .bind(field_to_bytes(witness.c))
            .bind(witness.to_bytes())
            .execute(&mut *transaction)
            .await
            .expect("the batch is stored");
        const QUEUE: &str =
            "INSERT INTO proof_jobs (batch, shape, status) SELECT number, shape, 'queued' FROM batches WHERE number = $1";
        sqlx::query(QUEUE).bind(number).execute(&mut *transaction).await.expect("queued");
        sqlx::query("NOTIFY proof_jobs").execute(&mut *transaction).await.expect("announced");
        transaction.commit().await.expect("commits");
    }

    /// Puts sealed batches with jobs into the database that no test proves.
    pub(crate) async fn seal_unread(&self, numbers: std::ops::RangeInclusive<i64>) {
        self.seal_unread_of("0", numbers).await;
    }

    /// The same, of shapes that an expression of SQL names by the `number`.
    pub(crate) async fn seal_unread_of(&self, shape: &'static str, numbers: std::ops::RangeInclusive<i64>) {
        let store = format!(
            "WITH sealed AS (INSERT INTO batches (number, status, timestamp, fee_account, shape)
                             SELECT number, 'sealed', 1, 1, {shape} FROM generate_series($1, $2) AS number RETURNING number, shape)
             INSERT INTO proof_jobs (batch, shape, status) SELECT number, shape, 'queued' FROM sealed"
        );
        sqlx::query(&store).bind(numbers.start()).bind(numbers.end()).execute(&self.pool).await.expect("stored");
    }

    /// A value from the database.
    pub(crate) async fn text(&self, query: &'static str) -> String {
        sqlx::query_scalar::<_, Option<String>>(query).fetch_one(&self.pool).await.expect(query).unwrap_or_default()
    }

    pub(crate) async fn execute(&self, sql: &'static str) {
        sqlx::query(sql).execute(&self.pool).await.expect(sql);
    }

    /// Waits until the database says so.
    pub(crate) async fn until(&self, query: &'static str, expected: &str) {
        for _ in 0..2_400 {
            if self.text(query).await == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{query}: {}", self.text(query).await);
    }
}

fn deposit(account: u32, amount: u128) -> SlotInput {
    let account = AccountId::new(account).expect("in range");
    let (owner, key_hash) = (Address::repeat_byte(7), F::from(99u64));
    SlotInput { operation: Operation::Deposit { account, token: TokenId::ETH.word(), amount, owner, key_hash }, signature: None }
}

fn header() -> BatchHeader {
    BatchHeader { domain: F::from(5u64), timestamp: 1_800_000_000, fee_account: AccountId::FIRST }
}

/// Batches, each on top of the one before.
pub(crate) fn witnesses<const N: usize>() -> [BatchWitness; N] {
    witnesses_of(|_| SHAPE)
}

/// The same of other shapes, by their places.
pub(crate) fn witnesses_of<const N: usize>(shape: impl Fn(usize) -> Shape) -> [BatchWitness; N] {
    let mut tree = Tree::new(Geometry::new(DEPTH));
    std::array::from_fn(|n| build(&mut tree, shape(n), header(), &[deposit(2, 100 * (n as u128 + 1))]).expect("builds"))
}

/// Batches of alternating shapes, each on top of the one before; the first is of the small one.
pub(crate) fn mixed_witnesses<const N: usize>() -> [BatchWitness; N] {
    let mut tree = Tree::new(Geometry::new(DEPTH));
    std::array::from_fn(|n| {
        let shape = [SHAPE, LARGER][n % 2];
        let inputs = vec![deposit(2, 100 * (n as u128 + 1)); if shape == SHAPE { 1 } else { LARGER.slots }];
        build(&mut tree, shape, header(), &inputs).expect("builds")
    })
}

/// A batch that breaks a rule, with an honest trace of it.
pub(crate) fn forbidden() -> BatchWitness {
    let nobody = SlotInput {
        operation: Operation::Deposit {
            account: AccountId::new(2).expect("in range"),
            token: TokenId::ETH.word(),
            amount: 1,
            owner: Address::repeat_byte(7),
            key_hash: F::from(0u64),
        },
        signature: None,
    };
    build_unchecked(&mut Tree::new(Geometry::new(DEPTH)), SHAPE, header(), &[nobody]).expect("fits")
}
