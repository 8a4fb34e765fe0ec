//! A sequencer on a database of its own, with users, and settlement's part of the tables played by hand.

use alloy_primitives::{Address, B256};
use serde_json::Value;
use sheaf_core::F;
use sheaf_core::amount::{PackedAmount, PackedFee};
use sheaf_core::eddsa::SecretKey;
use sheaf_core::json::TransactionJson;
use sheaf_core::l1::{domain, queue_preimage};
use sheaf_core::operation::Operation;
use sheaf_core::transaction::{Pair, Payload, Target, Transaction};
use sheaf_core::types::{AccountId, TokenId, field_to_bytes};
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

pub const CHAIN_ID: u64 = 31_337;
pub const CONTRACT: Address = Address::repeat_byte(0xCC);
pub const START: u32 = 1_790_000_000;
/// The ERC-20 that is listed besides ETH.
pub const TOKEN: TokenId = TokenId::new(7).unwrap();

/// Somebody with a key and an L1 address.
#[derive(Clone, Debug)]
pub struct User {
    pub key: Arc<SecretKey>,
    pub owner: Address,
}

impl User {
    pub fn new(number: u16) -> Self {
        let mut seed = [0x5E; 32];
        seed[..2].copy_from_slice(&number.to_be_bytes());
        let mut owner = [0xA0; 20];
        owner[18..].copy_from_slice(&number.to_be_bytes());
        Self { key: Arc::new(SecretKey::from_seed(&seed)), owner: Address::new(owner) }
    }

    /// The same person with another key.
    pub fn with_key(&self, number: u16) -> Self {
        Self { owner: self.owner, ..Self::new(number) }
    }

    pub fn key_hash(&self) -> F {
        self.key.public_key().key_hash()
    }

    pub fn pair(&self) -> Pair {
        Pair { owner: self.owner, key_hash: self.key_hash() }
    }

    pub fn deposit(&self, token: TokenId, amount: u128) -> Operation {
        Operation::Deposit { account: id(0), token: token.word(), amount, owner: self.owner, key_hash: self.key_hash() }
    }
}

pub fn operator() -> User {
    User::new(60_000)
}

pub fn id(index: u32) -> AccountId {
    AccountId::new(index).unwrap()
}

/// A transfer of ETH that is good for an hour.
pub fn transfer(from: u32, nonce: u64, to: &User, amount: u128, fee: u128) -> Payload {
    Payload {
        from: id(from),
        nonce,
        expires: START + 3600,
        token: TokenId::ETH,
        amount: PackedAmount::encode(amount).unwrap(),
        fee: PackedFee::encode(fee).unwrap(),
        target: Target::Account(to.pair()),
    }
}

/// The same to an L1 address.
pub fn withdraw(from: u32, nonce: u64, to: Address, amount: u128, fee: u128) -> Payload {
    Payload { target: Target::L1(to), ..transfer(from, nonce, &operator(), amount, fee) }
}

pub fn sign(payload: Payload, user: &User) -> Transaction {
    payload.sign(domain(CHAIN_ID, CONTRACT), &user.key)
}

pub fn json(transaction: &Transaction) -> Value {
    serde_json::to_value(TransactionJson::from(transaction)).unwrap()
}

pub fn config(url: &str) -> Config {
    let json = serde_json::json!({
        "database_url": url,
        "listen": "127.0.0.1:0",
        "chain_id": CHAIN_ID,
        "contract": CONTRACT,
        "fee_owner": operator().owner,
        "fee_key_hash": B256::from(field_to_bytes(operator().key_hash())),
        "minimum_fees": [{"token": 0, "transfer": "10", "transfer_new": "50", "withdraw": "30"}],
        "block_ms": 5,
        "batch_timeout_ms": 3_600_000,
        "l1_wait_ms": 0,
        // The tests' server is not durable; they kill processes, not machines.
        "allow_unsafe_durability": true,
    });
    serde_json::from_value(json).unwrap()
}

/// The sequencer that runs, and how to stop it.
pub struct Running {
    pub client: Client,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Running {
    pub async fn start(config: Config, environment: Environment) -> anyhow::Result<Self> {
        let sequencer = Sequencer::start(config, environment).await?;
        let client = Client::new(format!("http://{}", sequencer.address()));
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(sequencer.run(async {
            let _ = stopped.await;
        }));
        Ok(Self { client, stop, task })
    }

    pub async fn stop(self) {
        let _ = self.stop.send(());
        self.task.await.unwrap().unwrap();
    }

    /// Waits for it to end by itself, and says why.
    pub async fn failure(self) -> anyhow::Error {
        self.task.await.unwrap().unwrap_err()
    }
}

/// A database, a clock, and mostly a sequencer on them.
pub struct World {
    pub config: Config,
    pub pool: PgPool,
    pub clock: Arc<AtomicU32>,
    pub running: Option<Running>,
    entries: u64,
    _database: TestDatabase,
}

impl World {
    /// A sequencer with the usual configuration.
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut world = Self::stopped(change).await;
        world.start().await;
        world
    }

    /// A database without a sequencer.
    pub async fn stopped(change: impl FnOnce(&mut Config)) -> Self {
        let database = TestDatabase::create();
        let mut config = config(database.url());
        change(&mut config);
        let pool = store::connect(database.url()).await.unwrap();
        store::migrate(&pool).await.unwrap();
        let clock = Arc::new(AtomicU32::new(START));
        let world = Self { config, pool, clock, running: None, entries: 0, _database: database };
        world.list(TOKEN).await;
        world
    }

    pub fn environment(&self) -> Environment {
        let clock = self.clock.clone();
        Environment::system().with_clock(move || clock.load(Ordering::SeqCst))
    }

    pub async fn start(&mut self) {
        self.running = Some(Running::start(self.config.clone(), self.environment()).await.unwrap());
    }

    pub async fn stop(&mut self) {
        self.running.take().expect("it runs").stop().await;
    }

    pub async fn restart(&mut self) {
        self.stop().await;
        self.start().await;
    }

    pub fn client(&self) -> &Client {
        &self.running.as_ref().expect("it runs").client
    }

    pub fn set_clock(&self, time: u32) {
        self.clock.store(time, Ordering::SeqCst);
    }

    pub async fn list(&self, token: TokenId) {
        let query = "INSERT INTO tokens VALUES ($1, decode(repeat('11', 20), 'hex'), 'TEST', 6)";
        sqlx::query(query).bind(i16::from(token.get())).execute(&self.pool).await.unwrap();
    }

    /// Appends a confirmed entry to the L1 queue, as settlement does.
    pub async fn queue(&mut self, entry: &Operation) -> u64 {
        let index = self.entries;
        self.entries += 1;
        insert_entry(&self.pool, index, entry, true).await;
        index
    }

    /// Appends an entry and waits until it was executed; gives its row's (account, refunded).
    pub async fn apply(&mut self, entry: &Operation) -> (Option<i32>, bool) {
        let index = self.queue(entry).await;
        self.entry(index).await
    }

    pub async fn entry(&self, index: u64) -> (Option<i32>, bool) {
        let query = "SELECT account, refunded FROM l1_operations WHERE index = $1 AND batch IS NOT NULL";
        eventually("the entry is executed", || async {
            let row = sqlx::query(query).bind(index as i64).fetch_optional(&self.pool).await.unwrap()?;
            Some((row.get("account"), row.get("refunded")))
        })
        .await
    }

    /// Deposits, and gives the account.
    pub async fn fund(&mut self, user: &User, token: TokenId, amount: u128) -> u32 {
        let (account, refunded) = self.apply(&user.deposit(token, amount)).await;
        assert!(!refunded);
        account.expect("an account").try_into().unwrap()
    }

    pub async fn submit(&self, transaction: &Transaction) -> SubmitResult {
        self.submit_json(json(transaction)).await
    }

    pub async fn submit_json(&self, transaction: Value) -> SubmitResult {
        self.client().submit(vec![transaction], true).await.unwrap().remove(0)
    }

    /// Submits what must be executed, and gives its batch and position.
    pub async fn execute(&self, payload: Payload, user: &User) -> (u64, u32) {
        match self.submit(&sign(payload, user)).await {
            SubmitResult::Executed { batch, position, .. } => (batch.0, position),
            other => panic!("{other:?}"),
        }
    }

    /// Submits what must be refused with `code`, and checks that nothing has changed.
    pub async fn refused(&self, transaction: Value, code: &str) -> String {
        let before = self.snapshot().await;
        let result = self.submit_json(transaction).await;
        let SubmitResult::Rejected { code: found, message, .. } = result else { panic!("{code} expected, not {result:?}") };
        assert_eq!(found, code, "{message}");
        // A block that was wrongly begun would be cut within this time.
        tokio::time::sleep(Duration::from_millis(4 * self.config.block_ms)).await;
        assert_eq!(self.snapshot().await, before, "a refusal changes nothing");
        message
    }

    /// Everything that a transaction may change, as text.
    pub async fn snapshot(&self) -> String {
        let mut all = String::new();
        for table in ["accounts", "balances", "retired_pairs", "blocks", "batches", "batch_undo", "transactions", "l1_operations", "withdrawals"] {
            // The builder works behind the execution: what it fills in is none of a transaction's doing.
            let query = format!(
                "SELECT COALESCE(string_agg(row::text, E'\\n' ORDER BY row::text), '') FROM
                 (SELECT to_jsonb(t) - ARRAY['old_root', 'new_root', 'ops', 'commitment', 'witness'] AS row FROM {table} t) r"
            );
            let text: String = sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(&self.pool).await.unwrap();
            all += &format!("{table}\n{text}\n");
        }
        all
    }

    pub async fn balance(&self, account: u32, token: TokenId) -> u128 {
        let query = "SELECT amount::text FROM balances WHERE account = $1 AND token = $2";
        let text: Option<String> = sqlx::query_scalar(query)
            .bind(account as i32)
            .bind(i16::from(token.get()))
            .fetch_optional(&self.pool)
            .await
            .unwrap();
        text.map_or(0, |t| t.parse().unwrap())
    }

    /// All balances above 0.
    pub async fn balances(&self) -> BTreeMap<(u32, u8), u128> {
        let query = "SELECT account, token, amount::text AS amount FROM balances WHERE amount > 0";
        let rows = sqlx::query(query).fetch_all(&self.pool).await.unwrap();
        let entry = |r: &sqlx::postgres::PgRow| {
            let amount: String = r.get("amount");
            ((r.get::<i32, _>("account") as u32, r.get::<i16, _>("token") as u8), amount.parse().unwrap())
        };
        rows.iter().map(entry).collect()
    }

    pub async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.pool).await.unwrap()
    }

    /// Waits until every sealed batch is built.
    pub async fn all_built(&self) {
        eventually("sealed batches are built", || async {
            let query = "SELECT count(*) FROM batches WHERE status <> 'open' AND commitment IS NULL";
            (self.count(query).await == 0).then_some(())
        })
        .await;
    }
}

pub async fn insert_entry(pool: &PgPool, index: u64, entry: &Operation, confirmed: bool) {
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

/// Tries until `look` gives something.
pub async fn eventually<T, A: Future<Output = Option<T>>>(what: &str, look: impl Fn() -> A) -> T {
    for _ in 0..2_000 {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("waited in vain: {what}");
}
