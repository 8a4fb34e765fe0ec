//! Runs a batch's operations on a tree.

use super::rows::{RowHashes, Rows};
use super::{BatchWitness, SlotTrace, Trace};
use crate::F;
use crate::batch::{PublicData, commitment};
use crate::geometry::Geometry;
use crate::operation::Operation;
use crate::shape::Shape;
use crate::slot::{Context, Memory, PORTS, Port, Signed, SlotError, SlotSignature, check, evaluate, signed_parts};
use crate::tree::{Overlay, Tree};
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap, HashSet};

/// An operation with the signature that allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotInput {
    /// What happens.
    pub operation: Operation,
    /// Who signed it, for L2 operations.
    pub signature: Option<SlotSignature>,
}

/// Why a batch can't be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// An operation is refused by the slot function.
    #[error("operation {index}: {source}")]
    Slot {
        /// Position in the batch.
        index: usize,
        /// Why.
        source: SlotError,
    },
    /// More slots or rows than the shape has.
    #[error("the batch overflows its shape: {0}")]
    Overflow(&'static str),
    /// An L1 operation stands behind an L2 operation.
    #[error("an L1 operation stands behind an L2 operation")]
    Order,
}

/// What the batch starts from, besides the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// The chain and contract.
    pub domain: F,
    /// The batch's time, unix seconds.
    pub timestamp: u32,
    /// The account that fees go to.
    pub fee_account: crate::types::AccountId,
}

/// A batch that lacks only its commitment.
#[derive(Clone, Debug)]
pub struct Draft {
    geometry: Geometry,
    shape: Shape,
    public: PublicData,
    trace: Trace,
    hashes: RowHashes,
    signatures: Vec<Option<SlotSignature>>,
}

impl Draft {
    /// The batch's public data.
    pub const fn public(&self) -> &PublicData {
        &self.public
    }

    /// Computes the commitment `c`: one thread's work, a permutation for every 15 words.
    pub fn commit(self) -> BatchWitness {
        let Self { geometry, shape, public, trace, hashes, signatures } = self;
        let c = commitment(&public.words(shape.slots), &trace.words_with(geometry, &shape, &hashes));
        BatchWitness { geometry, shape, public, trace, signatures, c }
    }
}

/// Builds a batch on `tree` and moves the tree to the state after it.
///
/// Every check of the slot function runs again here, signatures apart.
///
/// # Errors
/// [`BuildError`]; the tree is then unchanged.
pub fn build(tree: &mut Tree, shape: Shape, header: BatchHeader, inputs: &[SlotInput]) -> Result<BatchWitness, BuildError> {
    draft(tree, shape, header, inputs).map(Draft::commit)
}

/// [`build`] up to the commitment, which needs no tree and can be computed while the next batch is drafted.
///
/// # Errors
/// [`BuildError`]; the tree is then unchanged.
pub fn draft(tree: &mut Tree, shape: Shape, header: BatchHeader, inputs: &[SlotInput]) -> Result<Draft, BuildError> {
    draft_with(tree, shape, header, inputs, true)
}

/// [`build`] without any check of the slot function: makes the consistent trace of a batch that the
/// rules forbid, for tests of the circuit.
///
/// # Errors
/// [`BuildError::Overflow`].
pub fn build_unchecked(
    tree: &mut Tree,
    shape: Shape,
    header: BatchHeader,
    inputs: &[SlotInput],
) -> Result<BatchWitness, BuildError> {
    draft_with(tree, shape, header, inputs, false).map(Draft::commit)
}

/// Moves `tree` over the operations of a batch that was built before, and gives its new root.
///
/// For whoever follows built batches: only the order is checked, the rest shows when the root is compared with the batch's.
///
/// # Errors
/// [`BuildError::Order`]; the tree is then unchanged.
///
/// # Panics
/// If an account is outside of the geometry.
pub fn advance(tree: &mut Tree, header: BatchHeader, operations: &[Operation]) -> Result<F, BuildError> {
    check_order(operations)?;
    let BatchHeader { domain, timestamp, fee_account } = header;
    let ctx = Context { geometry: tree.geometry(), domain, timestamp, fee_account };
    let mut memory = Overlay::new(tree);
    for operation in operations {
        evaluate(&ctx, operation, &mut memory);
    }
    let changes = memory.into_changes();
    tree.update(changes);
    Ok(tree.root())
}

fn draft_with(
    tree: &mut Tree,
    shape: Shape,
    header: BatchHeader,
    inputs: &[SlotInput],
    checked: bool,
) -> Result<Draft, BuildError> {
    if inputs.len() > shape.slots {
        return Err(BuildError::Overflow("slots"));
    }
    let geometry = tree.geometry();
    let operations: Vec<_> = inputs.iter().map(|i| i.operation).collect();
    if checked {
        check_order(&operations)?;
    }
    let BatchHeader { domain, timestamp, fee_account } = header;
    let mut public = PublicData { domain, old_root: tree.root(), new_root: tree.root(), timestamp, fee_account, operations };
    let ctx = public.context(geometry);
    let mut memory = Overlay::new(tree);
    let mut clock = Clock::default();
    let padding = std::iter::repeat_n(&Operation::Noop, shape.slots - inputs.len());
    let ports: Vec<_> = public.operations.iter().chain(padding).map(|op| evaluate(&ctx, op, &mut memory)).collect();
    if checked {
        recheck(&ctx, inputs, &ports)?;
    }
    let slots = ports.iter().map(|ports| SlotTrace { old: ports.map(|p| p.old), gaps: clock.tick(ports) }).collect();
    let touched: Vec<_> = clock.last_write.keys().map(|address| (*address, memory.read(*address))).collect();
    let (leaves, nodes, hashes) = Rows::of_update(tree, &shape, &touched, &clock.last_write)?;
    public.new_root = tree.root();
    let signatures = inputs.iter().map(|i| i.signature).collect();
    Ok(Draft { geometry, shape, public, trace: Trace { slots, leaves, nodes }, hashes, signatures })
}

/// Operations from L1 come first.
fn check_order(operations: &[Operation]) -> Result<(), BuildError> {
    let behind = &operations[crate::l1::l1_count(operations)..];
    if behind.iter().all(|o| o.code().is_l2()) { Ok(()) } else { Err(BuildError::Order) }
}

/// The slot function's checks, with the signatures taken as verified.
fn recheck(ctx: &Context, inputs: &[SlotInput], ports: &[[Port; PORTS]]) -> Result<(), BuildError> {
    // Hashing the keys is what takes time: each is hashed once.
    let keys: HashSet<_> = inputs.iter().filter_map(|i| i.signature.map(|s| s.public_key)).collect();
    let key_hashes: HashMap<_, _> = keys.into_par_iter().map(|key| (key, key.key_hash())).collect();
    for (index, (input, ports)) in inputs.iter().zip(ports).enumerate() {
        let signed = input.signature.map(|s| {
            let [_, a1, a2] = signed_parts(&input.operation, ports);
            Signed { key_hash: key_hashes[&s.public_key], nonce: ports[1].old, expires: s.expires, target: [a1, a2] }
        });
        check(ctx, &input.operation, ports, signed.as_ref()).map_err(|source| BuildError::Slot { index, source })?;
    }
    Ok(())
}

/// Time of the last write of each address.
#[derive(Default)]
struct Clock {
    now: u32,
    last_write: BTreeMap<u32, u32>,
}

impl Clock {
    /// Advances over the ports of a slot, and gives each port's gap since the last write.
    fn tick(&mut self, ports: &[Port; PORTS]) -> [u32; PORTS] {
        ports.map(|port| {
            self.now += 1;
            let last = self.last_write.insert(port.address, self.now).unwrap_or(0);
            self.now - 1 - last
        })
    }
}
