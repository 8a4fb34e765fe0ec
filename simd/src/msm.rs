//! Multi-scalar multiplication (Pippenger, "On the evaluation of powers and related problems", FOCS 1976): each window of the
//! scalars' bits puts the points into buckets by their digits, and Σ digit·bucket is its part of the sum.

use crate::Groups;
use crate::curve::{Homogeneous, Lanes, Point};
use crate::field::Field;
use crate::groups::{Member, sums};
use crate::prime::LANES;
use ark_ec::AdditiveGroup;
use ark_ec::short_weierstrass::{Affine, Projective};
use ark_ff::{BigInt, One, Zero};
use pulp::NullaryFnOnce;
use pulp::x86::V3;
use rayon::prelude::*;

/// Bits of a scalar.
const SCALAR_BITS: usize = 254;

/// Σ scalar·base.
pub(crate) fn sum_of_products<P: Lanes>(simd: V3, bases: &[Affine<P>], scalars: &[BigInt<4>]) -> Projective<P> {
    assert_eq!(bases.len(), scalars.len(), "each base has a scalar");
    let points = points::<P>(bases);
    if !points.par_iter().any(Point::is_infinity) {
        return multi_scalar(simd, &points, scalars);
    }
    let (points, scalars): (Vec<_>, Vec<_>) =
        points.into_iter().zip(scalars.iter().copied()).filter(|(point, _)| !point.is_infinity()).unzip();
    multi_scalar(simd, &points, &scalars)
}

/// Σ scalar·base over all bases of all groups.
pub(crate) fn sum_of_grouped_products<P: Lanes>(simd: V3, bases: &[Affine<P>], groups: Groups<'_>) -> Projective<P> {
    let points = points::<P>(bases);
    let (mut members, mut ends, mut start) = (Vec::with_capacity(groups.places.len()), Vec::new(), 0);
    for end in groups.ends {
        let places = groups.places[start..*end as usize].iter().filter_map(|place| place.checked_sub(groups.first));
        members.extend(places.filter(|place| !points[*place as usize].is_infinity()).map(|place| 2 * place));
        ends.push(members.len() as u32);
        start = *end as usize;
    }
    let sums = sums::<P>(simd, &points, &members, &ends);
    let (points, scalars): (Vec<_>, Vec<_>) =
        sums.into_iter().zip(groups.scalars.iter().copied()).filter(|(sum, _)| !sum.is_infinity()).unzip();
    multi_scalar(simd, &points, &scalars)
}

fn points<P: Lanes>(bases: &[Affine<P>]) -> Vec<Point<P::Field>> {
    bases.par_iter().with_min_len(1 << 10).map(Point::new::<P>).collect()
}

/// Σ scalar·point. Points are not at infinity.
pub(crate) fn multi_scalar<P: Lanes>(simd: V3, points: &[Point<P::Field>], scalars: &[BigInt<4>]) -> Projective<P> {
    assert_eq!(points.len(), scalars.len(), "each point has a scalar");
    if points.is_empty() {
        return Projective::zero();
    }
    let width = width(points.len());
    // Rounded up, so that the highest window has a bit to spare for the carry.
    let count = (SCALAR_BITS + 1).div_ceil(width);
    let offset = (0..count - 1).fold([0; 4], |offset, window| add_bit(offset, window * width + width - 1));
    let windows: Vec<Projective<P>> = (0..count)
        .into_par_iter()
        .map(|window| {
            let digit = |scalar: &BigInt<4>| {
                let bits = digit(&add(scalar.0, offset), window * width, width);
                if window + 1 == count { bits as i32 } else { bits as i32 - (1 << (width - 1)) }
            };
            let (members, ends) = buckets(scalars.iter().map(digit), scalars.len(), 1 << (width - 1));
            let sums = sums::<P>(simd, points, &members, &ends);
            weighted_sum(simd, &sums)
        })
        .collect();
    windows.into_iter().rev().fold(Projective::zero(), |sum, window| {
        let shifted = (0..width).fold(sum, |sum, _| sum.double());
        shifted + window
    })
}

/// The window width that takes the fewest multiplications: 6 a point and window, 24 a bucket.
fn width(points: usize) -> usize {
    let cost = |width: usize| (SCALAR_BITS + 1).div_ceil(width) * (6 * points + (24 << (width - 1)));
    (3..=20).min_by_key(|width| cost(*width)).expect("a width")
}

fn add(a: [u64; 4], b: [u64; 4]) -> [u64; 4] {
    let (mut sum, mut carry) = ([0; 4], false);
    for i in 0..4 {
        (sum[i], carry) = a[i].carrying_add(b[i], carry);
    }
    sum
}

fn add_bit(mut words: [u64; 4], bit: usize) -> [u64; 4] {
    words[bit / 64] |= 1 << (bit % 64);
    words
}

/// `width` bits from bit `from` on.
fn digit(words: &[u64; 4], from: usize, width: usize) -> u32 {
    let (word, shift) = (from / 64, from % 64);
    let low = words[word] >> shift;
    let high = if shift + width > 64 && word < 3 { words[word + 1] << (64 - shift) } else { 0 };
    ((low | high) & ((1 << width) - 1)) as u32
}

/// The members of the buckets of digits 1, 2, …, and where each bucket ends.
fn buckets(digits: impl Iterator<Item = i32> + Clone, count: usize, buckets: usize) -> (Vec<Member>, Vec<u32>) {
    let mut ends = vec![0u32; buckets + 1];
    let digits: Vec<i32> = {
        let mut all = Vec::with_capacity(count);
        all.extend(digits);
        all
    };
    for digit in &digits {
        ends[digit.unsigned_abs() as usize] += 1;
    }
    // Digit 0 takes no part. Where a bucket begins is kept in its end's place until it is filled.
    ends[0] = 0;
    let mut total = 0;
    for end in &mut ends[1..] {
        (*end, total) = (total, total + *end);
    }
    let mut members = vec![0; total as usize];
    for (place, digit) in (0..).zip(&digits) {
        if *digit != 0 {
            let end = &mut ends[digit.unsigned_abs() as usize];
            members[*end as usize] = 2 * place + u32::from(*digit < 0);
            *end += 1;
        }
    }
    ends.remove(0);
    (members, ends)
}

/// Σ (i + 1)·point[i].
fn weighted_sum<P: Lanes>(simd: V3, points: &[Point<P::Field>]) -> Projective<P> {
    let length = points.len().div_ceil(LANES);
    let (sums, weighted) = simd.vectorize(Ladder::<P> { simd, points, length });
    // Lane l begins with weight l·length + 1.
    let (mut above, mut result) = (Projective::zero(), Projective::zero());
    for sum in sums.iter().skip(1).rev() {
        above += sum;
        result += above;
    }
    let length_bits = [length as u64];
    ark_ec::PrimeGroup::mul_bigint(&result, length_bits) + weighted.iter().sum::<Projective<P>>()
}

/// Σ point and Σ (i + 1)·point of twelve parts of a row of points.
struct Ladder<'a, P: Lanes> {
    simd: V3,
    points: &'a [Point<P::Field>],
    length: usize,
}

impl<P: Lanes> NullaryFnOnce for Ladder<'_, P> {
    type Output = ([Projective<P>; LANES], [Projective<P>; LANES]);

    #[inline(always)]
    fn call(self) -> Self::Output {
        let Self { simd, points, length } = self;
        let one = P::Field::stored(&P::BaseField::one());
        let (mut sum, mut weighted) = (Homogeneous::infinity(simd), Homogeneous::infinity(simd));
        let infinity = Point::INFINITY;
        for place in (0..length).rev() {
            let point = |lane: usize| points.get(lane * length + place).unwrap_or(&infinity);
            let next = Homogeneous::load(simd, std::array::from_fn(point), &one);
            sum = sum.add::<P>(simd, &next);
            weighted = weighted.add::<P>(simd, &sum);
        }
        (sum.store(simd), weighted.store(simd))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_bn254::{Fr, g1, g2};
    use ark_ec::{CurveGroup, PrimeGroup, VariableBaseMSM};
    use ark_ff::{PrimeField, UniformRand};
    use ark_std::rand::Rng;
    use ark_std::test_rng;

    /// Random points, some at infinity, equal to or the negative of others; scalars of all sizes, many equal.
    fn as_ark<P: Lanes>(count: usize) {
        let Some(simd) = V3::try_new() else { return };
        let mut rng = test_rng();
        let mut bases: Vec<Projective<P>> = Vec::new();
        for place in 0..count {
            bases.push(match rng.gen_range(0..8) {
                0 => Projective::zero(),
                1 if place > 0 => bases[rng.gen_range(0..place)],
                2 if place > 0 => -bases[rng.gen_range(0..place)],
                _ => Projective::generator() * Fr::from(rng.r#gen::<u64>()),
            });
        }
        let bases = Projective::normalize_batch(&bases);
        let mut scalars: Vec<Fr> = (0..count / 2 + 1)
            .map(|_| match rng.gen_range(0..5) {
                0 => Fr::from(rng.gen_range(0..4u64)),
                1 => -Fr::from(rng.gen_range(0..4u64)),
                2 => Fr::from(rng.r#gen::<u64>()),
                _ => Fr::rand(&mut rng),
            })
            .collect();
        scalars.push(-Fr::one());
        let places: Vec<u32> = (0..count as u32).collect();
        let mut ends: Vec<u32> = (1..scalars.len()).map(|_| rng.gen_range(0..=count as u32)).collect();
        ends.push(count as u32);
        ends.sort_unstable();
        let numbers: Vec<_> = scalars.iter().map(|scalar| scalar.into_bigint()).collect();
        let groups = Groups { first: 0, scalars: &numbers, places: &places, ends: &ends };
        let own = sum_of_grouped_products(simd, &bases, groups);
        let (mut all, mut start) = (Vec::new(), 0);
        for (scalar, end) in scalars.iter().zip(&ends) {
            all.extend((start..*end).map(|_| *scalar));
            start = *end;
        }
        let expected = Projective::msm(&bases, &all).unwrap();
        assert_eq!(own, expected, "{count} points");
        let numbers: Vec<_> = all.iter().map(|scalar| scalar.into_bigint()).collect();
        assert_eq!(sum_of_products(simd, &bases, &numbers), expected, "{count} points, not grouped");
        let first = count / 3;
        let groups = Groups { first: first as u32, ..groups };
        let expected = Projective::msm(&bases[first..], &all[first..]).unwrap();
        assert_eq!(sum_of_grouped_products(simd, &bases[first..], groups), expected, "{count} points, some without base");
    }

    #[test]
    fn sums_are_those_of_ark() {
        for count in [1, 2, 15, 16, 17, 100, 3000] {
            as_ark::<g1::Config>(count);
            as_ark::<g2::Config>(count);
        }
    }

    #[test]
    fn a_long_sum_is_that_of_ark() {
        as_ark::<g1::Config>(40_000);
    }
}
