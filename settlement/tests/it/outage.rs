//! L1 out of reach for a day and for more than three: sequencer, settlement, node and contract together, with moved clocks.
//!
//! A proof is made of each batch that the sequencer builds, from the key whose trapdoor is known.

use crate::world::{SLOTS, USER, World};
use alloy::primitives::{Address, B256, U256};
use sheaf_contracts::owner_word;
use sheaf_core::F;
use sheaf_core::amount::{PackedAmount, PackedFee};
use sheaf_core::batch::PublicData;
use sheaf_core::eddsa::SecretKey;
use sheaf_core::geometry::Geometry;
use sheaf_core::json::TransactionJson;
use sheaf_core::l1::domain;
use sheaf_core::operation::Operation;
use sheaf_core::shape::Shape;
use sheaf_core::transaction::{Pair, Payload, Target};
use sheaf_core::tree::Tree;
use sheaf_core::types::{AccountId, TokenId, field_from_bytes, field_to_bytes, u256_from_field};
use sheaf_devkit::anvil::{Anvil, AnvilOptions, CHAIN_ID};
use sheaf_devkit::keys;
use sheaf_sequencer::client::Client;
use sheaf_sequencer::wire::SubmitResult;
use sheaf_sequencer::{Config, Environment, Sequencer, store};
use sqlx::Row;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::task::JoinHandle;

const DEPTH: u32 = 6;
const SHAPE: Shape = Shape { slots: SLOTS as usize, ..Shape::DEVELOPMENT };
const HOUR_S: u32 = 3_600;
const FEE: u128 = 10;
const DEPOSITED: u128 = 1_000_000;

/// Somebody on L2.
struct Person {
    key: SecretKey,
    owner: Address,
}

impl Person {
    fn new(number: u8) -> Self {
        Self { key: SecretKey::from_seed(&[number; 32]), owner: Address::repeat_byte(number) }
    }

    fn pair(&self) -> Pair {
        Pair { owner: self.owner, key_hash: self.key.public_key().key_hash() }
    }
}

/// Everything but the prover and the wallet, running.
struct Rollup {
    world: World,
    client: Client,
    /// By how much the sequencer's clock is ahead of the machine's.
    ahead: Arc<AtomicU32>,
    sequencer: JoinHandle<anyhow::Result<()>>,
    settlement: JoinHandle<anyhow::Result<()>>,
}

impl Drop for Rollup {
    fn drop(&mut self) {
        self.sequencer.abort();
        self.settlement.abort();
    }
}

fn machine_time() -> u32 {
    u32::try_from(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()).expect("before 2106")
}

fn options(port: u16) -> AnvilOptions {
    AnvilOptions { persistent: true, port, ..AnvilOptions::default() }
}

fn sequencer_config(world: &World) -> Config {
    let operator = Person::new(200).pair();
    let json = serde_json::json!({
        "database_url": world.database.url(),
        "listen": "127.0.0.1:0",
        "chain_id": CHAIN_ID,
        "contract": world.deployed.contract,
        "shapes": [SHAPE],
        "depth": DEPTH,
        "fee_owner": operator.owner,
        "fee_key_hash": B256::from(field_to_bytes(operator.key_hash)),
        "receipt_key_file": keys::receipt_key(),
        "block_ms": 5,
        "batch_timeout_ms": 50,
        "l1_wait_ms": 0,
        "allow_unsafe_durability": true,
        // These tests are about what becomes of transactions that are taken all the same.
        "limits": { "unsettled_age_s_max": 5 * 24 * HOUR_S },
    });
    serde_json::from_value(json).expect("a configuration")
}

impl Rollup {
    async fn start() -> Self {
        let world = World::with_genesis(&options(0), Tree::new(Geometry::new(DEPTH)).root()).await;
        let ahead = Arc::new(AtomicU32::new(0));
        let clock = ahead.clone();
        let environment = Environment::system().with_clock(move || machine_time() + clock.load(Ordering::SeqCst));
        let sequencer = Sequencer::start(sequencer_config(&world), environment).await.expect("starts");
        let client = Client::new(format!("http://{}", sequencer.address()));
        let sequencer = tokio::spawn(sequencer.run(std::future::pending()));
        let settlement = tokio::spawn(sheaf_settlement::run(world.config(0), std::future::pending()));
        Self { world, client, ahead, sequencer, settlement }
    }

    fn now(&self) -> u32 {
        machine_time() + self.ahead.load(Ordering::SeqCst)
    }

    async fn text(&self, query: &'static str) -> String {
        self.world.text(query).await
    }

    /// Deposits for `person` on L1, and waits until that is executed.
    async fn deposit(&self, person: &Person, amount: u128) {
        let executed = self.text("SELECT count(batch)::text FROM l1_operations").await;
        let sheaf = self.world.sheaf(USER);
        let key_hash = u256_from_field(person.pair().key_hash);
        let call = sheaf.deposit(0, amount, owner_word(person.owner), key_hash).value(U256::from(amount + crate::world::FEE));
        call.send().await.expect("sent").get_receipt().await.expect("in a block");
        self.until("SELECT count(batch)::text FROM l1_operations", |count| count != executed).await;
    }

    async fn send(&self, from: (&Person, u32, u64), target: Target, amount: u128) -> SubmitResult {
        let (person, account, nonce) = from;
        let payload = Payload {
            from: AccountId::new(account).expect("in range"),
            nonce,
            expires: self.now() + 20 * HOUR_S,
            token: TokenId::ETH,
            amount: PackedAmount::encode(amount).expect("representable"),
            fee: PackedFee::encode(FEE).expect("representable"),
            target,
        };
        let transaction = payload.sign(domain(CHAIN_ID, self.world.deployed.contract), &person.key);
        let json = serde_json::to_value(TransactionJson::from(&transaction)).expect("plain data");
        self.client.submit(vec![json], true).await.expect("answered").remove(0)
    }

    async fn execute(&self, from: (&Person, u32, u64), target: Target, amount: u128) {
        let result = self.send(from, target, amount).await;
        assert!(matches!(result, SubmitResult::Executed { .. }), "{result:?}");
    }

    /// Proves what is built, as long as something else is waited for.
    async fn prove(&self) {
        let query = "SELECT * FROM batches WHERE status = 'sealed' AND commitment IS NOT NULL ORDER BY number LIMIT 1";
        let Some(row) = sqlx::query(query).fetch_optional(&self.world.pool).await.expect("read") else { return };
        let field = |column: &str| -> F {
            field_from_bytes(&row.get::<Vec<u8>, _>(column).try_into().expect("32 bytes")).expect("a field element")
        };
        let (l1, all): (i32, i32) = (row.get("l1_count"), row.get("op_count"));
        let data = PublicData {
            domain: domain(CHAIN_ID, self.world.deployed.contract),
            old_root: field("old_root"),
            new_root: field("new_root"),
            timestamp: row.get::<i64, _>("timestamp") as u32,
            fee_account: AccountId::FIRST,
            operations: Operation::decode_all(&row.get::<Vec<u8>, _>("ops"), l1 as usize, all as usize).expect("operations"),
        };
        let inputs = data.public_inputs(&SHAPE, field("commitment")).to_array();
        let proof = self.world.simulator.prove(0, inputs).map(|w| w.to_be_bytes::<32>()).concat();
        // The batch may have been taken back meanwhile: then nothing is stored, as with a lost lease.
        let store =
            "UPDATE batches SET status = 'proven', proof = $2 WHERE number = $1 AND status = 'sealed' AND commitment = $3";
        let bound = sqlx::query(store).bind(row.get::<i64, _>("number")).bind(proof).bind(row.get::<Vec<u8>, _>("commitment"));
        bound.execute(&self.world.pool).await.expect("stored");
        sqlx::query("NOTIFY batches").execute(&self.world.pool).await.expect("announced");
    }

    /// Proves and waits until `query` gives what is wanted.
    async fn until(&self, query: &'static str, wanted: impl Fn(String) -> bool) {
        for _ in 0..1_500 {
            if wanted(self.text(query).await) {
                return;
            }
            assert!(!self.sequencer.is_finished() && !self.settlement.is_finished(), "both run on");
            self.prove().await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{query}: {}", self.text(query).await);
    }

    /// Waits until L1 has everything.
    async fn settled(&self) {
        const LEFT: &str = "SELECT ((SELECT count(*) FROM batches WHERE status <> 'settled' AND op_count > 0)
            + (SELECT count(*) FROM replays) + (SELECT count(*) FROM l1_operations WHERE batch IS NULL))::text";
        self.until(LEFT, |left| left == "0").await;
    }

    fn lose_l1(&mut self) {
        self.world.anvil.stop();
    }

    /// Brings L1 back, and with it the time that has passed there, too.
    async fn find_l1(&mut self) {
        let port = self.world.anvil.address().port();
        self.world.anvil = Anvil::start(self.world.dir.path(), &options(port)).unwrap_or_else(|error| panic!("{error}"));
        // A node that starts anew goes by the machine's clock.
        self.world.node("evm_increaseTime", (U256::from(self.ahead.load(Ordering::SeqCst)),)).await;
        self.world.mine(1).await;
    }

    fn pass(&self, seconds: u32) {
        self.ahead.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Checks that the contract stands where the database does, and gives the accounts' ETH.
    async fn check(&self) -> Vec<u128> {
        let mut connection = self.world.pool.acquire().await.expect("connects");
        let words = store::load_words(&mut connection, Geometry::new(DEPTH)).await.expect("read");
        let root = Tree::from_words(Geometry::new(DEPTH), words).root();
        assert_eq!(self.world.l1.progress().await.expect("answers").root, u256_from_field(root));
        let accounts: Vec<_> = (1..=5).map(|n| AccountId::new(n).expect("in range")).collect();
        let holdings = store::Balances::default().read(&self.world.pool, &accounts).await.expect("read");
        holdings.iter().map(|h| h.balances.get(&TokenId::ETH).copied().unwrap_or(0)).collect()
    }
}

/// Ann and Bob have money, and Ann has paid Bob once; all of it is on L1.
async fn begin() -> (Rollup, [Person; 4]) {
    let rollup = Rollup::start().await;
    let people = [1, 2, 3, 4].map(Person::new);
    let [ann, bob, ..] = &people;
    rollup.deposit(ann, DEPOSITED).await;
    rollup.deposit(bob, DEPOSITED).await;
    rollup.execute((ann, 2, 0), Target::Account(bob.pair()), 100).await;
    rollup.settled().await;
    assert_eq!(rollup.check().await, [FEE, DEPOSITED - 100 - FEE, DEPOSITED + 100, 0, 0]);
    (rollup, people)
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_day_without_l1_everything_settles_as_it_was_executed() {
    let (mut rollup, [ann, bob, ..]) = begin().await;
    rollup.lose_l1();
    rollup.execute((&ann, 2, 1), Target::Account(bob.pair()), 1_000).await;
    rollup.pass(25 * HOUR_S);
    rollup.execute((&bob, 3, 0), Target::L1(Address::repeat_byte(9)), 500).await;
    rollup.find_l1().await;
    rollup.settled().await;
    assert_eq!(rollup.check().await, [3 * FEE, DEPOSITED - 1_100 - 2 * FEE, DEPOSITED + 600 - FEE, 0, 0]);
    assert_eq!(rollup.text("SELECT count(*)::text FROM unwindings").await, "0");
    rollup.until("SELECT string_agg(status, ' ') FROM withdrawals", |status| status == "claimable").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_more_than_three_days_what_expired_is_dropped_and_the_rest_settles() {
    let (mut rollup, [ann, bob, cid, dan]) = begin().await;
    let settled = rollup.text("SELECT max(number)::text FROM batches WHERE status = 'settled'").await;
    // Confirmed on L1 and executed, but not settled when L1 goes away: deposits do not expire.
    rollup.deposit(&cid, 7_000).await;
    rollup.lose_l1();
    // In the first hour: these will have expired. Bob's second one is sent later, but depends on his first.
    rollup.execute((&ann, 2, 1), Target::Account(bob.pair()), 1_000).await;
    rollup.execute((&bob, 3, 0), Target::L1(Address::repeat_byte(9)), 500).await;
    rollup.pass(71 * HOUR_S);
    rollup.execute((&bob, 3, 1), Target::Account(ann.pair()), 30).await;
    rollup.execute((&cid, 4, 0), Target::Account(dan.pair()), 5_000).await;
    rollup.execute((&dan, 5, 0), Target::L1(Address::repeat_byte(8)), 4_000).await;
    rollup.pass(3 * HOUR_S);
    assert_eq!(rollup.text("SELECT count(*)::text FROM unwindings").await, "0", "while L1 is away nothing is decided");

    rollup.find_l1().await;
    rollup.until("SELECT count(done_at)::text FROM unwindings", |done| done == "1").await;
    rollup.settled().await;
    assert_eq!(rollup.text("SELECT to_batch::text FROM unwindings").await, settled, "what L1 has stays");
    let ann_and_bob = [DEPOSITED - 100 - FEE, DEPOSITED + 100];
    assert_eq!(rollup.check().await, [3 * FEE, ann_and_bob[0], ann_and_bob[1], 2_000 - FEE, 1_000 - FEE]);
    const DROPPED: &str = "SELECT string_agg(code, ' ' ORDER BY batch, position) FROM dropped_transactions";
    assert_eq!(rollup.text(DROPPED).await, "expired expired nonce_gap");
    rollup.until("SELECT string_agg(amount::text || status, ' ') FROM withdrawals", |w| w == "4000claimable").await;

    // And on as ever: Bob sends anew what was dropped.
    rollup.execute((&bob, 3, 0), Target::L1(Address::repeat_byte(9)), 500).await;
    rollup.settled().await;
    assert_eq!(rollup.check().await[2], DEPOSITED + 100 - 500 - FEE);
}
