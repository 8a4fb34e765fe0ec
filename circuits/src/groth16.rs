//! Groth16's proof of an assignment (Groth, "On the Size of Pairing-based Non-interactive Arguments", EUROCRYPT 2016).
//!
//! ```text
//!  assignment ── QAP ──▶ h ── MSM ──┐
//!       ├── MSM over l ─────────────┤
//!       ├── MSM over a ──▶ A ───────┼──▶ C = Σl + Σh + s·A + r·B − r·s·δ
//!       └── MSM over b (G1, G2) ──▶ B
//! ```
//!
//! Multi-scalar multiplications and Fourier transforms are those of `taceo-ark-algebra`, which keeps buckets in affine
//! coordinates. Here they are only given what needs them: more than half of a batch's variables are bits, so bases of
//! factor 0 are left out and those of factor 1 are added up; and most variables are in no right factor, so their points in b are
//! at infinity, and left out too.

use crate::matrices::Matrices;
use crate::prove::{Blinding, Proof, ProvingKey};
use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, FftField, Field, One, PrimeField, Zero};
use rayon::prelude::*;
use sheaf_core::F;
use std::time::{Duration, Instant};
use taceo_ark_algebra::fft::{Domain, bit_reverse, powers};
use taceo_ark_algebra::msm::msm_bigint;

/// Bases that one task looks through.
const CHUNK: usize = 1 << 12;

/// Wall-clock times of a proof's parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The quotient polynomial: seven Fourier transforms.
    pub qap: Duration,
    /// The MSM over the left factors.
    pub a: Duration,
    /// The MSM over the right factors in G1.
    pub b_g1: Duration,
    /// The MSM over the right factors in G2.
    pub b_g2: Duration,
    /// The MSM over the private variables.
    pub l: Duration,
    /// The MSM over the quotient's coefficients.
    pub h: Duration,
}

/// Does a part of the work and notes how long it took.
fn timed<T>(time: &mut Duration, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = work();
    *time = started.elapsed();
    result
}

/// Makes the proof of an assignment that satisfies the rows; of another one it makes a proof that does not verify.
///
/// # Panics
/// If the key or the assignment is of another circuit than the rows.
pub fn prove(
    key: &ProvingKey,
    (matrices, quotient): (&Matrices, &Quotient),
    assignment: &[F],
    blinding: Blinding,
) -> (Proof, Parts) {
    let Blinding { r, s } = blinding;
    assert_eq!(assignment.len(), key.a_query.len(), "the key is of another circuit");
    let mut parts = Parts::default();
    let h = timed(&mut parts.qap, || quotient.coefficients(matrices, assignment));
    let sum_h = timed(&mut parts.h, || sum_of_products(&key.h_query, &h[..key.h_query.len()]));
    drop(h);
    let sum_l = timed(&mut parts.l, || sum_of_products(&key.l_query, &assignment[matrices.input_count..]));
    let sum_a = timed(&mut parts.a, || sum_of_products(&key.a_query, assignment));
    let sum_b1 = timed(&mut parts.b_g1, || sum_of_products(&key.b_g1_query, assignment));
    let sum_b2 = timed(&mut parts.b_g2, || sum_of_products(&key.b_g2_query, assignment));

    let a = sum_a + key.vk.alpha_g1 + key.delta_g1 * r;
    let b_g1 = sum_b1 + key.beta_g1 + key.delta_g1 * s;
    let b = sum_b2 + key.vk.beta_g2 + key.vk.delta_g2 * s;
    let c = sum_l + sum_h + a * s + b_g1 * r - key.delta_g1 * (r * s);
    (Proof { a: a.into_affine(), b: b.into_affine(), c: c.into_affine() }, parts)
}

/// What the division by the vanishing polynomial takes besides the rows: made once for a circuit.
#[derive(Clone, Debug)]
pub struct Quotient {
    domain: Domain<F>,
    /// The powers of the coset's shift, and those of its inverse, in the order in which coefficients come out of a transform.
    shifts: [Vec<F>; 2],
    /// The inverse of the vanishing polynomial, which is constant on the coset.
    vanishing_inverse: F,
}

impl Quotient {
    /// For rows of this circuit.
    ///
    /// # Panics
    /// If there are more than 2^28 of them.
    pub fn new(matrices: &Matrices) -> Self {
        let domain = Domain::<F>::new(matrices.row_count() + matrices.input_count).expect("at most 2^28 rows");
        let shift = F::GENERATOR;
        let inverse = shift.inverse().expect("a generator is not 0");
        let shifts = [shift, inverse].map(|shift| {
            let mut table = powers(shift, domain.size());
            bit_reverse(&mut table);
            table
        });
        let vanishing = shift.pow([domain.size() as u64]) - F::one();
        Self { domain, shifts, vanishing_inverse: vanishing.inverse().expect("the coset is not the domain") }
    }

    /// The coefficients of h = (a·b − c) / Z, where a, b and c take the rows' values on the domain, as libsnark has them.
    pub fn coefficients(&self, matrices: &Matrices, assignment: &[F]) -> Vec<F> {
        let (rows, inputs) = (matrices.row_count(), matrices.input_count);
        let values = |side: usize| {
            let row = |row: &Vec<(F, usize)>| {
                row.iter().fold(F::zero(), |sum, (k, v)| sum + if k.is_one() { assignment[*v] } else { *k * assignment[*v] })
            };
            let mut values: Vec<F> = matrices.sides[side].par_iter().map(row).collect();
            values.resize(self.domain.size(), F::zero());
            values
        };
        let (mut a, mut b) = (values(0), values(1));
        // One more row an input, so that these are independent of each other.
        a[rows..rows + inputs].copy_from_slice(&assignment[..inputs]);
        // The rows hold, so their products need no look at the third side.
        let mut c: Vec<F> = a.par_iter().zip(&b).map(|(a, b)| *a * b).collect();
        for values in [&mut a, &mut b, &mut c] {
            self.domain.ifft_in_to_out(values);
            multiply(values, &self.shifts[0]);
            self.domain.fft_out_to_in(values);
        }
        a.par_iter_mut().zip(&b).zip(&c).for_each(|((a, b), c)| *a = (*a * b - c) * self.vanishing_inverse);
        self.domain.ifft_in_to_out(&mut a);
        multiply(&mut a, &self.shifts[1]);
        bit_reverse(&mut a);
        a
    }
}

fn multiply(values: &mut [F], factors: &[F]) {
    values.par_iter_mut().zip(factors).with_min_len(1 << 10).for_each(|(value, factor)| *value *= factor);
}

/// Bases with factors that are neither 0 nor 1, and the sum of those with factor 1.
struct Sorted<P: SWCurveConfig> {
    bases: Vec<Affine<P>>,
    factors: Vec<<F as PrimeField>::BigInt>,
    ones: Projective<P>,
}

/// Σ factor·base.
pub fn sum_of_products<P: SWCurveConfig<ScalarField = F>>(bases: &[Affine<P>], factors: &[F]) -> Projective<P> {
    assert_eq!(bases.len(), factors.len(), "each base has a factor");
    let sort = |(bases, factors): (&[Affine<P>], &[F])| {
        let mut sorted = Sorted { bases: Vec::new(), factors: Vec::new(), ones: Projective::ZERO };
        for (base, factor) in bases.iter().zip(factors).filter(|(base, factor)| !factor.is_zero() && !base.is_zero()) {
            if factor.is_one() {
                sorted.ones += base;
            } else {
                sorted.bases.push(*base);
                sorted.factors.push(factor.into_bigint());
            }
        }
        sorted
    };
    let sorted: Vec<_> = bases.par_chunks(CHUNK).zip(factors.par_chunks(CHUNK)).map(sort).collect();
    let ones: Projective<P> = sorted.iter().map(|part| part.ones).sum();
    let bases: Vec<_> = sorted.iter().flat_map(|part| part.bases.iter().copied()).collect();
    let factors: Vec<_> = sorted.iter().flat_map(|part| part.factors.iter().copied()).collect();
    drop(sorted);
    ones + msm_bigint(&bases, &factors)
}
