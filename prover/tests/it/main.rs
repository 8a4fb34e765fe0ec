//! The prover on a real Postgres, with real proofs of small batches.

mod queue;
mod worker;
mod world;
