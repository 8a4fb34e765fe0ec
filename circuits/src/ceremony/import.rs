//! The key that a ceremony begins with: that of the circuit with γ = δ = 1.

use super::phase1::Phase1;
use super::sparse::{Columns, normalized};
use super::transcript::Transcript;
use crate::evm::{g1_words, g2_words};
use crate::groth16::Quotient;
use crate::keys::points::Raw;
use crate::keys::{KeySet, Origin, size_bytes};
use crate::matrices::Matrices;
use crate::prove::{ProvingKey, VerifyingKey};
use alloy_primitives::{B256, Keccak256};
use ark_bn254::{G1Affine, G2Affine};
use ark_ec::AffineRepr as _;
use rayon::prelude::*;
use sheaf_core::geometry::Geometry;
use sheaf_core::shape::Shape;

/// Makes the key of a circuit from a phase 1 that was read for it. Reports the fraction that is done.
///
/// For the development shape it takes about two minutes on two cores.
pub fn import(
    phase1: &Phase1,
    (geometry, shape): (Geometry, Shape),
    matrices: Matrices,
    progress: &mut dyn FnMut(f64),
) -> KeySet {
    let [a, b, c] = [0, 1, 2].map(|side| Columns::new(&matrices, side));
    let (inputs, variables) = (matrices.input_count, matrices.variable_count);
    progress(0.02);
    let a_query = normalized(variables, |i| a.sum(i, &phase1.lagrange_g1));
    progress(0.1);
    let b_g1_query = normalized(variables, |i| b.sum(i, &phase1.lagrange_g1));
    progress(0.2);
    let b_g2_query = normalized(variables, |i| b.sum(i, &phase1.lagrange_g2));
    progress(0.4);
    // β·a + α·b + c
    let combined = |i: usize| a.sum(i, &phase1.lagrange_beta) + b.sum(i, &phase1.lagrange_alpha) + c.sum(i, &phase1.lagrange_g1);
    let gamma_abc_g1 = normalized(inputs, combined);
    let l_query = normalized(variables - inputs, |i| combined(inputs + i));
    progress(0.97);
    // τ^i·Z(τ), with Z = X^n − 1.
    let n = matrices.domain_size();
    let h_query = normalized(n - 1, |i| phase1.powers[i + n] - phase1.powers[i]);
    let g2 = G2Affine::generator();
    let vk = VerifyingKey { alpha_g1: phase1.alpha_g1, beta_g2: phase1.beta_g2, gamma_g2: g2, delta_g2: g2, gamma_abc_g1 };
    let (beta_g1, delta_g1) = (phase1.beta_g1, G1Affine::generator());
    let proving_key = ProvingKey { vk, beta_g1, delta_g1, a_query, b_g1_query, b_g2_query, h_query, l_query };
    let initial = initial_digest((geometry, &shape), matrices.fingerprint(), &proving_key);
    let origin = Origin::Ceremony(Transcript { phase1: phase1.digest(), initial, contributions: Vec::new() });
    let quotient = Quotient::new(&matrices);
    progress(1.0);
    KeySet { shape, geometry, origin, proving_key, matrices, quotient }
}

/// Digest of what no contribution changes: size, fingerprint of the circuit, and all points that are not over δ.
pub fn initial_digest((geometry, shape): (Geometry, &Shape), fingerprint: u64, key: &ProvingKey) -> B256 {
    let ProvingKey { vk, beta_g1, a_query, b_g1_query, b_g2_query, .. } = key;
    let mut hasher = Keccak256::new();
    hasher.update(size_bytes(geometry, shape));
    hasher.update(fingerprint.to_be_bytes());
    let mut words = [g1_words(&vk.alpha_g1), g1_words(beta_g1)].concat();
    words.extend([g2_words(&vk.beta_g2), g2_words(&vk.gamma_g2)].concat());
    words.extend(vk.gamma_abc_g1.iter().flat_map(g1_words));
    hasher.update((words.len() as u64).to_be_bytes());
    words.iter().for_each(|word| hasher.update(word.to_be_bytes::<32>()));
    hash_points(a_query, &mut hasher);
    hash_points(b_g1_query, &mut hasher);
    hash_points(b_g2_query, &mut hasher);
    hasher.finalize()
}

/// The number of points, then the points as a key file has them.
fn hash_points<P: Raw>(points: &[P], hasher: &mut Keccak256) {
    hasher.update((points.len() as u64).to_be_bytes());
    for chunk in points.chunks(1 << 14) {
        let mut bytes = vec![0; chunk.len() * P::BYTES];
        bytes.par_chunks_exact_mut(P::BYTES).zip(chunk).for_each(|(bytes, point)| point.to_raw(bytes));
        hasher.update(bytes);
    }
}
