//! Groth16's setup with known secrets, done in steps so that it can report how far it is. It gives what
//! `ark_groth16::Groth16::generate_parameters_with_qap` gives.

use crate::batch::rows;
use crate::matrices::Matrices;
use crate::prove::{ProvingKey, VerifyingKey};
use alloy_primitives::keccak256;
use ark_bn254::{Bn254, G1Affine, G1Projective, G2Projective};
use ark_ec::scalar_mul::{BatchMulPreprocessing, ScalarMul};
use ark_ec::{CurveGroup, PrimeGroup};
use ark_ff::{Field, PrimeField, Zero};
use ark_poly::{EvaluationDomain, GeneralEvaluationDomain};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rayon::prelude::*;
use sheaf_core::F;
use sheaf_core::geometry::Geometry;
use sheaf_core::shape::Shape;

/// What the development keys' secrets are drawn from.
const SEED_LABEL: &str = "Sheaf development keys, version 1. Their secrets are public: they prove nothing to anybody.";

/// Points made between two reports of progress.
const CHUNK: usize = 1 << 14;

/// A step of making or loading keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The circuit's rows are built.
    Circuit,
    /// The rows are evaluated at the secret point.
    Evaluation,
    /// Multiples of the generators are computed.
    Points,
    /// A key file is read.
    Read,
}

/// The secrets of a shape's development keys. `delta` is the shape's own; the others are those of all shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the Groth16 paper; tau is its x")]
pub struct DevelopmentTrapdoor {
    pub alpha: F,
    pub beta: F,
    pub gamma: F,
    pub delta: F,
    pub tau: F,
}

fn random(rng: &mut ChaCha20Rng) -> F {
    let mut bytes = [0; 64];
    rng.fill_bytes(&mut bytes);
    F::from_le_bytes_mod_order(&bytes)
}

impl DevelopmentTrapdoor {
    /// The secrets of a shape's keys.
    pub fn of(geometry: Geometry, shape: &Shape) -> Self {
        let mut common = ChaCha20Rng::from_seed(keccak256(SEED_LABEL).0);
        let own = format!(
            "{SEED_LABEL} depth {} shape {:?}",
            geometry.depth(),
            (shape.id, shape.slots, shape.leaf_rows, shape.node_rows)
        );
        let mut own = ChaCha20Rng::from_seed(keccak256(own).0);
        let [alpha, beta, gamma, tau] = std::array::from_fn(|_| random(&mut common));
        Self { alpha, beta, gamma, delta: random(&mut own), tau }
    }
}

/// The verifying key of a shape's development keys, without the proving key: takes about a second.
pub fn development_verifying_key(geometry: Geometry, shape: &Shape) -> VerifyingKey {
    let matrices = Matrices::from(&rows(geometry, shape));
    let trapdoor = DevelopmentTrapdoor::of(geometry, shape);
    verifying_key(&Evaluation::new(&matrices, trapdoor.tau), &trapdoor, matrices.input_count)
}

/// The circuit's polynomials at the secret point.
pub(super) struct Evaluation {
    /// By side, then by variable.
    pub(super) sides: [Vec<F>; 3],
    vanishing: F,
    domain_size: usize,
}

impl Evaluation {
    pub(super) fn new(matrices: &Matrices, tau: F) -> Self {
        let rows = matrices.row_count();
        let domain = GeneralEvaluationDomain::<F>::new(rows + matrices.input_count).expect("the field has such a domain");
        let vanishing = domain.evaluate_vanishing_polynomial(tau);
        assert!(!vanishing.is_zero(), "the secret point is outside of the domain");
        let lagrange = domain.evaluate_all_lagrange_coefficients(tau);
        let side = |index: usize| {
            let mut at = vec![F::zero(); matrices.variable_count];
            if index == 0 {
                // One more row an input, so that these are independent of each other.
                at[..matrices.input_count].copy_from_slice(&lagrange[rows..rows + matrices.input_count]);
            }
            for (row, coefficient) in matrices.sides[index].iter().zip(&lagrange) {
                row.iter().for_each(|(k, v)| at[*v] += *coefficient * k);
            }
            at
        };
        Self { sides: [side(0), side(1), side(2)], vanishing, domain_size: domain.size() }
    }

    /// `(β·a + α·b + c) · scale` of each variable in a range.
    pub(super) fn combined(&self, trapdoor: &DevelopmentTrapdoor, range: std::ops::Range<usize>, scale: F) -> Vec<F> {
        let [a, b, c] = &self.sides;
        range.into_par_iter().map(|i| (trapdoor.beta * a[i] + trapdoor.alpha * b[i] + c[i]) * scale).collect()
    }

    /// `τ^i · Z / δ`.
    pub(super) fn h(&self, trapdoor: &DevelopmentTrapdoor) -> Vec<F> {
        let first = self.vanishing * inverse(trapdoor.delta);
        std::iter::successors(Some(first), |power| Some(*power * trapdoor.tau)).take(self.domain_size - 1).collect()
    }
}

pub(super) fn verifying_key(evaluation: &Evaluation, trapdoor: &DevelopmentTrapdoor, inputs: usize) -> VerifyingKey {
    let (g1, g2) = (G1Projective::generator(), G2Projective::generator());
    let ic = evaluation.combined(trapdoor, 0..inputs, inverse(trapdoor.gamma));
    ark_groth16::VerifyingKey::<Bn254> {
        alpha_g1: (g1 * trapdoor.alpha).into_affine(),
        beta_g2: (g2 * trapdoor.beta).into_affine(),
        gamma_g2: (g2 * trapdoor.gamma).into_affine(),
        delta_g2: (g2 * trapdoor.delta).into_affine(),
        gamma_abc_g1: ic.into_iter().map(|scalar| (g1 * scalar).into_affine()).collect(),
    }
}

pub(super) fn inverse(secret: F) -> F {
    secret.inverse().expect("a secret is not 0")
}

/// Runs the setup.
pub(super) fn proving_key(
    matrices: &Matrices,
    trapdoor: &DevelopmentTrapdoor,
    progress: &mut dyn FnMut(Stage, f64),
) -> ProvingKey {
    progress(Stage::Evaluation, 0.05);
    let (g1, g2) = (G1Projective::generator(), G2Projective::generator());
    let inputs = matrices.input_count;
    let evaluation = Evaluation::new(matrices, trapdoor.tau);
    let vk = verifying_key(&evaluation, trapdoor, inputs);
    let l = evaluation.combined(trapdoor, inputs..matrices.variable_count, inverse(trapdoor.delta));
    let h = evaluation.h(trapdoor);
    let [a, b, _] = evaluation.sides;
    // A point of G2 costs some three times as much as one of G1.
    let total = (a.len() + 4 * b.len() + h.len() + l.len()) as f64;
    let mut done = 0.0;
    let mut report = |points: usize, weight: f64| {
        done += points as f64 * weight;
        progress(Stage::Points, 0.1 + 0.9 * done / total);
    };
    let b_g2_query = multiples(&BatchMulPreprocessing::new(g2, b.len()), &b, &mut |n| report(n, 3.0));
    let table = BatchMulPreprocessing::new(g1, a.len() + b.len() + h.len() + l.len());
    let mut g1_multiples = |scalars: &[F]| -> Vec<G1Affine> { multiples(&table, scalars, &mut |n| report(n, 1.0)) };
    ark_groth16::ProvingKey::<Bn254> {
        a_query: g1_multiples(&a),
        b_g1_query: g1_multiples(&b),
        h_query: g1_multiples(&h),
        l_query: g1_multiples(&l),
        b_g2_query,
        beta_g1: (g1 * trapdoor.beta).into_affine(),
        delta_g1: (g1 * trapdoor.delta).into_affine(),
        vk,
    }
}

fn multiples<G: ScalarMul>(
    table: &BatchMulPreprocessing<G>,
    scalars: &[G::ScalarField],
    report: &mut dyn FnMut(usize),
) -> Vec<G::MulBase> {
    let mut points = Vec::with_capacity(scalars.len());
    for chunk in scalars.chunks(CHUNK) {
        points.extend(table.batch_mul(chunk));
        report(chunk.len());
    }
    points
}
