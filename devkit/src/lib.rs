//! Private services for development: a Postgres server, an L1 node and the processes of `sheaf`
//! itself, all below one data directory and all gone when their owner is.
//!
//! ```text
//!  demo, up, tests ──► Server (postgres)  ──► initdb, postgres ┐
//!                 ──► Anvil               ──► anvil            ├─ each a Service: child + log file + guard
//!                 ──► Service             ──► sheaf …          ┘
//! ```
//!
//! Invariants:
//! * Nothing is written outside of the data directory ([`paths::home`]), nothing listens on anything but loopback.
//! * A service ends with its owner, even when the owner is killed with `SIGKILL`: see [`service`].
//! * Knows no other crate of the workspace, so that the tests of each of them can use it.

pub mod anvil;
mod error;
mod guard;
pub mod http;
pub mod keys;
pub mod paths;
pub mod postgres;
pub mod service;

pub use error::{Error, Result};
