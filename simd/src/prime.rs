//! Twelve numbers modulo a prime at a time: three vectors of four.

use crate::field::Field;
use crate::limbs::{BITS, Limbs, Modulus, power_of_2};
use crate::montgomery::{LOW, doubles, subtract, sum_of_products};
use pulp::x86::V3;
use std::arch::x86_64::__m256d as Doubles;
use std::marker::PhantomData;

/// Vectors of a block.
pub(crate) const VECTORS: usize = 3;
/// Numbers of a block.
pub(crate) const LANES: usize = 4 * VECTORS;

/// Twelve numbers, limb by limb. Limbs are between −2^51 and 2^51 where they are multiplied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prime<M>(pub(crate) [[Doubles; 5]; VECTORS], PhantomData<M>);

// No closures here: what is called through the standard library's `map` is compiled without the instructions.
impl<M: Modulus> Prime<M> {
    #[inline(always)]
    pub(crate) fn zero(simd: V3) -> Self {
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
    use crate::limbs::Base;
    use ark_bn254::Fq;
    use ark_ff::Field as _;
    use ark_ff::{One, UniformRand, Zero};
    use ark_std::rand::Rng;
    use ark_std::test_rng;

    /// Each operation on lanes of random numbers, and of numbers at the edges, is ark's.
    fn as_ark<M: Modulus>() {
        let Some(simd) = V3::try_new() else { return };
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
            let is = |lanes: Prime<M>, expected: fn([M::Ark; 4]) -> M::Ark| {
                let stored = lanes.store(simd);
                for lane in 0..LANES {
                    assert_eq!(M::from_limbs(&stored[lane]), expected([a[lane], b[lane], c[lane], d[lane]]), "lane {lane}");
                }
            };
            is(Prime::multiply(simd, &la, &lb), |[a, b, _, _]| a * b);
            is(Prime::square(simd, &la.add(simd, &lb)), |[a, b, _, _]| (a + b) * (a + b));
            is(Prime::multiply(simd, &la.subtract(simd, &lb), &lc.subtract(simd, &ld)), |[a, b, c, d]| (a - b) * (c - d));
            is(Prime::sum_of_2_products(simd, (&la, &lb), (&lc, &ld)), |[a, b, c, d]| a * b + c * d);
            is(la.add(simd, &lb).add(simd, &lc).add(simd, &ld).reduce(simd), |[a, b, c, d]| a + b + c + d);
            is(la.negate_where(simd, &[-0.0; LANES]), |[a, _, _, _]| -a);
            is(la.scale(simd, 3.0).reduce(simd), |[a, _, _, _]| a + a + a);
        }
    }

    #[test]
    fn arithmetic_is_that_of_ark() {
        as_ark::<Base>();
    }

    /// The largest limbs that factors may have, with any signs.
    #[test]
    fn products_of_limbs_at_their_bounds_are_those_of_ark() {
        let Some(simd) = V3::try_new() else { return };
        let mut rng = test_rng();
        let value = |limbs: &Limbs| {
            let limb = |limb: f64| if limb < 0.0 { -Fq::from(-limb as u64) } else { Fq::from(limb as u64) };
            limbs.iter().rev().fold(Fq::zero(), |value, next| value * Fq::from(1u64 << BITS) + limb(*next))
        };
        let montgomery = Fq::from(2u64).pow([255]).inverse().unwrap();
        for round in 0..100 {
            let mut draw = || -> [Limbs; LANES] {
                std::array::from_fn(|_| {
                    // 0.9 times p in all: what a product or the sum of two reduced numbers may be.
                    let bounds = [1u64 << BITS, 1 << BITS, 1 << BITS, 1 << BITS, (0.9 * Base::P[4]) as u64];
                    bounds.map(|bound| {
                        let limb = if round < 50 { bound } else { bound - rng.gen_range(0..4) } as f64;
                        if rng.r#gen() { limb } else { -limb }
                    })
                })
            };
            let (a, b, c, d) = (draw(), draw(), draw(), draw());
            let [la, lb, lc, ld] = [&a, &b, &c, &d].map(|numbers| Prime::<Base>::load(simd, numbers.each_ref()));
            let products = Prime::multiply(simd, &la, &lb).store(simd);
            let sums = Prime::sum_of_2_products(simd, (&la, &lb), (&lc, &ld)).store(simd);
            for lane in 0..LANES {
                let product = value(&a[lane]) * value(&b[lane]) * montgomery;
                assert_eq!(value(&products[lane]), product, "{:?} {:?}", a[lane], b[lane]);
                assert!(products[lane].iter().all(|limb| limb.abs() <= power_of_2(50)), "{:?}", products[lane]);
                assert_eq!(value(&sums[lane]), product + value(&c[lane]) * value(&d[lane]) * montgomery);
            }
        }
    }
}
