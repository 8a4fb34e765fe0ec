//! Vectors made by circomlibjs and @zk-kit/eddsa-poseidon; `tests/vectors/make.mjs` makes them anew.

use serde::Deserialize;
use sheaf_core::F;
use std::str::FromStr;

/// `vectors.json`.
#[derive(Deserialize)]
pub(crate) struct Vectors {
    pub(crate) poseidon: Vec<PoseidonVector>,
    pub(crate) signatures: Vec<SignatureVector>,
    pub(crate) refused: Vec<RefusedVector>,
}

#[derive(Deserialize)]
pub(crate) struct PoseidonVector {
    inputs: Vec<String>,
    pub(crate) hash: String,
}

impl PoseidonVector {
    pub(crate) fn inputs(&self) -> Vec<F> {
        self.inputs.iter().map(|input| field(input)).collect()
    }
}

/// A key, its hash and a signature; both packages agree on all of it.
#[derive(Deserialize)]
pub(crate) struct SignatureVector {
    /// 32 bytes in hex.
    pub(crate) seed: String,
    /// The scalar `a` of `A = a·B8`, before reduction.
    pub(crate) secret_scalar: String,
    pub(crate) public_key: [String; 2],
    pub(crate) key_hash: String,
    pub(crate) message: String,
    pub(crate) r8: [String; 2],
    pub(crate) s: String,
}

/// A signature that is to be refused.
#[derive(Deserialize)]
pub(crate) struct RefusedVector {
    pub(crate) name: String,
    /// What the two packages say; they miss some.
    pub(crate) circomlibjs_accepts: bool,
    pub(crate) zk_kit_accepts: bool,
    pub(crate) public_key: [String; 2],
    pub(crate) message: String,
    pub(crate) r8: [String; 2],
    pub(crate) s: String,
    /// Our code for it.
    pub(crate) code: String,
}

/// Reads the committed file.
pub(crate) fn read() -> Vectors {
    serde_json::from_str(include_str!("../vectors/vectors.json")).expect("vectors.json is well formed")
}

/// A field element from its decimal digits.
pub(crate) fn field(decimal: &str) -> F {
    F::from_str(decimal).expect("a decimal field element")
}
