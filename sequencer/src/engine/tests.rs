//! The engine against a plain model: random operations, and the same accounts, refusals and sums.

mod mirror;
mod model;
mod replay;
mod single;
mod windows;

use super::{Engine, Resume, Verified};
use crate::batcher::OpenBatch;
use crate::block::BlockRecord;
use crate::config::Config;
use crate::state::State;
use crate::types::{BatchNumber, BlockNumber};
use alloy_primitives::Address;
use ark_ff::Zero;
use model::Model;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use sheaf_core::F;
use sheaf_core::amount::{PackedAmount, PackedFee};
use sheaf_core::eddsa::SecretKey;
use sheaf_core::operation::Operation;
use sheaf_core::trace::SlotInput;
use sheaf_core::transaction::{Pair, Payload, Target, Transaction};
use sheaf_core::types::{AccountId, TokenId, field_to_bytes};
use std::collections::{BTreeMap, VecDeque};

const DEPTH: u32 = 5;
const CAPACITY: u32 = 16;
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

    fn pairs(&self) -> impl Iterator<Item = Pair> + '_ {
        let of =
            |owner: &Address| self.keys.iter().map(|key| Pair { owner: *owner, key_hash: key.public_key().key_hash() }).collect();
        self.owners.iter().flat_map(move |owner| -> Vec<Pair> { of(owner) })
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
        "shapes": [
            {"id": 0, "slots": 2, "leaf_rows": 8, "node_rows": 24}, {"id": 1, "slots": 2, "leaf_rows": 12, "node_rows": 32},
            {"id": 2, "slots": 5, "leaf_rows": 16, "node_rows": 40}],
        "receipt_key_file": "receipt.key", "fee_owner": operator.owner, "fee_key_hash": alloy_primitives::B256::from(field_to_bytes(operator.key_hash)),
        "minimum_fees": [{"token": 0, "transfer": "2", "transfer_new": "5", "withdraw": "3"}], "l1_wait_ms": 0,
    }))
    .unwrap()
}

fn resume(config: &Config) -> Resume {
    let rules = Engine::rules(config);
    Resume {
        state: State::new(rules.geometry, config.operator(), rules.fee_account),
        open: OpenBatch::new(rules.clone(), BatchNumber::FIRST, 0),
        last_block: BlockNumber(0),
        next_l1: 0,
        tokens: TOKENS.map(token).into(),
        batch_is_stored: false,
        replays: VecDeque::new(),
    }
}

fn engine(config: &Config) -> Engine {
    Engine::new(config.clone(), resume(config))
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

/// A transaction of somebody who has signed `planned` more since the model's state.
fn random_transaction(
    world: &World,
    model: &Model,
    planned: &BTreeMap<AccountId, u64>,
    now: u32,
    rng: &mut ChaCha8Rng,
) -> Verified {
    let from = id(rng.random_range(0..CAPACITY));
    let mut sender = model.account(from);
    sender.nonce += planned.get(&from).copied().unwrap_or(0);
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

/// The operations of a block in the order of execution.
fn operations(block: &BlockRecord) -> Vec<(BatchNumber, u32, SlotInput)> {
    let transactions = block.transactions.iter().map(|r| {
        let signature = Some(r.transaction.slot_signature());
        (r.batch, r.position, SlotInput { operation: r.operation, signature })
    });
    let l1 = block.l1.iter().map(|r| (r.batch, r.position, SlotInput { operation: r.operation, signature: None }));
    let mut all: Vec<_> = l1.chain(transactions).collect();
    all.sort_by_key(|(batch, position, _)| (*batch, *position));
    all
}
