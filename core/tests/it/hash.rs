//! The hashes against their libraries, known answers and the tables that the circuit uses.

use crate::arb::arb_edge_field;
use crate::vectors;
use ark_ff::{Field, MontFp, Zero};
use light_poseidon::{Poseidon, PoseidonHasher};
use proptest::prelude::*;
use sheaf_core::F;
use sheaf_core::hash::constants::{FULL_ROUNDS, Poseidon2Parameters, WIDTH_4, WIDTH_16};
use sheaf_core::hash::{SPONGE_RATE, h4, poseidon, poseidon_parameters, sponge, sponge_tag};

/// A fixed sequence of unrelated field elements.
pub(crate) fn elements(seed: u64, count: usize) -> Vec<F> {
    (0..count as u64).map(|i| (F::from(seed) + F::from(1u64)).pow([1_000_003 + 2 * i])).collect()
}

proptest! {
    #[test]
    fn h4_equals_the_library(words in prop::array::uniform4(arb_edge_field())) {
        prop_assert_eq!(h4(words), taceo_poseidon2::bn254::t4::permutation(&words)[0] + words[0]);
    }

    #[test]
    fn a_sponge_of_two_blocks_equals_the_library(words in prop::collection::vec(arb_edge_field(), 16..=30)) {
        let mut state = [F::zero(); 16];
        state[15] = sponge_tag(words.len());
        for block in words.chunks(SPONGE_RATE) {
            state.iter_mut().zip(block).for_each(|(word, element)| *word += element);
            taceo_poseidon2::bn254::t16::permutation_in_place(&mut state);
        }
        prop_assert_eq!(sponge(&words), state[0]);
    }
}

/// Poseidon2 straight from the paper, over the tables.
fn permute<const T: usize>(parameters: &Poseidon2Parameters<T>, mut state: [F; T]) -> [F; T] {
    const M4: [[u64; 4]; 4] = [[5, 7, 1, 3], [4, 6, 1, 1], [1, 3, 5, 7], [1, 1, 4, 6]];
    let external = |s: [F; T]| -> [F; T] {
        std::array::from_fn(|i| {
            (0..T)
                .map(|j| {
                    let block = if T > 4 && i / 4 == j / 4 { 2 } else { 1 };
                    s[j] * F::from(block * M4[i % 4][j % 4])
                })
                .sum()
        })
    };
    let sbox = |x: F| x.pow([5]);
    state = external(state);
    for (round, constants) in parameters.full.iter().enumerate() {
        if round == FULL_ROUNDS / 2 {
            for constant in parameters.partial {
                state[0] = sbox(state[0] + constant);
                let sum: F = state.iter().sum();
                state = std::array::from_fn(|i| sum + parameters.diagonal_minus_one[i] * state[i]);
            }
        }
        state = external(std::array::from_fn(|i| sbox(state[i] + constants[i])));
    }
    state
}

#[test]
fn tables_give_the_permutations_of_the_library() {
    for seed in 0..8 {
        let four: [F; 4] = elements(seed, 4).try_into().unwrap();
        assert_eq!(permute(&WIDTH_4, four), taceo_poseidon2::bn254::t4::permutation(&four));
        let sixteen: [F; 16] = elements(seed, 16).try_into().unwrap();
        assert_eq!(permute(&WIDTH_16, sixteen), taceo_poseidon2::bn254::t16::permutation(&sixteen));
    }
}

#[test]
fn h4_adds_its_first_input_to_the_permutation_of_noir() {
    // The known answer of the parameters' authors for the input (0, 1, 2, 3).
    let known: F = MontFp!("786823568102245344938517132468097745676732687098822989626730198331658606391");
    assert_eq!(h4([0u64, 1, 2, 3].map(F::from)), known);
    let shifted = [1u64, 1, 2, 3].map(F::from);
    assert_eq!(h4(shifted), permute(&WIDTH_4, shifted)[0] + shifted[0]);
}

#[test]
fn poseidon_equals_circomlib() {
    let vectors = vectors::read();
    assert!(vectors.poseidon.len() >= 9);
    for vector in &vectors.poseidon {
        assert_eq!(poseidon(&vector.inputs()), vectors::field(&vector.hash));
    }
}

proptest! {
    #[test]
    fn poseidon_equals_the_library(inputs in prop::collection::vec(arb_edge_field(), 1..=12)) {
        let library = Poseidon::<F>::new_circom(inputs.len()).unwrap().hash(&inputs).unwrap();
        prop_assert_eq!(poseidon(&inputs), library);
    }
}

#[test]
fn poseidon_parameters_give_poseidon() {
    for inputs in 1..=12 {
        let input = elements(9, inputs);
        let parameters = poseidon_parameters(inputs);
        let mut state = [vec![F::zero()], input.clone()].concat();
        let rounds = FULL_ROUNDS + parameters.partial_rounds;
        for round in 0..rounds {
            let full = round < FULL_ROUNDS / 2 || round >= FULL_ROUNDS / 2 + parameters.partial_rounds;
            for (i, word) in state.iter_mut().enumerate() {
                *word += parameters.round_constants[round * parameters.width + i];
                if full || i == 0 {
                    *word = word.pow([5]);
                }
            }
            let row = |row: &Vec<F>| row.iter().zip(&state).map(|(m, s)| *m * s).sum();
            state = parameters.matrix.iter().map(row).collect();
        }
        assert_eq!(state[0], poseidon(&input));
    }
}

#[test]
fn sponge_absorbs_as_specified() {
    for length in [0, 1, 14, 15, 16, 30, 31] {
        let input = elements(3, length);
        let mut state = [F::zero(); 16];
        state[15] = F::from((1u64 << 32) + length as u64);
        assert_eq!(state[15], sponge_tag(length));
        let blocks = length.div_ceil(SPONGE_RATE).max(1);
        for block in 0..blocks {
            let absorbed = input.iter().skip(block * SPONGE_RATE).take(SPONGE_RATE);
            state.iter_mut().zip(absorbed).for_each(|(word, element)| *word += element);
            state = permute(&WIDTH_16, state);
        }
        assert_eq!(sponge(&input), state[0], "length {length}");
    }
}

#[test]
fn sponge_tells_padding_from_data() {
    let short = elements(3, 14);
    let padded = [short.clone(), vec![F::zero()]].concat();
    assert_ne!(sponge(&short), sponge(&padded));
    assert_ne!(sponge(&[]), sponge(&[F::zero()]));
}
