//! The `sheaf` binary's parts.
//!
//! ```text
//!  args ─┬─ sequencer | api | prover | settlement ──▶ service ──▶ the crate's run(Config)
//!        ├─ keys, deploy, verify, wallet
//!        └─ up, demo ──▶ stack (Postgres, anvil, contract, four services as processes)
//!                          ▲
//!                 demo::scenario, over HTTP and L1 only
//! ```
//!
//! Start at [`config`]: one file tells every process what it needs.

pub mod args;
pub mod config;
pub mod demo;
pub mod deploy;
pub mod deployment;
pub mod keys;
pub mod prover;
pub mod service;
pub mod stack;
pub mod up;
pub mod verify;
pub mod wallet;
