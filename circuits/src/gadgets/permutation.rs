//! Poseidon and Poseidon2 as constraints: three rows an S-box and nothing else.
//!
//! An S-box is `z·z = z2`, `z2·z2 = z4`, `z4·z = x`. What is a *variable* is the input `z` of every S-box
//! but those of the first round; its output `x` is no variable but, in the third row, a linear form in the inputs of
//! later S-boxes, the linear layers run backwards. So a long form stands in one row, once, instead of three times.
//!
//! ```text
//!  full round       x = M⁻¹·(z' - c')                   z': the next round's inputs
//!  partial rounds   backwards from the inputs of the full round that follows them: one matrix inverse a round; the
//!                   first element of the state before each is that round's z, the others stay forms
//! ```
//!
//! The assignment is unique: given the first round's inputs, the third rows are as many linear equations as there are
//! new variables, and the layers are invertible.

use super::layers::{Layer, Matrix, dot, inverse};
use crate::r1cs::{Builder, Num};
use ark_ff::{Field, One, Zero};
use sheaf_core::F;
use sheaf_core::hash::PoseidonParameters;
use sheaf_core::hash::constants::{FULL_ROUNDS, Poseidon2Parameters};

/// Full rounds before, and again after, the partial ones.
const HALF: usize = FULL_ROUNDS / 2;

/// A permutation's tables, arranged for constraints.
#[derive(Debug)]
pub(super) struct Permutation {
    width: usize,
    /// Poseidon2 applies its full rounds' layer once before the first round.
    layer_first: bool,
    full: Layer,
    partial: Layer,
    /// Constants added before the S-boxes, by round, the full ones only.
    full_constants: Matrix,
    /// The same of the partial rounds.
    partial_constants: Matrix,
    full_matrix: Matrix,
    full_inverse: Matrix,
    full_inverse_squared: Matrix,
    /// Outputs of the S-boxes of the last full round before the partial ones, then that of each partial round, as forms
    /// over: 1, the partial rounds' inputs, the inputs of the full round that follows.
    middle: Matrix,
}

/// S-boxes whose outputs are still to be bound: for each, its input and the fourth power of that.
pub(super) struct Open(Vec<(Num, Num)>);

impl Permutation {
    /// Poseidon with circomlib's parameters.
    pub(super) fn poseidon(parameters: PoseidonParameters) -> Self {
        let PoseidonParameters { width, partial_rounds, round_constants, matrix } = parameters;
        let mut rounds: Matrix = round_constants.chunks(width).map(<[F]>::to_vec).collect();
        let last = rounds.split_off(HALF + partial_rounds);
        let partial = rounds.split_off(HALF);
        let full = [rounds, last].concat();
        Self::new(width, false, Layer::Dense(matrix.clone()), Layer::Dense(matrix), full, partial)
    }

    /// Poseidon2.
    pub(super) fn poseidon2<const T: usize>(parameters: &Poseidon2Parameters<T>) -> Self {
        let full = parameters.full.iter().map(|round| round.to_vec()).collect();
        let first_only = |constant: &F| [vec![*constant], vec![F::zero(); T - 1]].concat();
        let partial = parameters.partial.iter().map(first_only).collect();
        let internal = Layer::Internal(parameters.diagonal_minus_one.to_vec());
        Self::new(T, true, Layer::External, internal, full, partial)
    }

    fn new(
        width: usize,
        layer_first: bool,
        full: Layer,
        partial: Layer,
        full_constants: Matrix,
        partial_constants: Matrix,
    ) -> Self {
        assert_eq!(full_constants.len(), FULL_ROUNDS);
        let full_matrix = full.matrix(width);
        let full_inverse = inverse(&full_matrix);
        let middle = middle_forms(&full_inverse, &inverse(&partial.matrix(width)), &partial_constants, &full_constants[HALF]);
        Self {
            width,
            layer_first,
            full,
            partial,
            full_constants,
            partial_constants,
            full_matrix,
            full_inverse_squared: full_inverse.iter().map(|row| row_times(row, &full_inverse)).collect(),
            full_inverse,
            middle,
        }
    }

    /// The inputs of the first round's S-boxes as forms in the state.
    fn first_inputs(&self, b: &Builder, state: &[Num]) -> Vec<Num> {
        assert_eq!(state.len(), self.width);
        let constants = &self.full_constants[0];
        let mut inputs: Vec<Num> = constants.iter().map(|c| b.constant(*c)).collect();
        if self.layer_first {
            for (input, row) in inputs.iter_mut().zip(&self.full_matrix) {
                row.iter().zip(state).for_each(|(m, word)| input.add_scaled(*m, word));
            }
        } else {
            inputs.iter_mut().zip(state).for_each(|(input, word)| *input += word);
        }
        inputs.into_iter().map(Num::compacted).collect()
    }

    /// Runs all rounds on a state, leaving the last round's S-boxes open.
    pub(super) fn rounds(&self, b: &mut Builder, state: &[Num]) -> Open {
        let inputs = self.first_inputs(b, state);
        self.rounds_from(b, inputs)
    }

    /// Absorbs into the state that comes out of `open`, and runs all rounds again. `None` absorbs nothing into a word.
    pub(super) fn absorb(&self, b: &mut Builder, open: Open, absorbed: &[Option<&Num>]) -> Open {
        assert!(self.layer_first, "only the sponge absorbs, and it stands on Poseidon2");
        let mut state = self.output_values(&open);
        for (word, element) in state.iter_mut().zip(absorbed) {
            *word += element.map_or(F::zero(), Num::value);
        }
        self.full.apply(&mut state);
        let constants = &self.full_constants[0];
        let inputs: Vec<Num> = state.iter().zip(constants).map(|(word, c)| b.witness(*word + c)).collect();
        // Per S-box: M⁻¹·(M⁻¹·(z - c) - absorbed).
        for (i, (input, fourth)) in open.0.iter().enumerate() {
            b.enforce_with(|b| {
                let twice = &self.full_inverse_squared[i];
                let mut form = b.constant(-dot(twice, constants));
                twice.iter().zip(&inputs).for_each(|(m, z)| form.add_scaled(*m, z));
                for (m, element) in self.full_inverse[i].iter().zip(absorbed) {
                    if let Some(element) = element {
                        form.add_scaled(-*m, element);
                    }
                }
                (fourth.clone(), input.clone(), form)
            });
        }
        self.rounds_from(b, inputs)
    }

    fn rounds_from(&self, b: &mut Builder, inputs: Vec<Num>) -> Open {
        let mut open = open_sboxes(b, inputs);
        for round in 1..HALF {
            open = self.full_round(b, open, round);
        }
        open = self.partial_rounds(b, open);
        for round in HALF + 1..FULL_ROUNDS {
            open = self.full_round(b, open, round);
        }
        open
    }

    /// Closes a full round's S-boxes by the inputs of the next full round, numbered `round`, and opens those.
    fn full_round(&self, b: &mut Builder, open: Open, round: usize) -> Open {
        let constants = &self.full_constants[round];
        let next = self.output_values(&open);
        let next: Vec<Num> = next.iter().zip(constants).map(|(word, c)| b.witness(*word + c)).collect();
        for ((input, fourth), row) in open.0.iter().zip(&self.full_inverse) {
            b.enforce_with(|b| {
                let mut form = b.constant(-dot(row, constants));
                row.iter().zip(&next).for_each(|(m, z)| form.add_scaled(*m, z));
                (fourth.clone(), input.clone(), form)
            });
        }
        open_sboxes(b, next)
    }

    fn partial_rounds(&self, b: &mut Builder, open: Open) -> Open {
        let mut state = self.output_values(&open);
        let mut boxes = open.0;
        let mut basis = vec![b.one()];
        for constants in &self.partial_constants {
            state.iter_mut().zip(constants).for_each(|(word, c)| *word += c);
            let input = b.witness(state[0]);
            basis.push(input.clone());
            let square = b.square(&input);
            let fourth = b.square(&square);
            state[0] = fourth.value() * input.value();
            self.partial.apply(&mut state);
            boxes.push((input, fourth));
        }
        let exit = state.iter().zip(&self.full_constants[HALF]).map(|(word, c)| b.witness(*word + c));
        let exit: Vec<Num> = exit.collect();
        basis.extend_from_slice(&exit);
        for ((input, fourth), row) in boxes.iter().zip(&self.middle) {
            b.enforce_with(|_| {
                let mut form = Num::default();
                for (k, variable) in row.iter().zip(&basis).filter(|(k, _)| !k.is_zero()) {
                    form.add_scaled(*k, variable);
                }
                (fourth.clone(), input.clone(), form)
            });
        }
        open_sboxes(b, exit)
    }

    /// Values of the state after the layer that follows open S-boxes.
    fn output_values(&self, open: &Open) -> Vec<F> {
        let mut state: Vec<F> = open.0.iter().map(|(input, fourth)| fourth.value() * input.value()).collect();
        self.full.apply(&mut state);
        state
    }

    /// Closes the last round and returns `element 0 of the state + added` as one variable.
    pub(super) fn finish(&self, b: &mut Builder, open: Open, added: &Num) -> Num {
        let row = &self.full_matrix[0];
        let output = b.witness(self.output_values(&open)[0] + added.value());
        let mut rest = &output - added;
        let (last, others) = open.0.split_last().expect("the width is not 0");
        for ((input, fourth), m) in others.iter().zip(row) {
            let x = b.mul(fourth, input);
            rest.add_scaled(-*m, &x);
        }
        let scale = row[self.width - 1].inverse().expect("the layer has no zero in its first row");
        b.enforce(&last.1, &last.0, &rest.scaled(scale));
        output
    }
}

fn open_sboxes(b: &mut Builder, inputs: Vec<Num>) -> Open {
    let open = |input: Num| {
        let square = b.square(&input);
        let fourth = b.square(&square);
        (input, fourth)
    };
    Open(inputs.into_iter().map(open).collect())
}

/// `row · matrix`.
fn row_times(row: &[F], matrix: &Matrix) -> Vec<F> {
    let mut product = vec![F::zero(); matrix[0].len()];
    for (factor, line) in row.iter().zip(matrix) {
        product.iter_mut().zip(line).for_each(|(word, m)| *word += *factor * m);
    }
    product
}

/// [`Permutation::middle`]: the state as forms, from the full round after the partial ones backwards.
fn middle_forms(full_inverse: &Matrix, partial_inverse: &Matrix, constants: &Matrix, exit_constants: &[F]) -> Matrix {
    let (width, rounds) = (exit_constants.len(), constants.len());
    let size = 1 + rounds + width;
    let variable_less = |index: usize, constant: F| {
        let mut form = vec![F::zero(); size];
        (form[index], form[0]) = (F::one(), -constant);
        form
    };
    let mut state: Matrix = (0..width).map(|i| variable_less(1 + rounds + i, exit_constants[i])).collect();
    let mut outputs = Vec::with_capacity(width + rounds);
    for (round, constants) in constants.iter().enumerate().rev() {
        state = partial_inverse.iter().map(|row| row_times(row, &state)).collect();
        outputs.push(std::mem::replace(&mut state[0], variable_less(1 + round, constants[0])));
        state.iter_mut().zip(constants).skip(1).for_each(|(form, c)| form[0] -= c);
    }
    let mut forms: Matrix = full_inverse.iter().map(|row| row_times(row, &state)).collect();
    outputs.reverse();
    forms.extend(outputs);
    forms
}
