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
//! coordinates. Here they are only given what needs them. Bases of factor 0 are left out, and those of factor 1 are added up.
//! Rows that a batch does not use, and small numbers, have the same values again and again: a quarter of all values of a batch
//! of 16 transfers are repeated. So bases of equal factors are added up before they are multiplied. And many variables are in
//! no right factor: their points in b are at infinity, and left out too. The multiplications run beside each other: one alone
//! leaves threads idle at its end.

use crate::matrices::Matrices;
use crate::prove::{Blinding, Proof, ProvingKey};
use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, FftField, Field, One, PrimeField, Zero};
use rayon::prelude::*;
use sheaf_core::F;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::{Duration, Instant};
use taceo_ark_algebra::fft::{Domain, bit_reverse, powers};
use taceo_ark_algebra::msm::{msm_bigint, msm_unchecked};

/// Bases that one task looks through for equal factors.
const CHUNK: usize = 1 << 15;

/// Wall-clock times of a proof's parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The quotient polynomial: six Fourier transforms.
    pub quotient: Duration,
    /// All multi-scalar multiplications.
    pub products: Duration,
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
    let started = Instant::now();
    let h = quotient.coefficients(matrices, assignment);
    let quotient = started.elapsed();
    let started = Instant::now();
    let private = &assignment[matrices.input_count..];
    let ((sum_h, sum_l), (sum_a, (sum_b1, sum_b2))) = rayon::join(
        || {
            // The quotient's coefficients look like random numbers. The last one is 0, and has no base.
            rayon::join(|| msm_unchecked(&key.h_query, &h), || sum_of_products(&key.l_query, private))
        },
        || {
            let b =
                || rayon::join(|| sum_of_products(&key.b_g1_query, assignment), || sum_of_products(&key.b_g2_query, assignment));
            rayon::join(|| sum_of_products(&key.a_query, assignment), b)
        },
    );
    let parts = Parts { quotient, products: started.elapsed() };

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
    /// The powers of the coset's shift, in the order in which coefficients come out of a transform.
    to_coset: Vec<F>,
    /// Those of its inverse in the same order, over the vanishing polynomial, which is constant on the coset.
    from_coset: Vec<F>,
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
        let vanishing = shift.pow([domain.size() as u64]) - F::one();
        let vanishing_inverse = vanishing.inverse().expect("the coset is not the domain");
        let table = |base: F| {
            let mut table = powers(base, domain.size());
            bit_reverse(&mut table);
            table
        };
        let to_coset = table(shift);
        let mut from_coset = table(shift.inverse().expect("a generator is not 0"));
        from_coset.par_iter_mut().for_each(|power| *power *= vanishing_inverse);
        Self { domain, to_coset, from_coset, vanishing_inverse }
    }

    /// The coefficients of h = (a·b − c) / Z, where a, b and c take the rows' values on the domain, as libsnark has them.
    ///
    /// c is of a lower degree than Z, so it needs no transform to the coset and back: h = interpolation(a·b / Z) − c / Z, with
    /// Z's value on the coset.
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
        self.domain.ifft_in_to_out(&mut c);
        for values in [&mut a, &mut b] {
            self.domain.ifft_in_to_out(values);
            multiply(values, &self.to_coset);
            self.domain.fft_out_to_in(values);
        }
        multiply(&mut a, &b);
        drop(b);
        self.domain.ifft_in_to_out(&mut a);
        let coefficients = a.par_iter_mut().zip(&self.from_coset).zip(&c).with_min_len(1 << 10);
        coefficients.for_each(|((h, factor), c)| *h = *h * factor - *c * self.vanishing_inverse);
        bit_reverse(&mut a);
        a
    }
}

fn multiply(values: &mut [F], factors: &[F]) {
    values.par_iter_mut().zip(factors).with_min_len(1 << 10).for_each(|(value, factor)| *value *= factor);
}

/// Σ factor·base.
///
/// # Panics
/// If there are not as many factors as bases.
pub fn sum_of_products<P: SWCurveConfig<ScalarField = F>>(bases: &[Affine<P>], factors: &[F]) -> Projective<P> {
    assert_eq!(bases.len(), factors.len(), "each base has a factor");
    let sorted: Vec<_> = bases.par_chunks(CHUNK).zip(factors.par_chunks(CHUNK)).map(Sorted::new).collect();
    let ones: Projective<P> = sorted.iter().map(|part| part.ones).sum();
    let count = sorted.iter().map(|part| part.bases.len()).sum();
    let (mut bases, mut factors) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for part in sorted {
        bases.extend_from_slice(&part.bases);
        factors.extend_from_slice(&part.factors);
    }
    ones + msm_bigint(&bases, &factors)
}

/// Different factors that are neither 0 nor 1, each with the sum of its bases, and the sum of those with factor 1.
struct Sorted<P: SWCurveConfig> {
    bases: Vec<Affine<P>>,
    factors: Vec<<F as PrimeField>::BigInt>,
    ones: Projective<P>,
}

impl<P: SWCurveConfig<ScalarField = F>> Sorted<P> {
    fn new((bases, factors): (&[Affine<P>], &[F])) -> Self {
        let mut sorted = Self { bases: Vec::new(), factors: Vec::new(), ones: Projective::ZERO };
        // By factor: its place, and that of the sum if it has several bases.
        let mut seen: HashMap<F, (usize, Option<usize>)> = HashMap::new();
        let (mut places, mut sums) = (Vec::new(), Vec::new());
        for (base, factor) in bases.iter().zip(factors).filter(|(base, factor)| !factor.is_zero() && !base.is_zero()) {
            if factor.is_one() {
                sorted.ones += base;
                continue;
            }
            match seen.entry(*factor) {
                Entry::Vacant(entry) => {
                    entry.insert((sorted.bases.len(), None));
                    sorted.bases.push(*base);
                    sorted.factors.push(factor.into_bigint());
                }
                Entry::Occupied(mut entry) => {
                    let (place, sum) = entry.get_mut();
                    let sum = *sum.get_or_insert_with(|| {
                        places.push(*place);
                        sums.push(sorted.bases[*place].into_group());
                        sums.len() - 1
                    });
                    sums[sum] += base;
                }
            }
        }
        let sums = Projective::normalize_batch(&sums);
        places.into_iter().zip(sums).for_each(|(place, sum)| sorted.bases[place] = sum);
        sorted
    }
}
