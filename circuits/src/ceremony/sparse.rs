//! Columns of a circuit's matrices times points.

use crate::matrices::Matrices;
use ark_ec::CurveGroup as _;
use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ff::{AdditiveGroup as _, BigInteger as _, PrimeField as _, Zero as _};
use rayon::prelude::*;
use sheaf_core::F;

/// Odd multiples 1, 3, 5, 7 are kept of each point.
const WINDOW: usize = 4;
const CHUNK: usize = 1 << 10;

/// One matrix, by variable: coefficient and row of each entry.
#[derive(Debug)]
pub(super) struct Columns {
    entries: Vec<(F, u32)>,
    /// Where each variable's entries begin, and the end.
    starts: Vec<usize>,
}

impl Columns {
    pub(super) fn new(matrices: &Matrices, side: usize) -> Self {
        let rows = &matrices.sides[side];
        let mut starts = vec![0; matrices.variable_count + 1];
        // One more row an input, so that these are independent of each other.
        let inputs = if side == 0 { matrices.input_count } else { 0 };
        let added = (0..inputs).map(|i| (rows.len() + i, (F::from(1u64), i)));
        rows.iter().flatten().map(|(_, v)| *v).chain(added.clone().map(|(_, (_, v))| v)).for_each(|v| starts[v + 1] += 1);
        (0..matrices.variable_count).for_each(|v| starts[v + 1] += starts[v]);
        let mut entries = vec![(F::zero(), 0); starts[matrices.variable_count]];
        let mut next = starts.clone();
        let all = rows.iter().enumerate().flat_map(|(row, entries)| entries.iter().map(move |entry| (row, *entry)));
        for (row, (coefficient, variable)) in all.chain(added) {
            entries[next[variable]] = (coefficient, u32::try_from(row).expect("fewer than 2^32 rows"));
            next[variable] += 1;
        }
        Self { entries, starts }
    }

    /// Σ coefficient·point of a variable's entries, the points being those of the rows.
    pub(super) fn sum<P: SWCurveConfig<ScalarField = F>>(&self, variable: usize, points: &[Affine<P>]) -> Projective<P> {
        let entries = &self.entries[self.starts[variable]..self.starts[variable + 1]];
        straus(entries.iter().map(|(coefficient, row)| (*coefficient, points[*row as usize])))
    }
}

/// Straus's method: the doublings are shared by all terms.
fn straus<P: SWCurveConfig<ScalarField = F>>(terms: impl Iterator<Item = (F, Affine<P>)>) -> Projective<P> {
    let mut sum = Projective::ZERO;
    let mut tables = Vec::new();
    for (factor, point) in terms {
        let (positive, negative) = (factor.into_bigint(), (-factor).into_bigint());
        // Many coefficients are −1: they need no doublings either.
        let (factor, point) = if negative < positive { (negative, -point) } else { (positive, point) };
        if factor.num_bits() <= 1 {
            if !factor.is_zero() {
                sum += point;
            }
            continue;
        }
        let digits = factor.find_wnaf(WINDOW).expect("the window is 2 to 64");
        let first = Projective::from(point);
        let twice = first.double();
        let mut table = [first; 1 << (WINDOW - 2)];
        (1..table.len()).for_each(|i| table[i] = table[i - 1] + twice);
        tables.push((digits, table));
    }
    let mut high = Projective::<P>::ZERO;
    for bit in (0..tables.iter().map(|(digits, _)| digits.len()).max().unwrap_or(0)).rev() {
        high.double_in_place();
        for (digits, table) in &tables {
            match digits.get(bit).copied().unwrap_or(0) {
                0 => {}
                digit if digit > 0 => high += table[digit as usize / 2],
                digit => high -= table[-digit as usize / 2],
            }
        }
    }
    sum + high
}

/// `count` points on all threads, affine.
pub(super) fn normalized<P: SWCurveConfig>(count: usize, point: impl Fn(usize) -> Projective<P> + Sync) -> Vec<Affine<P>> {
    let chunk = |start: usize| -> Vec<Affine<P>> {
        let points: Vec<_> = (start..count.min(start + CHUNK)).map(&point).collect();
        Projective::normalize_batch(&points)
    };
    (0..count).into_par_iter().step_by(CHUNK).flat_map_iter(chunk).collect()
}
