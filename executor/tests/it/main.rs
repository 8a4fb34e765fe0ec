//! Tests of the executor.

mod same;
mod world;
