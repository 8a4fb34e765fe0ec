//! The engine against a plain model: random operations, and after each of them the same accounts, refusals and sums.

mod model;

use super::{Engine, L1Entry, Resume, Verified};
use crate::batcher::OpenBatch;
use crate::block::BlockRecord;
use crate::config::Config;
use crate::state::State;
use crate::types::{BatchNumber, BlockNumber};
use alloy_primitives::Address;
use ark_ff::Zero;
use model::Model;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sheaf_core::F;
use sheaf_core::amount::{PackedAmount, PackedFee};
use sheaf_core::eddsa::SecretKey;
use sheaf_core::geometry::Geometry;
use sheaf_core::l1::queue_preimage;
use sheaf_core::operation::Operation;
use sheaf_core::slot::SlotSignature;
use sheaf_core::trace::{BatchHeader, SlotInput, build};
use sheaf_core::transaction::{Pair, Payload, Target, Transaction};
use sheaf_core::tree::Tree;
use sheaf_core::types::{AccountId, FIRST_BALANCE_WORD, TokenId, field_from_address, field_to_bytes};
use std::collections::BTreeMap;
use std::time::Instant;

const DEPTH: u32 = 5;
const CAPACITY: u32 = 16;
const STEPS: usize = 400;
const SEEDS: u64 = 12;
const TOKENS: [u8; 3] = [0, 5, 40];

fn id(index: u32) -> AccountId {
    AccountId::new(index).unwrap()
}

fn token(number: u8) -> TokenId {
    TokenId::new(number).unwrap()
}

/// A few people with a few keys each, so that pairs meet often.
struct World {
    owners: Vec<Address>,
    keys: Vec<SecretKey>,
}

impl World {
    fn new() -> Self {
        let owners = (1..=4).map(Address::repeat_byte).collect();
        Self { owners, keys: (1..=4).map(|n| SecretKey::from_seed(&[n; 32])).collect() }
    }

    fn pair(&self, rng: &mut ChaCha8Rng) -> Pair {
        let (owner, key) = (rng.random_range(0..self.owners.len()), rng.random_range(0..self.keys.len()));
        Pair { owner: self.owners[owner], key_hash: self.keys[key].public_key().key_hash() }
    }

    fn operator(&self) -> Pair {
        Pair { owner: self.owners[0], key_hash: self.keys[0].public_key().key_hash() }
    }
}

fn config(world: &World) -> Config {
    let operator = world.operator();
    serde_json::from_value(serde_json::json!({
        "database_url": "", "listen": "127.0.0.1:0", "chain_id": 1, "contract": Address::repeat_byte(7), "depth": DEPTH,
        "shape": {"id": 0, "slots": 5, "leaf_rows": 16, "node_rows": 40},
        "receipt_key_file": "receipt.key", "fee_owner": operator.owner, "fee_key_hash": alloy_primitives::B256::from(field_to_bytes(operator.key_hash)),
        "minimum_fees": [{"token": 0, "transfer": "2", "transfer_new": "5", "withdraw": "3"}], "l1_wait_ms": 0,
    }))
    .unwrap()
}

fn engine(config: &Config) -> Engine {
    let rules = Engine::rules(config);
    let resume = Resume {
        state: State::new(rules.geometry, config.operator(), rules.fee_account),
        open: OpenBatch::new(rules, BatchNumber::FIRST, 0),
        last_block: BlockNumber(0),
        next_l1: 0,
        tokens: TOKENS.map(token).into(),
        batch_is_stored: false,
    };
    Engine::new(config.clone(), resume)
}

fn random_entry(world: &World, rng: &mut ChaCha8Rng) -> Operation {
    let account = id(rng.random_range(0..CAPACITY));
    let word = token(TOKENS[rng.random_range(0..TOKENS.len())]).word();
    let caller = world.owners[rng.random_range(0..world.owners.len())];
    match rng.random_range(0..10) {
        0..6 => {
            let Pair { owner, key_hash } = world.pair(rng);
            let amount = if rng.random_bool(0.05) { u128::MAX - rng.random_range(0..9) } else { rng.random_range(1..100_000) };
            Operation::Deposit { account: id(0), token: word, amount, owner, key_hash }
        }
        6..8 => Operation::SetKey { account, caller, key_hash: world.pair(rng).key_hash },
        _ => Operation::ForcedExit { account, token: word, amount: 0, caller },
    }
}

fn random_transaction(world: &World, model: &Model, now: u32, rng: &mut ChaCha8Rng) -> Verified {
    let from = id(rng.random_range(0..CAPACITY));
    let sender = model.account(from);
    let chosen = token(TOKENS[rng.random_range(0..TOKENS.len())]);
    let own = world.keys.iter().find(|k| k.public_key().key_hash() == sender.key_hash).filter(|_| rng.random_bool(0.95));
    let key = own.unwrap_or(&world.keys[rng.random_range(0..world.keys.len())]);
    let nonce = match rng.random_range(0..20) {
        0 => sender.nonce + 1,
        1 => sender.nonce.saturating_sub(1),
        _ => sender.nonce,
    };
    let expires = match rng.random_range(0..20) {
        0 => now - 1_000_000,
        1 => now + 1_000_000,
        _ => now + 80_000,
    };
    let most = sender.balance(chosen).min(1 << 30) + u128::from(rng.random_bool(0.1));
    let amount = if rng.random_bool(0.1) { most } else { rng.random_range(0..=most) / 2 };
    let target = if rng.random_bool(0.2) { Target::L1(Address::repeat_byte(0x77)) } else { Target::Account(world.pair(rng)) };
    let payload = Payload {
        from,
        nonce,
        expires,
        token: if rng.random_bool(0.02) { token(9) } else { chosen },
        amount: PackedAmount::encode(amount).unwrap(),
        fee: PackedFee::encode(rng.random_range(0..9)).unwrap(),
        target,
    };
    // The engine takes signatures as verified; making them would take most of the test's time.
    let signature = world.keys[0].sign(F::zero());
    let transaction = Transaction { payload, public_key: key.public_key(), signature };
    Verified { transaction, hash: rng.random(), signed: transaction.signed() }
}

/// What Postgres and the builder would have after the blocks so far.
struct Mirror {
    words: BTreeMap<u32, F>,
    tree: Tree,
    sealed: BTreeMap<u64, (u32, Vec<(u32, SlotInput)>)>,
    built: u64,
}

impl Mirror {
    fn take(&mut self, block: BlockRecord, config: &Config) {
        let address = |account: AccountId, word| Geometry::new(DEPTH).address(account.get(), word);
        for row in &block.accounts {
            self.words.insert(address(row.id, 0), row.key_hash);
            self.words.insert(address(row.id, 1), F::from(row.nonce));
            self.words.insert(address(row.id, 2), field_from_address(row.owner));
        }
        for row in &block.balances {
            self.words.insert(address(row.account, FIRST_BALANCE_WORD + u32::from(row.token.get())), F::from(row.amount));
        }
        let transactions = block.transactions.iter().map(|r| {
            let t = r.transaction;
            let signature = SlotSignature { public_key: t.public_key, signature: t.signature, expires: t.payload.expires };
            (r.batch, r.position, SlotInput { operation: r.operation, signature: Some(signature) })
        });
        let l1 = block.l1.iter().map(|r| (r.batch, r.position, SlotInput { operation: r.operation, signature: None }));
        for (batch, position, input) in l1.chain(transactions) {
            self.sealed.entry(batch.0).or_default().1.push((position, input));
        }
        for batch in block.batches {
            let known = self.sealed.entry(batch.number.0).or_default();
            assert_eq!(batch.op_count as usize, known.1.len());
            known.0 = batch.timestamp;
            if batch.sealed {
                self.built += 1;
                assert_eq!(batch.number.0, self.built, "batches are sealed in order");
                let mut slots = known.1.clone();
                slots.sort_by_key(|(position, _)| *position);
                assert!(slots.iter().enumerate().all(|(i, (position, _))| i as u32 == *position), "positions have no gaps");
                let inputs: Vec<_> = slots.into_iter().map(|(_, input)| input).collect();
                let domain = Engine::rules(config).domain;
                let header = BatchHeader { domain, timestamp: batch.timestamp, fee_account: Config::FEE_ACCOUNT };
                build(&mut self.tree, config.shape, header, &inputs).expect("a sealed batch can be built");
            }
        }
    }
}

fn run(seed: u64, outcomes: &mut BTreeMap<String, u32>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let world = World::new();
    let config = config(&world);
    let (mut engine, mut model) = (engine(&config), Model::new(world.operator(), CAPACITY));
    let tree = Tree::new(Geometry::new(DEPTH));
    let mut mirror = Mirror { words: BTreeMap::new(), tree, sealed: BTreeMap::new(), built: 0 };
    let (mut now, mut entries) = (1_700_000_000, 0);
    for _ in 0..STEPS {
        now += rng.random_range(0..3);
        let outcome = if rng.random_bool(0.3) {
            let operation = random_entry(&world, &mut rng);
            let entry = L1Entry::read(entries, queue_preimage(&operation).unwrap(), Geometry::new(DEPTH)).unwrap();
            entries += 1;
            engine.offer_l1(entry).unwrap();
            engine.tick(now, Instant::now());
            model.apply(&operation)
        } else {
            let verified = random_transaction(&world, &model, now, &mut rng);
            let expected = model.execute(&verified.transaction.payload, verified.signed.key_hash, now);
            let found = engine.execute(&verified, now);
            let code = found.as_ref().map_or_else(|refusal| refusal.code(), |_| "executed");
            assert_eq!(code, expected.unwrap_or_else(|code| code), "{:?}: {found:?}", verified.transaction.payload);
            code
        };
        *outcomes.entry(outcome.to_owned()).or_default() += 1;
        model.compare(engine.state());
        if rng.random_bool(0.2) {
            engine.cut().into_iter().for_each(|block| mirror.take(block, &config));
        }
    }
    if engine.open().op_count() > 0 {
        engine.seal(now);
    }
    engine.cut().into_iter().for_each(|block| mirror.take(block, &config));
    let words = mirror.words.into_iter().filter(|(_, value)| !value.is_zero());
    assert_eq!(Tree::from_words(Geometry::new(DEPTH), words).root(), mirror.tree.root(), "rows and batches agree");
}

#[test]
fn random_operations_do_what_the_model_says_and_keep_every_sum() {
    let mut outcomes = BTreeMap::new();
    for seed in 0..SEEDS {
        println!("seed {seed}");
        run(seed, &mut outcomes);
    }
    println!("{outcomes:?}");
    let all = [
        "deposited",
        "created",
        "refunded",
        "key_set",
        "key_kept",
        "exited",
        "stranger",
        "executed",
        "unknown_account",
        "wrong_key",
        "nonce_gap",
        "nonce_too_old",
        "expired",
        "expires_too_far",
        "unknown_token",
        "fee_too_small",
        "insufficient_balance",
        "receiver_retired",
        "no_free_account",
    ];
    for outcome in all {
        assert!(outcomes.get(outcome).is_some_and(|n| *n > 0), "no case of {outcome}");
    }
}
