//! Random linear combinations: two lists of points are the same multiples of others, but with probability 2^-120, if one
//! random combination of them is.

use ark_bn254::{Bn254, G1Affine, G2Affine};
use ark_ec::pairing::Pairing as _;
use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ec::{CurveGroup as _, VariableBaseMSM as _};
use ark_ff::{PrimeField as _, Zero as _};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};
use rayon::prelude::*;
use sheaf_core::F;

/// Where the factors come from: must be random to whoever made the points.
#[derive(Clone, Debug)]
pub(crate) struct Factors(ChaCha20Rng);

impl Factors {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    /// Factors of 128 bits.
    pub(crate) fn draw(&mut self, count: usize) -> Vec<F> {
        let mut factor = || {
            let mut bytes = [0; 16];
            self.0.fill_bytes(&mut bytes);
            F::from(u128::from_le_bytes(bytes))
        };
        (0..count).map(|_| factor()).collect()
    }
}

/// Σ factor·point.
///
/// # Panics
/// If there are not as many factors as points.
pub(crate) fn sum<P: SWCurveConfig<ScalarField = F>>(points: &[Affine<P>], factors: &[F]) -> Affine<P> {
    assert_eq!(points.len(), factors.len(), "each point has a factor");
    let factors: Vec<_> = factors.par_iter().map(|factor| factor.into_bigint()).collect();
    Projective::<P>::msm_bigint(points, &factors).into_affine()
}

/// Whether a/b in G1 is d/c in G2: e(a, c) = e(b, d).
pub(crate) fn pairings_agree((a, c): (G1Affine, G2Affine), (b, d): (G1Affine, G2Affine)) -> bool {
    Bn254::multi_pairing([a, -b], [c, d]).is_zero()
}
