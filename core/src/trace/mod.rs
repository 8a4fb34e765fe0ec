//! The private trace of a batch: what the memory and tree checks take as advice, made from the old
//! state and the operations alone, so that a restarted prover proves the same.
//!
//! ```text
//!  operations ──▶ slot::evaluate ──▶ ports ──▶ slot rows   (7 old values, 7 gaps since the last write)
//!  old tree   ──▶ touched quads  ──▶ leaf rows (by quad)    (4 words before and after, flags, times)
//!             └─▶ nodes above    ──▶ node rows (by id)      (4 children before and after, flags)
//!                                       └─▶ words T ──▶ commitment c
//! ```
//!
//! [`build`] does all of it. [`draft`] stops before the commitment, which needs no tree: the next batch can be drafted while
//! this one is committed. [`advance`] only moves a tree over a batch that was built elsewhere.

mod build;
mod rows;
mod words;

use crate::F;
use crate::batch::{PublicData, PublicInputs};
use crate::geometry::{ARITY, Geometry};
use crate::shape::Shape;
use crate::slot::{PORTS, SlotSignature};
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};
pub use build::{BatchHeader, BuildError, Draft, SlotInput, advance, build, build_unchecked, draft};
pub use words::pack;

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

impl BatchWitness {
    /// The public inputs of this batch's proof.
    pub fn public_inputs(&self) -> PublicInputs {
        self.public.public_inputs(&self.shape, self.c)
    }
}
