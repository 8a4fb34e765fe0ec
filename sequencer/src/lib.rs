//! Orders and executes transactions, makes them durable, and cuts and builds batches.
//!
//! ```text
//!            internal HTTP              one thread                    one connection
//!  api ──▶ rpc ─▶ intake ──────────▶ driver ─▶ engine ─▶ block ──▶ committer ──▶ Postgres
//!           ▲     (signatures,       │ ▲ mempool                     │             │  │
//!           │      all cores)        │ │ confirmed entries           │             │  │ sealed batches
//!           │                        │ watcher ◀──── l1_operations ──┼─────────────┘  ▼
//!           └──── refusals, receipts ◀──────────────────────────────┘  proof_jobs ◀── builder (tree, witness)
//! ```
//!
//! Nothing is answered as executed before its block is committed. The state in memory runs ahead of the
//! database but never apart from it: a block is retried until it is durable, or the process stops. Every point where
//! it may be killed is a [`Step`], and the tests kill it at each.
//!
//! A batch's proving job is made with the block that seals it, and the builder hands it to the provers with the witness.

mod batcher;
mod block;
pub mod body;
mod builder;
pub mod client;
mod committer;
mod config;
mod driver;
mod engine;
mod environment;
mod error;
mod front;
mod health;
mod history;
mod intake;
mod journal;
mod leader;
pub mod measure;
mod mempool;
mod rpc;
mod service;
mod signer;
mod stages;
mod standby;
mod state;
pub mod store;
mod types;
mod unwind;
mod warm;
mod watcher;
pub mod wire;

pub use config::{Config, Limits, MinimumFee, Units};
pub use environment::{Environment, Step};
pub use error::Refusal;
pub use service::{Sequencer, run};
pub use types::{BatchNumber, BlockNumber, Placement};
