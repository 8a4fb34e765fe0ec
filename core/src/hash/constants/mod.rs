//! Tables of the permutations, for the circuit and for the native code.

mod width16;
mod width4;

pub use width4::WIDTH_4;
pub use width16::WIDTH_16;

use crate::F;

/// Number of full rounds of every permutation used here, half of them before the partial rounds.
pub const FULL_ROUNDS: usize = 8;

/// The parameters of one Poseidon2 permutation of width `T` ([eprint 2023/323](https://eprint.iacr.org/2023/323)).
#[derive(Debug)]
pub struct Poseidon2Parameters<const T: usize> {
    /// Diagonal of the partial rounds' matrix, each entry less one: the matrix is all ones plus this diagonal.
    pub diagonal_minus_one: [F; T],
    /// Constants added to all elements before the S-boxes of a full round.
    pub full: [[F; T]; FULL_ROUNDS],
    /// Constants added to element 0 before the S-box of a partial round.
    pub partial: &'static [F],
}
