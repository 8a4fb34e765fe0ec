//! What curve arithmetic needs of twelve field elements.

use crate::prime::LANES;
use pulp::x86::V3;

/// Twelve elements of a field of coordinates.
///
/// Bounds, in multiples of p: what is loaded or comes from [`Field::reduce`] is at most 0.51, a product at most 0.9. A product's
/// factors are each at most the sum of two of the former, 1.02, or a product; a sum's, and what is reduced, at most the sum of six.
/// All limbs but the highest are then at most 2^51 in a factor, and every result is exact.
pub(crate) trait Field: Copy + Send + Sync + 'static {
    /// ark's element.
    type Ark: ark_ff::Field;
    /// An element in memory.
    type Stored: Copy + Send + Sync + std::fmt::Debug + PartialEq;
    /// 0.
    const ZERO: Self::Stored;

    /// From ark's form.
    fn stored(element: &Self::Ark) -> Self::Stored;
    /// To ark's form.
    fn element(stored: &Self::Stored) -> Self::Ark;

    /// −a.
    fn negate(stored: &Self::Stored) -> Self::Stored;

    /// Gathers elements.
    fn load(simd: V3, elements: [&Self::Stored; LANES]) -> Self;
    /// The other way.
    fn store(&self, simd: V3) -> [Self::Stored; LANES];

    /// a·b.
    fn multiply(simd: V3, a: &Self, b: &Self) -> Self;
    /// a².
    fn square(simd: V3, a: &Self) -> Self;
    /// a·b + c·d, of reduced factors.
    fn sum_of_2_products(simd: V3, first: (&Self, &Self), second: (&Self, &Self)) -> Self;
    /// a + b, not reduced.
    fn add(self, simd: V3, other: &Self) -> Self;
    /// a − b, not reduced.
    fn subtract(self, simd: V3, other: &Self) -> Self;
    /// A small multiple, not reduced.
    fn scale(self, simd: V3, factor: f64) -> Self;
    /// −a where the sign is −0.0, a where it is 0.0.
    fn negate_where(self, simd: V3, signs: &[f64; LANES]) -> Self;
    /// A representative close to 0, with centred limbs.
    fn reduce(self, simd: V3) -> Self;

    /// The same element twelve times.
    #[inline(always)]
    fn splat(simd: V3, element: &Self::Stored) -> Self {
        Self::load(simd, [element; LANES])
    }
}
