//! An API and a sequencer on a database of their own, with settlement's part of the tables played by hand.

use alloy_primitives::{Address, B256, hex};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sheaf_api::client::Client;
use sheaf_api::{Config, Server};
use sheaf_core::F;
use sheaf_core::amount::{PackedAmount, PackedFee};
use sheaf_core::eddsa::SecretKey;
use sheaf_core::json::TransactionJson;
use sheaf_core::l1::{domain, queue_preimage};
use sheaf_core::operation::Operation;
use sheaf_core::transaction::{Pair, Payload, Target};
use sheaf_core::types::{AccountId, TokenId, field_to_bytes};
use sheaf_devkit::postgres::TestDatabase;
use sheaf_sequencer::{Environment, Sequencer};
use sqlx::PgPool;
use std::future::Future;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;

pub(crate) const CHAIN_ID: u64 = 31_337;
pub(crate) const CONTRACT: Address = Address::repeat_byte(0xCC);
/// Small, so that a test can exceed it.
pub(crate) const MAX_BODY_BYTES: usize = 20_000;
pub(crate) const MAX_TRANSACTIONS: usize = 8;
/// What alice has at the start, in account 2.
pub(crate) const FUNDS: u128 = 1_000_000;

/// Somebody with a key and an L1 address.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) key: SecretKey,
    pub(crate) owner: Address,
}

impl User {
    pub(crate) fn new(number: u8) -> Self {
        Self { key: SecretKey::from_seed(&[number; 32]), owner: Address::repeat_byte(number) }
    }

    pub(crate) fn pair(&self) -> Pair {
        Pair { owner: self.owner, key_hash: self.key.public_key().key_hash() }
    }
}

pub(crate) fn alice() -> User {
    User::new(1)
}

pub(crate) fn bob() -> User {
    User::new(2)
}

pub(crate) fn operator() -> User {
    User::new(200)
}

pub(crate) fn the_domain() -> F {
    domain(CHAIN_ID, CONTRACT)
}

pub(crate) fn now() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

/// 100 wei of ETH from alice to `to`, with a fee of 50, good for an hour.
pub(crate) fn transfer(nonce: u64, to: &User) -> Payload {
    Payload {
        from: AccountId::new(2).unwrap(),
        nonce,
        expires: now() + 3600,
        token: TokenId::ETH,
        amount: PackedAmount::encode(100).unwrap(),
        fee: PackedFee::encode(50).unwrap(),
        target: Target::Account(to.pair()),
    }
}

pub(crate) fn signed(payload: Payload, user: &User) -> Value {
    serde_json::to_value(TransactionJson::from(&payload.sign(the_domain(), &user.key))).unwrap()
}

/// What runs, and stops with it.
pub(crate) struct World {
    pub(crate) url: String,
    pub(crate) client: Client,
    pub(crate) pool: PgPool,
    pub(crate) http: reqwest::Client,
    sequencer: Option<(oneshot::Sender<()>, tokio::task::JoinHandle<anyhow::Result<()>>)>,
    _api: oneshot::Sender<()>,
    _database: TestDatabase,
}

impl World {
    /// Alice has account 2 with [`FUNDS`]; token 7 is listed besides ETH.
    pub(crate) async fn new() -> Self {
        let world = Self::without_funds().await;
        world.deposit(&alice(), FUNDS).await;
        world
    }

    pub(crate) async fn without_funds() -> Self {
        Self::behind(|sequencer| vec![sequencer]).await
    }

    /// With an API that is told of these sequencers, given the URL of the one that there is.
    pub(crate) async fn behind(sequencer_urls: impl FnOnce(String) -> Vec<String>) -> Self {
        let database = TestDatabase::create();
        let sequencer = Sequencer::start(sequencer_config(database.url()), Environment::system()).await.unwrap();
        let sequencer_urls = sequencer_urls(format!("http://{}", sequencer.address()));
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(sequencer.run(async {
            let _ = stopped.await;
        }));
        let server = Server::bind(api_config(database.url(), &sequencer_urls)).await.unwrap();
        let url = server.url().unwrap();
        let (stop_api, api_stopped) = oneshot::channel::<()>();
        tokio::spawn(server.serve(async {
            let _ = api_stopped.await;
        }));
        let pool = PgPool::connect(database.url()).await.unwrap();
        sqlx::query("INSERT INTO tokens VALUES (7, decode(repeat('11', 20), 'hex'), 'TEST', 6)").execute(&pool).await.unwrap();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let client = Client::new(&url);
        Self { url, client, pool, http, sequencer: Some((stop, task)), _api: stop_api, _database: database }
    }

    pub(crate) async fn stop_sequencer(&mut self) {
        let (stop, task) = self.sequencer.take().unwrap();
        let _ = stop.send(());
        task.await.unwrap().unwrap();
    }

    /// Appends an entry to the L1 queue, as settlement does; gives its L1 transaction's hash.
    pub(crate) async fn queue(&self, entry: &Operation, confirmed: bool) -> B256 {
        let index: i64 = sqlx::query_scalar("SELECT count(*) FROM l1_operations").fetch_one(&self.pool).await.unwrap();
        let tx_hash = B256::with_last_byte(u8::try_from(index).unwrap() + 1);
        sqlx::query(
            "INSERT INTO l1_operations (index, op, sender, preimage, deadline, tx_hash, l1_block, confirmed)
             VALUES ($1, $2, $3, $4, 1790000000, $5, 100, $6)",
        )
        .bind(index)
        .bind(entry.code() as i16)
        .bind(entry.aux1().to_vec())
        .bind(queue_preimage(entry).unwrap().to_vec())
        .bind(tx_hash.to_vec())
        .bind(confirmed)
        .execute(&self.pool)
        .await
        .unwrap();
        self.sql("NOTIFY l1_operations").await;
        tx_hash
    }

    /// Deposits ETH and waits until it is credited; gives the account.
    pub(crate) async fn deposit(&self, user: &User, amount: u128) -> u32 {
        let Pair { owner, key_hash } = user.pair();
        let nobody = AccountId::new(0).unwrap();
        let entry = Operation::Deposit { account: nobody, token: TokenId::ETH.word(), amount, owner, key_hash };
        let tx_hash = self.queue(&entry, true).await;
        eventually("the deposit is credited", || async {
            self.client.l1_operations(tx_hash).await.unwrap().operations[0].account
        })
        .await
    }

    pub(crate) async fn sql(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&self.pool).await.unwrap();
    }

    /// Sends a request as bare text; answers the status and the JSON.
    pub(crate) async fn raw(&self, method: Method, path: &str, body: impl Into<reqwest::Body>) -> (StatusCode, Value) {
        let response = self.http.request(method, format!("{}{path}", self.url)).body(body).send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{path} answered {status} with bare text {text:?}")))
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.raw(Method::GET, path, "").await
    }

    pub(crate) async fn post(&self, body: &Value) -> (StatusCode, Value) {
        self.raw(Method::POST, "/v1/transactions", body.to_string()).await
    }

    /// Everything that a transaction may change, as text.
    pub(crate) async fn snapshot(&self) -> String {
        let mut all = String::new();
        for table in
            ["accounts", "state_changes", "retired_pairs", "blocks", "batches", "transactions", "l1_operations", "withdrawals"]
        {
            // The builder works behind the execution: what it fills in is none of a transaction's doing.
            let query = format!(
                "SELECT COALESCE(string_agg(row::text, E'\\n' ORDER BY row::text), '') FROM
                 (SELECT to_jsonb(t) - ARRAY['old_root', 'new_root', 'ops', 'commitment', 'witness'] AS row FROM {table} t) r"
            );
            let text: String = sqlx::query_scalar(&query).fetch_one(&self.pool).await.unwrap();
            all += &format!("{table}\n{text}\n");
        }
        all
    }

    /// Posts what must be refused with this code and status; answers the message.
    pub(crate) async fn refused(&self, body: impl Into<reqwest::Body>, code: &str, status: u16) -> String {
        let before = self.snapshot().await;
        let since = std::time::Instant::now();
        let (found_status, answer) = self.raw(Method::POST, "/v1/transactions", body).await;
        assert!(since.elapsed() < Duration::from_secs(1), "{code} took {:?}", since.elapsed());
        assert_eq!(answer["code"], code, "{answer}");
        assert_eq!(found_status.as_u16(), status, "{answer}");
        assert_eq!(answer.as_object().unwrap().len(), 2, "a code and a message, nothing else: {answer}");
        // A block that was wrongly begun would be durable within this time.
        tokio::time::sleep(Duration::from_millis(25)).await;
        assert_eq!(self.snapshot().await, before, "a refusal changes nothing");
        answer["message"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn api_config(database_url: &str, sequencer_urls: &[String]) -> Config {
    let config = json!({
        "listen": "127.0.0.1:0",
        "database_url": database_url,
        "sequencer_urls": sequencer_urls,
        "max_body_bytes": MAX_BODY_BYTES,
        "max_transactions": MAX_TRANSACTIONS,
        "database_connections": 4,
    });
    serde_json::from_value(config).unwrap()
}

fn sequencer_config(database_url: &str) -> sheaf_sequencer::Config {
    let config = json!({
        "database_url": database_url,
        "listen": "127.0.0.1:0",
        "chain_id": CHAIN_ID,
        "contract": CONTRACT,
        "fee_owner": operator().owner,
        "fee_key_hash": hex::encode_prefixed(field_to_bytes(operator().pair().key_hash)),
        "receipt_key_file": sheaf_devkit::keys::receipt_key(),
        "minimum_fees": [{ "token": 0, "transfer": "10", "transfer_new": "50", "withdraw": "30" }],
        "block_ms": 5,
        "batch_timeout_ms": 3_600_000,
        "l1_wait_ms": 0,
        // The tests' server is not durable.
        "allow_unsafe_durability": true,
    });
    serde_json::from_value(config).unwrap()
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
