//! The constraint builder: rank-1 constraints in named groups, with the witness computed beside them.
//!
//! A circuit is a function that takes a [`Builder`] and never branches on a value. The same function
//! serves three uses, chosen by [`Mode`]:
//!
//! ```text
//!  Mode::Setup    rows only, values are whatever the advice holds (zeros will do)  → keys
//!  Mode::Check    rows and values                                                  → tests, attacks
//!  Mode::Witness  values only, no row is built                                     → proving
//! ```
//!
//! Computing a value never checks anything: forged advice yields a full assignment that breaks
//! some row, and [`Builder::first_failure`] names the group of that row.

use ark_bn254::Fr as F;
use ark_ff::{Field, One, Zero};
use std::ops::{Add, AddAssign, Mul, Neg, Sub};

/// Index of a variable in the full assignment: 0 is the constant one, then the public inputs, then
/// the witness.
///
/// While a circuit is being built, public inputs and witness variables are numbered apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Var {
    /// The constant 1.
    One,
    /// The n-th public input, from 0.
    Public(u32),
    /// The n-th private variable, from 0.
    Private(u32),
}

/// A linear combination of variables together with its value.
///
/// In [`Mode::Witness`] the terms stay empty and only the value is kept.
#[derive(Clone, Debug, Default)]
pub struct Num {
    value: F,
    terms: Vec<(F, Var)>,
}

/// What a [`Builder`] keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Keep the rows: for key generation and constraint counts.
    Setup,
    /// Keep rows and values: for tests.
    Check,
    /// Keep values only: for proving.
    Witness,
}

/// One row `a · b = c`, each side a list of (coefficient, variable).
#[derive(Clone, Debug)]
pub struct Row {
    /// Left factor.
    pub a: Vec<(F, Var)>,
    /// Right factor.
    pub b: Vec<(F, Var)>,
    /// Product.
    pub c: Vec<(F, Var)>,
    /// Index into [`Builder::group_names`].
    pub group: u32,
}

/// Collects the rows and the assignment of one circuit.
#[derive(Debug)]
pub struct Builder {
    mode: Mode,
    public: Vec<F>,
    private: Vec<F>,
    rows: Vec<Row>,
    row_count: usize,
    group_names: Vec<&'static str>,
    group: u32,
}

impl Builder {
    /// Starts an empty circuit.
    pub fn new(mode: Mode) -> Self {
        Self {
            mode,
            public: Vec::new(),
            private: Vec::new(),
            rows: Vec::new(),
            row_count: 0,
            group_names: vec!["unnamed"],
            group: 0,
        }
    }

    /// The constant `value` as a [`Num`].
    pub fn constant(&self, value: F) -> Num {
        let terms = if self.mode == Mode::Witness || value.is_zero() { Vec::new() } else { vec![(value, Var::One)] };
        Num { value, terms }
    }

    /// The constant one.
    pub fn one(&self) -> Num {
        self.constant(F::one())
    }

    /// A new public input with this value.
    pub fn public_input(&mut self, value: F) -> Num {
        let var = Var::Public(u32::try_from(self.public.len()).expect("fewer than 2^32 inputs"));
        self.public.push(value);
        self.variable(value, var)
    }

    /// A new private variable with this value, bound by nothing yet.
    pub fn witness(&mut self, value: F) -> Num {
        let var = Var::Private(u32::try_from(self.private.len()).expect("fewer than 2^32 variables"));
        self.private.push(value);
        self.variable(value, var)
    }

    fn variable(&self, value: F, var: Var) -> Num {
        let terms = if self.mode == Mode::Witness { Vec::new() } else { vec![(F::one(), var)] };
        Num { value, terms }
    }

    /// Adds the row `a · b = c`. Never looks at the values.
    pub fn enforce(&mut self, a: &Num, b: &Num, c: &Num) {
        self.row_count += 1;
        if self.mode == Mode::Witness {
            return;
        }
        let side = |n: &Num| compact(n.terms.clone());
        self.rows.push(Row { a: side(a), b: side(b), c: side(c), group: self.group });
    }

    /// Adds the row `a · b = c` with its sides made only where rows are kept: for long forms whose values nobody needs.
    pub fn enforce_with(&mut self, sides: impl FnOnce(&Self) -> (Num, Num, Num)) {
        if self.mode == Mode::Witness {
            self.row_count += 1;
            return;
        }
        let (a, b, c) = sides(self);
        self.enforce(&a, &b, &c);
    }

    /// Adds `a = b` (one row, `(a - b) · 1 = 0`).
    pub fn enforce_equal(&mut self, a: &Num, b: &Num) {
        let (one, zero) = (self.one(), Num::default());
        self.enforce(&(a - b), &one, &zero);
    }

    /// A new variable equal to `a · b` (one row).
    pub fn mul(&mut self, a: &Num, b: &Num) -> Num {
        let out = self.witness(a.value * b.value);
        self.enforce(a, b, &out);
        out
    }

    /// A new variable equal to `a²` (one row).
    pub fn square(&mut self, a: &Num) -> Num {
        self.mul(a, a)
    }

    /// A new variable equal to the linear combination `a` (one row): keeps later forms short.
    pub fn alias(&mut self, a: &Num) -> Num {
        let out = self.witness(a.value);
        let one = self.one();
        self.enforce(a, &one, &out);
        out
    }

    /// A new variable constrained to 0 or 1 (one row).
    pub fn boolean(&mut self, value: bool) -> Num {
        let bit = self.witness(F::from(value));
        self.enforce_boolean(&bit);
        bit
    }

    /// Adds `a ∈ {0, 1}` (one row).
    pub fn enforce_boolean(&mut self, a: &Num) {
        let one = self.one();
        self.enforce(a, &(&one - a), &Num::default());
    }

    /// `condition ? yes : no`, for a boolean `condition` (one row).
    pub fn select(&mut self, condition: &Num, yes: &Num, no: &Num) -> Num {
        let picked = self.mul(condition, &(yes - no));
        &picked + no
    }

    /// A new variable equal to `numerator / denominator` (one row). The caller argues that the denominator is never 0;
    /// where it is, the value is 0 and, unless the numerator is 0 as well, the row fails.
    pub fn quotient(&mut self, numerator: &Num, denominator: &Num) -> Num {
        let out = self.witness(numerator.value * denominator.value.inverse().unwrap_or_default());
        self.enforce(&out, denominator, numerator);
        out
    }

    /// Decomposes `a` into `width` boolean variables, least significant first, and enforces that they sum to it
    /// (`width + 1` rows). For `width <= 253` the decomposition is unique, so this is also
    /// the range check `a < 2^width`. A value out of range gives its low bits, and the sum row fails.
    ///
    /// # Panics
    /// If `width > 253`: a second decomposition would exist.
    pub fn bits(&mut self, a: &Num, width: usize) -> Vec<Num> {
        assert!(width <= 253, "a decomposition of more than 253 bits is not unique");
        let bits = self.bits_free(a.value, width);
        let sum = weighted_sum(&bits);
        self.enforce_equal(&sum, a);
        bits
    }

    /// The low `width` bits of `value` as boolean variables, bound to nothing else (`width` rows).
    pub fn bits_free(&mut self, value: F, width: usize) -> Vec<Num> {
        use ark_ff::{BigInteger, PrimeField};
        let repr = value.into_bigint();
        (0..width).map(|i| self.boolean(repr.get_bit(i))).collect()
    }

    /// A new number below `2^width`, as its bits, least significant first (`width` rows).
    ///
    /// A value out of range is not cut down: the last bit takes what the others leave, so that everything made of
    /// the sum of the bits is made of this very value, and the row that says that the last bit is one fails.
    ///
    /// # Panics
    /// If `width` is 0 or above 253.
    pub fn digits(&mut self, value: F, width: usize) -> Vec<Num> {
        use ark_ff::{BigInteger, PrimeField};
        assert!((1..=253).contains(&width), "a sum of more than 253 bits is not unique");
        let repr = value.into_bigint();
        let mut bits: Vec<Num> = (0..width - 1).map(|i| self.boolean(repr.get_bit(i))).collect();
        let last = if repr.num_bits() as usize <= width {
            F::from(repr.get_bit(width - 1))
        } else {
            let place = F::from(2u64).pow([width as u64 - 1]);
            (value - weighted_sum(&bits).value()) * place.inverse().expect("a power of two is not 0")
        };
        let last = self.witness(last);
        self.enforce_boolean(&last);
        bits.push(last);
        bits
    }

    /// A new variable of this value, constrained to 0 or 1 (one row): [`Builder::boolean`] for advice that may be
    /// anything.
    pub fn flag(&mut self, value: F) -> Num {
        let flag = self.witness(value);
        self.enforce_boolean(&flag);
        flag
    }

    /// Adds `flag → a ≠ 0`, for a boolean `flag` (one row). The advice, an inverse of `a`, is free where both
    /// are 0, and stands in no other row.
    pub fn enforce_nonzero_if(&mut self, flag: &Num, a: &Num) {
        let quotient = self.witness(flag.value * a.value.inverse().unwrap_or_default());
        self.enforce(a, &quotient, flag);
    }

    /// Whether `a` is zero, as a boolean, bound in both directions (two rows).
    pub fn is_zero(&mut self, a: &Num) -> Num {
        let inverse = self.witness(a.value.inverse().unwrap_or_default());
        let is_zero = self.witness(F::from(a.value.is_zero()));
        let one = self.one();
        self.enforce(a, &inverse, &(&one - &is_zero));
        self.enforce(a, &is_zero, &Num::default());
        is_zero
    }

    /// Adds `a ≠ 0` (one row, with the inverse as advice).
    pub fn enforce_nonzero(&mut self, a: &Num) {
        let inverse = self.witness(a.value.inverse().unwrap_or_default());
        let one = self.one();
        self.enforce(a, &inverse, &one);
    }

    /// Runs `body` with every row it adds in the group `name`; groups nest, the innermost name counts.
    pub fn group<T>(&mut self, name: &'static str, body: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.group;
        self.group = match self.group_names.iter().position(|n| *n == name) {
            Some(i) => i as u32,
            None => {
                self.group_names.push(name);
                (self.group_names.len() - 1) as u32
            }
        };
        let result = body(self);
        self.group = outer;
        result
    }

    /// Number of rows so far, counted in every mode.
    pub fn row_count(&self) -> usize {
        self.row_count
    }

    /// The rows. Empty in [`Mode::Witness`].
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Names of the groups; [`Row::group`] indexes it.
    pub fn group_names(&self) -> &[&'static str] {
        &self.group_names
    }

    /// Values of the public inputs, without the leading one.
    pub fn public(&self) -> &[F] {
        &self.public
    }

    /// Values of the private variables.
    pub fn private(&self) -> &[F] {
        &self.private
    }

    /// Mutable values of the private variables: for tests that forge an assignment.
    pub fn private_mut(&mut self) -> &mut [F] {
        &mut self.private
    }

    /// The full assignment: one, public inputs, private variables.
    pub fn assignment(&self) -> Vec<F> {
        [&[F::one()], self.public.as_slice(), self.private.as_slice()].concat()
    }

    /// Index of `var` in [`Builder::assignment`].
    pub fn index(&self, var: Var) -> usize {
        match var {
            Var::One => 0,
            Var::Public(i) => 1 + i as usize,
            Var::Private(i) => 1 + self.public.len() + i as usize,
        }
    }

    /// Value of a variable under the current assignment.
    pub fn value_of(&self, var: Var) -> F {
        match var {
            Var::One => F::one(),
            Var::Public(i) => self.public[i as usize],
            Var::Private(i) => self.private[i as usize],
        }
    }

    /// Whether a row holds under the current assignment.
    pub fn row_holds(&self, row: &Row) -> bool {
        let eval = |side: &[(F, Var)]| side.iter().map(|(k, v)| *k * self.value_of(*v)).sum::<F>();
        eval(&row.a) * eval(&row.b) == eval(&row.c)
    }

    /// The group of the first row that does not hold, or `None` if the assignment satisfies all.
    ///
    /// # Panics
    /// In [`Mode::Witness`], where no rows were kept: an empty check must not pass for a full one.
    pub fn first_failure(&self) -> Option<&'static str> {
        self.failures().next()
    }

    /// The group of every row that does not hold, in order, with repetitions.
    ///
    /// # Panics
    /// In [`Mode::Witness`].
    pub fn failures(&self) -> impl Iterator<Item = &'static str> + '_ {
        assert!(self.mode != Mode::Witness, "rows are not kept in witness mode");
        self.rows.iter().filter(|r| !self.row_holds(r)).map(|r| self.group_names[r.group as usize])
    }
}

/// `Σ bits[i] · 2^i`.
pub fn weighted_sum(bits: &[Num]) -> Num {
    let mut weight = F::one();
    let mut sum = Num::default();
    for bit in bits {
        sum.add_scaled(weight, bit);
        weight.double_in_place();
    }
    sum
}

use ark_ff::AdditiveGroup;

/// Sorts by variable, merges repeated variables and drops zero coefficients.
fn compact(mut terms: Vec<(F, Var)>) -> Vec<(F, Var)> {
    if terms.len() > 1 {
        terms.sort_by_key(|t| t.1);
        terms.dedup_by(|next, kept| {
            let same = next.1 == kept.1;
            if same {
                kept.0 += next.0;
            }
            same
        });
    }
    terms.retain(|t| !t.0.is_zero());
    terms
}

impl Num {
    /// The value under the advice given while building.
    pub fn value(&self) -> F {
        self.value
    }

    /// Number of terms, before like ones are merged.
    pub fn term_count(&self) -> usize {
        self.terms.len()
    }

    /// Adds `k · other` in place.
    pub fn add_scaled(&mut self, k: F, other: &Num) {
        self.value += k * other.value;
        self.terms.extend(other.terms.iter().map(|(c, v)| (*c * k, *v)));
    }

    /// Merges repeated variables, so that long chains of additions stay short.
    pub fn compacted(mut self) -> Num {
        self.terms = compact(self.terms);
        self
    }

    /// `k · self`.
    pub fn scaled(&self, k: F) -> Num {
        let mut out = Num::default();
        out.add_scaled(k, self);
        out
    }
}

impl Add for &Num {
    type Output = Num;
    fn add(self, other: &Num) -> Num {
        let mut out = self.clone();
        out += other;
        out
    }
}

impl AddAssign<&Num> for Num {
    fn add_assign(&mut self, other: &Num) {
        self.value += other.value;
        self.terms.extend_from_slice(&other.terms);
    }
}

impl Sub for &Num {
    type Output = Num;
    fn sub(self, other: &Num) -> Num {
        let mut out = self.clone();
        out.add_scaled(-F::one(), other);
        out
    }
}

impl Neg for &Num {
    type Output = Num;
    fn neg(self) -> Num {
        self.scaled(-F::one())
    }
}

impl Mul<F> for &Num {
    type Output = Num;
    fn mul(self, k: F) -> Num {
        self.scaled(k)
    }
}
