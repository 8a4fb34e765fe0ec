//! Tests of the executor.

mod arb;
mod plan;
mod same;
mod trace;
mod words;
mod world;
