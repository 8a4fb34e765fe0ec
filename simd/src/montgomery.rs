//! Montgomery's multiplication by fused multiply-adds.
//!
//! AVX2 multiplies no 64-bit words, but the fused multiply-add of `f64` gives both halves of a product of two whole numbers
//! below 2^51: `hi = a·b + 1.5·2^103` is rounded to a multiple of 2^51, and `lo = a·b − hi` is what that left out, exactly. Both
//! stand in the bits of the sums, which are added up as integers (Emmart, Zheng and Weems, "Faster Modular Exponentiation Using
//! Double Precision Floating Point Arithmetic on the GPU", ARITH 2018; with round-to-nearest the halves are signed). The
//! reduction goes limb by limb, with a centred quotient: |a·b|/R + p/2 bounds the result.
//!
//! A vector's multiplication is a chain of some 160 cycles, so a block's vectors are multiplied beside each other.

use crate::limbs::{BITS, Modulus, power_of_2};
use crate::prime::{Prime, VECTORS};
use pulp::NullaryFnOnce;
use pulp::x86::V3;
use std::arch::x86_64::{__m256d as Doubles, __m256i as Words};

/// Its multiples of 2^51 are the numbers near it.
const HIGH: f64 = 3.0 * power_of_2(102);
/// Its multiples of 1 are the numbers near it.
pub(crate) const LOW: f64 = 3.0 * power_of_2(51);
const HIGH_AND_LOW: f64 = HIGH + LOW;
const MASK: u64 = (1 << BITS) - 1;
/// The bits of 2^52: with a number below 2^52 in place of the zeros it is the sum of both.
const TO_DOUBLE: u64 = power_of_2(52).to_bits();
/// What makes a column positive before it is shifted, and what is then too much above.
const BIAS: u64 = 1 << 60;
const BIAS_SHIFTED: u64 = BIAS >> BITS;

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
pub(crate) fn doubles(simd: V3, value: f64) -> Doubles {
    simd.avx._mm256_set1_pd(value)
}

#[inline(always)]
fn words(simd: V3, value: u64) -> Words {
    simd.avx._mm256_set1_epi64x(value.cast_signed())
}

#[inline(always)]
pub(crate) fn subtract(simd: V3, a: Doubles, b: Doubles) -> Doubles {
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
///
/// It is called, not inlined: its loop is long enough, and many copies of it leave no room for each other in the cache.
#[inline(always)]
pub(crate) fn sum_of_products<M: Modulus, const N: usize>(simd: V3, pairs: [(&Prime<M>, &Prime<M>); N]) -> Prime<M> {
    simd.vectorize(SumOfProducts { simd, pairs })
}

struct SumOfProducts<'a, M, const N: usize> {
    simd: V3,
    pairs: [(&'a Prime<M>, &'a Prime<M>); N],
}

impl<M: Modulus, const N: usize> NullaryFnOnce for SumOfProducts<'_, M, N> {
    type Output = Prime<M>;

    #[inline(always)]
    fn call(self) -> Prime<M> {
        let Self { simd, pairs } = self;
        let starts = const { starts(N as u64) };
        let [p0, p1, p2, p3, p4] = const { M::P };
        let p = [doubles(simd, p0), doubles(simd, p1), doubles(simd, p2), doubles(simd, p3), doubles(simd, p4)];
        let [s0, s1, s2, s3, s4, ..] = starts;
        let first = [words(simd, s0), words(simd, s1), words(simd, s2), words(simd, s3), words(simd, s4), words(simd, 0)];
        let mut columns = [first; VECTORS];
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
}
