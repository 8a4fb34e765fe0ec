//! The commitment hash.

use super::poseidon2::permute_sixteen;
use crate::F;
use crate::lazy::Lazy;

/// Elements of the sponge's state.
pub const SPONGE_WIDTH: usize = 16;

/// Elements absorbed a permutation; the one left, the last, is the capacity.
pub const SPONGE_RATE: usize = SPONGE_WIDTH - 1;

/// Version of the sponge's use, part of the tag.
const VERSION: u64 = 1;

/// Returns the capacity's starting value, `version · 2^32 + length`.
///
/// With the length in front, zero padding is injective.
///
/// # Panics
/// If `length` is 2^32 or more.
pub fn sponge_tag(length: usize) -> F {
    let length = u32::try_from(length).expect("fewer than 2^32 elements");
    F::from(VERSION << 32 | u64::from(length))
}

/// Hashes any number of field elements: a sponge over Poseidon2 of width 16 with additive absorption into elements
/// 0 to 14, zero padding, and element 0 after the last permutation as output.
///
/// No elements cost one permutation, too.
///
/// # Panics
/// If there are 2^32 elements or more.
pub fn sponge(elements: &[F]) -> F {
    let mut state = [Lazy::ZERO; SPONGE_WIDTH];
    state[SPONGE_RATE] = sponge_tag(elements.len()).into();
    for block in elements.chunks(SPONGE_RATE) {
        for (word, element) in state.iter_mut().zip(block) {
            *word = word.plus((*element).into());
        }
        permute_sixteen(&mut state);
    }
    if elements.is_empty() {
        permute_sixteen(&mut state);
    }
    state[0].into()
}
