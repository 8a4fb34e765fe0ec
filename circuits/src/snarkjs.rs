//! Verifying key, proof and public inputs as JSON that `snarkjs groth16 verify` takes: an independent verifier.

use crate::prove::{Proof, VerifyingKey};
use ark_bn254::{Bn254, Fq2, Fq6, Fq12, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ec::pairing::Pairing;
use ark_ff::{One, PrimeField, Zero};
use serde_json::{Value, json};
use sheaf_core::batch::PublicInputs;

fn decimal(value: impl PrimeField) -> Value {
    Value::String(value.to_string())
}

fn quadratic(value: Fq2) -> Value {
    json!([decimal(value.c0), decimal(value.c1)])
}

fn cubic(value: Fq6) -> Value {
    json!([quadratic(value.c0), quadratic(value.c1), quadratic(value.c2)])
}

fn g1(point: &G1Affine) -> Value {
    point.xy().map_or_else(|| json!(["0", "1", "0"]), |(x, y)| json!([decimal(x), decimal(y), "1"]))
}

fn g2(point: &G2Affine) -> Value {
    let (zero, one) = (Fq2::zero(), Fq2::one());
    let (x, y, z) = point.xy().map_or((zero, one, zero), |(x, y)| (x, y, one));
    json!([quadratic(x), quadratic(y), quadratic(z)])
}

/// `verification_key.json`.
pub fn verifying_key(key: &VerifyingKey) -> Value {
    let Fq12 { c0, c1, .. } = Bn254::pairing(key.alpha_g1, key.beta_g2).0;
    json!({
        "protocol": "groth16",
        "curve": "bn128",
        "nPublic": key.gamma_abc_g1.len() - 1,
        "vk_alpha_1": g1(&key.alpha_g1),
        "vk_beta_2": g2(&key.beta_g2),
        "vk_gamma_2": g2(&key.gamma_g2),
        "vk_delta_2": g2(&key.delta_g2),
        "vk_alphabeta_12": [cubic(c0), cubic(c1)],
        "IC": key.gamma_abc_g1.iter().map(g1).collect::<Vec<_>>(),
    })
}

/// `proof.json`.
pub fn proof(proof: &Proof) -> Value {
    json!({
        "pi_a": g1(&proof.a),
        "pi_b": g2(&proof.b),
        "pi_c": g1(&proof.c),
        "protocol": "groth16",
        "curve": "bn128",
    })
}

/// `public.json`.
pub fn public(inputs: &PublicInputs) -> Value {
    Value::Array(inputs.to_array().into_iter().map(decimal).collect())
}
