//! Sixteen numbers modulo a prime at a time: four vectors of four.
//!
//! AVX2 multiplies no 64-bit words, but the fused multiply-add of `f64` gives both halves of a product of two whole numbers
//! below 2^51: `hi = a·b + 1.5·2^103` is rounded to a multiple of 2^51, and `lo = a·b − hi` is what that left out, exactly. Both
//! stand in the bits of the sums, which are added up as integers (Emmart, Zheng and Weems, "Faster Modular Exponentiation Using
//! Double Precision Floating Point Arithmetic on the GPU", ARITH 2018; with round-to-nearest the halves are signed). The
//! multiplication is Montgomery's, limb by limb, with a centred quotient: |a·b|/R + p/2 bounds the result.
//!
//! A vector's multiplication is a chain of some 160 cycles, so four stand beside each other.

use crate::field::Field;
use crate::limbs::{BITS, Limbs, Modulus, power_of_2};
use pulp::x86::V3;
use std::arch::x86_64::{__m256d as Doubles, __m256i as Words};
use std::marker::PhantomData;

/// Vectors of a block.
const VECTORS: usize = 4;
/// Numbers of a block.
pub(crate) const LANES: usize = 4 * VECTORS;

/// Its multiples of 2^51 are the numbers near it.
const HIGH: f64 = 3.0 * power_of_2(102);
/// Its multiples of 1 are the numbers near it.
const LOW: f64 = 3.0 * power_of_2(51);
const HIGH_AND_LOW: f64 = HIGH + LOW;
const MASK: u64 = (1 << BITS) - 1;
/// The bits of 2^52: with a number below 2^52 in place of the zeros it is the sum of both.
const TO_DOUBLE: u64 = power_of_2(52).to_bits();
/// What makes a column positive before it is shifted, and what is then too much above.
const BIAS: u64 = 1 << 60;
const BIAS_SHIFTED: u64 = BIAS >> BITS;

/// Sixteen numbers, limb by limb. Limbs are between −2^51 and 2^51 where they are multiplied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prime<M>([[Doubles; 5]; VECTORS], PhantomData<M>);

/// What column `k` of a sum of `products` products and one reduction begins with: what takes off the offsets of `hi` and `lo`,
/// and the biases.
const fn start(k: usize, products: u64) -> u64 {
    let (mut low, mut high, mut i) = (0u64, 0u64, 0);
    while i < 5 {
        let mut j = 0;
        while j < 5 {
            if i + j == k {
                low += products + 1;
            }
            if i + j + 1 == k {
                high += products + 1;
            }
            j += 1;
        }
        i += 1;
    }
    let mut start = 0u64.wrapping_sub(low.wrapping_mul(LOW.to_bits())).wrapping_sub(high.wrapping_mul(HIGH.to_bits()));
    if k > 0 {
        start = start.wrapping_sub(BIAS_SHIFTED);
    }
    if k < 9 {
        start = start.wrapping_add(BIAS);
    }
    if k >= 5 && k < 9 {
        // Rounds to the nearest, so that limbs come out centred.
        start = start.wrapping_add(1 << (BITS - 1));
    }
    if k == 9 {
        start = start.wrapping_add(LOW.to_bits());
    }
    start
}

const fn starts(products: u64) -> [u64; 10] {
    let (mut out, mut k) = ([0; 10], 0);
    while k < 10 {
        out[k] = start(k, products);
        k += 1;
    }
    out
}

#[inline(always)]
fn doubles(simd: V3, value: f64) -> Doubles {
    simd.avx._mm256_set1_pd(value)
}

#[inline(always)]
fn words(simd: V3, value: u64) -> Words {
    simd.avx._mm256_set1_epi64x(value.cast_signed())
}

#[inline(always)]
fn subtract(simd: V3, a: Doubles, b: Doubles) -> Doubles {
    simd.avx._mm256_sub_pd(a, b)
}

/// Adds both halves of x·y to their columns.
#[inline(always)]
fn multiply_add(simd: V3, x: Doubles, y: Doubles, low: &mut Words, high: &mut Words) {
    let hi = simd.fma._mm256_fmadd_pd(x, y, doubles(simd, HIGH));
    let lo = simd.fma._mm256_fmadd_pd(x, y, subtract(simd, doubles(simd, HIGH_AND_LOW), hi));
    *low = simd.avx2._mm256_add_epi64(*low, simd.avx._mm256_castpd_si256(lo));
    *high = simd.avx2._mm256_add_epi64(*high, simd.avx._mm256_castpd_si256(hi));
}

/// Adds x·y to six columns.
#[inline(always)]
fn add_row(simd: V3, columns: [Words; 6], x: Doubles, y: &[Doubles; 5]) -> [Words; 6] {
    let [mut c0, mut c1, mut c2, mut c3, mut c4, mut c5] = columns;
    multiply_add(simd, x, y[0], &mut c0, &mut c1);
    multiply_add(simd, x, y[1], &mut c1, &mut c2);
    multiply_add(simd, x, y[2], &mut c2, &mut c3);
    multiply_add(simd, x, y[3], &mut c3, &mut c4);
    multiply_add(simd, x, y[4], &mut c4, &mut c5);
    [c0, c1, c2, c3, c4, c5]
}

/// The multiple of p that makes the lowest column a multiple of 2^51.
#[inline(always)]
fn quotient<M: Modulus>(simd: V3, lowest: Words) -> Doubles {
    let low = simd.avx2._mm256_and_si256(lowest, words(simd, MASK));
    let low = simd.avx._mm256_castsi256_pd(simd.avx2._mm256_or_si256(low, words(simd, TO_DOUBLE)));
    let low = subtract(simd, low, doubles(simd, power_of_2(52)));
    let hi = simd.fma._mm256_fmadd_pd(low, doubles(simd, M::N), doubles(simd, HIGH));
    let lo = simd.fma._mm256_fmadd_pd(low, doubles(simd, M::N), subtract(simd, doubles(simd, HIGH_AND_LOW), hi));
    subtract(simd, lo, doubles(simd, LOW))
}

/// Limbs of five columns.
#[inline(always)]
fn limbs_of(simd: V3, columns: &[Words; 6]) -> [Doubles; 5] {
    let (mut out, mut column) = ([doubles(simd, 0.0); 5], columns[0]);
    for k in 0..4 {
        let carry = simd.avx2._mm256_srli_epi64::<{ BITS as i32 }>(column);
        let limb = simd.avx2._mm256_or_si256(simd.avx2._mm256_and_si256(column, words(simd, MASK)), words(simd, TO_DOUBLE));
        out[k] = subtract(simd, simd.avx._mm256_castsi256_pd(limb), doubles(simd, power_of_2(52) + power_of_2(50)));
        column = simd.avx2._mm256_add_epi64(columns[k + 1], carry);
    }
    out[4] = subtract(simd, simd.avx._mm256_castsi256_pd(column), doubles(simd, LOW));
    out
}

/// Σ a·b / R over `N` pairs, each with |a|·|b| small enough that the sum stays below 2p.
#[inline(always)]
pub(crate) fn sum_of_products<M: Modulus, const N: usize>(simd: V3, pairs: [(&Prime<M>, &Prime<M>); N]) -> Prime<M> {
    let starts = const { starts(N as u64) };
    let mut p = [doubles(simd, 0.0); 5];
    let mut columns = [[words(simd, starts[0]); 6]; VECTORS];
    for k in 0..5 {
        p[k] = doubles(simd, M::P[k]);
        for columns in &mut columns {
            columns[k] = words(simd, starts[k]);
        }
    }
    for i in 0..5 {
        let mut quotients = [doubles(simd, 0.0); VECTORS];
        for v in 0..VECTORS {
            let [c0, c1, c2, c3, c4, _] = columns[v];
            let mut sums = [c0, c1, c2, c3, c4, words(simd, starts[5 + i])];
            for (a, b) in &pairs {
                sums = add_row(simd, sums, a.0[v][i], &b.0[v]);
            }
            quotients[v] = quotient::<M>(simd, sums[0]);
            columns[v] = sums;
        }
        for v in 0..VECTORS {
            let [lowest, second, third, fourth, fifth, sixth] = add_row(simd, columns[v], quotients[v], &p);
            let carry = simd.avx2._mm256_srli_epi64::<{ BITS as i32 }>(lowest);
            columns[v] = [simd.avx2._mm256_add_epi64(second, carry), third, fourth, fifth, sixth, sixth];
        }
    }
    let mut out = Prime::zero(simd);
    for (limbs, columns) in out.0.iter_mut().zip(&columns) {
        *limbs = limbs_of(simd, columns);
    }
    out
}

// No closures here: what is called through the standard library's `map` is compiled without the instructions.
impl<M: Modulus> Prime<M> {
    #[inline(always)]
    fn zero(simd: V3) -> Self {
        Self([[doubles(simd, 0.0); 5]; VECTORS], PhantomData)
    }
}

/// Four numbers of each of which the limbs are gathered, limb by limb.
#[inline(always)]
fn gather(simd: V3, numbers: [&Limbs; 4]) -> [Doubles; 5] {
    let [[a0, a1, a2, a3, a4], [b0, b1, b2, b3, b4], [c0, c1, c2, c3, c4], [d0, d1, d2, d3, d4]] =
        [*numbers[0], *numbers[1], *numbers[2], *numbers[3]];
    let (a, b): (Doubles, Doubles) = (pulp::cast([a0, a1, a2, a3]), pulp::cast([b0, b1, b2, b3]));
    let (c, d): (Doubles, Doubles) = (pulp::cast([c0, c1, c2, c3]), pulp::cast([d0, d1, d2, d3]));
    let [first, second, third, fourth] = transpose(simd, [a, b, c, d]);
    [first, second, third, fourth, pulp::cast([a4, b4, c4, d4])]
}

#[inline(always)]
fn transpose(simd: V3, [a, b, c, d]: [Doubles; 4]) -> [Doubles; 4] {
    let avx = simd.avx;
    let (even, odd) = (avx._mm256_unpacklo_pd(a, b), avx._mm256_unpackhi_pd(a, b));
    let (even_2, odd_2) = (avx._mm256_unpacklo_pd(c, d), avx._mm256_unpackhi_pd(c, d));
    [
        avx._mm256_permute2f128_pd::<0x20>(even, even_2),
        avx._mm256_permute2f128_pd::<0x20>(odd, odd_2),
        avx._mm256_permute2f128_pd::<0x31>(even, even_2),
        avx._mm256_permute2f128_pd::<0x31>(odd, odd_2),
    ]
}

impl<M: Modulus> Field for Prime<M> {
    type Ark = M::Ark;
    type Stored = Limbs;
    const ZERO: Limbs = [0.0; 5];

    fn stored(element: &M::Ark) -> Limbs {
        M::limbs(element)
    }

    fn element(stored: &Limbs) -> M::Ark {
        M::from_limbs(stored)
    }

    fn negate(stored: &Limbs) -> Limbs {
        stored.map(|limb| -limb)
    }

    #[inline(always)]
    fn load(simd: V3, numbers: [&Limbs; LANES]) -> Self {
        let mut out = Self::zero(simd);
        for v in 0..VECTORS {
            out.0[v] = gather(simd, [numbers[4 * v], numbers[4 * v + 1], numbers[4 * v + 2], numbers[4 * v + 3]]);
        }
        out
    }

    #[inline(always)]
    fn store(&self, simd: V3) -> [Limbs; LANES] {
        let mut out = [[0.0; 5]; LANES];
        for v in 0..VECTORS {
            let [a, b, c, d, e] = self.0[v];
            let rows: [[f64; 4]; 4] = pulp::cast(transpose(simd, [a, b, c, d]));
            let last: [f64; 4] = pulp::cast(e);
            for i in 0..4 {
                let [a, b, c, d] = rows[i];
                out[4 * v + i] = [a, b, c, d, last[i]];
            }
        }
        out
    }

    #[inline(always)]
    fn multiply(simd: V3, a: &Self, b: &Self) -> Self {
        sum_of_products(simd, [(a, b)])
    }

    #[inline(always)]
    fn square(simd: V3, a: &Self) -> Self {
        sum_of_products(simd, [(a, a)])
    }

    #[inline(always)]
    fn sum_of_2_products(simd: V3, first: (&Self, &Self), second: (&Self, &Self)) -> Self {
        sum_of_products(simd, [first, second])
    }

    #[inline(always)]
    fn add(self, simd: V3, other: &Self) -> Self {
        let mut out = self;
        for v in 0..VECTORS {
            for i in 0..5 {
                out.0[v][i] = simd.avx._mm256_add_pd(self.0[v][i], other.0[v][i]);
            }
        }
        out
    }

    #[inline(always)]
    fn subtract(self, simd: V3, other: &Self) -> Self {
        let mut out = self;
        for v in 0..VECTORS {
            for i in 0..5 {
                out.0[v][i] = subtract(simd, self.0[v][i], other.0[v][i]);
            }
        }
        out
    }

    #[inline(always)]
    fn scale(self, simd: V3, factor: f64) -> Self {
        let mut out = self;
        for v in 0..VECTORS {
            for i in 0..5 {
                out.0[v][i] = simd.avx._mm256_mul_pd(self.0[v][i], doubles(simd, factor));
            }
        }
        out
    }

    #[inline(always)]
    fn negate_where(self, simd: V3, signs: &[f64; LANES]) -> Self {
        let mut out = self;
        for v in 0..VECTORS {
            let signs: Doubles = pulp::cast([signs[4 * v], signs[4 * v + 1], signs[4 * v + 2], signs[4 * v + 3]]);
            for i in 0..5 {
                out.0[v][i] = simd.avx._mm256_xor_pd(self.0[v][i], signs);
            }
        }
        out
    }

    #[inline(always)]
    fn reduce(self, simd: V3) -> Self {
        let whole = doubles(simd, LOW);
        let mut out = self;
        for limbs in &mut out.0 {
            let multiple = simd.fma._mm256_fmadd_pd(limbs[4], doubles(simd, M::SHARE), whole);
            let multiple = subtract(simd, multiple, whole);
            for (limb, p) in limbs.iter_mut().zip(M::P) {
                *limb = simd.fma._mm256_fnmadd_pd(multiple, doubles(simd, p), *limb);
            }
            for k in 0..4 {
                let carry = simd.fma._mm256_fmadd_pd(limbs[k], doubles(simd, power_of_2(-(BITS as i32))), whole);
                let carry = subtract(simd, carry, whole);
                limbs[k] = simd.fma._mm256_fnmadd_pd(carry, doubles(simd, power_of_2(BITS as i32)), limbs[k]);
                limbs[k + 1] = simd.avx._mm256_add_pd(limbs[k + 1], carry);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limbs::{Base, Scalar};
    use ark_ff::{One, UniformRand, Zero};
    use ark_std::test_rng;

    /// Each operation on lanes of random numbers, and of numbers at the edges, is ark's.
    fn as_ark<M: Modulus>() {
        let simd = V3::try_new().expect("AVX2 and FMA");
        let mut rng = test_rng();
        let half = (-M::Ark::one()) * ark_ff::Field::inverse(&M::Ark::from(2u64)).unwrap();
        let edges = [M::Ark::zero(), M::Ark::one(), -M::Ark::one(), half, half + M::Ark::one()];
        for round in 0..200 {
            let mut draw = || -> [M::Ark; LANES] {
                std::array::from_fn(|lane| {
                    if round < 20 { edges[(lane + round * lane / 7 + round) % 5] } else { M::Ark::rand(&mut rng) }
                })
            };
            let (a, b, c, d) = (draw(), draw(), draw(), draw());
            let [la, lb, lc, ld] = [a, b, c, d].map(|x| {
                let stored = x.map(|x| M::limbs(&x));
                Prime::<M>::load(simd, stored.each_ref())
            });
            let is = |lanes: Prime<M>, expected: fn(M::Ark, M::Ark, M::Ark, M::Ark) -> M::Ark| {
                let stored = lanes.store(simd);
                for lane in 0..LANES {
                    assert_eq!(M::from_limbs(&stored[lane]), expected(a[lane], b[lane], c[lane], d[lane]), "lane {lane}");
                }
            };
            is(Prime::multiply(simd, &la, &lb), |a, b, _, _| a * b);
            is(Prime::square(simd, &la.add(simd, &lb)), |a, b, _, _| (a + b) * (a + b));
            is(Prime::multiply(simd, &la.subtract(simd, &lb), &lc.subtract(simd, &ld)), |a, b, c, d| (a - b) * (c - d));
            is(Prime::sum_of_2_products(simd, (&la, &lb), (&lc, &ld)), |a, b, c, d| a * b + c * d);
            is(la.add(simd, &lb).add(simd, &lc).add(simd, &ld).reduce(simd), |a, b, c, d| a + b + c + d);
            is(la.negate_where(simd, &[-0.0; LANES]), |a, _, _, _| -a);
            is(la.scale(simd, 3.0).reduce(simd), |a, _, _, _| a + a + a);
        }
    }

    #[test]
    fn arithmetic_is_that_of_ark() {
        as_ark::<Base>();
        as_ark::<Scalar>();
    }
}
