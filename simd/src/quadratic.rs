//! Twelve elements of Fq2 = Fq\[u\]/(u² + 1) at a time, the coordinates of G2.

use crate::field::Field;
use crate::limbs::{Base, Limbs};
use crate::montgomery::sum_of_products;
use crate::prime::{LANES, Prime};
use ark_bn254::Fq2;
use pulp::x86::V3;

/// Twelve elements: both of their coordinates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quadratic([Prime<Base>; 2]);

const NEGATIVE: [f64; LANES] = [-0.0; LANES];

impl Field for Quadratic {
    type Ark = Fq2;
    type Stored = [Limbs; 2];
    const ZERO: [Limbs; 2] = [[0.0; 5]; 2];

    fn stored(element: &Fq2) -> [Limbs; 2] {
        [Prime::<Base>::stored(&element.c0), Prime::<Base>::stored(&element.c1)]
    }

    fn element(stored: &[Limbs; 2]) -> Fq2 {
        Fq2::new(Prime::<Base>::element(&stored[0]), Prime::<Base>::element(&stored[1]))
    }

    fn negate(stored: &[Limbs; 2]) -> [Limbs; 2] {
        stored.map(|part| part.map(|limb| -limb))
    }

    #[inline(always)]
    fn load(simd: V3, elements: [&[Limbs; 2]; LANES]) -> Self {
        let (real, imaginary) = (elements.map(|element| &element[0]), elements.map(|element| &element[1]));
        Self([Prime::load(simd, real), Prime::load(simd, imaginary)])
    }

    #[inline(always)]
    fn store(&self, simd: V3) -> [[Limbs; 2]; LANES] {
        let (real, imaginary) = (self.0[0].store(simd), self.0[1].store(simd));
        std::array::from_fn(|lane| [real[lane], imaginary[lane]])
    }

    /// One reduction serves both products of a coordinate.
    #[inline(always)]
    fn multiply(simd: V3, a: &Self, b: &Self) -> Self {
        let ([a0, a1], [b0, b1]) = (&a.0, &b.0);
        let minus_a1 = a1.negate_where(simd, &NEGATIVE);
        Self([sum_of_products(simd, [(a0, b0), (&minus_a1, b1)]), sum_of_products(simd, [(a0, b1), (a1, b0)])]).reduce(simd)
    }

    #[inline(always)]
    fn sum_of_2_products(simd: V3, (a, b): (&Self, &Self), (c, d): (&Self, &Self)) -> Self {
        let ([a0, a1], [b0, b1], [c0, c1], [d0, d1]) = (&a.0, &b.0, &c.0, &d.0);
        let (minus_a1, minus_c1) = (a1.negate_where(simd, &NEGATIVE), c1.negate_where(simd, &NEGATIVE));
        Self([
            sum_of_products(simd, [(a0, b0), (&minus_a1, b1), (c0, d0), (&minus_c1, d1)]),
            sum_of_products(simd, [(a0, b1), (a1, b0), (c0, d1), (c1, d0)]),
        ])
        .reduce(simd)
    }

    /// (a0 + a1)·(a0 − a1) + 2·a0·a1·u.
    #[inline(always)]
    fn square(simd: V3, a: &Self) -> Self {
        let (a0, a1) = (a.0[0].reduce(simd), a.0[1].reduce(simd));
        let (sum, difference, twice) = (a0.add(simd, &a1), a0.subtract(simd, &a1), a1.add(simd, &a1));
        Self([sum_of_products(simd, [(&sum, &difference)]), sum_of_products(simd, [(&a0, &twice)])]).reduce(simd)
    }

    #[inline(always)]
    fn add(self, simd: V3, other: &Self) -> Self {
        Self([self.0[0].add(simd, &other.0[0]), self.0[1].add(simd, &other.0[1])])
    }

    #[inline(always)]
    fn subtract(self, simd: V3, other: &Self) -> Self {
        Self([self.0[0].subtract(simd, &other.0[0]), self.0[1].subtract(simd, &other.0[1])])
    }

    #[inline(always)]
    fn scale(self, simd: V3, factor: f64) -> Self {
        Self([self.0[0].scale(simd, factor), self.0[1].scale(simd, factor)])
    }

    #[inline(always)]
    fn negate_where(self, simd: V3, signs: &[f64; LANES]) -> Self {
        Self([self.0[0].negate_where(simd, signs), self.0[1].negate_where(simd, signs)])
    }

    #[inline(always)]
    fn reduce(self, simd: V3) -> Self {
        Self([self.0[0].reduce(simd), self.0[1].reduce(simd)])
    }
}
