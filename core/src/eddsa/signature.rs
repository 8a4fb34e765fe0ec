//! Signatures and their verification.

use super::curve::{Point, Scalar, challenge, integer_from_bytes};
use super::key::{PublicKey, SecretKey};
use super::straus::equation_holds;
use crate::F;
use crate::types::{field_from_bytes, field_to_bytes};
use ark_ff::{BigInteger, PrimeField};
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};
use std::sync::OnceLock;

/// Why a key or a signature is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A coordinate is not below the field's modulus.
    #[error("a coordinate is not below the field's modulus")]
    NotCanonical,
    /// The public key is not a point of Baby Jubjub.
    #[error("the public key is not on the curve")]
    KeyNotOnCurve,
    /// Eight times the public key is the identity.
    #[error("the public key has small order")]
    KeySmallOrder,
    /// `R8` is not a point of Baby Jubjub.
    #[error("the signature's point R8 is not on the curve")]
    NoncePointNotOnCurve,
    /// `S` is not below the subgroup's order.
    #[error("the signature's S is not below the subgroup's order")]
    ScalarOutOfRange,
    /// `S·B8 = R8 + 8·h·A` does not hold.
    #[error("the signature does not match the key and the message")]
    EquationFails,
}

impl SignatureError {
    /// Returns the stable code of this error.
    pub fn code(self) -> &'static str {
        match self {
            Self::NotCanonical => "coordinate_not_canonical",
            Self::KeyNotOnCurve => "key_not_on_curve",
            Self::KeySmallOrder => "key_small_order",
            Self::NoncePointNotOnCurve => "nonce_point_not_on_curve",
            Self::ScalarOutOfRange => "signature_scalar_out_of_range",
            Self::EquationFails => "signature_mismatch",
        }
    }
}

/// A signature as it arrives: `R8` is not yet known to be on the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, CanonicalSerialize, CanonicalDeserialize)]
pub struct Signature {
    /// First coordinate of `R8`.
    pub r8_x: F,
    /// Second coordinate of `R8`.
    pub r8_y: F,
    /// `S`, below the subgroup's order by its type.
    pub s: Scalar,
}

impl Signature {
    /// Writes `R8x ‖ R8y ‖ S`, 32 big-endian bytes each.
    pub fn to_bytes(&self) -> [u8; 96] {
        let mut bytes = [0; 96];
        bytes[..32].copy_from_slice(&field_to_bytes(self.r8_x));
        bytes[32..64].copy_from_slice(&field_to_bytes(self.r8_y));
        bytes[64..].copy_from_slice(&self.s.into_bigint().to_bytes_be());
        bytes
    }

    /// Reads what [`Signature::to_bytes`] writes.
    ///
    /// # Errors
    /// [`SignatureError::NotCanonical`] if a coordinate is not below the field's modulus,
    /// [`SignatureError::ScalarOutOfRange`] if `S` is not below the subgroup's order.
    pub fn from_bytes(bytes: &[u8; 96]) -> Result<Self, SignatureError> {
        let part = |i: usize| -> &[u8; 32] { bytes[32 * i..32 * i + 32].try_into().expect("32 bytes") };
        let coordinate = |i| field_from_bytes(part(i)).ok_or(SignatureError::NotCanonical);
        let (r8_x, r8_y) = (coordinate(0)?, coordinate(1)?);
        let s = Scalar::from_bigint(integer_from_bytes(part(2))).ok_or(SignatureError::ScalarOutOfRange)?;
        Ok(Self { r8_x, r8_y, s })
    }

    /// Verifies this signature over a message.
    ///
    /// # Errors
    /// [`SignatureError::NoncePointNotOnCurve`] or [`SignatureError::EquationFails`]; the key was checked when it was
    /// made, and `S` by its type.
    pub fn verify(&self, key: &PublicKey, message: F) -> Result<(), SignatureError> {
        let nonce_point = Point::new_unchecked(self.r8_x, self.r8_y);
        if !nonce_point.is_on_curve() {
            return Err(SignatureError::NoncePointNotOnCurve);
        }
        let h = challenge(nonce_point, key.point(), message).into_bigint();
        let holds = equation_holds(&self.s.into_bigint(), &h, key.point(), nonce_point);
        if holds { Ok(()) } else { Err(SignatureError::EquationFails) }
    }
}

/// A key and a signature as the circuit takes them: bare numbers, checked by nobody yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, CanonicalSerialize, CanonicalDeserialize)]
pub struct SignatureWitness {
    /// First coordinate of the public key.
    pub ax: F,
    /// Second coordinate of the public key.
    pub ay: F,
    /// First coordinate of `R8`.
    pub r8_x: F,
    /// Second coordinate of `R8`.
    pub r8_y: F,
    /// `S`.
    pub s: Scalar,
}

impl SignatureWitness {
    /// Takes a key and a signature by it.
    pub fn new(key: &PublicKey, signature: &Signature) -> Self {
        let Signature { r8_x, r8_y, s } = *signature;
        Self { ax: key.x(), ay: key.y(), r8_x, r8_y, s }
    }

    /// Returns a valid signature over the message 0 by a key that everybody knows: what a slot without a signature
    /// puts in its place.
    pub fn placeholder() -> Self {
        static PLACEHOLDER: OnceLock<SignatureWitness> = OnceLock::new();
        *PLACEHOLDER.get_or_init(|| {
            let key = SecretKey::from_seed(&[0; 32]);
            Self::new(&key.public_key(), &key.sign(F::from(0u64)))
        })
    }

    /// Runs the native checks on the numbers, as the circuit does.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn verify(&self, message: F) -> Result<(), SignatureError> {
        let key = PublicKey::new(self.ax, self.ay)?;
        Signature { r8_x: self.r8_x, r8_y: self.r8_y, s: self.s }.verify(&key, message)
    }
}
