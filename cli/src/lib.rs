//! The `sheaf` binary's parts.
//!
//! ```text
//!  main ─┬─ sequencer | api | prover | settlement ──▶ service ──▶ the crate's run(Config)
//!        ├─ keys, deploy, wallet
//!        └─ up, demo ──▶ stack (Postgres, anvil, contracts, four services as processes)
//!                          ▲
//!                 demo::scenario, over HTTP and L1 only
//! ```
//!
//! Start at [`config`]: one file tells every process what it needs.

pub mod demo;
