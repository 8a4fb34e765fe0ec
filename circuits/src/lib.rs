//! What a batch means, as constraints, and proofs of it.
//!
//! ```text
//!  BatchWitness ──▶ witness::Private ──▶ batch ─┬─ Mode::Setup ───▶ rows ──▶ keys
//!  (sheaf_core)     (bare numbers)              ├─ Mode::Check ───▶ which group fails
//!                                               └─ Mode::Witness ─▶ assignment ──▶ prove
//!  batch: slot (gadgets::eddsa, poseidon) + memory + tree (gadgets::h4) + commitment (gadgets::sponge)
//! ```
//!
//! Start at [`batch`](batch::batch); the rules themselves are in `slot`, the twin of [`sheaf_core::slot`].

pub mod batch;
pub mod ceremony;
pub mod evm;
pub mod gadgets;
pub mod golden;
pub mod groth16;
pub mod keys;
pub mod matrices;
mod memory;
mod operation;
pub mod prove;
pub mod r1cs;
#[cfg(feature = "simulator")]
pub mod simulator;
mod slot;
pub mod snarkjs;
mod tree;
pub mod witness;
