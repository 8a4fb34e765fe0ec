//! A database, a chain with the contract, and batches for it.

use crate::simulator::Simulator;
use alloy::network::EthereumWallet;
use alloy::primitives::{Address, B256, U256, keccak256};
use alloy::providers::{DynProvider, Provider, ProviderBuilder};
use alloy::rpc::types::TransactionReceipt;
use alloy::signers::local::PrivateKeySigner;
use ark_ff::PrimeField;
use sheaf_contracts::{Sheaf, owner_word};
use sheaf_core::F;
use sheaf_core::amount::{PackedAmount, PackedFee};
use sheaf_core::batch::PublicData;
use sheaf_core::l1 as rules;
use sheaf_core::operation::Operation;
use sheaf_core::shape::Shape;
use sheaf_core::types::{AccountId, TokenId, field_to_bytes, u256_from_field};
use sheaf_devkit::anvil::{Anvil, AnvilOptions, CHAIN_ID};
use sheaf_devkit::postgres::TestDatabase;
use sheaf_settlement::creditor::Creditor;
use sheaf_settlement::deploy::{Deployed, Request, ShapeWords, VerifyingKeyWords, deploy};
use sheaf_settlement::l1::{L1, connect};
use sheaf_settlement::policy::{CallPolicy, PayoutPolicy};
use sheaf_settlement::sender::{SendPolicy, Sender};
use sheaf_settlement::submitter::Submitter;
use sheaf_settlement::watcher::Watcher;
use sheaf_settlement::{Config, Next, creditor, submitter};
use sqlx::postgres::{PgPool, PgPoolOptions};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// Keys of accounts that the node funds.
pub(crate) const ADMIN: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
pub(crate) const OPERATOR: &str = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
pub(crate) const CREDITOR: &str = "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a";
pub(crate) const USER: &str = "7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6";

/// What an entry of the queue costs, in wei.
pub(crate) const FEE: u128 = 1_000;
/// The root before the first batch.
pub(crate) const GENESIS: u64 = 7;
/// Slots of a batch.
pub(crate) const SLOTS: u16 = 16;

pub(crate) struct World {
    pub(crate) pool: PgPool,
    pub(crate) l1: L1,
    pub(crate) anvil: Anvil,
    pub(crate) deployed: Deployed,
    pub(crate) dir: TempDir,
    pub(crate) database: TestDatabase,
    pub(crate) simulator: Simulator,
    genesis: F,
    /// When it began: the timestamp of batches, in whatever order they are stored.
    began: u64,
}

/// How a batch is put into the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    Right,
    Wrong,
    Missing,
}

pub(crate) fn signer(key: &str) -> PrivateKeySigner {
    key.parse().expect("a key")
}

impl World {
    /// Starts everything and deploys the contract with one test token.
    pub(crate) async fn new() -> Self {
        Self::with(&AnvilOptions::default()).await
    }

    pub(crate) async fn with(options: &AnvilOptions) -> Self {
        Self::with_genesis(options, F::from(GENESIS)).await
    }

    /// With this root before the first batch.
    pub(crate) async fn with_genesis(options: &AnvilOptions, genesis: F) -> Self {
        let _ = tracing_subscriber::fmt().with_env_filter("sheaf_settlement=debug").with_test_writer().try_init();
        let dir = tempfile::tempdir().expect("a directory");
        let anvil = Anvil::start(dir.path(), options).unwrap_or_else(|error| panic!("{error}"));
        let database = TestDatabase::create();
        let pool = PgPoolOptions::new().max_connections(8).connect(database.url()).await.expect("connects");
        sqlx::migrate!("../migrations").run(&pool).await.expect("migrates");
        let simulator = Simulator::new(&[SLOTS]);
        let deployed = deploy(&request(&anvil.url(), &simulator, genesis)).await.expect("deploys");
        let l1 = L1 { provider: connect(&anvil.url()).expect("a URL"), chain_id: CHAIN_ID, contract: deployed.contract };
        let began = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        Self { pool, l1, anvil, deployed, dir, database, simulator, genesis, began }
    }

    pub(crate) fn request(&self) -> Request {
        request(&self.anvil.url(), &self.simulator, self.genesis)
    }

    pub(crate) fn config(&self, confirmations: u64) -> Config {
        Config {
            database_url: self.database.url().to_owned(),
            rpc_url: self.anvil.url(),
            chain_id: CHAIN_ID,
            contract: self.deployed.contract,
            start_block: self.deployed.block,
            confirmations,
            poll_ms: 50,
            log_range: 3,
            watch_only: false,
            operator_key_file: Some(self.key_file("operator", OPERATOR)),
            creditor_key_file: Some(self.key_file("creditor", CREDITOR)),
            fee_cap_gwei: 300,
            stuck_seconds: 1,
            submit_batches: 1,
            submit_after_seconds: 0,
            dear_gwei: 300,
            dear_wait_seconds: 0,
            funds_warning_days: 7,
            credit_chunk: 2,
            claim_for_owners: false,
            claim_minimums: vec![],
            proof_attempts_max: 5,
        }
    }

    fn key_file(&self, name: &str, key: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, format!("0x{key}\n")).expect("written");
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("it is ours");
        path
    }

    pub(crate) fn watcher(&self, confirmations: u64) -> Watcher {
        Watcher::new(&self.config(confirmations), self.pool.clone(), self.l1.clone())
    }

    pub(crate) fn sender(&self, key: &str, kind: &'static str) -> Sender {
        self.sender_capped(key, kind, 300_000_000_000)
    }

    fn sender_capped(&self, key: &str, kind: &'static str, fee_cap_wei: u128) -> Sender {
        let (stuck_after, poll) = (Duration::from_secs(1), Duration::from_millis(20));
        let policy = SendPolicy { fee_cap_wei, stuck_after, poll };
        Sender::new(self.pool.clone(), self.l1.clone(), signer(key), policy, kind)
    }

    pub(crate) fn submitter(&self) -> Submitter {
        self.submitter_at(self.config(0).call_policy())
    }

    /// A submitter that submits when this policy says so.
    pub(crate) fn submitter_at(&self, policy: CallPolicy) -> Submitter {
        Submitter::new(self.pool.clone(), self.l1.clone(), self.sender(OPERATOR, submitter::KIND), policy, 5)
    }

    /// A submitter that offers at most so much for gas.
    pub(crate) fn submitter_capped(&self, fee_cap_wei: u128) -> Submitter {
        let sender = self.sender_capped(OPERATOR, submitter::KIND, fee_cap_wei);
        Submitter::new(self.pool.clone(), self.l1.clone(), sender, self.config(0).call_policy(), 5)
    }

    pub(crate) fn creditor(&self, chunk: usize) -> Creditor {
        self.creditor_at(PayoutPolicy { chunk, ..self.config(0).payout_policy() })
    }

    /// A creditor that credits and claims when this policy says so.
    pub(crate) fn creditor_at(&self, policy: PayoutPolicy) -> Creditor {
        Creditor::new(self.pool.clone(), self.l1.clone(), self.sender(CREDITOR, creditor::KIND), policy)
    }

    /// Sets what a unit of gas costs.
    pub(crate) async fn base_fee(&self, wei: u128) {
        self.node("anvil_setNextBlockBaseFeePerGas", (U256::from(wei),)).await;
        self.mine(1).await;
    }

    /// The contract as an account sees it.
    pub(crate) fn sheaf(&self, key: &str) -> Sheaf::SheafInstance<DynProvider> {
        let wallet = EthereumWallet::from(signer(key));
        let provider = ProviderBuilder::new().with_simple_nonce_management().wallet(wallet);
        let provider = provider.connect_http(self.anvil.url().parse().expect("a URL")).erased();
        provider.client().set_poll_interval(Duration::from_millis(20));
        Sheaf::new(self.deployed.contract, provider)
    }

    /// Deposits ETH; answers the receipt.
    pub(crate) async fn deposit(&self, amount: u128) -> TransactionReceipt {
        let owner = owner_word(signer(USER).address());
        let sheaf = self.sheaf(USER);
        let call = sheaf.deposit(0, amount, owner, U256::from(5)).value(U256::from(amount + FEE));
        call.send().await.expect("sent").get_receipt().await.expect("in a block")
    }

    /// Calls a method of the node that has no answer of interest.
    pub(crate) async fn node<P: serde::Serialize + Clone + std::fmt::Debug + Send + Sync + Unpin + 'static>(
        &self,
        method: &'static str,
        parameters: P,
    ) -> String {
        let answer: Box<serde_json::value::RawValue> =
            self.l1.provider.raw_request(method.into(), parameters).await.expect(method);
        answer.get().trim_matches('"').to_owned()
    }

    /// Makes empty blocks.
    pub(crate) async fn mine(&self, blocks: u64) {
        self.node("anvil_mine", (U256::from(blocks),)).await;
    }

    /// Puts batch `number` of these operations into the database, as sequencer and prover leave it.
    pub(crate) async fn store(&self, number: u64, operations: &[Operation], proof: Proof) {
        self.store_at(number, operations, proof, self.began).await;
    }

    /// The same with a timestamp.
    pub(crate) async fn store_at(&self, number: u64, operations: &[Operation], proof: Proof, timestamp: u64) {
        let data = self.public_data(number, operations, timestamp);
        let c = commitment(&data);
        let proof = match proof {
            Proof::Right => Some(self.prove(&data)),
            Proof::Wrong => Some(self.simulator.prove(0, [c, c, c])),
            Proof::Missing => None,
        };
        let proof = proof.map(|proof| proof.map(|w| w.to_be_bytes::<32>()).concat());
        const STORE: &str = "
            INSERT INTO batches (number, status, timestamp, fee_account, shape, l1_count, op_count, old_root, new_root, ops,
                commitment, proof, proven_at)
            VALUES ($1, $2, $3, 1, 0, $4, $5, $6, $7, $8, $9, $10, CASE WHEN $10 IS NULL THEN NULL ELSE now() END)";
        sqlx::query(STORE)
            .bind(number as i64)
            .bind(if proof.is_some() { "proven" } else { "sealed" })
            .bind(i64::from(data.timestamp))
            .bind(rules::l1_count(operations) as i32)
            .bind(operations.len() as i32)
            .bind(field_to_bytes(data.old_root))
            .bind(field_to_bytes(data.new_root))
            .bind(rules::posted(operations))
            .bind(field_to_bytes(c))
            .bind(proof)
            .execute(&self.pool)
            .await
            .expect("the batch is stored");
        for (index, leaving) in rules::withdrawals(operations).iter().enumerate() {
            const LEAVE: &str = "INSERT INTO withdrawals (batch, index, position, recipient, token, amount) VALUES ($1, $2, $2, $3, $4, $5::numeric)";
            let bound = sqlx::query(LEAVE).bind(number as i64).bind(index as i32).bind(leaving.recipient.as_slice());
            let bound = bound.bind(i16::from(leaving.token.get())).bind(leaving.amount.to_string());
            bound.execute(&self.pool).await.expect("the withdrawal is stored");
        }
    }

    fn prove(&self, data: &PublicData) -> [U256; 8] {
        let shape = Shape { id: 0, slots: usize::from(SLOTS), leaf_rows: 0, node_rows: 0 };
        self.simulator.prove(0, data.public_inputs(&shape, commitment(data)).to_array())
    }

    /// Proves batch `number` of these operations, which is stored already, as a prover does.
    pub(crate) async fn prove_again(&self, number: u64, operations: &[Operation]) {
        let proof = self.prove(&self.public_data(number, operations, self.began)).map(|w| w.to_be_bytes::<32>()).concat();
        const STORE: &str = "
            WITH job AS (UPDATE proof_jobs SET status = 'done', attempts = attempts + 1, last_error = NULL
                         WHERE batch = $1 AND status = 'queued' RETURNING batch)
            UPDATE batches SET status = 'proven', proof = $2, proven_at = now() FROM job WHERE number = batch AND status = 'sealed'";
        let stored = sqlx::query(STORE).bind(number as i64).bind(proof).execute(&self.pool).await.expect("stored");
        assert_eq!(stored.rows_affected(), 1, "it waits for a proof");
    }

    fn public_data(&self, number: u64, operations: &[Operation], timestamp: u64) -> PublicData {
        PublicData {
            domain: rules::domain(CHAIN_ID, self.deployed.contract),
            old_root: F::from(GENESIS + number - 1),
            new_root: F::from(GENESIS + number),
            timestamp: u32::try_from(timestamp).expect("before 2106"),
            fee_account: AccountId::FIRST,
            operations: operations.to_vec(),
        }
    }

    /// A value from the database.
    pub(crate) async fn text(&self, query: &'static str) -> String {
        sqlx::query_scalar::<_, Option<String>>(query).fetch_one(&self.pool).await.expect(query).unwrap_or_default()
    }

    /// The statuses of a batch's withdrawals.
    pub(crate) async fn statuses(&self) -> String {
        self.text("SELECT string_agg(status, ' ' ORDER BY batch, index) FROM withdrawals").await
    }

    pub(crate) async fn batch_number(&self) -> u64 {
        self.l1.progress().await.expect("answers").batch
    }
}

fn request(rpc_url: &str, simulator: &Simulator, genesis: F) -> Request {
    let Sheaf::VerifyingKey { alpha, beta, gamma } = simulator.key();
    let shapes = simulator.shapes().into_iter().map(|s| ShapeWords { slots: s.slots, delta: s.delta, ic: s.ic });
    Request {
        rpc_url: rpc_url.to_owned(),
        chain_id: CHAIN_ID,
        admin: signer(ADMIN),
        operator: signer(OPERATOR).address(),
        genesis_root: u256_from_field(genesis),
        base_fee_wei: FEE,
        transcript: B256::ZERO,
        key: VerifyingKeyWords { alpha, beta, gamma },
        shapes: shapes.collect(),
        tokens: vec![],
        test_tokens: vec![("Test token".to_owned(), "TST".to_owned())],
    }
}

/// A commitment as good as any: what is proven is never looked at.
fn commitment(data: &PublicData) -> F {
    F::from_be_bytes_mod_order(keccak256(format!("{data:?}")).as_slice())
}

/// Looks at L1 until there is nothing more to take for now.
pub(crate) async fn look(watcher: &mut Watcher) {
    for _ in 0..1_000 {
        if watcher.look().await.unwrap_or_else(|error| panic!("{error}")) == Next::Wait {
            return;
        }
    }
    panic!("the watcher does not come to an end");
}

/// A withdrawal of ETH by account 2.
pub(crate) fn withdraw(recipient: Address, amount: u128) -> Operation {
    let amount = PackedAmount::encode(amount).expect("representable");
    let fee = PackedFee::encode(0).expect("representable");
    let from = AccountId::new(2).expect("in range");
    Operation::Withdraw { from, token: TokenId::ETH.word(), amount, fee, recipient }
}

/// A transfer of ETH, which differs from others by its amount.
pub(crate) fn transfer(amount: u128) -> Operation {
    let amount = PackedAmount::encode(amount).expect("representable");
    let fee = PackedFee::encode(0).expect("representable");
    let [from, to] = [2, 3].map(|id| AccountId::new(id).expect("in range"));
    Operation::Transfer { from, to, token: TokenId::ETH.word(), amount, fee }
}
