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
use ark_ff::{FftField, Field, One, PrimeField, Zero};
use rayon::prelude::*;
use sheaf_core::F;
use std::time::{Duration, Instant};
use taceo_ark_algebra::fft::{Domain, bit_reverse, powers};
use taceo_ark_algebra::msm::{msm_bigint, msm_unchecked};

/// Values whose bases one task gathers.
const CHUNK: usize = 1 << 14;

/// A step of proving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The values of all variables are computed, and every row is checked.
    Witness,
    /// The quotient polynomial is computed.
    Quotient,
    /// The multi-scalar multiplications run.
    Products,
    /// The proof is verified.
    Check,
}

impl Stage {
    /// What it is called in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Witness => "witness",
            Self::Quotient => "quotient",
            Self::Products => "multi-scalar multiplications",
            Self::Check => "check",
        }
    }
}

/// Wall-clock times of a proof's parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The quotient polynomial: six Fourier transforms.
    pub quotient: Duration,
    /// All multi-scalar multiplications.
    pub products: Duration,
}

/// Makes the proof of an assignment that satisfies the rows; of another one it makes a proof that does not verify. Says which
/// stage begins.
///
/// # Panics
/// If the key or the assignment is of another circuit than the rows.
pub fn prove(
    key: &ProvingKey,
    (matrices, quotient): (&Matrices, &Quotient),
    assignment: &[F],
    blinding: Blinding,
    progress: &mut dyn FnMut(Stage),
) -> (Proof, Parts) {
    let Blinding { r, s } = blinding;
    assert_eq!(assignment.len(), key.a_query.len(), "the key is of another circuit");
    let started = Instant::now();
    progress(Stage::Quotient);
    let h = quotient.coefficients(matrices, assignment);
    let quotient = started.elapsed();
    let started = Instant::now();
    progress(Stage::Products);
    let factors = Factors::new(assignment);
    let ((sum_h, sum_l), (sum_a, (sum_b1, sum_b2))) = rayon::join(
        || {
            // The quotient's coefficients look like random numbers. The last one is 0, and has no base.
            rayon::join(|| sum_of_random_products(&key.h_query, &h), || factors.sum(&key.l_query, matrices.input_count))
        },
        || {
            let b = || rayon::join(|| factors.sum(&key.b_g1_query, 0), || factors.sum(&key.b_g2_query, 0));
            rayon::join(|| factors.sum(&key.a_query, 0), b)
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
            let mut values: Vec<F> = (0..rows).into_par_iter().map(|row| matrices.value(side, row, assignment)).collect();
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
    Factors::new(factors).sum(bases, 0)
}

/// Σ factor·base for factors that look like random numbers, so that no two are equal. Left over factors have no base.
pub fn sum_of_random_products<P: SWCurveConfig<ScalarField = F>>(bases: &[Affine<P>], factors: &[F]) -> Projective<P> {
    msm_unchecked(bases, factors)
}

/// Factors in the order of their values: those that are equal stand together. Made once, it serves several rows of bases.
struct Factors {
    /// Where the factors of value 1 stand.
    ones: Vec<u32>,
    /// The different values that are neither 0 nor 1.
    values: Vec<<F as PrimeField>::BigInt>,
    /// Where the factors of those values stand, value by value.
    places: Vec<u32>,
    /// Where each value's places end.
    ends: Vec<u32>,
}

impl Factors {
    fn new(factors: &[F]) -> Self {
        let count = u32::try_from(factors.len()).expect("fewer than 2^32 factors");
        let mut ones = Vec::new();
        let mut places = Vec::with_capacity(factors.len());
        for (place, factor) in (0..count).zip(factors) {
            match factor {
                factor if factor.is_zero() => {}
                factor if factor.is_one() => ones.push(place),
                _ => places.push(place),
            }
        }
        // Any order will do that keeps equal ones together, so it need not be that of the numbers.
        let limbs = |place: u32| factors[place as usize].0.0;
        places.par_sort_unstable_by_key(|place| (limbs(*place), *place));
        let mut ends: Vec<u32> =
            (1..places.len()).filter(|i| limbs(places[i - 1]) != limbs(places[*i])).map(|i| i as u32).collect();
        ends.extend((!places.is_empty()).then_some(places.len() as u32));
        let value = |end: &u32| factors[places[*end as usize - 1] as usize].into_bigint();
        let values = ends.par_iter().map(value).collect();
        Self { ones, values, places, ends }
    }

    /// Σ factor·base. The bases are those of the factors from `first` on; those before have none.
    fn sum<P: SWCurveConfig<ScalarField = F>>(&self, bases: &[Affine<P>], first: usize) -> Projective<P> {
        let base = |place: &u32| (*place as usize).checked_sub(first).map(|place| &bases[place]).filter(|base| !base.is_zero());
        let parts = self.ends.par_chunks(CHUNK).zip(self.values.par_chunks(CHUNK)).enumerate().map(|(number, (ends, values))| {
            let mut start = if number == 0 { 0 } else { self.ends[number * CHUNK - 1] } as usize;
            // Values whose bases are all at infinity are left out; sums of several bases come to stand at `sums`.
            let (mut kept, mut own_bases, mut places, mut sums) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            for (end, value) in ends.iter().zip(values) {
                let mut members = self.places[start..*end as usize].iter().filter_map(base);
                start = *end as usize;
                let Some(member) = members.next() else { continue };
                if let Some(second) = members.next() {
                    places.push(own_bases.len());
                    sums.push(members.fold(member.into_group() + second, |sum, base| sum + base));
                }
                own_bases.push(*member);
                kept.push(*value);
            }
            let sums = Projective::normalize_batch(&sums);
            places.into_iter().zip(sums).for_each(|(place, sum)| own_bases[place] = sum);
            (own_bases, kept)
        });
        let parts: Vec<(Vec<Affine<P>>, Vec<_>)> = parts.collect();
        let count = parts.iter().map(|part| part.0.len()).sum();
        let (mut own_bases, mut values) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for part in parts {
            own_bases.extend_from_slice(&part.0);
            values.extend_from_slice(&part.1);
        }
        let ones: Projective<P> = self.ones.par_iter().filter_map(base).fold(Projective::zero, |sum, base| sum + base).sum();
        ones + msm_bigint(&own_bases, &values)
    }
}
