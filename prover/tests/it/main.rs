//! The prover on a real Postgres, with real proofs of small batches.

mod claims;
mod contract;
mod fleet;
mod jobs;
mod presence;
mod queue;
mod shapes;
mod worker;
mod world;
