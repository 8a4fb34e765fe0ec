//! Numbers modulo a prime in five limbs of 51 bits, each a whole `f64`, and their way from and to ark's form.
//!
//! ark keeps x·2^256 mod p in four words of 64 bits. Here it is x·2^255 mod p, which is half of that, in limbs between −2^50 and
//! 2^50, for any representative between −p/2 and p/2 (a little beyond, after a calculation).

use ark_bn254::{Fq, FqConfig};
use ark_ff::{BigInt, MontConfig};

/// Bits of a limb.
pub(crate) const BITS: u32 = 51;
const MASK: u64 = (1 << BITS) - 1;

/// Five limbs, least significant first.
pub(crate) type Limbs = [f64; 5];

/// 2^exponent.
pub(crate) const fn power_of_2(exponent: i32) -> f64 {
    f64::from_bits(((1023 + exponent) as u64) << 52)
}

/// A prime below 2^254, whose ark elements this module reads and writes.
pub(crate) trait Modulus: Copy + Send + Sync + 'static {
    /// ark's element.
    type Ark: ark_ff::PrimeField<BigInt = BigInt<4>>;
    /// The prime, in words.
    const WORDS: [u64; 4];
    /// The prime.
    const P: Limbs = centred(split(Self::WORDS));
    /// −1/p mod 2^51, centred.
    const N: f64 = centre(negative_inverse(Self::WORDS[0]));
    /// About 2^204 / p: the prime's share of a most significant limb.
    const SHARE: f64 = 1.0 / (Self::P[4] + Self::P[3] / power_of_2(BITS as i32));

    /// What ark keeps.
    fn words(element: &Self::Ark) -> [u64; 4];
    /// The element that ark keeps as these words.
    fn element(words: [u64; 4]) -> Self::Ark;

    /// From ark's form.
    fn limbs(element: &Self::Ark) -> Limbs {
        let words = Self::words(element);
        let even = if words[0] & 1 == 1 { add(words, Self::WORDS) } else { words };
        let half = halve(even);
        // Below p: so p is taken off if it is above p/2, to stay centred.
        if less(half, halve(Self::WORDS)) { centred(split(half)) } else { negated(centred(split(subtract(Self::WORDS, half)))) }
    }

    /// To ark's form. The number must be between −2p and 2p.
    fn from_limbs(limbs: &Limbs) -> Self::Ark {
        // Twice p more makes it positive, below 2^256; the sum of limbs has at most 53 bits each.
        let p = split(Self::WORDS);
        let (mut words, mut carry) = ([0u64; 5], 0i64);
        for i in 0..5 {
            let sum = limbs[i] as i64 + 2 * p[i] as i64 + carry;
            words[i] = sum as u64 & MASK;
            carry = sum >> BITS;
        }
        debug_assert!(carry >= 0, "a number below -2p");
        let mut half = join(words, carry as u64);
        while !less(half, Self::WORDS) {
            half = subtract(half, Self::WORDS);
        }
        let twice = add(half, half);
        Self::element(if less(twice, Self::WORDS) { twice } else { subtract(twice, Self::WORDS) })
    }
}

/// The field of G1's coordinates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Base;

impl Modulus for Base {
    type Ark = Fq;
    const WORDS: [u64; 4] = <FqConfig as MontConfig<4>>::MODULUS.0;

    fn words(element: &Fq) -> [u64; 4] {
        element.0.0
    }
    fn element(words: [u64; 4]) -> Fq {
        Fq::new_unchecked(BigInt(words))
    }
}

/// Limbs of 51 bits of a number below 2^255.
const fn split(words: [u64; 4]) -> [u64; 5] {
    let [a, b, c, d] = words;
    [a & MASK, (a >> 51 | b << 13) & MASK, (b >> 38 | c << 26) & MASK, (c >> 25 | d << 39) & MASK, d >> 12]
}

/// The other way, for a number below 2^256: `carry` counts 2^255.
const fn join(limbs: [u64; 5], carry: u64) -> [u64; 4] {
    let [a, b, c, d, e] = limbs;
    [a | b << 51, b >> 13 | c << 38, c >> 26 | d << 25, d >> 39 | e << 12 | carry << 63]
}

/// The same number in limbs between −2^50 and 2^50.
const fn centred(limbs: [u64; 5]) -> Limbs {
    let (mut out, mut carry, mut i) = ([0.0; 5], 0i64, 0);
    while i < 4 {
        let limb = limbs[i] as i64 + carry;
        carry = (limb + (1 << (BITS - 1))) >> BITS;
        out[i] = (limb - (carry << BITS)) as f64;
        i += 1;
    }
    out[4] = (limbs[4] as i64 + carry) as f64;
    out
}

const fn centre(limb: u64) -> f64 {
    if limb > 1 << (BITS - 1) { limb as f64 - power_of_2(BITS as i32) } else { limb as f64 }
}

fn negated(limbs: Limbs) -> Limbs {
    limbs.map(|limb| -limb)
}

/// −1/p mod 2^51, by Newton's iteration.
const fn negative_inverse(p: u64) -> u64 {
    let (mut inverse, mut i) = (1u64, 0);
    while i < 6 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(p.wrapping_mul(inverse)));
        i += 1;
    }
    inverse.wrapping_neg() & MASK
}

const fn add(a: [u64; 4], b: [u64; 4]) -> [u64; 4] {
    let (mut sum, mut carry, mut i) = ([0; 4], 0u128, 0);
    while i < 4 {
        carry += a[i] as u128 + b[i] as u128;
        sum[i] = carry as u64;
        carry >>= 64;
        i += 1;
    }
    sum
}

const fn subtract(a: [u64; 4], b: [u64; 4]) -> [u64; 4] {
    let (mut difference, mut borrow, mut i) = ([0; 4], 0i128, 0);
    while i < 4 {
        borrow += a[i] as i128 - b[i] as i128;
        difference[i] = borrow as u64;
        borrow >>= 64;
        i += 1;
    }
    difference
}

const fn halve(a: [u64; 4]) -> [u64; 4] {
    [a[0] >> 1 | a[1] << 63, a[1] >> 1 | a[2] << 63, a[2] >> 1 | a[3] << 63, a[3] >> 1]
}

const fn less(a: [u64; 4], b: [u64; 4]) -> bool {
    let mut i = 4;
    while i > 0 {
        i -= 1;
        if a[i] != b[i] {
            return a[i] < b[i];
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ff::{Field as _, One, UniformRand, Zero};
    use ark_std::test_rng;

    fn both_ways<M: Modulus>() {
        let mut rng = test_rng();
        let edges = [M::Ark::zero(), M::Ark::one(), -M::Ark::one(), M::Ark::from(2u64).inverse().unwrap()];
        for element in edges.into_iter().chain((0..1000).map(|_| M::Ark::rand(&mut rng))) {
            let limbs = M::limbs(&element);
            assert!(limbs.iter().all(|limb| limb.abs() <= power_of_2(50)), "{limbs:?}");
            assert_eq!(M::from_limbs(&limbs), element);
            assert_eq!(M::from_limbs(&limbs.map(|limb| -limb)), -element);
            let twice = limbs.map(|limb| 2.0 * limb);
            assert_eq!(M::from_limbs(&twice), element + element);
        }
    }

    #[test]
    fn limbs_hold_what_ark_holds() {
        both_ways::<Base>();
    }
}
