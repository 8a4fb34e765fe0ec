//! The crate's integration tests, one binary.

mod batches;
mod gadgets_eddsa;
mod counts;
mod gadgets_hash;
mod harness;
mod mutation;
mod proofs;
mod world;
