//! The private trace of a batch: what the memory and tree checks take as advice, made from the old
//! state and the operations alone, so that a restarted prover proves the same.
//!
//! ```text
//!  operations ──▶ slot::evaluate ──▶ ports ──▶ slot rows   (7 old values, 7 gaps since the last write)
//!  old tree   ──▶ touched quads  ──▶ leaf rows (by quad)    (4 words before and after, flags, times)
//!             └─▶ nodes above    ──▶ node rows (by id)      (4 children before and after, flags)
//! ```

use crate::F;
use crate::batch::{PublicData, PublicInputs, commitment};
use crate::geometry::{ARITY, Geometry, child_number, parent};
use crate::hash::h4;
use crate::operation::Operation;
use crate::shape::Shape;
use crate::slot::{PORTS, Port, SlotError, SlotSignature, check, evaluate, signed_parts};
use crate::tree::{Overlay, Tree};
use ark_ff::Zero;
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};
use std::collections::BTreeMap;

/// Advice of one slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, CanonicalSerialize, CanonicalDeserialize)]
pub struct SlotTrace {
    /// What each port read.
    pub old: [F; PORTS],
    /// `now - 1 - time of the last write` of each port.
    pub gaps: [u32; PORTS],
}

/// Four neighbouring words, before and after the batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, CanonicalSerialize, CanonicalDeserialize)]
pub struct LeafRow {
    /// Whether the row is in use.
    pub live: bool,
    /// Index of the quad.
    pub quad: u32,
    /// The words before.
    pub old: [F; ARITY],
    /// The words after.
    pub new: [F; ARITY],
    /// Which words a port accessed.
    pub touched: [bool; ARITY],
    /// When each touched word was last written; 0 for the others.
    pub times: [u32; ARITY],
}

/// The children of an inner node, before and after the batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, CanonicalSerialize, CanonicalDeserialize)]
pub struct NodeRow {
    /// Whether the row is in use.
    pub live: bool,
    /// The node's id.
    pub id: u32,
    /// The children's hashes before.
    pub old: [F; ARITY],
    /// The children's hashes after.
    pub new: [F; ARITY],
    /// Which children have a row of their own.
    pub active: [bool; ARITY],
}

/// The whole trace of a batch, padded to its shape.
#[derive(Clone, Debug, PartialEq, Eq, CanonicalSerialize, CanonicalDeserialize)]
pub struct Trace {
    /// One for each slot.
    pub slots: Vec<SlotTrace>,
    /// By quad, then unused rows.
    pub leaves: Vec<LeafRow>,
    /// By id, then unused rows. The first is the root.
    pub nodes: Vec<NodeRow>,
}

/// Everything that a prover needs for one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchWitness {
    /// The state's geometry.
    pub geometry: Geometry,
    /// The circuit's size.
    pub shape: Shape,
    /// What L1 sees.
    pub public: PublicData,
    /// What it does not.
    pub trace: Trace,
    /// A signature for each operation that has one; as many as operations.
    pub signatures: Vec<Option<SlotSignature>>,
    /// The commitment to public data and trace.
    pub c: F,
}

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

/// Builds a batch on `tree` and moves the tree to the state after it.
///
/// Every check of the slot function runs again here, signatures apart.
///
/// # Errors
/// [`BuildError`]; the tree is then unchanged.
pub fn build(tree: &mut Tree, shape: Shape, header: BatchHeader, inputs: &[SlotInput]) -> Result<BatchWitness, BuildError> {
    build_with(tree, shape, header, inputs, true)
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
    build_with(tree, shape, header, inputs, false)
}

fn build_with(
    tree: &mut Tree,
    shape: Shape,
    header: BatchHeader,
    inputs: &[SlotInput],
    checked: bool,
) -> Result<BatchWitness, BuildError> {
    if inputs.len() > shape.slots {
        return Err(BuildError::Overflow("slots"));
    }
    let geometry = tree.geometry();
    let operations: Vec<_> = inputs.iter().map(|i| i.operation).collect();
    if checked && operations[crate::l1::l1_count(&operations)..].iter().any(|o| !o.code().is_l2()) {
        return Err(BuildError::Order);
    }
    let mut public = PublicData {
        domain: header.domain,
        old_root: tree.root(),
        new_root: tree.root(),
        timestamp: header.timestamp,
        fee_account: header.fee_account,
        operations,
    };
    let ctx = public.context(geometry);
    let mut memory = Overlay::new(tree);
    let mut clock = Clock::default();
    let mut slots = Vec::with_capacity(shape.slots);
    for index in 0..shape.slots {
        let input = inputs.get(index).copied().unwrap_or(SlotInput { operation: Operation::Noop, signature: None });
        let ports = evaluate(&ctx, &input.operation, &mut memory);
        if checked {
            recheck(&ctx, &input, &ports).map_err(|source| BuildError::Slot { index, source })?;
        }
        slots.push(SlotTrace { old: ports.map(|p| p.old), gaps: clock.tick(&ports) });
    }
    let changes = memory.into_changes();
    let leaves = leaf_rows(tree, &clock.last_write, &changes);
    let (nodes, new_root) = node_rows(tree, &leaves);
    if leaves.len() > shape.leaf_rows {
        return Err(BuildError::Overflow("leaf rows"));
    }
    if nodes.len() > shape.node_rows {
        return Err(BuildError::Overflow("node rows"));
    }
    tree.update(changes);
    assert_eq!(tree.root(), new_root, "tree and trace must agree on the root");
    public.new_root = new_root;
    let mut trace = Trace { slots, leaves, nodes };
    trace.leaves.resize(shape.leaf_rows, LeafRow::default());
    trace.nodes.resize(shape.node_rows, NodeRow::default());
    let c = commitment(&public.words(shape.slots), &trace.words(geometry, &shape));
    let signatures = inputs.iter().map(|i| i.signature).collect();
    Ok(BatchWitness { geometry, shape, public, trace, signatures, c })
}

/// The slot function's checks, with the signature taken as verified.
fn recheck(ctx: &crate::slot::Context, input: &SlotInput, ports: &[Port; PORTS]) -> Result<(), SlotError> {
    let signed = input.signature.map(|s| {
        let [_, a1, a2] = signed_parts(&input.operation, ports);
        crate::slot::Signed { key_hash: s.public_key.key_hash(), nonce: ports[1].old, expires: s.expires, target: [a1, a2] }
    });
    check(ctx, &input.operation, ports, signed.as_ref())
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

fn leaf_rows(tree: &Tree, last_write: &BTreeMap<u32, u32>, changes: &BTreeMap<u32, F>) -> Vec<LeafRow> {
    let mut rows: BTreeMap<u32, LeafRow> = BTreeMap::new();
    for (address, time) in last_write {
        let quad = address / ARITY as u32;
        let row = rows.entry(quad).or_insert_with(|| {
            let old = tree.quad(quad);
            LeafRow { live: true, quad, old, new: old, ..LeafRow::default() }
        });
        let k = *address as usize % ARITY;
        row.touched[k] = true;
        row.times[k] = *time;
        if let Some(new) = changes.get(address) {
            row.new[k] = *new;
        }
    }
    rows.into_values().collect()
}

/// The rows of all nodes above the leaves, by id, and the new root.
fn node_rows(tree: &Tree, leaves: &[LeafRow]) -> (Vec<NodeRow>, F) {
    let first_leaf = tree.geometry().first_leaf_id();
    let mut rows: BTreeMap<u32, NodeRow> = BTreeMap::new();
    let mut level: BTreeMap<u32, F> = leaves.iter().map(|l| (first_leaf + l.quad, h4(l.new))).collect();
    while level.keys().any(|id| *id > 0) {
        let mut above = BTreeMap::new();
        for (id, hash) in level {
            let row = rows.entry(parent(id)).or_insert_with(|| {
                let old = tree.children(parent(id));
                NodeRow { live: true, id: parent(id), old, new: old, ..NodeRow::default() }
            });
            row.active[child_number(id)] = true;
            row.new[child_number(id)] = hash;
            above.insert(parent(id), F::zero());
        }
        for (id, hash) in &mut above {
            *hash = h4(rows[id].new);
        }
        level = above;
    }
    let root = level.get(&0).copied().unwrap_or_else(|| tree.root());
    (rows.into_values().collect(), root)
}

/// Packs small numbers into one element, the first in the low bits.
///
/// # Panics
/// If a value is wider than its width, or all together wider than 253 bits.
pub fn pack(parts: impl IntoIterator<Item = (u32, u32)>) -> F {
    let (mut sum, mut weight, mut total) = (F::zero(), F::from(1u64), 0);
    for (value, width) in parts {
        assert!(u64::from(value) < 1 << width, "{value} is wider than {width} bits");
        sum += weight * F::from(value);
        weight *= F::from(1u64 << width);
        total += width;
    }
    assert!(total <= 253, "too many bits for one element");
    sum
}

impl SlotTrace {
    /// The elements absorbed: seven old values, then the gaps packed.
    pub fn words(&self, time_bits: u32) -> [F; PORTS + 1] {
        let gaps = pack(self.gaps.map(|gap| (gap, time_bits)));
        std::array::from_fn(|i| if i < PORTS { self.old[i] } else { gaps })
    }
}

impl LeafRow {
    /// The elements absorbed: quad, live, touched flags and times packed in this order, then both hashes.
    pub fn words(&self, geometry: Geometry, time_bits: u32) -> [F; 3] {
        let mut parts = vec![(self.quad, geometry.quad_bits()), (self.live.into(), 1)];
        parts.extend(self.touched.map(|t| (t.into(), 1)));
        parts.extend(self.times.map(|t| (t, time_bits)));
        [pack(parts), h4(self.old), h4(self.new)]
    }
}

impl NodeRow {
    /// The elements absorbed: id, live and active flags packed in this order, then both hashes.
    pub fn words(&self, geometry: Geometry) -> [F; 3] {
        let mut parts = vec![(self.id, geometry.node_id_bits()), (self.live.into(), 1)];
        parts.extend(self.active.map(|a| (a.into(), 1)));
        [pack(parts), h4(self.old), h4(self.new)]
    }
}

impl Trace {
    /// The vector `T`: slots, leaf rows, node rows.
    pub fn words(&self, geometry: Geometry, shape: &Shape) -> Vec<F> {
        let time_bits = shape.time_bits();
        let mut words = Vec::with_capacity(8 * self.slots.len() + 3 * (self.leaves.len() + self.nodes.len()));
        words.extend(self.slots.iter().flat_map(|s| s.words(time_bits)));
        words.extend(self.leaves.iter().flat_map(|l| l.words(geometry, time_bits)));
        words.extend(self.nodes.iter().flat_map(|n| n.words(geometry)));
        words
    }
}

impl BatchWitness {
    /// The public inputs of this batch's proof.
    pub fn public_inputs(&self) -> PublicInputs {
        self.public.public_inputs(&self.shape, self.c)
    }
}
