//! The tree hash.

use crate::F;
use taceo_poseidon2::bn254::t4;

/// Compresses four field elements into one: `P(a, b, c, d)[0] + a` with the Poseidon2 permutation `P` of width 4.
///
/// The `+ a` is what makes it one-way: the permutation alone can be run backwards.
///
/// ```
/// use sheaf_core::{F, hash::h4};
/// let empty = h4([F::from(0u64); 4]);
/// assert_ne!(h4([empty; 4]), empty);
/// ```
pub fn h4(words: [F; 4]) -> F {
    t4::permutation(&words)[0] + words[0]
}
