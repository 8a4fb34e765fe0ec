//! Baby Jubjub's arithmetic, where nothing is secret.

use crate::{F, hash::poseidon};
use ark_ec::AffineRepr;
use ark_ff::{AdditiveGroup, BigInt};
use taceo_ark_babyjubjub::{EdwardsAffine, EdwardsProjective};

/// A point of Baby Jubjub in affine Edwards coordinates, not necessarily on the curve.
pub type Point = EdwardsAffine;

/// An integer modulo the order `l` of Baby Jubjub's large subgroup.
pub type Scalar = taceo_ark_babyjubjub::Fr;

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
