//! The crate's integration tests, one binary.

mod attacks;
mod batches;
mod ceremony;
mod counts;
mod forged;
mod gadgets_eddsa;
mod gadgets_hash;
mod groth16;
mod harness;
mod mutation;
mod proofs;
mod refusals;
mod singly;
mod words;
mod world;
