//! Groth16's proof of an assignment (Groth, "On the Size of Pairing-based Non-interactive Arguments", EUROCRYPT 2016).
//!
//! ```text
//!  assignment ── QAP ──▶ h ── MSM ──┐
//!       ├── MSM over l ─────────────┤
//!       ├── MSM over a ──▶ A ───────┼──▶ C = Σl + Σh + s·A + r·B − r·s·δ
//!       └── MSM over b (G1, G2) ──▶ B
//! ```
//!
//! Fourier transforms are those of `taceo-ark-algebra`, multi-scalar multiplications those of `sheaf-simd`, or, on a processor
//! without AVX2, `taceo-ark-algebra`'s too. Here they are only given what needs them. Bases of factor 0 are left out. Rows that
//! a batch does not use, and small numbers, have the same values again and again: a quarter of all values of a batch of 16
//! transfers are repeated. So bases of equal factors are added up before they are multiplied. And many variables are in no
//! right factor: their points in b are at infinity, and left out too. The multiplications run beside each other: one alone
//! leaves threads idle at its end.

use crate::matrices::Matrices;
use crate::prove::{Blinding, Proof, ProvingKey};
use ark_ec::short_weierstrass::{Affine, Projective};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{FftField, Field, One, PrimeField, Zero};
use rayon::prelude::*;
use sheaf_core::F;
use sheaf_simd::{Curve, Groups, Simd};
use std::time::{Duration, Instant};
use taceo_ark_algebra::fft::{Domain, bit_reverse, powers};
use taceo_ark_algebra::msm::{msm_bigint, msm_unchecked};

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
    let (factors, simd) = (Factors::new(assignment), Simd::detect());
    let ((sum_h, sum_l), (sum_a, (sum_b1, sum_b2))) = rayon::join(
        || {
            // The quotient's coefficients look like random numbers. The last one is 0, and has no base.
            rayon::join(|| sum_of_random_products(&key.h_query, &h), || factors.sum(&key.l_query, matrices.input_count, simd))
        },
        || {
            let b = || rayon::join(|| factors.sum(&key.b_g1_query, 0, simd), || factors.sum(&key.b_g2_query, 0, simd));
            rayon::join(|| factors.sum(&key.a_query, 0, simd), b)
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
pub fn sum_of_products<P: Curve>(bases: &[Affine<P>], factors: &[F]) -> Projective<P> {
    assert_eq!(bases.len(), factors.len(), "each base has a factor");
    Factors::new(factors).sum(bases, 0, Simd::detect())
}

/// Σ factor·base for factors that look like random numbers, so that no two are equal. Left over factors have no base.
pub fn sum_of_random_products<P: Curve>(bases: &[Affine<P>], factors: &[F]) -> Projective<P> {
    let Some(simd) = Simd::detect() else { return msm_unchecked(bases, factors) };
    let factors: Vec<_> = factors[..bases.len()].par_iter().map(|factor| factor.into_bigint()).collect();
    P::sum_of_products(simd, bases, &factors)
}

/// Factors in the order of their values: those that are equal stand together. Made once, it serves several rows of bases.
struct Factors {
    /// The different values that are not 0.
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
        // The ones have no need to be sorted.
        if !ones.is_empty() {
            places.extend(ones);
            ends.push(places.len() as u32);
        }
        let value = |end: &u32| factors[places[*end as usize - 1] as usize].into_bigint();
        let values = ends.par_iter().map(value).collect();
        Self { values, places, ends }
    }

    /// Σ factor·base. The bases are those of the factors from `first` on; those before have none.
    fn sum<P: Curve>(&self, bases: &[Affine<P>], first: usize, simd: Option<Simd>) -> Projective<P> {
        if let Some(simd) = simd {
            let groups = Groups { first: first as u32, scalars: &self.values, places: &self.places, ends: &self.ends };
            return P::sum_of_grouped_products(simd, bases, groups);
        }
        let (mut own_bases, mut values, mut start) = (Vec::new(), Vec::new(), 0);
        for (end, value) in self.ends.iter().zip(&self.values) {
            let places = &self.places[start..*end as usize];
            start = *end as usize;
            let found = places.iter().filter_map(|place| bases.get((*place as usize).checked_sub(first)?));
            own_bases.extend(found.filter(|base| !base.is_zero()));
            values.resize(own_bases.len(), *value);
        }
        msm_bigint(&own_bases, &values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_bn254::{G1Projective, G2Projective};
    use ark_ec::{PrimeGroup, VariableBaseMSM};

    /// With and without the processor's instructions, for factors of which some are 0, 1 and equal, some without base.
    #[test]
    fn every_way_to_a_sum_is_that_of_ark() {
        let factors: Vec<F> =
            (0..300u64).map(|i| [F::zero(), F::one(), F::from(i), F::from(7u64), -F::from(i)][i as usize % 5]).collect();
        fn check<P: Curve>(factors: &[F]) {
            let base =
                |i: u64| if i.is_multiple_of(11) { Projective::zero() } else { Projective::<P>::generator() * F::from(i / 2) };
            let bases = Projective::normalize_batch(&(0..300).map(base).collect::<Vec<_>>());
            for first in [0, 100] {
                let expected = Projective::msm(&bases[first..], &factors[first..]).expect("as many");
                for simd in [None, Simd::detect()] {
                    assert_eq!(Factors::new(factors).sum(&bases[first..], first, simd), expected, "{first} {simd:?}");
                }
            }
        }
        check::<<G1Projective as ark_ec::CurveGroup>::Config>(&factors);
        check::<<G2Projective as ark_ec::CurveGroup>::Config>(&factors);
    }
}
