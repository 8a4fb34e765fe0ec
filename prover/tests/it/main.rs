//! The prover on a real Postgres, with real proofs of small batches.

mod fleet;
mod jobs;
mod queue;
mod shapes;
mod worker;
mod world;
