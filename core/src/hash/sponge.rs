//! The commitment hash.

use crate::F;
use taceo_poseidon2::bn254::t16;

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
    let mut state = [F::from(0u64); SPONGE_WIDTH];
    state[SPONGE_RATE] = sponge_tag(elements.len());
    for block in elements.chunks(SPONGE_RATE) {
        for (word, element) in state.iter_mut().zip(block) {
            *word += element;
        }
        t16::permutation_in_place(&mut state);
    }
    if elements.is_empty() {
        t16::permutation_in_place(&mut state);
    }
    state[0]
}
