//! Honest batches, with proofs from the development keys' known secrets, on a shape of eight slots.

use alloy::primitives::{Address, U256};
use sheaf_circuits::evm::proof_to_evm;
use sheaf_circuits::keys::{DevelopmentTrapdoor, development_verifying_key};
use sheaf_circuits::prove::{Blinding, VerifyingKey};
use sheaf_circuits::simulator::simulate;
use sheaf_cli::verify::case::{Case, Deployment, Previous};
use sheaf_cli::verify::keys::Keys;
use sheaf_cli::verify::operations::QueueEntry;
use sheaf_contracts::Sheaf;
use sheaf_core::F;
use sheaf_core::amount::{PackedAmount, PackedFee};
use sheaf_core::batch::{PublicData, header};
use sheaf_core::geometry::Geometry;
use sheaf_core::l1::{domain, l1_count, posted, queue_preimage, withdrawals, withdrawals_hash};
use sheaf_core::operation::Operation;
use sheaf_core::shape::Shape;
use sheaf_core::types::{AccountId, TokenId, field_from_u256, u256_from_field};
use std::sync::OnceLock;

pub(crate) const SHAPE: Shape = Shape { id: 0, slots: 8, leaf_rows: 6, node_rows: 60 };
pub(crate) const CHAIN_ID: u64 = sheaf_devkit::anvil::CHAIN_ID;
/// Who deposits and leaves.
pub(crate) const USER: Address = alloy::primitives::address!("70997970C51812dc3A010C7d01b50e0d17dc79C8");
pub(crate) const DEPOSITED: u128 = 1_234_567;
pub(crate) const KEY_HASH: u64 = 99;
/// The account that leaves.
pub(crate) const LEAVER: u32 = 7;

/// The root before the first batch: that of the empty state.
pub(crate) fn genesis() -> F {
    field_from_u256(Previous::genesis().root).unwrap()
}

pub(crate) fn key() -> &'static VerifyingKey {
    static KEY: OnceLock<VerifyingKey> = OnceLock::new();
    KEY.get_or_init(|| development_verifying_key(Geometry::PROTOCOL, &SHAPE))
}

pub(crate) fn keys() -> Keys {
    Keys::of_shape(key(), SHAPE.slots as u16)
}

pub(crate) fn id(index: u32) -> AccountId {
    AccountId::new(index).unwrap()
}

/// One operation of each kind that pays, and both that the queue of [`queue`] has.
pub(crate) fn operations() -> Vec<Operation> {
    let token = TokenId::ETH.word();
    let (amount, fee) = (PackedAmount::encode(1_000).unwrap(), PackedFee::encode(10).unwrap());
    let (owner, key_hash) = (Address::repeat_byte(0x11), F::from(0x1234u64));
    vec![
        Operation::Deposit { account: id(5), token, amount: DEPOSITED, owner: USER, key_hash: F::from(KEY_HASH) },
        Operation::ForcedExit { account: id(LEAVER), token, amount: 321, caller: USER },
        Operation::Transfer { from: id(5), to: id(9), token, amount, fee },
        Operation::TransferNew { from: id(5), to: id(10), token, amount, fee, owner, key_hash },
        Operation::Withdraw { from: id(9), token, amount, fee, recipient: Address::repeat_byte(0x22) },
    ]
}

/// What the contract's queue has of [`operations`].
pub(crate) fn queue() -> Vec<QueueEntry> {
    operations().iter().filter_map(queue_preimage).collect()
}

/// Public data of a contract's batch.
pub(crate) fn data(contract: Address, [old_root, new_root]: [F; 2], timestamp: u32, operations: Vec<Operation>) -> PublicData {
    PublicData { domain: domain(CHAIN_ID, contract), old_root, new_root, timestamp, fee_account: id(1), operations }
}

/// The batch with its proof.
pub(crate) fn prove(data: &PublicData) -> Sheaf::Batch {
    prove_as(data, &SHAPE, key())
}

/// The same in any shape, of which this is the key.
pub(crate) fn prove_as(data: &PublicData, shape: &Shape, key: &VerifyingKey) -> Sheaf::Batch {
    let c = F::from(0xc0ffeeu64);
    let trapdoor = DevelopmentTrapdoor::of(Geometry::PROTOCOL, shape);
    let blinding = Blinding::from_seed([data.timestamp as u8; 32]);
    let proof = simulate(&trapdoor, key, &data.public_inputs(shape, c), blinding);
    Sheaf::Batch {
        shape: shape.id,
        header: header(data.timestamp, data.fee_account),
        oldRoot: u256_from_field(data.old_root),
        newRoot: u256_from_field(data.new_root),
        c: u256_from_field(c),
        l1Count: l1_count(&data.operations) as u16,
        opCount: data.operations.len() as u16,
        ops: posted(&data.operations).into(),
        proof: proof_to_evm(&proof),
    }
}

pub(crate) fn deployment(contract: Address) -> Deployment {
    Deployment { chain_id: CHAIN_ID, contract, keys: keys() }
}

/// A contract's first batch, with all that L1 tells of it.
pub(crate) fn case(contract: Address, timestamp: u32, block_timestamp: u64) -> Case {
    let data = data(contract, [genesis(), F::from(8)], timestamp, operations());
    Case {
        number: Some(1),
        asked: Some(1),
        domain: Some(u256_from_field(data.domain)),
        decoded: Some(data.operations.iter().map(sheaf_api::model::Operation::from).collect()),
        previous: Some(Previous { number: Some(0), root: u256_from_field(genesis()), timestamp: timestamp - 10 }),
        queue: Some(queue()),
        block_timestamp: Some(block_timestamp),
        withdrawals_hash: Some(withdrawals_hash(&withdrawals(&data.operations))),
        settled: None,
        between: None,
        batch: prove(&data),
    }
}

/// The fields of a batch in which single bytes are changed, with their bytes.
pub(crate) const FIELDS: [&str; 9] = ["shape", "header", "oldRoot", "newRoot", "c", "l1Count", "opCount", "ops", "proof"];

/// How many bytes a field has.
pub(crate) fn width(batch: &Sheaf::Batch, field: &str) -> usize {
    match field {
        "shape" => 1,
        "header" => 8,
        "oldRoot" | "newRoot" | "c" => 32,
        "l1Count" | "opCount" => 2,
        "ops" => batch.ops.len(),
        "proof" => 256,
        other => panic!("a batch has no field {other}"),
    }
}

/// The batch with byte `at` of a field, counted from its first (highest) one, changed by `mask`.
pub(crate) fn changed(honest: &Sheaf::Batch, field: &str, at: usize, mask: u8) -> Sheaf::Batch {
    let mut batch = honest.clone();
    let flip = |word: &mut U256, at: usize| *word ^= U256::from(mask) << (8 * (31 - at));
    match field {
        "shape" => batch.shape ^= mask,
        "header" => batch.header ^= u64::from(mask) << (8 * (7 - at)),
        "oldRoot" => flip(&mut batch.oldRoot, at),
        "newRoot" => flip(&mut batch.newRoot, at),
        "c" => flip(&mut batch.c, at),
        "l1Count" => batch.l1Count ^= u16::from(mask) << (8 * (1 - at)),
        "opCount" => batch.opCount ^= u16::from(mask) << (8 * (1 - at)),
        "ops" => {
            let mut ops = batch.ops.to_vec();
            ops[at] ^= mask;
            batch.ops = ops.into();
        }
        "proof" => flip(&mut batch.proof[at / 32], at % 32),
        other => panic!("a batch has no field {other}"),
    }
    batch
}
