//! The proof's own assembly against the stock prover's, and its sums against the stock multiplication.

use crate::proofs::{tiny_batch, tiny_keys};
use ark_bn254::{Bn254, G1Projective, G2Projective};
use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ec::{AffineRepr, CurveGroup, PrimeGroup, VariableBaseMSM};
use ark_ff::{PrimeField, UniformRand};
use ark_groth16::Groth16;
use ark_std::rand::rngs::StdRng;
use ark_std::rand::{Rng, SeedableRng};
use proptest::prelude::*;
use sheaf_circuits::groth16::{prove, sum_of_products, sum_of_random_products};
use sheaf_circuits::prove::{Blinding, assignment};
use sheaf_core::F;
use sheaf_simd::Curve;

#[test]
fn the_proof_is_the_stock_provers_to_the_bit() {
    let keys = tiny_keys();
    let values = assignment(&tiny_batch());
    for seed in 0..3 {
        let blinding = Blinding::from_seed([seed; 32]);
        let (ours, _) = prove(&keys.proving_key, (&keys.matrices, &keys.quotient), &values, blinding, &mut |_| {});
        let theirs = Groth16::<Bn254>::create_proof_with_reduction_and_matrices(
            &keys.proving_key,
            blinding.r,
            blinding.s,
            &keys.matrices.sides,
            keys.matrices.input_count,
            keys.matrices.row_count(),
            &values,
        );
        assert_eq!(ours, theirs.unwrap(), "blinding from seed {seed}");
    }
}

/// Bases that repeat, with their negatives and infinity among them.
fn bases<P: SWCurveConfig>(pool: &[Affine<P>], count: usize, rng: &mut StdRng) -> Vec<Affine<P>> {
    let mut base = || match rng.gen_range(0..8) {
        0 => Affine::zero(),
        1 => -pool[rng.gen_range(0..pool.len())],
        _ => pool[rng.gen_range(0..pool.len())],
    };
    (0..count).map(|_| base()).collect()
}

fn factors(count: usize, rng: &mut StdRng) -> Vec<F> {
    let mut factor = || match rng.gen_range(0..6) {
        0 => F::from(0u64),
        1 => F::from(1u64),
        2 => -F::from(1u64),
        3 => F::from(rng.r#gen::<u16>()),
        4 => F::from_le_bytes_mod_order(&rng.r#gen::<[u8; 16]>()),
        _ => F::rand(rng),
    };
    (0..count).map(|_| factor()).collect()
}

fn agrees<P: Curve>(count: usize, seed: u64) -> Result<(), TestCaseError> {
    let mut rng = StdRng::seed_from_u64(seed);
    let generator = Projective::<P>::generator();
    let mut multiple = Projective::<P>::rand(&mut rng);
    let mut pool = Vec::new();
    for _ in 0..count / 2 + 1 {
        pool.push(multiple);
        multiple += generator;
    }
    let pool = Projective::normalize_batch(&pool);
    let (bases, factors) = (bases(&pool, count, &mut rng), factors(count, &mut rng));
    let expected = Projective::<P>::msm(&bases, &factors).unwrap();
    prop_assert_eq!(sum_of_products(&bases, &factors), expected);
    prop_assert_eq!(sum_of_random_products(&bases, &[&factors[..], &[F::from(5u64)]].concat()), expected);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Some thousands of bases take the affine buckets, fewer the others.
    #[test]
    fn sums_are_those_of_the_stock_multiplication(count in 0usize..9_000, seed: u64) {
        agrees::<<G1Projective as CurveGroup>::Config>(count, seed)?;
    }

    #[test]
    fn sums_of_few_bases_too(count in 0usize..100, seed: u64) {
        agrees::<<G1Projective as CurveGroup>::Config>(count, seed)?;
        agrees::<<G2Projective as CurveGroup>::Config>(count, seed)?;
    }
}

/// More than one task looks through; equal factors whose bases cancel are among them.
#[test]
fn equal_factors_are_added_up() {
    agrees::<<G1Projective as CurveGroup>::Config>(70_000, 5).unwrap();
    let base = G1Projective::generator().into_affine();
    let seven = F::from(7u64);
    assert_eq!(sum_of_products(&[base, -base, base, base], &[seven; 4]), base * F::from(14u64));
    assert_eq!(sum_of_products(&[base, -base], &[seven; 2]), G1Projective::default());
}

#[test]
#[should_panic(expected = "each base has a factor")]
fn a_base_without_a_factor_is_refused() {
    let base = G1Projective::generator().into_affine();
    let _ = sum_of_products(&[base, base], &[F::from(2u64)]);
}
