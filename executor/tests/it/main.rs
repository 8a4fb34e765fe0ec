//! Tests of the executor.

mod arb;
mod plan;
mod same;
mod words;
mod world;
