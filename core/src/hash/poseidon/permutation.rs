//! Poseidon's rounds over the lazy field.

use super::tables::Tables;
use crate::F;
use crate::hash::constants::FULL_ROUNDS;
use crate::lazy::{Constant, Lazy};

/// Element 0 after the permutation of `(0, inputs)`.
pub(super) fn hash<const T: usize>(tables: &Tables<T>, inputs: &[F]) -> F {
    let mut state: [Lazy; T] = std::array::from_fn(|i| if i == 0 { Lazy::ZERO } else { inputs[i - 1].into() });
    let (before, after) = tables.full.split_at(FULL_ROUNDS / 2);
    for (round, constants) in before.iter().enumerate() {
        s_boxes(&mut state, constants);
        state = times(if round + 1 < before.len() { &tables.matrix } else { &tables.enter }, &state);
    }
    partial_rounds(tables, &mut state);
    for constants in &after[..after.len() - 1] {
        s_boxes(&mut state, constants);
        state = times(&tables.matrix, &state);
    }
    // Nobody asks for the other elements.
    s_boxes(&mut state, &after[after.len() - 1]);
    Lazy::dot(&state, &tables.matrix[0]).into()
}

/// The partial rounds, with elements 1 and up in the basis of [`Tables`].
fn partial_rounds<const T: usize>(tables: &Tables<T>, state: &mut [Lazy; T]) {
    let (final_constant, constants) = tables.partial.split_last().expect("there are partial rounds");
    for constant in constants {
        state[0] = s_box(state[0], constant);
        let last = Lazy::dot(&state[1..], &tables.last[1..]).plus(state[0]);
        let next = Lazy::dot(state, &tables.next);
        for i in 1..T - 1 {
            state[i] = state[i + 1];
        }
        state[T - 1] = last;
        state[0] = next;
    }
    state[0] = s_box(state[0], final_constant);
    *state = times(&tables.leave, state);
}

#[inline(always)]
fn s_box(value: Lazy, constant: &Constant) -> Lazy {
    value.plus(constant.value()).fifth_power()
}

#[inline(always)]
fn s_boxes<const T: usize>(state: &mut [Lazy; T], constants: &[Constant; T]) {
    for (value, constant) in state.iter_mut().zip(constants) {
        *value = s_box(*value, constant);
    }
}

#[inline(always)]
fn times<const T: usize>(matrix: &[[Constant; T]; T], state: &[Lazy; T]) -> [Lazy; T] {
    std::array::from_fn(|i| Lazy::dot(state, &matrix[i]))
}
