//! What a Sheaf transaction means, without IO, clock or randomness.
//!
//! ```text
//!  transaction ──▶ operation ──▶ slot ──▶ seven ports ──▶ trace ──▶ commitment c
//!  (signed)        (3 words W)   (the rules)              (T)        │
//!                       │                                            ▼
//!                       └────────────▶ batch: W, challenge x, evaluation y ──▶ L1
//! ```
//!
//! Start at [`slot`]: it is the definition of every rule that the circuit enforces.

pub mod amount;
pub mod batch;
pub mod eddsa;
pub mod geometry;
pub mod hash;
pub mod json;
pub mod l1;
mod lazy;
pub mod operation;
pub mod receipt;
pub mod shape;
pub mod shapes;
pub mod slot;
pub mod stored;
pub mod trace;
pub mod transaction;
pub mod tree;
pub mod types;

/// The scalar field of BN254: every word of the state is one element.
pub use ark_bn254::Fr as F;
