//! Linear layers of the permutations, as functions and as matrices.

use ark_ff::{AdditiveGroup, Field, One, Zero};
use sheaf_core::F;

/// A square matrix by rows.
pub(super) type Matrix = Vec<Vec<F>>;

/// The linear layer of a round.
#[derive(Debug)]
pub(super) enum Layer {
    /// Any matrix: Poseidon.
    Dense(Matrix),
    /// The full rounds of Poseidon2: blocks of a 4 × 4 matrix, and a sum over the blocks for widths above 4.
    External,
    /// The partial rounds of Poseidon2: all ones plus this diagonal.
    Internal(Vec<F>),
}

impl Layer {
    /// Replaces a state by its product with the layer.
    pub(super) fn apply(&self, state: &mut [F]) {
        match self {
            Self::Dense(matrix) => {
                let product: Vec<F> = matrix.iter().map(|row| dot(row, state)).collect();
                state.copy_from_slice(&product);
            }
            Self::External => external(state),
            Self::Internal(diagonal) => {
                let sum: F = state.iter().sum();
                for (word, d) in state.iter_mut().zip(diagonal) {
                    *word = *word * d + sum;
                }
            }
        }
    }

    /// The layer as a matrix.
    pub(super) fn matrix(&self, width: usize) -> Matrix {
        let mut matrix = vec![vec![F::zero(); width]; width];
        for column in 0..width {
            let mut unit = vec![F::zero(); width];
            unit[column] = F::one();
            self.apply(&mut unit);
            for (row, word) in matrix.iter_mut().zip(unit) {
                row[column] = word;
            }
        }
        matrix
    }
}

/// `Σ row[i] · state[i]`.
pub(super) fn dot(row: &[F], state: &[F]) -> F {
    row.iter().zip(state).map(|(m, s)| *m * s).sum()
}

/// The paper's 4 × 4 matrix, rows (5 7 1 3), (4 6 1 1), (1 3 5 7), (1 1 4 6).
fn external_block(state: &mut [F]) {
    let [a, b, c, d] = [state[0], state[1], state[2], state[3]];
    let (ab, cd) = (a + b, c + d);
    let t2 = b.double() + cd;
    let t3 = d.double() + ab;
    let t4 = cd.double().double() + t3;
    let t5 = ab.double().double() + t2;
    state.copy_from_slice(&[t3 + t5, t5, t2 + t4, t4]);
}

fn external(state: &mut [F]) {
    assert!(state.len().is_multiple_of(4));
    state.chunks_exact_mut(4).for_each(external_block);
    if state.len() > 4 {
        let sums: [F; 4] = std::array::from_fn(|i| state.iter().skip(i).step_by(4).sum());
        for (i, word) in state.iter_mut().enumerate() {
            *word += sums[i % 4];
        }
    }
}

/// The inverse of a matrix, by Gauss and Jordan.
///
/// # Panics
/// If there is none: the layers of a permutation have one.
pub(super) fn inverse(matrix: &Matrix) -> Matrix {
    let width = matrix.len();
    let mut rows: Matrix = matrix.clone();
    for (i, row) in rows.iter_mut().enumerate() {
        row.extend((0..width).map(|j| F::from(i == j)));
    }
    for column in 0..width {
        let pivot = (column..width).find(|r| !rows[*r][column].is_zero()).expect("the layer is invertible");
        rows.swap(column, pivot);
        let scale = rows[column][column].inverse().expect("the pivot is not zero");
        rows[column].iter_mut().for_each(|word| *word *= scale);
        let pivot_row = rows[column].clone();
        for (r, row) in rows.iter_mut().enumerate() {
            let factor = row[column];
            if r != column && !factor.is_zero() {
                row.iter_mut().zip(&pivot_row).for_each(|(word, p)| *word -= factor * p);
            }
        }
    }
    rows.into_iter().map(|row| row[width..].to_vec()).collect()
}
