//! BN254's scalar field with values that are reduced late: what the hashes and the curve compute with.
//!
//! A [`Lazy`] is an element in Montgomery form with radix `R = 2^256`, as four 64-bit limbs of a number **below `2p`**,
//! not below `p`. A [`Constant`] is the same below `p`. Every operation takes and gives values of these bounds, so that
//! they can be put together in any order:
//!
//! * `p < 0.18905·R`, so `2p < R/2` and `5p < R`: sums of two values fit four limbs, and so does twice a value.
//! * Montgomery reduction of `T` adds `m·p` with `m < R` and divides by `R`: it gives less than `T/R + p`.
//! * A product has `T < 4p²`, so it gives less than `4p·0.18905 + p < 1.76p`: no subtraction is needed at its end.
//! * A sum of `n ≤ 7` products of a value and a constant has `T < 14p²`, so it gives less than `3.65p < R`;
//!   one subtraction of `2p` ([`lower`]) brings it below `2p`. That is one reduction for the whole sum.
//! * Sums and differences (`a + b`, `a + 2p - b`) are below `4p`, and [`lower`] brings them below `2p`.
//!
//! All of it is plain integer arithmetic with carries, in constant memory and without branches on the values' limbs
//! other than the choice in [`lower`]. `ark-ff` is the oracle of the tests.

mod sum;

use crate::F;
use ark_ff::{BigInt, Fp, PrimeField};
pub(crate) use sum::Sum;

type Limbs = [u64; 4];

/// The modulus `p`.
const MODULUS: Limbs = F::MODULUS.0;
/// `2p`.
const TWICE_MODULUS: Limbs = {
    let p = MODULUS;
    [p[0] << 1, p[1] << 1 | p[0] >> 63, p[2] << 1 | p[1] >> 63, p[3] << 1 | p[2] >> 63]
};
/// `-1/p` modulo `2^64`.
const NEGATED_INVERSE: u64 = negated_inverse(MODULUS[0]);
/// Most products that [`Lazy::dot`] adds up before it reduces.
const PRODUCTS_MAX: usize = 7;

/// `-1/x` modulo `2^64` for odd `x`: every step of Newton's iteration doubles the number of right bits, three at first.
const fn negated_inverse(x: u64) -> u64 {
    let mut inverse = x;
    let mut step = 0;
    while step < 5 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(x.wrapping_mul(inverse)));
        step += 1;
    }
    inverse.wrapping_neg()
}

/// `a + b`, which must be below `2^256`.
#[inline(always)]
fn add_limbs(a: Limbs, b: Limbs) -> Limbs {
    let (r0, c) = a[0].carrying_add(b[0], false);
    let (r1, c) = a[1].carrying_add(b[1], c);
    let (r2, c) = a[2].carrying_add(b[2], c);
    let (r3, _) = a[3].carrying_add(b[3], c);
    [r0, r1, r2, r3]
}

/// `a - b`, and whether it is negative.
#[inline(always)]
fn sub_limbs(a: Limbs, b: Limbs) -> (Limbs, bool) {
    let (r0, c) = a[0].borrowing_sub(b[0], false);
    let (r1, c) = a[1].borrowing_sub(b[1], c);
    let (r2, c) = a[2].borrowing_sub(b[2], c);
    let (r3, c) = a[3].borrowing_sub(b[3], c);
    ([r0, r1, r2, r3], c)
}

/// Brings a number below `4p` below `2p`.
#[inline(always)]
fn lower(a: Limbs) -> Lazy {
    let (less, negative) = sub_limbs(a, TWICE_MODULUS);
    Lazy(if negative { a } else { less })
}

/// Adds `x·b` to the lowest four limbs of a number, and gives the carry into the fifth.
#[inline(always)]
fn add_row(t: &mut Limbs, x: u64, b: &Limbs) -> u64 {
    let (r0, c) = x.carrying_mul_add(b[0], t[0], 0);
    let (r1, c) = x.carrying_mul_add(b[1], t[1], c);
    let (r2, c) = x.carrying_mul_add(b[2], t[2], c);
    let (r3, c) = x.carrying_mul_add(b[3], t[3], c);
    *t = [r0, r1, r2, r3];
    c
}

/// A step of Montgomery's reduction: adds the multiple of `p` that makes the lowest limb zero, and drops that limb.
/// Gives the carry, which belongs where the top limb of `t` is zero afterwards.
#[inline(always)]
fn reduce_step(t: &mut Limbs) -> u64 {
    let m = t[0].wrapping_mul(NEGATED_INVERSE);
    let c = add_row(t, m, &MODULUS);
    *t = [t[1], t[2], t[3], 0];
    c
}

/// An element below the modulus, in Montgomery form: a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Constant(Limbs);

impl Constant {
    /// Takes over the limbs of an element, which are below the modulus.
    pub(crate) const fn new(element: F) -> Self {
        Self(element.0.0)
    }

    /// The constant as a value.
    #[inline(always)]
    pub(crate) const fn value(self) -> Lazy {
        Lazy(self.0)
    }
}

/// An element as a number below twice the modulus, in Montgomery form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lazy(Limbs);

impl From<F> for Lazy {
    #[inline(always)]
    fn from(element: F) -> Self {
        Self(element.0.0)
    }
}

impl From<Lazy> for F {
    #[inline(always)]
    fn from(Lazy(limbs): Lazy) -> Self {
        let (less, negative) = sub_limbs(limbs, MODULUS);
        Fp::new_unchecked(BigInt(if negative { limbs } else { less }))
    }
}

impl Lazy {
    pub(crate) const ZERO: Self = Self([0; 4]);

    /// `self + other`.
    #[inline(always)]
    pub(crate) fn plus(self, other: Self) -> Self {
        lower(add_limbs(self.0, other.0))
    }

    /// `self - other`.
    #[inline(always)]
    pub(crate) fn minus(self, other: Self) -> Self {
        let (positive, _) = sub_limbs(TWICE_MODULUS, other.0);
        lower(add_limbs(self.0, positive))
    }

    /// `self · other`: each limb's row is added and one limb reduced away, so that `t` stays below `2p + p < R`.
    #[inline(always)]
    pub(crate) fn times(self, other: Self) -> Self {
        let mut t = [0; 4];
        for x in self.0 {
            let c = add_row(&mut t, x, &other.0);
            let d = reduce_step(&mut t);
            t[3] = c.wrapping_add(d);
        }
        Self(t)
    }

    /// `self²`: products of different limbs are taken once, with a limb of twice the number, which fits four limbs.
    #[inline(always)]
    pub(crate) fn squared(self) -> Self {
        let a = self.0;
        let (twice1, twice2, twice3) = (a[1] << 1, a[2] << 1, a[3] << 1);
        let (both2, both3) = (twice2 | a[1] >> 63, twice3 | a[2] >> 63);
        let (t0, c) = a[0].carrying_mul(a[0], 0);
        let (t1, c) = a[0].carrying_mul(twice1, c);
        let (t2, c) = a[0].carrying_mul(both2, c);
        let (t3, t4) = a[0].carrying_mul(both3, c);
        let (t2, c) = a[1].carrying_mul_add(a[1], t2, 0);
        let (t3, c) = a[1].carrying_mul_add(twice2, t3, c);
        let (t4, t5) = a[1].carrying_mul_add(both3, t4, c);
        let (t4, c) = a[2].carrying_mul_add(a[2], t4, 0);
        let (t5, t6) = a[2].carrying_mul_add(twice3, t5, c);
        let (t6, t7) = a[3].carrying_mul_add(a[3], t6, 0);
        let (mut t, mut carry) = ([t0, t1, t2, t3], false);
        for high in [t4, t5, t6, t7] {
            let c = reduce_step(&mut t);
            (t[3], carry) = high.carrying_add(c, carry);
        }
        Self(t)
    }

    /// `self⁵`, the S-box of every permutation here.
    #[inline(always)]
    pub(crate) fn fifth_power(self) -> Self {
        self.squared().squared().times(self)
    }

    /// The sum of the products of values and constants, with one reduction for every [`PRODUCTS_MAX`] of them.
    ///
    /// # Panics
    /// If there are not as many constants as values.
    #[inline(always)]
    pub(crate) fn dot(values: &[Self], constants: &[Constant]) -> Self {
        assert_eq!(values.len(), constants.len());
        if values.len() <= PRODUCTS_MAX {
            return Self::dot_once(values, constants);
        }
        let chunks = values.chunks(PRODUCTS_MAX).zip(constants.chunks(PRODUCTS_MAX));
        chunks.fold(Self::ZERO, |sum, (values, constants)| sum.plus(Self::dot_once(values, constants)))
    }

    /// [`Lazy::dot`] of at most [`PRODUCTS_MAX`] products. The running sum stays below `2^64·(7p + p) + 8p < 2^324`
    /// before a limb is reduced away and below `2^260` after, so its sixth limb is small and is folded into the fifth.
    #[inline(always)]
    fn dot_once(values: &[Self], constants: &[Constant]) -> Self {
        let (mut t, mut fifth) = ([0; 4], 0u64);
        for i in 0..4 {
            let mut sixth = 0u64;
            for (value, constant) in values.iter().zip(constants) {
                let c = add_row(&mut t, value.0[i], &constant.0);
                let (sum, over) = fifth.overflowing_add(c);
                (fifth, sixth) = (sum, sixth.wrapping_add(u64::from(over)));
            }
            let c = reduce_step(&mut t);
            let (sum, over) = fifth.overflowing_add(c);
            (t[3], fifth) = (sum, sixth.wrapping_add(u64::from(over)));
        }
        lower(t)
    }
}

#[cfg(test)]
mod tests;
