//! Ceremonies, from a phase 1 that snarkjs made to a proof that snarkjs accepts; and everything that is refused on the way.

mod beacon;
mod phase1;
mod refusals;
mod support;
mod whole;
