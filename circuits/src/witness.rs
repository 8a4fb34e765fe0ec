//! What a batch circuit takes: the public inputs, and the advice as bare field elements.
//!
//! Nothing here has a range: whatever a cheating prover might put into the circuit can be written down, so
//! that tests can put it there.

use sheaf_core::F;
use sheaf_core::batch::{HEADER_WORDS, PublicInputs, SLOT_WORDS, commitment, evaluate_at};
use sheaf_core::eddsa::SignatureWitness;
use sheaf_core::geometry::{ARITY, Geometry};
use sheaf_core::hash::h4;
use sheaf_core::shape::Shape;
use sheaf_core::slot::PORTS;
use sheaf_core::trace::{BatchWitness, LeafRow, NodeRow};

/// The public inputs of the batch circuit.
pub type Public = PublicInputs;

/// Advice of one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotAdvice {
    /// What each port reads.
    pub old: [F; PORTS],
    /// `now - 1 - time of the last write` of each port.
    pub gaps: [F; PORTS],
    /// Last unix second at which the operation may be executed. Asserts only.
    pub expires: F,
    /// Key and signature. Assert only.
    pub signature: SignatureWitness,
}

/// Advice of one leaf row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeafAdvice {
    /// 1 if the row is in use.
    pub live: F,
    /// Index of the quad.
    pub quad: F,
    /// The words before.
    pub old: [F; ARITY],
    /// The words after.
    pub new: [F; ARITY],
    /// 1 for each word that a port accesses.
    pub touched: [F; ARITY],
    /// When each touched word was last written.
    pub times: [F; ARITY],
}

/// Advice of one node row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeAdvice {
    /// 1 if the row is in use. Not read in row 0, which always is.
    pub live: F,
    /// The node's id. Not read in row 0, which is the root.
    pub id: F,
    /// The children's hashes before.
    pub old: [F; ARITY],
    /// The children's hashes after.
    pub new: [F; ARITY],
    /// 1 for each child that has a row of its own.
    pub active: [F; ARITY],
}

/// Everything that the batch circuit takes besides its public inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Private {
    /// The vector `W`: domain, old root, new root, header, then three words a slot.
    pub words: Vec<F>,
    /// One for each slot.
    pub slots: Vec<SlotAdvice>,
    /// One for each leaf row.
    pub leaves: Vec<LeafAdvice>,
    /// One for each node row, the root first.
    pub nodes: Vec<NodeAdvice>,
}

impl From<&LeafRow> for LeafAdvice {
    fn from(row: &LeafRow) -> Self {
        Self {
            live: F::from(row.live),
            quad: F::from(row.quad),
            old: row.old,
            new: row.new,
            touched: row.touched.map(F::from),
            times: row.times.map(F::from),
        }
    }
}

impl From<&NodeRow> for NodeAdvice {
    fn from(row: &NodeRow) -> Self {
        Self { live: F::from(row.live), id: F::from(row.id), old: row.old, new: row.new, active: row.active.map(F::from) }
    }
}

impl From<&BatchWitness> for Private {
    fn from(batch: &BatchWitness) -> Self {
        let timestamp = F::from(batch.public.timestamp);
        let advice = |(index, trace): (usize, &sheaf_core::trace::SlotTrace)| {
            let (expires, signature) = match batch.signatures.get(index).copied().flatten() {
                Some(s) => (F::from(s.expires), SignatureWitness::new(&s.public_key, &s.signature)),
                None => (timestamp, SignatureWitness::placeholder()),
            };
            SlotAdvice { old: trace.old, gaps: trace.gaps.map(F::from), expires, signature }
        };
        Self {
            words: batch.public.words(batch.shape.slots),
            slots: batch.trace.slots.iter().enumerate().map(advice).collect(),
            leaves: batch.trace.leaves.iter().map(LeafAdvice::from).collect(),
            nodes: batch.trace.nodes.iter().map(NodeAdvice::from).collect(),
        }
    }
}

impl Private {
    /// Advice of the right size that satisfies nothing: for key generation, which looks at no value.
    pub fn blank(shape: &Shape) -> Self {
        let zero = F::default();
        let slot =
            SlotAdvice { old: [zero; PORTS], gaps: [zero; PORTS], expires: zero, signature: SignatureWitness::placeholder() };
        Self {
            words: vec![zero; HEADER_WORDS + SLOT_WORDS * shape.slots],
            slots: vec![slot; shape.slots],
            leaves: vec![LeafAdvice::default(); shape.leaf_rows],
            nodes: vec![NodeAdvice::default(); shape.node_rows],
        }
    }

    /// The public inputs that fit this advice for the challenge that `x` makes of the commitment.
    ///
    /// Of honest advice this is what [`BatchWitness::public_inputs`] gives. Of forged advice it is what its
    /// forger would have to send.
    pub fn public_inputs(&self, geometry: Geometry, shape: &Shape, x: impl FnOnce(F) -> F) -> Public {
        let c = commitment(&self.words, &self.trace_words(geometry, shape));
        let x = x(c);
        Public { c, x, y: evaluate_at(&self.words, x) }
    }

    /// The vector `T` as the circuit absorbs it, for values of any size.
    fn trace_words(&self, geometry: Geometry, shape: &Shape) -> Vec<F> {
        let time_bits = shape.time_bits();
        let mut words = Vec::new();
        for slot in &self.slots {
            words.extend(slot.old);
            words.push(pack(slot.gaps.map(|gap| (gap, time_bits))));
        }
        for row in &self.leaves {
            let mut parts = vec![(row.quad, geometry.quad_bits()), (row.live, 1)];
            parts.extend(row.touched.map(|flag| (flag, 1)));
            parts.extend(row.times.map(|time| (time, time_bits)));
            words.extend([pack(parts), h4(row.old), h4(row.new)]);
        }
        for (index, row) in self.nodes.iter().enumerate() {
            let (id, live) = if index == 0 { (F::from(0u64), F::from(1u64)) } else { (row.id, row.live) };
            let mut parts = vec![(id, geometry.node_id_bits()), (live, 1)];
            parts.extend(row.active.map(|flag| (flag, 1)));
            words.extend([pack(parts), h4(row.old), h4(row.new)]);
        }
        words
    }
}

/// [`sheaf_core::trace::pack`] for values that may be wider than their places.
fn pack(parts: impl IntoIterator<Item = (F, u32)>) -> F {
    let mut weight = F::from(1u64);
    let mut sum = F::default();
    for (value, width) in parts {
        sum += weight * value;
        weight *= F::from(1u64 << width);
    }
    sum
}
