//! A ceremony: keys whose secret nobody knows, if one of those who took part forgot his share.
//!
//! ```text
//!  .ptau (phase 1) ──▶ import ──▶ contribute ──▶ … ──▶ contribute ──▶ beacon ──▶ keys with a transcript
//!        └────────────────────── verify ◀────────────────────────────────────────────┘
//! ```
//!
//! This is the second phase of Bowe, Gabizon and Miers, "Scalable Multi-party Computation for zk-SNARK Parameters in the
//! Random Beacon Model" (2017), after a first phase by snarkjs: each contributor multiplies δ by a secret and divides the
//! points that are over δ by it. `docs/keys.md` says how to run one.

mod contribute;
mod error;
mod import;
mod knowledge;
mod phase1;
mod ptau;
mod sparse;
pub(crate) mod sums;
mod transcript;
mod verify;

pub use contribute::{beacon, contribute};
pub use error::CeremonyError;
pub use import::{import, initial_digest};
pub use phase1::Phase1;
pub use transcript::{Contribution, Knowledge, Share, Transcript};
pub use verify::{check_secret, check_transcript, verify};
