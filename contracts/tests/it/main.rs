//! The compiled contract on a real EVM: `submit` checks real proofs, made from a known trapdoor.

mod arbitrary;
mod batching;
mod chain;
mod claims;
mod deploy;
mod gas;
mod hostile;
mod operations;
mod queue;
mod refusals;
mod rollup;
mod simulator;
mod submit;
mod withdrawals;
