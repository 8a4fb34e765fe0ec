//! The crate's integration tests, one binary.

mod amount;
mod arb;
mod docs;
mod eddsa;
mod geometry;
mod hash;
mod json;
mod measure;
mod operation;
mod receipt;
mod shape;
mod slot;
mod trace;
mod tree;
mod vectors;
mod world;
