//! The primitives as constraints, each the twin of a native function in `sheaf_core`.
//!
//! | gadget | native twin | rows |
//! | --- | --- | --- |
//! | [`h4`] | [`sheaf_core::hash::h4`] | 264 |
//! | [`sponge`] | [`sheaf_core::hash::sponge`] | 555 a block of 15 elements |
//! | [`poseidon`] of 2, 4, 5 inputs | [`sheaf_core::hash::poseidon`] | 243, 300, 324 |
//! | [`eddsa::verify`] | [`sheaf_core::eddsa::SignatureWitness::verify`] | 2,490 |

pub mod eddsa;
mod hash;
mod layers;
mod permutation;

pub use hash::{h4, poseidon, sponge};
