//! Blocks into a real database and the state out of it.

mod cost;
mod migration;
mod million;

use super::*;
use crate::block::{AccountRow, BalanceRow, BatchRow, BlockRecord, TransactionRow, UndoRow};
use crate::builder::{Base, BaseWords};
use crate::config::Config;
use crate::engine::Engine;
use crate::environment::Environment;
use crate::signer::{SignedBlock, Signer};
use crate::types::{BatchNumber, BlockNumber};
use alloy_primitives::Address;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sheaf_core::F;
use sheaf_core::amount::{PackedAmount, PackedFee};
use sheaf_core::eddsa::SecretKey;
use sheaf_core::operation::Operation;
use sheaf_core::transaction::{Pair, Payload, Target, Transaction};
use sheaf_core::types::{AccountId, FIRST_BALANCE_WORD, NONCE_WORD, TokenId, field_to_bytes};
use sheaf_devkit::postgres::TestDatabase;
use sqlx::{ConnectOptions, PgConnection};
use std::collections::BTreeMap;

fn id(index: u32) -> AccountId {
    AccountId::new(index).unwrap()
}

fn token(number: u8) -> TokenId {
    TokenId::new(number).unwrap()
}

fn config() -> Config {
    serde_json::from_value(serde_json::json!({
        "database_url": "", "listen": "127.0.0.1:0", "chain_id": 1, "contract": Address::repeat_byte(7),
        "receipt_key_file": sheaf_devkit::keys::receipt_key(), "fee_owner": Address::repeat_byte(1),
        "fee_key_hash": alloy_primitives::B256::from(field_to_bytes(F::from(9u64))),
    }))
    .unwrap()
}

/// A database with a writing connection.
struct Place {
    config: Config,
    signer: Signer,
    pool: PgPool,
    writer: PgConnection,
    epoch: i64,
}

impl Place {
    async fn new(url: &str) -> Self {
        let pool = connect(url).await.unwrap();
        migrate(&pool).await.unwrap();
        let mut writer = connect_options(url).unwrap().connect().await.unwrap();
        let config = config();
        let signer = Signer::load(&config.receipt_key_file, config.chain_id, config.contract).unwrap();
        let epoch = begin_epoch(&mut writer, &Identity::of(&config)).await.unwrap();
        Self { config, signer, pool, writer, epoch }
    }

    async fn commit(&mut self, block: &BlockRecord) -> Result<SignedBlock, StoreError> {
        let signed = self.signer.sign_block(block);
        commit_block(&mut self.writer, block, &signed, self.epoch, &Environment::system()).await?;
        Ok(signed)
    }

    async fn load(&mut self) -> Loaded {
        let rules = Engine::rules(&self.config);
        let mut tx = snapshot(&mut self.writer).await.unwrap();
        load_state(&mut tx, &rules, self.config.operator(), &|_, _| ()).await.unwrap()
    }

    async fn fold(&self) {
        checkpoint(&self.pool, self.epoch, &Environment::system()).await.unwrap();
    }
}

/// A transfer, signed by somebody.
fn sample() -> (Transaction, Operation) {
    let key = SecretKey::from_seed(&[3; 32]);
    let (amount, fee) = (PackedAmount::encode(123_456_000).unwrap(), PackedFee::encode(50).unwrap());
    let target = Target::Account(Pair { owner: Address::repeat_byte(5), key_hash: F::from(77u64) });
    let payload = Payload { from: id(2), nonce: 7, expires: 1 << 31, token: token(0), amount, fee, target };
    let operation = Operation::Transfer { from: id(2), to: id(3), token: token(0).word(), amount, fee };
    (payload.sign(F::from(1u64), &key), operation)
}

/// What a state should be.
#[derive(Default)]
struct Model {
    owners: BTreeMap<u32, (F, Address)>,
    words: BTreeMap<(u32, u8), u128>,
}

impl Model {
    /// A block that changes accounts below `accounts` at random.
    fn block(&mut self, rng: &mut ChaCha8Rng, number: u64, accounts: u32) -> BlockRecord {
        let mut block = BlockRecord {
            number: BlockNumber(number),
            batches: vec![BatchRow { number: BatchNumber(1), timestamp: 1, sealed: false, shape: 0, l1_count: 0, op_count: 0 }],
            transactions: Vec::new(),
            l1: Vec::new(),
            accounts: Vec::new(),
            balances: Vec::new(),
            retired: Vec::new(),
            undo: vec![UndoRow { batch: BatchNumber(1), address: number as u32, old: F::from(number) }],
            replayed_to: None,
            dropped: Vec::new(),
        };
        let some: std::collections::BTreeSet<u32> = (0..20).map(|_| rng.random_range(2..accounts)).collect();
        for account in some {
            let existed = self.owners.contains_key(&account);
            let (key_hash, owner) = *self
                .owners
                .entry(account)
                .or_insert_with(|| (F::from(account) + F::from(1u64), Address::repeat_byte(account as u8)));
            let nonce = self.words.get(&(account, NONCE_WORD as u8)).copied().unwrap_or(0) + u128::from(existed);
            self.words.insert((account, NONCE_WORD as u8), nonce);
            block.accounts.push(AccountRow { id: id(account), key_hash, owner, nonce: nonce as u64, existed });
            let number = rng.random_range(0..3) * 20;
            let amount = if rng.random_ratio(1, 4) { 0 } else { rng.random::<u128>() >> rng.random_range(3..128u32) };
            self.words.insert((account, number + FIRST_BALANCE_WORD as u8), amount);
            block.balances.push(BalanceRow { account: id(account), token: token(number), amount });
        }
        block
    }

    fn check(&self, loaded: &Loaded, accounts: u32) {
        for account in 2..accounts {
            let found = loaded.state.account(id(account));
            let (key_hash, owner) = self.owners.get(&account).copied().unwrap_or_default();
            let nonce = self.words.get(&(account, NONCE_WORD as u8)).copied().unwrap_or(0) as u64;
            assert_eq!((found.key_hash, found.owner, found.nonce), (key_hash, owner, nonce), "account {account}");
            for number in 0..61 {
                let amount = self.words.get(&(account, number + FIRST_BALANCE_WORD as u8)).copied().unwrap_or(0);
                assert_eq!(loaded.state.balance(id(account), token(number)), amount, "account {account}, token {number}");
            }
        }
    }

    /// What the reader for others should give.
    fn holdings(&self, account: u32) -> Holdings {
        let mut holdings = Holdings::default();
        for ((_, word), value) in self.words.range((account, 0)..(account + 1, 0)) {
            match word.checked_sub(FIRST_BALANCE_WORD as u8) {
                None => holdings.nonce = *value as u64,
                Some(_) if *value == 0 => {}
                Some(number) => drop(holdings.balances.insert(token(number), *value)),
            }
        }
        holdings
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_comes_back_whatever_is_folded_when() {
    let database = TestDatabase::create();
    let mut place = Place::new(database.url()).await;
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let (mut model, accounts) = (Model::default(), 1_000);
    let (followed, everybody) = (Balances::default(), (2..accounts).map(id).collect::<Vec<_>>());
    for number in 1..=60 {
        let block = model.block(&mut rng, number, accounts);
        place.commit(&block).await.unwrap();
        if rng.random_ratio(1, 6) {
            place.fold().await;
            assert_eq!(log_size(&place.pool).await.unwrap().blocks, 0);
        }
        if rng.random_ratio(1, 4) {
            let loaded = place.load().await;
            assert_eq!(loaded.block, BlockNumber(number));
            model.check(&loaded, accounts);
        }
        if rng.random_ratio(1, 3) {
            let wanted: Vec<_> = (2..accounts).map(|account| model.holdings(account)).collect();
            assert_eq!(followed.read(&place.pool, &everybody).await.unwrap(), wanted, "a reader that saw earlier blocks");
            assert_eq!(Balances::default().read(&place.pool, &everybody).await.unwrap(), wanted, "a new reader");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fold_that_was_cut_off_harms_nothing() {
    let database = TestDatabase::create();
    let mut place = Place::new(database.url()).await;
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    let (mut model, accounts) = (Model::default(), 2_000);
    for number in 1..=30 {
        let block = model.block(&mut rng, number, accounts);
        place.commit(&block).await.unwrap();
    }
    // Some chunks are at block 30, some not there at all, and the log is whole.
    let log: Vec<(i64, Vec<u8>)> = sqlx::query_as("SELECT block, words FROM state_changes").fetch_all(&place.pool).await.unwrap();
    place.fold().await;
    sqlx::query("DELETE FROM state_chunks WHERE chunk % 2 = 1").execute(&place.pool).await.unwrap();
    for (block, words) in log {
        let query = "INSERT INTO state_changes (block, words) VALUES ($1, $2)";
        sqlx::query(query).bind(block).bind(words).execute(&place.pool).await.unwrap();
    }
    model.check(&place.load().await, accounts);
    let block = model.block(&mut rng, 31, accounts);
    place.commit(&block).await.unwrap();
    model.check(&place.load().await, accounts);
    place.fold().await;
    model.check(&place.load().await, accounts);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_latest_epoch_writes_and_a_block_is_written_once() {
    let database = TestDatabase::create();
    let mut place = Place::new(database.url()).await;
    let mut rng = ChaCha8Rng::seed_from_u64(13);
    let mut block = Model::default().block(&mut rng, 1, 50);
    let (transaction, operation) = sample();
    block.transactions = (0..3)
        .map(|position| TransactionRow { hash: [position as u8; 32], transaction, operation, batch: BatchNumber(1), position })
        .collect();
    let signed = place.commit(&block).await.unwrap();
    place.commit(&block).await.unwrap();
    let query = "SELECT count(*) FROM transactions WHERE block = 1 AND amount = 123456000 AND fee = 50 AND receiver = 3";
    let count: i64 = sqlx::query_scalar(query).fetch_one(&place.pool).await.unwrap();
    assert_eq!(count, 3);
    let query = "SELECT receipts_root, signature FROM blocks";
    let stored: (Vec<u8>, Vec<u8>) = sqlx::query_as(query).fetch_one(&place.pool).await.unwrap();
    assert_eq!(stored, (signed.root().to_vec(), signed.signature().to_vec()));
    let slots = {
        let mut connection = place.pool.acquire().await.unwrap();
        build::load_slots(&mut connection, BatchNumber(1)).await.unwrap()
    };
    assert!(slots.iter().all(|slot| slot.operation == operation && slot.signature.unwrap().expires == 1 << 31));
    begin_epoch(&mut place.pool.acquire().await.unwrap(), &Identity::of(&place.config)).await.unwrap();
    block.number = BlockNumber(2);
    assert!(matches!(place.commit(&block).await, Err(StoreError::Fenced)));
    let folding = checkpoint(&place.pool, place.epoch, &Environment::system()).await;
    assert!(matches!(folding, Err(StoreError::Fenced)));
    assert_eq!(log_size(&place.pool).await.unwrap().blocks, 1);
}
