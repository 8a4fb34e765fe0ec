//! EdDSA on Baby Jubjub, as circomlib defines it: `S·B8 = R8 + 8·h·A` with `h = Poseidon(R8x, R8y, Ax, Ay, M)`.
//!
//! A key or signature made by `circomlibjs` or `@zk-kit/eddsa-poseidon` from the same 32-byte seed is the same here,
//! bit for bit. Beyond circomlib's verifier, [`Signature::verify`] checks that `A` and `R8` are on the curve, that `8·A` is not the
//! identity, and that `S` is below the subgroup's order; `h` counts as the integer below the field's modulus. The
//! circuit accepts exactly the same triples of key, message and nonce point.

mod curve;
mod key;
mod signature;
mod straus;

pub use curve::{Point, Scalar, base8, challenge};
pub use key::{PublicKey, SecretKey};
pub use signature::{Signature, SignatureError, SignatureWitness};
