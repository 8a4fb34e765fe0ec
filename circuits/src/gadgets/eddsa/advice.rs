//! Values of points and slopes, computed together so that they share their inversions.
//!
//! Nothing here is trusted: a slope is advice that its row binds.

use ark_ec::CurveGroup;
use ark_ec::twisted_edwards::Projective;
use ark_ff::{BigInt, BigInteger, One, batch_inversion};
use sheaf_core::F;
use sheaf_core::eddsa::Point;

type Curve = <Point as ark_ec::AffineRepr>::Config;

/// A point under construction.
pub(super) type Sum = Projective<Curve>;

/// Montgomery coordinates of a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coordinates {
    pub(super) u: F,
    pub(super) v: F,
}

/// Montgomery coordinates of many points; 0 where one has none.
pub(super) fn coordinates(points: &[Sum]) -> Vec<Coordinates> {
    let affine = Projective::<Curve>::normalize_batch(points);
    let mut inverses: Vec<F> = affine.iter().flat_map(|p| [F::one() - p.y, p.x]).collect();
    batch_inversion(&mut inverses);
    let convert = |(p, inverse): (&Point, &[F])| {
        let u = (F::one() + p.y) * inverse[0];
        Coordinates { u, v: u * inverse[1] }
    };
    affine.iter().zip(inverses.chunks(2)).map(convert).collect()
}

/// Slopes between pairs of points; 0 where they have the same `u`.
pub(super) fn slopes(pairs: impl Iterator<Item = (Coordinates, Coordinates)> + Clone) -> Vec<F> {
    let mut inverses: Vec<F> = pairs.clone().map(|(p, q)| q.u - p.u).collect();
    batch_inversion(&mut inverses);
    pairs.zip(inverses).map(|((p, q), inverse)| (q.v - p.v) * inverse).collect()
}

/// The point with these coordinates, on the curve or not.
pub(super) fn point(x: F, y: F) -> Sum {
    Sum::from(Point::new_unchecked(x, y))
}

/// `integer · factor`.
///
/// # Panics
/// If it does not fit 256 bits.
pub(super) fn times(integer: BigInt<4>, factor: u64) -> BigInt<4> {
    (0..factor).fold(BigInt::from(0u64), |sum, _| plus(sum, integer))
}

/// `a + b`.
///
/// # Panics
/// If it does not fit 256 bits.
pub(super) fn plus(mut a: BigInt<4>, b: BigInt<4>) -> BigInt<4> {
    assert!(!a.add_with_carry(&b), "a sum of at most 256 bits");
    a
}

/// `a - b`.
///
/// # Panics
/// If it is negative.
pub(super) fn minus(mut a: BigInt<4>, b: BigInt<4>) -> BigInt<4> {
    assert!(!a.sub_with_borrow(&b), "a difference of at least 0");
    a
}

/// `2^exponent`.
pub(super) fn power_of_two(exponent: u32) -> BigInt<4> {
    BigInt::from(1u64) << exponent
}

/// `width` bits from bit `low` on, at most 64.
pub(super) fn bits_from(integer: &BigInt<4>, low: usize, width: usize) -> u64 {
    (0..width).rev().fold(0, |sum, i| sum << 1 | u64::from(integer.get_bit(low + i)))
}
