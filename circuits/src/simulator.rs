//! Valid proofs of anything, in milliseconds, from the development keys' known secrets. For tests only: contract tests
//! need many proofs, and there is no mock verifier anywhere.

use crate::keys::DevelopmentTrapdoor;
use crate::prove::{Blinding, Proof, VerifyingKey};
use ark_bn254::{G1Projective, G2Projective};
use ark_ec::{CurveGroup, PrimeGroup};
use ark_ff::Field;
use sheaf_core::batch::PublicInputs;

/// Makes a proof for any public inputs at all: `A = r·G1`, `B = s·G2`, and the `C` that solves
/// `A·B = αβ + γ·Σ xᵢ·ICᵢ + δ·C`.
///
/// # Panics
/// If the key has not three public inputs.
pub fn simulate(trapdoor: &DevelopmentTrapdoor, key: &VerifyingKey, public: &PublicInputs, blinding: Blinding) -> Proof {
    let (g1, g2) = (G1Projective::generator(), G2Projective::generator());
    let inputs = public.to_array();
    assert_eq!(key.gamma_abc_g1.len(), inputs.len() + 1);
    let mut sum = G1Projective::from(key.gamma_abc_g1[0]);
    for (point, input) in key.gamma_abc_g1[1..].iter().zip(inputs) {
        sum += *point * input;
    }
    let delta_inverse = trapdoor.delta.inverse().expect("a secret is not 0");
    let rest = (blinding.r * blinding.s - trapdoor.alpha * trapdoor.beta) * delta_inverse;
    let c = g1 * rest - sum * (trapdoor.gamma * delta_inverse);
    Proof { a: (g1 * blinding.r).into_affine(), b: (g2 * blinding.s).into_affine(), c: c.into_affine() }
}
