//! The three hashes of the protocol.
//!
//! ```text
//!  poseidon   circomlib's Poseidon        what wallets compute: key hashes, signed messages, challenges
//!  h4         Poseidon2, width 4          the state tree: four children into one node
//!  sponge     Poseidon2, width 16         the commitment to a batch's data and trace
//! ```

pub mod constants;
mod poseidon;
mod poseidon2;
mod sponge;

pub use poseidon::{POSEIDON_INPUTS_MAX, PoseidonParameters, poseidon, poseidon_parameters};
pub use poseidon2::h4;
pub use sponge::{SPONGE_RATE, SPONGE_WIDTH, sponge, sponge_tag};
