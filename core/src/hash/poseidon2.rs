//! Poseidon2's permutation over the lazy field, and the tree hash.

use super::constants::{FULL_ROUNDS, Poseidon2Parameters, WIDTH_4, WIDTH_16};
use crate::F;
use crate::lazy::{Constant, Lazy, Sum};

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
    let mut state = words.map(Lazy::from);
    permute(&WIDTH_4, &mut state, |mut state| {
        mix_four(&mut state);
        state.map(Sum::reduced)
    });
    state[0].plus(words[0].into()).into()
}

/// The permutation of width 16.
pub(super) fn permute_sixteen(state: &mut [Lazy; 16]) {
    permute(&WIDTH_16, state, |mut state| {
        // circ(2·M4, M4, M4, M4): each block through M4, and then the sum of the blocks on top of each.
        state.as_chunks_mut::<4>().0.iter_mut().for_each(mix_four);
        let over_blocks: [Sum; 4] = std::array::from_fn(|i| state[i].plus(state[4 + i]).plus(state[8 + i].plus(state[12 + i])));
        std::array::from_fn(|i| state[i].plus(over_blocks[i % 4]).reduced())
    });
}

/// The rounds, with `external` as the matrix of the full ones.
#[inline(always)]
fn permute<const T: usize>(parameters: &Poseidon2Parameters<T>, state: &mut [Lazy; T], external: impl Fn([Sum; T]) -> [Lazy; T]) {
    let diagonal = parameters.diagonal_minus_one.map(Constant::new);
    *state = external(state.map(Sum::from));
    for (round, constants) in parameters.full.iter().enumerate() {
        if round == FULL_ROUNDS / 2 {
            for constant in parameters.partial {
                state[0] = s_box(state[0], *constant);
                let sum = state[1..].iter().fold(Sum::from(state[0]), |sum, value| sum.plus((*value).into())).reduced();
                for (value, factor) in state.iter_mut().zip(&diagonal) {
                    *value = value.times(factor.value()).plus(sum);
                }
            }
        }
        for (value, constant) in state.iter_mut().zip(constants) {
            *value = s_box(*value, *constant);
        }
        *state = external(state.map(Sum::from));
    }
}

#[inline(always)]
fn s_box(value: Lazy, constant: F) -> Lazy {
    value.plus(constant.into()).fifth_power()
}

/// Multiplies by the paper's `M4`, whose rows add up to at most 16: 16 values become at most 80 in the widest mixing.
///
/// ```text
///  5 7 1 3
///  4 6 1 1
///  1 3 5 7
///  1 1 4 6
/// ```
#[inline(always)]
fn mix_four(state: &mut [Sum; 4]) {
    let [a, b, c, d] = *state;
    let (ab, cd) = (a.plus(b), c.plus(d));
    let (b2_cd, d2_ab) = (b.doubled().plus(cd), d.doubled().plus(ab));
    let fourth = cd.doubled().doubled().plus(d2_ab);
    let second = ab.doubled().doubled().plus(b2_cd);
    *state = [d2_ab.plus(second), second, b2_cd.plus(fourth), fourth];
}
