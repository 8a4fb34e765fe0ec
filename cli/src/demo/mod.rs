//! The demo.

pub mod l1;
pub mod people;
pub mod plan;
pub mod progress;
pub mod report;
pub mod snarkjs;
pub mod tally;
pub mod tamper;
