//! Keys: circomlib's derivation from a 32-byte seed.

use super::curve::{Point, Scalar, base8, challenge, times_cofactor};
use super::signature::{Signature, SignatureError};
use crate::F;
use crate::hash::poseidon;
use crate::types::{field_from_bytes, field_to_bytes};
use ark_ec::CurveGroup;
use ark_ff::{BigInteger, PrimeField, Zero};
use blake_hash::{Blake512, Digest};
use std::fmt;
use zeroize::Zeroize;

/// A public key that is on the curve and not of small order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PublicKey {
    point: Point,
}

impl PublicKey {
    /// Checks the coordinates of a public key.
    ///
    /// # Errors
    /// [`SignatureError::KeyNotOnCurve`], or [`SignatureError::KeySmallOrder`] if `8·A` is the identity.
    pub fn new(x: F, y: F) -> Result<Self, SignatureError> {
        let point = Point::new_unchecked(x, y);
        if !point.is_on_curve() {
            return Err(SignatureError::KeyNotOnCurve);
        }
        if times_cofactor(point).is_zero() {
            return Err(SignatureError::KeySmallOrder);
        }
        Ok(Self { point })
    }

    /// The first coordinate.
    pub fn x(&self) -> F {
        self.point.x
    }

    /// The second coordinate.
    pub fn y(&self) -> F {
        self.point.y
    }

    /// The point.
    pub fn point(&self) -> Point {
        self.point
    }

    /// Returns `Poseidon(Ax, Ay)`, the word that an account keeps of its key.
    pub fn key_hash(&self) -> F {
        poseidon(&[self.point.x, self.point.y])
    }

    /// Writes both coordinates, 32 big-endian bytes each.
    pub fn to_bytes(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&field_to_bytes(self.point.x));
        bytes[32..].copy_from_slice(&field_to_bytes(self.point.y));
        bytes
    }

    /// Reads what [`PublicKey::to_bytes`] writes.
    ///
    /// # Errors
    /// [`SignatureError::NotCanonical`] if a coordinate is not below the modulus, or what [`PublicKey::new`] refuses.
    pub fn from_bytes(bytes: &[u8; 64]) -> Result<Self, SignatureError> {
        let coordinate = |half: &[u8]| field_from_bytes(half.try_into().expect("32 bytes"));
        let (x, y) = (coordinate(&bytes[..32]), coordinate(&bytes[32..]));
        let not_canonical = SignatureError::NotCanonical;
        Self::new(x.ok_or(not_canonical)?, y.ok_or(not_canonical)?)
    }
}

/// A secret key. Wiped when dropped, and printed without its content.
#[derive(Clone)]
pub struct SecretKey {
    /// The `a` of `A = a·B8`: the pruned hash shifted right by 3, modulo `l`.
    scalar: Scalar,
    /// Upper half of the seed's hash, from which nonces are made.
    nonce_seed: [u8; 32],
    public: PublicKey,
}

impl SecretKey {
    /// Derives a key from a seed as `circomlibjs` and `@zk-kit/eddsa-poseidon` do: BLAKE-512, pruned, shifted
    /// right by 3.
    ///
    /// ```
    /// use sheaf_core::{F, eddsa::SecretKey};
    /// let key = SecretKey::from_seed(&[7; 32]);
    /// let signature = key.sign(F::from(42u64));
    /// assert!(signature.verify(&key.public_key(), F::from(42u64)).is_ok());
    /// assert!(signature.verify(&key.public_key(), F::from(43u64)).is_err());
    /// ```
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let mut hash: [u8; 64] = Blake512::digest(seed).into();
        let nonce_seed = hash[32..].try_into().expect("32 bytes");
        let low = &mut hash[..32];
        low[0] &= 0xf8;
        low[31] &= 0x7f;
        low[31] |= 0x40;
        // The integer is a multiple of 8, so dividing modulo the (odd) order is the same as shifting.
        let scalar = Scalar::from_le_bytes_mod_order(low) * inverse_of_8();
        hash.zeroize();
        let point = (base8() * scalar).into_affine();
        let public = PublicKey::new(point.x, point.y).expect("a pruned scalar is not a multiple of the order");
        Self { scalar, nonce_seed, public }
    }

    /// The public key.
    pub fn public_key(&self) -> PublicKey {
        self.public
    }

    /// Signs a message, with the same deterministic nonce as the JavaScript packages: the nonce is
    /// `BLAKE-512(upper half of the seed's hash ‖ M as 32 little-endian bytes) mod l`.
    pub fn sign(&self, message: F) -> Signature {
        let mut hasher = Blake512::new();
        hasher.update(self.nonce_seed);
        hasher.update(message.into_bigint().to_bytes_le());
        let mut digest: [u8; 64] = hasher.finalize().into();
        let mut nonce = Scalar::from_le_bytes_mod_order(&digest);
        let point = (base8() * nonce).into_affine();
        let h = challenge(point, self.public.point(), message);
        let h = Scalar::from_le_bytes_mod_order(&h.into_bigint().to_bytes_le());
        let s = nonce + h * self.scalar * Scalar::from(8u64);
        digest.zeroize();
        nonce.zeroize();
        Signature { r8_x: point.x, r8_y: point.y, s }
    }
}

/// `1/8` modulo `l`.
fn inverse_of_8() -> Scalar {
    <taceo_ark_babyjubjub::EdwardsConfig as ark_ec::CurveConfig>::COFACTOR_INV
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.scalar.zeroize();
        self.nonce_seed.zeroize();
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKey").field("public", &self.public).finish_non_exhaustive()
    }
}
