//! Baby Jubjub's arithmetic, where nothing is secret.

use crate::{F, hash::poseidon};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, BigInt, Zero};
use std::sync::OnceLock;
use taceo_ark_babyjubjub::{EdwardsAffine, EdwardsProjective};

/// A point of Baby Jubjub in affine Edwards coordinates, not necessarily on the curve.
pub type Point = EdwardsAffine;

/// An integer modulo the order `l` of Baby Jubjub's large subgroup.
pub type Scalar = taceo_ark_babyjubjub::Fr;

/// Bits of a window of the multiplications.
const WINDOW_BITS: usize = 4;
/// Windows of a 256-bit integer.
const WINDOWS: usize = 256 / WINDOW_BITS;
/// Multiples in a window other than 0.
const MULTIPLES: usize = (1 << WINDOW_BITS) - 1;

/// Returns circomlib's `Base8`, the generator of the subgroup of order `l`.
pub fn base8() -> Point {
    Point::generator()
}

/// Returns the challenge `Poseidon(R8x, R8y, Ax, Ay, M)`, an integer below the field's modulus.
pub fn challenge(nonce_point: Point, key: Point, message: F) -> F {
    poseidon(&[nonce_point.x, nonce_point.y, key.x, key.y, message])
}

/// Reads an integer from 32 big-endian bytes.
pub(super) fn integer_from_bytes(bytes: &[u8; 32]) -> BigInt<4> {
    let limb = |i: usize| u64::from_be_bytes(bytes[24 - 8 * i..32 - 8 * i].try_into().expect("eight bytes"));
    BigInt::new(std::array::from_fn(limb))
}

/// `8 · point`.
pub(super) fn times_cofactor(point: Point) -> EdwardsProjective {
    let mut multiple = EdwardsProjective::from(point);
    for _ in 0..3 {
        multiple.double_in_place();
    }
    multiple
}

/// The window `index` (0 is the lowest) of an integer.
fn window(integer: &BigInt<4>, index: usize) -> usize {
    let bit = index * WINDOW_BITS;
    (integer.0[bit / 64] >> (bit % 64)) as usize & MULTIPLES
}

/// `integer · B8`, from a table; its time depends on the integer.
pub(super) fn mul_base8_public(integer: &BigInt<4>) -> EdwardsProjective {
    static TABLE: OnceLock<Vec<Point>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        let mut base = EdwardsProjective::from(base8());
        let mut multiples = Vec::with_capacity(WINDOWS * MULTIPLES);
        for _ in 0..WINDOWS {
            let mut multiple = base;
            for _ in 0..MULTIPLES {
                multiples.push(multiple);
                multiple += base;
            }
            base = multiple;
        }
        EdwardsProjective::normalize_batch(&multiples)
    });
    let mut sum = EdwardsProjective::zero();
    for index in 0..WINDOWS {
        match window(integer, index) {
            0 => {}
            digit => sum += table[index * MULTIPLES + digit - 1],
        }
    }
    sum
}

/// `integer · point`; its time depends on both.
pub(super) fn mul_public(point: EdwardsProjective, integer: &BigInt<4>) -> EdwardsProjective {
    let mut multiples = [point; MULTIPLES];
    for i in 1..MULTIPLES {
        multiples[i] = multiples[i - 1] + point;
    }
    let mut sum = EdwardsProjective::zero();
    for index in (0..WINDOWS).rev() {
        if !sum.is_zero() {
            for _ in 0..WINDOW_BITS {
                sum.double_in_place();
            }
        }
        match window(integer, index) {
            0 => {}
            digit => sum += multiples[digit - 1],
        }
    }
    sum
}
