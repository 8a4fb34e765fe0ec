//! What curve arithmetic needs of twelve field elements.

use crate::prime::LANES;
use pulp::x86::V3;

/// Twelve elements of a field of coordinates.
///
/// *Reduced* elements, as they are loaded, multiplied or given out by [`Field::reduce`], are between −p and p. Factors of a
/// product are at most the sum of two reduced ones; what is reduced at most the sum of four.
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

    /// a·b, reduced.
    fn multiply(simd: V3, a: &Self, b: &Self) -> Self;
    /// a², reduced.
    fn square(simd: V3, a: &Self) -> Self;
    /// a·b + c·d, reduced. The factors are reduced.
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
