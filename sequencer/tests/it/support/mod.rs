//! A sequencer on a database of its own, with users, and settlement's part of the tables played by hand.

pub(crate) mod audit;
mod check;
pub(crate) mod crowd;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod queue;
mod users;

pub(crate) use check::{check_batches, check_jobs, root_from_sql};
pub(crate) use users::{CHAIN_ID, CONTRACT, START, TOKEN, User, id, json, operator, sign, transfer, withdraw};

use alloy_primitives::B256;
use serde_json::Value;
use sheaf_core::l1::queue_preimage;
use sheaf_core::operation::Operation;
use sheaf_core::shape::Shape;
use sheaf_core::shapes::Shapes;
use sheaf_core::transaction::{Payload, Transaction};
use sheaf_core::types::{TokenId, field_to_bytes};
use sheaf_devkit::postgres::TestDatabase;
use sheaf_sequencer::client::Client;
use sheaf_sequencer::wire::SubmitResult;
use sheaf_sequencer::{Config, Environment, Sequencer, store};
use sqlx::{PgPool, Row};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

pub(crate) fn config(url: &str) -> Config {
    let json = serde_json::json!({
        "database_url": url,
        "listen": "127.0.0.1:0",
        "chain_id": CHAIN_ID,
        "contract": CONTRACT,
        "fee_owner": operator().owner,
        "fee_key_hash": B256::from(field_to_bytes(operator().key_hash())),
        "receipt_key_file": sheaf_devkit::keys::receipt_key(),
        "minimum_fees": [{"token": 0, "transfer": "10", "transfer_new": "50", "withdraw": "30"}],
        "block_ms": 5,
        "batch_timeout_ms": 3_600_000,
        "l1_wait_ms": 0,
        // Whoever is killed is missed soon.
        "takeover_after_ms": 500,
        // The tests' server is not durable; they kill processes, not machines.
        "allow_unsafe_durability": true,
    });
    serde_json::from_value(json).unwrap()
}

/// One shape of this size.
pub(crate) fn one_shape(slots: usize, leaf_rows: usize, node_rows: usize) -> Shapes {
    Shapes::one(Shape { id: 0, slots, leaf_rows, node_rows }).unwrap()
}

/// The development shape with fewer slots.
pub(crate) fn with_slots(slots: usize) -> Shapes {
    let Shape { leaf_rows, node_rows, .. } = Shape::DEVELOPMENT;
    one_shape(slots, leaf_rows, node_rows)
}

/// Two shapes of as many slots, with rows for whatever is done in them.
pub(crate) fn two_shapes(small: usize, large: usize) -> Shapes {
    let [first, second] = [(0, small), (1, large)].map(|(id, slots)| Shape { id, slots, ..Shape::DEVELOPMENT });
    Shapes::new(vec![first, second]).unwrap()
}

/// The sequencer that runs, and how to stop it.
pub(crate) struct Running {
    pub(crate) client: Client,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Running {
    pub(crate) async fn start(config: Config, environment: Environment) -> anyhow::Result<Self> {
        let sequencer = Sequencer::start(config, environment).await?;
        let client = Client::new(format!("http://{}", sequencer.address()));
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(sequencer.run(async {
            let _ = stopped.await;
        }));
        Ok(Self { client, stop, task })
    }

    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        self.task.await.unwrap().unwrap();
    }

    /// Waits for it to end by itself, and says why.
    pub(crate) async fn failure(self) -> anyhow::Error {
        self.task.await.unwrap().unwrap_err()
    }
}

/// A database, a clock, and mostly a sequencer on them.
pub(crate) struct World {
    pub(crate) config: Config,
    pub(crate) pool: PgPool,
    pub(crate) clock: Arc<AtomicU32>,
    pub(crate) running: Option<Running>,
    entries: u64,
    _database: Option<TestDatabase>,
}

impl World {
    /// A sequencer with the usual configuration.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut world = Self::stopped(change).await;
        world.start().await;
        world
    }

    /// A database without a sequencer.
    pub(crate) async fn stopped(change: impl FnOnce(&mut Config)) -> Self {
        let database = TestDatabase::create();
        let url = database.url().to_owned();
        Self { _database: Some(database), ..Self::on(&url, change).await }
    }

    /// The same on an empty database that somebody else keeps.
    pub(crate) async fn on(url: &str, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = config(url);
        change(&mut config);
        let pool = store::connect(url).await.unwrap();
        store::migrate(&pool).await.unwrap();
        let clock = Arc::new(AtomicU32::new(START));
        let world = Self { config, pool, clock, running: None, entries: 0, _database: None };
        world.list(TOKEN).await;
        world
    }

    pub(crate) fn environment(&self) -> Environment {
        let clock = self.clock.clone();
        Environment::system().with_clock(move || clock.load(Ordering::SeqCst))
    }

    pub(crate) async fn start(&mut self) {
        self.running = Some(Running::start(self.config.clone(), self.environment()).await.unwrap());
    }

    pub(crate) async fn stop(&mut self) {
        self.running.take().expect("it runs").stop().await;
    }

    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.start().await;
    }

    pub(crate) fn client(&self) -> &Client {
        &self.running.as_ref().expect("it runs").client
    }

    pub(crate) fn set_clock(&self, time: u32) {
        self.clock.store(time, Ordering::SeqCst);
    }

    pub(crate) async fn list(&self, token: TokenId) {
        let query = "INSERT INTO tokens VALUES ($1, decode(repeat('11', 20), 'hex'), 'TEST', 6)";
        sqlx::query(query).bind(i16::from(token.get())).execute(&self.pool).await.unwrap();
    }

    /// How many entries were appended to the L1 queue.
    pub(crate) const fn entries(&self) -> u64 {
        self.entries
    }

    /// Appends a confirmed entry to the L1 queue, as settlement does.
    pub(crate) async fn queue(&mut self, entry: &Operation) -> u64 {
        let index = self.entries;
        self.entries += 1;
        insert_entry(&self.pool, index, entry, true).await;
        index
    }

    /// Appends an entry and waits until it was executed; gives its row's (account, refunded).
    pub(crate) async fn apply(&mut self, entry: &Operation) -> (Option<i32>, bool) {
        let index = self.queue(entry).await;
        self.entry(index).await
    }

    pub(crate) async fn entry(&self, index: u64) -> (Option<i32>, bool) {
        let query = "SELECT account, refunded FROM l1_operations WHERE index = $1 AND batch IS NOT NULL";
        eventually("the entry is executed", || async {
            let row = sqlx::query(query).bind(index as i64).fetch_optional(&self.pool).await.unwrap()?;
            Some((row.get("account"), row.get("refunded")))
        })
        .await
    }

    /// Deposits, and gives the account.
    pub(crate) async fn fund(&mut self, user: &User, token: TokenId, amount: u128) -> u32 {
        let (account, refunded) = self.apply(&user.deposit(token, amount)).await;
        assert!(!refunded);
        account.expect("an account").try_into().unwrap()
    }

    pub(crate) async fn submit(&self, transaction: &Transaction) -> SubmitResult {
        self.submit_json(json(transaction)).await
    }

    pub(crate) async fn submit_json(&self, transaction: Value) -> SubmitResult {
        self.client().submit(vec![transaction], true).await.unwrap().remove(0)
    }

    /// Submits what must be executed, and gives its batch and position.
    pub(crate) async fn execute(&self, payload: Payload, user: &User) -> (u64, u32) {
        match self.submit(&sign(payload, user)).await {
            SubmitResult::Executed { batch, position, .. } => (batch.0, position),
            other => panic!("{other:?}"),
        }
    }

    /// Submits what must be refused with `code`, and checks that nothing has changed.
    pub(crate) async fn refused(&self, transaction: Value, code: &str) -> String {
        // The builder may still be at work on what was sealed before.
        self.all_built().await;
        let before = self.snapshot().await;
        let result = self.submit_json(transaction).await;
        let SubmitResult::Rejected { code: found, message, .. } = result else { panic!("{code} expected, not {result:?}") };
        assert_eq!(found, code, "{message}");
        // A block that was wrongly begun would be cut within this time.
        tokio::time::sleep(Duration::from_millis(4 * self.config.block_ms)).await;
        let after = self.snapshot().await;
        let changed: Vec<_> = after.lines().filter(|line| !before.contains(line)).collect();
        assert!(after == before, "a refusal changes nothing, but there is {changed:#?}");
        message
    }

    /// Everything that a transaction may change, as text.
    pub(crate) async fn snapshot(&self) -> String {
        let mut all = String::new();
        for table in
            ["accounts", "retired_pairs", "blocks", "batches", "batch_undo", "transactions", "l1_operations", "withdrawals"]
        {
            // The builder works behind the execution: what it fills in is none of a transaction's doing.
            let query = format!(
                "SELECT COALESCE(string_agg(row::text, E'\\n' ORDER BY row::text), '') FROM
                 (SELECT to_jsonb(t) - ARRAY['old_root', 'new_root', 'ops', 'commitment', 'witness'] AS row FROM {table} t) r"
            );
            let text: String = sqlx::query_scalar(&query).fetch_one(&self.pool).await.unwrap();
            all += &format!("{table}\n{text}\n");
        }
        // Not the rows: they are written together anew now and then.
        let geometry = sheaf_core::geometry::Geometry::new(self.config.depth);
        let words = store::load_words(&mut self.pool.acquire().await.unwrap(), geometry).await.unwrap();
        for (address, word) in words.into_iter().collect::<BTreeMap<_, _>>() {
            all += &format!("word {address} {word}\n");
        }
        all
    }

    pub(crate) async fn balance(&self, account: u32, token: TokenId) -> u128 {
        let holdings = store::Balances::default().read(&self.pool, &[id(account)]).await.unwrap().remove(0);
        holdings.balances.get(&token).copied().unwrap_or(0)
    }

    pub(crate) async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.pool).await.unwrap()
    }

    /// Seals the open batch and waits until everything is built.
    pub(crate) async fn seal_and_build(&mut self) {
        let timeout = std::mem::replace(&mut self.config.batch_timeout_ms, 1);
        self.restart().await;
        eventually("the open batch is sealed", || async {
            (self.count("SELECT op_count::bigint FROM batches WHERE status = 'open'").await == 0).then_some(())
        })
        .await;
        self.all_built().await;
        self.config.batch_timeout_ms = timeout;
        self.restart().await;
    }

    /// Leaves the database as if no sealed batch had been built.
    pub(crate) async fn forget_what_is_built(&self) {
        sqlx::raw_sql(
            "UPDATE proof_jobs SET status = 'unbuilt'; DELETE FROM withdrawals;
             UPDATE batches SET old_root = NULL, new_root = NULL, ops = NULL, commitment = NULL, witness = NULL;",
        )
        .execute(&self.pool)
        .await
        .unwrap();
    }

    /// Waits until every sealed batch is built.
    pub(crate) async fn all_built(&self) {
        eventually("sealed batches are built", || async {
            let query = "SELECT count(*) FROM batches WHERE status <> 'open' AND commitment IS NULL";
            (self.count(query).await == 0).then_some(())
        })
        .await;
    }
}

pub(crate) async fn insert_entry(pool: &PgPool, index: u64, entry: &Operation, confirmed: bool) {
    let preimage = queue_preimage(entry).expect("an operation from L1");
    sqlx::query(
        "INSERT INTO l1_operations (index, op, sender, preimage, deadline, tx_hash, l1_block, confirmed)
         VALUES ($1, $2, $3, $4, 0, $3, 1, $5)",
    )
    .bind(index as i64)
    .bind(entry.code() as i16)
    .bind(entry.aux1().to_vec())
    .bind(&preimage[..])
    .bind(confirmed)
    .execute(pool)
    .await
    .unwrap();
    sqlx::query("NOTIFY l1_operations").execute(pool).await.unwrap();
}

/// Asks that the last sealed batches are taken back, as settlement does.
pub(crate) async fn request_unwinding(world: &World, batches: i64) {
    let query = "INSERT INTO unwindings (to_batch, reason)
        SELECT greatest(COALESCE(max(number), 0) - $1, 0), 'a test' FROM batches WHERE status <> 'open'";
    sqlx::query(query).bind(batches).execute(&world.pool).await.unwrap();
    sqlx::query("NOTIFY unwindings").execute(&world.pool).await.unwrap();
}

/// Tries until `look` gives something.
pub(crate) async fn eventually<T, A: Future<Output = Option<T>>>(what: &str, look: impl Fn() -> A) -> T {
    for _ in 0..2_000 {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("waited in vain: {what}");
}
