//! Sums of groups of points, in affine coordinates.
//!
//! ```text
//!  a group      p0 p1 p2 p3 p4         each round adds up neighbours of all groups,
//!  round 1      p0+p1  p2+p3  p4       twelve pairs at a time, with one inversion for
//!  round 2      p0+p1+p2+p3   p4       thousands of them (Montgomery's trick):
//!  round 3      p0+p1+p2+p3+p4         6 multiplications an addition
//! ```

use crate::curve::{Lanes, Point};
use crate::field::Field;
use crate::prime::LANES;
use ark_ec::AffineRepr;
use ark_ec::short_weierstrass::Affine;
use ark_ff::Zero;
use ark_ff::fields::batch_inversion;
use pulp::NullaryFnOnce;
use pulp::x86::V3;
use rayon::prelude::*;

/// Members whose groups one task adds up: what it works on stays in a core's cache.
const CHUNK: usize = 1 << 14;
/// Blocks of twelve pairs that share an inversion.
const BLOCKS: usize = 128;

/// A member of a group: twice its place, and one more if its negative is meant.
pub(crate) type Member = u32;

/// Two points to add up, and where their sum goes.
#[derive(Clone, Copy, Debug)]
struct Pair {
    places: [Member; 2],
    to: u32,
}

/// The sums of groups of points: group `i` has the members before `ends[i]` that no group before has.
pub(crate) fn sums<P: Lanes>(simd: V3, points: &[Point<P::Field>], members: &[Member], ends: &[u32]) -> Vec<Point<P::Field>> {
    let mut chunks = Vec::new();
    let (mut first, mut start) = (0, 0);
    for (group, end) in ends.iter().enumerate() {
        if *end as usize - start >= CHUNK || group + 1 == ends.len() {
            chunks.push((start, &ends[first..=group]));
            (first, start) = (group + 1, *end as usize);
        }
    }
    let parts: Vec<_> =
        chunks.into_par_iter().map(|(start, ends)| Rounds::<P>::new(simd).sums(points, members, start, ends)).collect();
    parts.concat()
}

/// Buffers that all rounds use.
struct Rounds<P: Lanes> {
    simd: V3,
    /// Differences of x, and products of all before.
    blocks: Vec<[P::Field; 2]>,
    pairs: Vec<Pair>,
    /// A sum was at infinity: from now on each pair is looked at.
    careful: bool,
}

impl<P: Lanes> Rounds<P> {
    fn new(simd: V3) -> Self {
        Self { simd, blocks: Vec::with_capacity(BLOCKS), pairs: Vec::new(), careful: false }
    }

    fn sums(mut self, points: &[Point<P::Field>], members: &[Member], start: usize, ends: &[u32]) -> Vec<Point<P::Field>> {
        let mut sizes = Vec::with_capacity(ends.len());
        ends.iter().fold(start as u32, |start, end| {
            sizes.push(end - start);
            *end
        });
        let end = start + sizes.iter().sum::<u32>() as usize;
        let mut current = self.round(points, &members[start..end], &mut sizes);
        while sizes.iter().any(|size| *size > 1) {
            let places: Vec<Member> = (0..current.len() as u32).map(|place| 2 * place).collect();
            current = self.round(&current, &places, &mut sizes);
        }
        let mut sums = current.into_iter();
        sizes.iter().map(|size| if *size == 0 { Point::INFINITY } else { sums.next().expect("one a group") }).collect()
    }

    /// Adds up neighbours in each group.
    fn round(&mut self, points: &[Point<P::Field>], members: &[Member], sizes: &mut [u32]) -> Vec<Point<P::Field>> {
        let count = sizes.iter().map(|size| size.div_ceil(2) as usize).sum();
        let mut out = vec![Point::INFINITY; count];
        self.pairs.clear();
        let (mut from, mut to) = (0, 0);
        for size in sizes {
            let group = &members[from..from + *size as usize];
            from += group.len();
            let pairs = group.chunks_exact(2);
            if let [alone] = *pairs.remainder() {
                out[to + group.len() / 2] = member(points, alone);
            }
            self.pairs.extend(pairs.zip(to as u32..).map(|(places, to)| Pair { places: [places[0], places[1]], to }));
            *size = size.div_ceil(2);
            to += *size as usize;
        }
        let pairs = std::mem::take(&mut self.pairs);
        for pairs in pairs.chunks(BLOCKS * LANES) {
            self.add(points, pairs, &mut out);
        }
        self.pairs = pairs;
        out
    }

    fn add(&mut self, points: &[Point<P::Field>], pairs: &[Pair], out: &mut [Point<P::Field>]) {
        let done = !self.careful && self.add_ordinary(points, pairs, out);
        if !done {
            self.careful = true;
            let exceptional = |pair: &Pair| {
                let [a, b] = pair.places.map(|place| &points[place as usize / 2]);
                a.is_infinity() || b.is_infinity() || P::Field::element(&a.x) == P::Field::element(&b.x)
            };
            let (exceptional, ordinary): (Vec<_>, Vec<_>) = pairs.iter().copied().partition(exceptional);
            for Pair { places, to } in exceptional {
                let [a, b]: [Affine<P>; 2] = places.map(|place| member(points, place).affine());
                out[to as usize] = Point::new::<P>(&(a.into_group() + b).into());
            }
            assert!(self.add_ordinary(points, &ordinary, out), "only ordinary pairs are left");
        }
    }

    /// Adds up pairs with different x, none at infinity. False, with nothing of use done, if two have the same x.
    fn add_ordinary(&mut self, points: &[Point<P::Field>], pairs: &[Pair], out: &mut [Point<P::Field>]) -> bool {
        if pairs.is_empty() {
            return true;
        }
        let simd = self.simd;
        let product = simd.vectorize(Differences::<P> { simd, points, pairs, blocks: &mut self.blocks });
        let mut inverses = product.map(|stored| P::Field::element(&stored));
        if inverses.iter().any(Zero::is_zero) {
            return false;
        }
        batch_inversion(&mut inverses);
        let inverses = inverses.map(|inverse| P::Field::stored(&inverse));
        simd.vectorize(Sums::<P> { simd, points, pairs, blocks: &self.blocks, inverses, out });
        true
    }
}

fn member<F: Field>(points: &[Point<F>], member: Member) -> Point<F> {
    let point = &points[member as usize / 2];
    if member.is_multiple_of(2) { *point } else { point.negated() }
}

/// Twelve pairs; the last one again and again if there are fewer.
#[inline(always)]
fn block(pairs: &[Pair], number: usize) -> [Pair; LANES] {
    std::array::from_fn(|lane| pairs[(number * LANES + lane).min(pairs.len() - 1)])
}

#[inline(always)]
fn load_x<P: Lanes>(simd: V3, points: &[Point<P::Field>], pairs: &[Pair; LANES], side: usize) -> P::Field {
    P::Field::load(simd, std::array::from_fn(|lane| &points[pairs[lane].places[side] as usize / 2].x))
}

#[inline(always)]
fn load_y<P: Lanes>(simd: V3, points: &[Point<P::Field>], pairs: &[Pair; LANES], side: usize) -> P::Field {
    let y = P::Field::load(simd, std::array::from_fn(|lane| &points[pairs[lane].places[side] as usize / 2].y));
    y.negate_where(simd, &std::array::from_fn(|lane| if pairs[lane].places[side].is_multiple_of(2) { 0.0 } else { -0.0 }))
}

/// The product of x₂ − x₁ over all blocks, lane by lane.
struct Differences<'a, P: Lanes> {
    simd: V3,
    points: &'a [Point<P::Field>],
    pairs: &'a [Pair],
    blocks: &'a mut Vec<[P::Field; 2]>,
}

impl<P: Lanes> NullaryFnOnce for Differences<'_, P> {
    type Output = [<P::Field as Field>::Stored; LANES];

    #[inline(always)]
    fn call(self) -> Self::Output {
        let Self { simd, points, pairs, blocks } = self;
        blocks.clear();
        let mut product = P::Field::splat(simd, &P::Field::stored(&ark_ff::One::one()));
        for number in 0..pairs.len().div_ceil(LANES) {
            let pairs = block(pairs, number);
            let (x1, x2) = (load_x::<P>(simd, points, &pairs, 0), load_x::<P>(simd, points, &pairs, 1));
            let difference = x2.subtract(simd, &x1);
            blocks.push([difference, product]);
            product = P::Field::multiply(simd, &product, &difference);
        }
        product.reduce(simd).store(simd)
    }
}

/// All sums, from the inverse of the product.
struct Sums<'a, P: Lanes> {
    simd: V3,
    points: &'a [Point<P::Field>],
    pairs: &'a [Pair],
    blocks: &'a [[P::Field; 2]],
    inverses: [<P::Field as Field>::Stored; LANES],
    out: &'a mut [Point<P::Field>],
}

impl<P: Lanes> NullaryFnOnce for Sums<'_, P> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { simd, points, pairs, blocks, inverses, out } = self;
        let mut inverse_product = P::Field::load(simd, inverses.each_ref());
        for (number, [difference, product]) in blocks.iter().enumerate().rev() {
            let pairs = block(pairs, number);
            let inverse = P::Field::multiply(simd, &inverse_product, product);
            inverse_product = P::Field::multiply(simd, &inverse_product, difference);
            let (y1, y2) = (load_y::<P>(simd, points, &pairs, 0), load_y::<P>(simd, points, &pairs, 1));
            let x1 = load_x::<P>(simd, points, &pairs, 0);
            let slope = P::Field::multiply(simd, &y2.subtract(simd, &y1), &inverse);
            let square = P::Field::square(simd, &slope);
            // x₁ + x₂ = 2·x₁ + (x₂ − x₁)
            let x3 = square.subtract(simd, &x1.add(simd, &x1)).subtract(simd, difference).reduce(simd);
            let y3 = P::Field::multiply(simd, &slope, &x1.subtract(simd, &x3)).subtract(simd, &y1).reduce(simd);
            let (x3, y3) = (x3.store(simd), y3.store(simd));
            for (lane, pair) in pairs.iter().enumerate() {
                out[pair.to as usize] = Point { x: x3[lane], y: y3[lane] };
            }
        }
    }
}
