//! The parameters of circomlib's Poseidon in the form that costs least, derived from the plain ones.
//!
//! A partial round takes only element 0 through the S-box; the others, `u`, see linear maps alone:
//!
//! ```text
//!  y = (x + k)⁵        x' = m·y + c·u        u' = b·y + A·u        where the matrix is  [ m  c ]
//!                                                                                       [ b  A ]
//! ```
//!
//! 1. The constants added to `u` move through the linear maps to where they meet element 0: one constant `k` a round is
//!    left, and a rest that joins the constants of the first full round after.
//! 2. `u = S·w` in the basis in which `A` becomes a companion matrix and `b` the last unit vector (the controllable
//!    canonical form of linear systems): `w` then moves up by one place, and only its last element is new,
//!    `y + a·w` with the coefficients `a` of the characteristic polynomial of `A`. So a partial round is the S-box and
//!    two sums of products, the same two in every round, where the plain one multiplies by the whole matrix.
//! 3. The change of basis costs nothing: it joins the matrices of the full round before and of the last partial round.

use super::{PoseidonParameters, poseidon_parameters};
use crate::F;
use crate::hash::constants::FULL_ROUNDS;
use crate::lazy::Constant;
use ark_ff::{Field, One, Zero};

type Matrix = Vec<Vec<F>>;

/// What a permutation of width `T` computes with.
#[derive(Debug)]
pub(super) struct Tables<const T: usize> {
    /// Constants of the full rounds.
    pub(super) full: [[Constant; T]; FULL_ROUNDS],
    /// The matrix of the full rounds, but for the one before the partial rounds.
    pub(super) matrix: [[Constant; T]; T],
    /// The matrix of the full round before the partial rounds, which enters the basis of `w`.
    pub(super) enter: [[Constant; T]; T],
    /// The matrix of the last partial round, which leaves it.
    pub(super) leave: [[Constant; T]; T],
    /// The constant of each partial round.
    pub(super) partial: Vec<Constant>,
    /// `(m, c)`: the next element 0 from `(y, w)`.
    pub(super) next: [Constant; T],
    /// `(1, a)`: the next last element of `w` from `(y, w)`.
    pub(super) last: [Constant; T],
}

impl<const T: usize> Tables<T> {
    /// Derives the tables of circomlib's Poseidon with `T - 1` inputs.
    pub(super) fn derive() -> Self {
        let PoseidonParameters { partial_rounds, round_constants, matrix, .. } = poseidon_parameters(T - 1);
        let (partial, full) = constants(T, partial_rounds, &round_constants, &matrix);
        let block: Matrix = matrix[1..].iter().map(|row| row[1..].to_vec()).collect();
        let column: Vec<F> = matrix[1..].iter().map(|row| row[0]).collect();
        let (basis, polynomial) = companion_basis(&block, &column);
        let next = product(&vec![matrix[0].clone()], &beside_one(&basis));
        Self {
            full: table(&full),
            enter: table(&product(&beside_one(&inverse(&basis)), &matrix)),
            leave: table(&product(&matrix, &beside_one(&basis))),
            matrix: table(&matrix),
            partial: partial.into_iter().map(Constant::new).collect(),
            next: row(&next[0]),
            last: row(&[vec![F::one()], polynomial].concat()),
        }
    }
}

fn row<const T: usize>(elements: &[F]) -> [Constant; T] {
    std::array::from_fn(|i| Constant::new(elements[i]))
}

fn table<const T: usize, const ROWS: usize>(rows: &[Vec<F>]) -> [[Constant; T]; ROWS] {
    std::array::from_fn(|i| row(&rows[i]))
}

/// One constant for each partial round, and the constants of the full rounds.
fn constants(width: usize, partial_rounds: usize, plain: &[F], matrix: &Matrix) -> (Vec<F>, Matrix) {
    let mut rounds = plain.chunks(width).map(<[F]>::to_vec);
    let mut full: Matrix = rounds.by_ref().take(FULL_ROUNDS / 2).collect();
    let mut partial = Vec::with_capacity(partial_rounds);
    let mut moved = vec![F::zero(); width];
    for constants in rounds.by_ref().take(partial_rounds) {
        let sum: Vec<F> = moved.iter().zip(constants).map(|(m, c)| *m + c).collect();
        partial.push(sum[0]);
        moved = times_vector(matrix, &[&[F::zero()], &sum[1..]].concat());
    }
    full.extend(rounds);
    full[FULL_ROUNDS / 2].iter_mut().zip(moved).for_each(|(constant, moved)| *constant += moved);
    (partial, full)
}

/// The columns `S` of the basis and the coefficients `a` with `A^n·b = Σ a_j·A^j·b`.
///
/// With `A·s_j = s_{j-1} + a_j·b` and `s_{n-1} = b`, `A` is the companion matrix in this basis.
fn companion_basis(block: &Matrix, column: &[F]) -> (Matrix, Vec<F>) {
    let size = column.len();
    let mut powers = vec![column.to_vec()];
    for i in 0..size {
        powers.push(times_vector(block, &powers[i]));
    }
    let after = powers.pop().expect("one more than the size");
    let polynomial = times_vector(&inverse(&transposed(&powers)), &after);
    let mut columns = vec![column.to_vec()];
    for coefficient in polynomial[1..].iter().rev() {
        let image = times_vector(block, &columns[columns.len() - 1]);
        columns.push(image.iter().zip(column).map(|(i, b)| *i - *coefficient * b).collect());
    }
    columns.reverse();
    (transposed(&columns), polynomial)
}

/// `[1 0; 0 M]`.
fn beside_one(matrix: &Matrix) -> Matrix {
    let size = matrix.len() + 1;
    let entry = |i: usize, j: usize| if i == 0 || j == 0 { F::from(i == j) } else { matrix[i - 1][j - 1] };
    (0..size).map(|i| (0..size).map(|j| entry(i, j)).collect()).collect()
}

fn transposed(matrix: &Matrix) -> Matrix {
    (0..matrix[0].len()).map(|j| matrix.iter().map(|row| row[j]).collect()).collect()
}

fn times_vector(matrix: &Matrix, vector: &[F]) -> Vec<F> {
    matrix.iter().map(|row| row.iter().zip(vector).map(|(m, v)| *m * v).sum()).collect()
}

fn product(left: &Matrix, right: &Matrix) -> Matrix {
    let columns = transposed(right);
    left.iter().map(|row| times_vector(&columns, row)).collect()
}

/// The inverse by Gauss and Jordan.
///
/// # Panics
/// If there is none. There is: a subspace that `A` keeps and that holds `b` would let Poseidon's partial rounds run
/// without the S-box, and its matrices are chosen against that.
fn inverse(matrix: &Matrix) -> Matrix {
    let size = matrix.len();
    let unit = |i: usize| (0..size).map(move |j| F::from(i == j));
    let mut rows: Matrix = matrix.iter().enumerate().map(|(i, row)| row.iter().copied().chain(unit(i)).collect()).collect();
    for i in 0..size {
        let pivot = (i..size).find(|r| !rows[*r][i].is_zero()).expect("the matrix is regular");
        rows.swap(i, pivot);
        let scale = rows[i][i].inverse().expect("not zero");
        rows[i].iter_mut().for_each(|x| *x *= scale);
        let this = rows[i].clone();
        for (_, other) in rows.iter_mut().enumerate().filter(|(r, _)| *r != i) {
            let factor = other[i];
            other.iter_mut().zip(&this).for_each(|(x, y)| *x -= factor * y);
        }
    }
    rows.into_iter().map(|mut row| row.split_off(size)).collect()
}
