//! `s·B8 - h·Q` in one chain of doublings (Straus), over the lazy field. Its time depends on the numbers: nothing here is
//! secret.
//!
//! Points are moved to the isomorphic curve `-x² + y² = 1 + d'·x²·y²` by `x ↦ x·√-a`, `d' = -d/a`, whose formulas need no
//! multiplication by `a` ([Hisil and others](https://eprint.iacr.org/2008/522), 3.1 and 3.3). `-a` is a square and `d` is
//! not, so neither is `d'`, and the formulas hold for all pairs of points: no case is left out.

use super::curve::{Point, base8};
use crate::F;
use crate::lazy::{Constant, Lazy};
use ark_ec::CurveGroup;
use ark_ec::twisted_edwards::TECurveConfig;
use ark_ff::{AdditiveGroup, BigInt, Field};
use std::sync::OnceLock;
use taceo_ark_babyjubjub::{EdwardsConfig, EdwardsProjective};

/// Bits of a signed window of `s`: 64 odd multiples of `B8`, made once.
const BASE_BITS: usize = 8;
/// Bits of a signed window of `h`: 8 odd multiples, made for every point.
const POINT_BITS: usize = 5;

/// Returns whether `s·B8 - h·8A = R`, for points on the curve and numbers below `2^254`.
pub(super) fn equation_holds(s: &BigInt<4>, h: &BigInt<4>, key: Point, nonce_point: Point) -> bool {
    let tables = Tables::get();
    let key = tables.place(key);
    let eight = key.doubled().projective().doubled().projective().doubled().extended();
    let result = tables.combine(s, h, eight).projective();
    let expected = tables.place(nonce_point);
    let equal = |value: Lazy, affine: Lazy| F::from(value) == F::from(affine.times(result.z));
    equal(result.x, expected.x) && equal(result.y, expected.y)
}

/// What depends on the curve alone.
struct Tables {
    /// `√-a`.
    root: Lazy,
    /// `2·d'`.
    twice_d: Lazy,
    /// `B8, 3·B8, 5·B8, ...`.
    base: Vec<Addend<()>>,
}

impl Tables {
    fn get() -> &'static Self {
        static TABLES: OnceLock<Tables> = OnceLock::new();
        TABLES.get_or_init(|| {
            let a = EdwardsConfig::COEFF_A;
            let root = (-a).sqrt().expect("-a is a square");
            let twice_d = -EdwardsConfig::COEFF_D.double() * a.inverse().expect("a is not zero");
            let twice = base8() + base8();
            let odd = std::iter::successors(Some(EdwardsProjective::from(base8())), |point| Some(*point + twice));
            let odd = EdwardsProjective::normalize_batch(&odd.take(1 << (BASE_BITS - 2)).collect::<Vec<_>>());
            let mut tables = Self { root: root.into(), twice_d: twice_d.into(), base: Vec::new() };
            tables.base = odd.into_iter().map(|point| tables.affine_addend(point)).collect();
            tables
        })
    }

    /// A point of Baby Jubjub on the isomorphic curve.
    fn place(&self, point: Point) -> Projective {
        Projective { x: self.root.times(point.x.into()), y: point.y.into(), z: F::ONE.into() }
    }

    fn affine_addend(&self, point: Point) -> Addend<()> {
        let Projective { x, y, .. } = self.place(point);
        Addend { difference: y.minus(x), sum: y.plus(x), twice_dt: x.times(y).times(self.twice_d), twice_z: () }
    }

    fn addend(&self, point: Extended) -> Addend<Lazy> {
        let Extended { x, y, z, t } = point;
        Addend { difference: y.minus(x), sum: y.plus(x), twice_dt: t.times(self.twice_d), twice_z: z.plus(z) }
    }

    /// `s·B8 - h·point`.
    fn combine(&self, s: &BigInt<4>, h: &BigInt<4>, point: Extended) -> Completed {
        let twice = self.addend(point.projective().doubled().extended());
        let mut odd = [self.addend(point); 1 << (POINT_BITS - 2)];
        let mut multiple = point;
        for entry in &mut odd[1..] {
            multiple = multiple.plus(&twice, false).extended();
            *entry = self.addend(multiple);
        }
        let (base_digits, point_digits) = (digits::<BASE_BITS>(s), digits::<POINT_BITS>(h));
        let mut sum = Completed::IDENTITY;
        let used = (0..DIGITS).rev().find(|i| base_digits[*i] != 0 || point_digits[*i] != 0);
        for i in (0..used.map_or(0, |top| top + 1)).rev() {
            sum = sum.projective().doubled();
            let (base_digit, point_digit) = (base_digits[i], point_digits[i]);
            if base_digit != 0 {
                let multiple = &self.base[usize::from(base_digit.unsigned_abs() / 2)];
                sum = sum.extended().plus(multiple, base_digit < 0);
            }
            if point_digit != 0 {
                let multiple = &odd[usize::from(point_digit.unsigned_abs() / 2)];
                sum = sum.extended().plus(multiple, point_digit > 0);
            }
        }
        sum
    }
}

/// Digits of a number below `2^254`, with room for the carry.
const DIGITS: usize = 256;

/// Writes a number below `2^254` with odd digits between `-2^(BITS-1)` and `2^(BITS-1)`, at least `BITS` places apart.
fn digits<const BITS: usize>(number: &BigInt<4>) -> [i8; DIGITS] {
    let window = |at: usize, bits: usize| {
        let (limb, shift) = (at / 64, at % 64);
        let above = if shift == 0 { 0 } else { number.0.get(limb + 1).map_or(0, |next| next << (64 - shift)) };
        (number.0[limb] >> shift | above) & ((1 << bits) - 1)
    };
    let (mut digits, mut carry, mut at) = ([0; DIGITS], 0, 0);
    while at < DIGITS {
        if window(at, 1) == carry {
            at += 1;
            continue;
        }
        let word = window(at, BITS) + carry;
        carry = word >> (BITS - 1);
        digits[at] = (word as i16 - ((carry as i16) << BITS)) as i8;
        at += BITS;
    }
    digits
}

/// `(x/z, y/z)`.
#[derive(Clone, Copy)]
struct Projective {
    x: Lazy,
    y: Lazy,
    z: Lazy,
}

/// `(x/z, y/z)` with `t = x·y/z`, which additions need.
#[derive(Clone, Copy)]
struct Extended {
    x: Lazy,
    y: Lazy,
    z: Lazy,
    t: Lazy,
}

/// A point before its last multiplications, `(e·f, g·h, f·g, e·h)` in extended coordinates.
#[derive(Clone, Copy)]
struct Completed {
    e: Lazy,
    f: Lazy,
    g: Lazy,
    h: Lazy,
}

/// A point as an addition takes it: `y - x`, `y + x`, `2·d'·t` and, where it is not 1, the double of `z`.
#[derive(Clone, Copy)]
struct Addend<Z> {
    difference: Lazy,
    sum: Lazy,
    twice_dt: Lazy,
    twice_z: Z,
}

/// `2·z·z2` from what an [`Addend`] knows of `z2`.
trait TwiceZ: Copy {
    fn of(self, z: Lazy) -> Lazy;
}

impl TwiceZ for () {
    #[inline(always)]
    fn of(self, z: Lazy) -> Lazy {
        z.plus(z)
    }
}

impl TwiceZ for Lazy {
    #[inline(always)]
    fn of(self, z: Lazy) -> Lazy {
        z.times(self)
    }
}

impl Projective {
    #[inline(always)]
    fn doubled(self) -> Completed {
        let (a, b, z) = (self.x.squared(), self.y.squared(), self.z.squared());
        let both = a.plus(b);
        let g = b.minus(a);
        let e = self.x.plus(self.y).squared().minus(both);
        Completed { e, f: g.minus(z.plus(z)), g, h: Lazy::ZERO.minus(both) }
    }
}

impl Extended {
    fn projective(self) -> Projective {
        Projective { x: self.x, y: self.y, z: self.z }
    }

    /// `self + other`, or `self - other`.
    #[inline(always)]
    fn plus<Z: TwiceZ>(self, other: &Addend<Z>, negated: bool) -> Completed {
        let (difference, sum) = if negated { (other.sum, other.difference) } else { (other.difference, other.sum) };
        let a = self.y.minus(self.x).times(difference);
        let b = self.y.plus(self.x).times(sum);
        let c = self.t.times(other.twice_dt);
        let d = other.twice_z.of(self.z);
        let (less, more) = (d.minus(c), d.plus(c));
        let (f, g) = if negated { (more, less) } else { (less, more) };
        Completed { e: b.minus(a), f, g, h: b.plus(a) }
    }
}

impl Completed {
    /// The point `(0, 1)`.
    const IDENTITY: Self = {
        let one = Constant::new(F::ONE).value();
        Self { e: Lazy::ZERO, f: one, g: one, h: one }
    };

    #[inline(always)]
    fn projective(self) -> Projective {
        let Self { e, f, g, h } = self;
        Projective { x: e.times(f), y: g.times(h), z: f.times(g) }
    }

    #[inline(always)]
    fn extended(self) -> Extended {
        let Self { e, f, g, h } = self;
        Extended { x: e.times(f), y: g.times(h), z: f.times(g), t: e.times(h) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::PrimeField;
    use proptest::prelude::*;

    /// The number that digits stand for.
    fn number(digits: &[i8]) -> F {
        digits.iter().rev().fold(F::ZERO, |sum, digit| sum.double() + F::from(*digit))
    }

    fn check<const BITS: usize>(element: F) -> Result<(), TestCaseError> {
        let digits = digits::<BITS>(&element.into_bigint());
        prop_assert_eq!(number(&digits), element);
        prop_assert!(digits.iter().all(|d| *d == 0 || (d % 2 != 0 && i16::from(*d).abs() < 1 << (BITS - 1))));
        let places: Vec<_> = (0..DIGITS).filter(|i| digits[*i] != 0).collect();
        prop_assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= BITS));
        Ok(())
    }

    proptest! {
        #[test]
        fn digits_stand_for_the_number(limbs in any::<[u64; 4]>(), keep in 0usize..=4) {
            let mut limbs = limbs;
            limbs[keep..].fill(u64::MAX);
            let element = F::from_be_bytes_mod_order(&limbs.map(u64::to_be_bytes).concat());
            for element in [element, -element, F::from(limbs[0] % 300), -F::from(limbs[1] % 300)] {
                check::<BASE_BITS>(element)?;
                check::<POINT_BITS>(element)?;
            }
        }
    }
}
