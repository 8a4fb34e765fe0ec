//! The rows of a circuit in the form that proving takes, and as a circuit of `ark-relations`.

use crate::r1cs::{Builder, Row, Var};
use ark_ff::{One, PrimeField, Zero};
use ark_relations::gr1cs::{
    ConstraintSynthesizer, ConstraintSystemRef, LinearCombination, Matrix, Result as SynthesisResult, Variable,
};
use rayon::prelude::*;
use sheaf_core::F;

/// The rows of a circuit: three sparse matrices over one, public inputs, private variables.
#[derive(Clone, Debug)]
pub struct Matrices {
    /// Left factors, right factors, products.
    pub sides: [Matrix<F>; 3],
    /// Public inputs, the constant one included.
    pub input_count: usize,
    /// All variables, the constant one included.
    pub variable_count: usize,
    groups: Vec<u32>,
    group_names: Vec<&'static str>,
}

impl From<&Builder> for Matrices {
    fn from(b: &Builder) -> Self {
        let flat = |side: &[(F, Var)]| -> Vec<(F, usize)> { side.iter().map(|(k, v)| (*k, b.index(*v))).collect() };
        let matrix = |side: fn(&Row) -> &[(F, Var)]| b.rows().par_iter().map(|row| flat(side(row))).collect();
        Self {
            sides: [matrix(|r| &r.a), matrix(|r| &r.b), matrix(|r| &r.c)],
            input_count: 1 + b.public().len(),
            variable_count: 1 + b.public().len() + b.private().len(),
            groups: b.rows().iter().map(|row| row.group).collect(),
            group_names: b.group_names().to_vec(),
        }
    }
}

impl Matrices {
    /// Number of rows.
    pub fn row_count(&self) -> usize {
        self.groups.len()
    }

    /// Size of the domain that rows and inputs are interpolated over.
    pub fn domain_size(&self) -> usize {
        (self.row_count() + self.input_count).next_power_of_two()
    }

    /// Number of entries that are not zero.
    pub fn entry_count(&self) -> usize {
        self.sides.iter().flatten().map(Vec::len).sum()
    }

    /// The value that one side of a row has.
    pub fn value(&self, side: usize, row: usize, assignment: &[F]) -> F {
        // Most coefficients are 1.
        let term = |(k, v): &(F, usize)| if k.is_one() { assignment[*v] } else { *k * assignment[*v] };
        self.sides[side][row].iter().map(term).fold(F::zero(), |sum, term| sum + term)
    }

    /// The group of the first row that an assignment breaks.
    pub fn first_failure(&self, assignment: &[F]) -> Option<&'static str> {
        assert_eq!(assignment.len(), self.variable_count);
        let value = |side: usize, row: &usize| self.value(side, *row, assignment);
        let broken = (0..self.row_count()).into_par_iter().find_first(|row| value(0, row) * value(1, row) != value(2, row));
        broken.map(|row| self.group_names[self.groups[row] as usize])
    }

    /// A number that tells circuits apart: FNV-1a over every entry. Finds keys that an older program made; it is
    /// no defence against an attacker.
    pub fn fingerprint(&self) -> u64 {
        let mix = |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3);
        let row = |row: &Vec<(F, usize)>| {
            row.iter().fold(mix(0xcbf2_9ce4_8422_2325, row.len() as u64), |hash, (k, v)| {
                k.into_bigint().0.iter().fold(mix(hash, *v as u64), |hash, limb| mix(hash, *limb))
            })
        };
        let rows: Vec<u64> = self.sides.par_iter().flat_map(|side| side.par_iter().map(row)).collect();
        [self.input_count as u64, self.variable_count as u64].into_iter().chain(rows).fold(0xcbf2_9ce4_8422_2325, mix)
    }
}

/// A finished circuit as `ark-relations` takes it.
#[derive(Clone, Copy, Debug)]
pub struct Replay<'a>(pub &'a Builder);

impl ConstraintSynthesizer<F> for Replay<'_> {
    fn generate_constraints(self, cs: ConstraintSystemRef<F>) -> SynthesisResult<()> {
        let b = self.0;
        for value in b.public() {
            let _ = cs.new_input_variable(|| Ok(*value))?;
        }
        for value in b.private() {
            let _ = cs.new_witness_variable(|| Ok(*value))?;
        }
        let form = |side: &[(F, Var)]| LinearCombination(side.iter().map(|(k, v)| (*k, variable(*v))).collect());
        for row in b.rows() {
            cs.enforce_r1cs_constraint(|| form(&row.a), || form(&row.b), || form(&row.c))?;
        }
        Ok(())
    }
}

/// `ark-relations` numbers public inputs from 1, after the constant one.
const fn variable(var: Var) -> Variable {
    match var {
        Var::One => Variable::One,
        Var::Public(i) => Variable::instance(1 + i as usize),
        Var::Private(i) => Variable::witness(i as usize),
    }
}
