//! The sequencer on a real Postgres.

mod basics;
mod batches;
mod crash;
mod database;
mod l1;
mod pool;
mod refusals;
mod shapes;
mod standby;
mod support;
mod takeover;
mod throughput;
mod unwind;
