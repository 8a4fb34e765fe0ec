//! The crate's integration tests, one binary.

mod gadgets_hash;
mod mutation;
