//! The three hashes.

use super::permutation::Permutation;
use crate::r1cs::{Builder, Num};
use sheaf_core::hash::constants::{WIDTH_4, WIDTH_16};
use sheaf_core::hash::{POSEIDON_INPUTS_MAX, SPONGE_RATE, SPONGE_WIDTH, poseidon_parameters, sponge_tag};
use std::sync::OnceLock;

/// `H4(a, b, c, d) = P(a, b, c, d)[0] + a` as one variable (264 rows).
pub fn h4(b: &mut Builder, words: [&Num; 4]) -> Num {
    static PERMUTATION: OnceLock<Permutation> = OnceLock::new();
    let permutation = PERMUTATION.get_or_init(|| Permutation::poseidon2(&WIDTH_4));
    let open = permutation.rounds(b, &words.map(Num::clone));
    permutation.finish(b, open, words[0])
}

/// circomlib's Poseidon as one variable: 243 rows for two inputs, 300 for four, 324 for five.
///
/// # Panics
/// If the number of inputs is 0 or above 12.
pub fn poseidon(b: &mut Builder, inputs: &[&Num]) -> Num {
    static PERMUTATIONS: [OnceLock<Permutation>; POSEIDON_INPUTS_MAX + 1] = [const { OnceLock::new() }; POSEIDON_INPUTS_MAX + 1];
    let permutation = PERMUTATIONS[inputs.len()].get_or_init(|| Permutation::poseidon(poseidon_parameters(inputs.len())));
    let mut state = vec![Num::default()];
    state.extend(inputs.iter().copied().cloned());
    let open = permutation.rounds(b, &state);
    permutation.finish(b, open, &Num::default())
}

/// The commitment sponge as one variable: 555 rows a block of 15 elements, 37 an element.
///
/// Each element stands in sixteen rows, so give variables, or forms of a few terms.
pub fn sponge(b: &mut Builder, elements: &[Num]) -> Num {
    static PERMUTATION: OnceLock<Permutation> = OnceLock::new();
    let permutation = PERMUTATION.get_or_init(|| Permutation::poseidon2(&WIDTH_16));
    let mut state = vec![Num::default(); SPONGE_WIDTH];
    state[SPONGE_RATE] = b.constant(sponge_tag(elements.len()));
    let mut blocks = elements.chunks(SPONGE_RATE);
    for (word, element) in state.iter_mut().zip(blocks.next().unwrap_or_default()) {
        *word = element.clone();
    }
    let mut open = permutation.rounds(b, &state);
    for block in blocks {
        let mut absorbed = [None; SPONGE_WIDTH];
        absorbed.iter_mut().zip(block).for_each(|(slot, element)| *slot = Some(element));
        open = permutation.absorb(b, open, &absorbed);
    }
    permutation.finish(b, open, &Num::default())
}
