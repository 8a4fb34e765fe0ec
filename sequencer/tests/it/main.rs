//! The sequencer on a real Postgres.

mod basics;
mod batches;
mod l1;
mod refusals;
mod support;
