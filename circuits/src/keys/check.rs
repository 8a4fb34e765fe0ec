//! Whether keys are what they should be, beyond what loading them looks at.

use super::generate::{DevelopmentTrapdoor, Evaluation, inverse, verifying_key};
use super::points::{Infinity, valid};
use super::{KeyError, KeySet, Origin};
use crate::ceremony::sums::{Factors, sum};
use crate::prove::ProvingKey;
use ark_bn254::{G1Affine, G2Affine};
use ark_ec::{AffineRepr as _, CurveGroup as _};
use sheaf_core::F;

/// Checks that every point is on its curve and in its subgroup, and that none of those is infinity that no honest key has
/// there.
///
/// # Errors
/// [`KeyError::Point`].
pub fn check_points(key: &ProvingKey) -> Result<(), KeyError> {
    let check = |holds: bool, name: &'static str| if holds { Ok(()) } else { Err(KeyError::Point(name)) };
    let ProvingKey { vk, a_query, b_g1_query, b_g2_query, .. } = key;
    check(valid(&[vk.alpha_g1, key.beta_g1], Infinity::Refused), "alpha or beta in G1")?;
    check(valid(&[vk.beta_g2, vk.gamma_g2], Infinity::Refused), "beta or gamma in G2")?;
    check(valid(&vk.gamma_abc_g1, Infinity::Refused), "IC")?;
    // A variable that is in no row of a side has infinity there.
    check(valid(a_query, Infinity::Allowed), "a query")?;
    check(valid(b_g1_query, Infinity::Allowed), "b query in G1")?;
    check(valid(b_g2_query, Infinity::Allowed), "b query in G2")?;
    check_multiplied_points(key)
}

/// The part of [`check_points`] for the points that a contribution to a ceremony multiplies.
///
/// # Errors
/// [`KeyError::Point`].
pub(crate) fn check_multiplied_points(key: &ProvingKey) -> Result<(), KeyError> {
    let check = |holds: bool, name: &'static str| if holds { Ok(()) } else { Err(KeyError::Point(name)) };
    check(valid(&[key.delta_g1], Infinity::Refused), "delta in G1")?;
    check(valid(&[key.vk.delta_g2], Infinity::Refused), "delta in G2")?;
    check(valid(&key.l_query, Infinity::Allowed), "l query")?;
    check(valid(&key.h_query, Infinity::Refused), "h query")
}

impl KeySet {
    /// Checks that development keys are those of the seed that everybody knows: every point, and each list of points by a
    /// random combination. `seed` must be random to whoever made the file.
    ///
    /// # Errors
    /// [`KeyError::Point`], [`KeyError::Query`], or [`KeyError::NotDevelopment`] for a ceremony's keys.
    pub fn check_development(&self, seed: [u8; 32]) -> Result<(), KeyError> {
        if self.origin != Origin::Development {
            return Err(KeyError::NotDevelopment);
        }
        let key = &self.proving_key;
        check_points(key)?;
        let trapdoor = DevelopmentTrapdoor::of(self.geometry, &self.shape);
        let (inputs, variables) = (self.matrices.input_count, self.matrices.variable_count);
        let evaluation = Evaluation::new(&self.matrices, trapdoor.tau);
        let (g1, g2) = (G1Affine::generator(), G2Affine::generator());
        let check = |holds: bool, name: &'static str| if holds { Ok(()) } else { Err(KeyError::Query(name)) };
        check(key.vk == verifying_key(&evaluation, &trapdoor, inputs), "verifying key")?;
        check(key.beta_g1 == (g1 * trapdoor.beta).into_affine(), "beta")?;
        check(key.delta_g1 == (g1 * trapdoor.delta).into_affine(), "delta")?;
        let l = evaluation.combined(&trapdoor, inputs..variables, inverse(trapdoor.delta));
        let h = evaluation.h(&trapdoor);
        let [a, b, _] = &evaluation.sides;
        let random = Factors::new(seed).draw(variables.max(h.len()));
        let in_g1 = |points: &[G1Affine], scalars: &[F]| {
            sum(points, &random[..scalars.len()]) == (g1 * product(scalars, &random)).into_affine()
        };
        check(in_g1(&key.a_query, a), "a query")?;
        check(in_g1(&key.b_g1_query, b), "b query in G1")?;
        check(in_g1(&key.h_query, &h), "h query")?;
        check(in_g1(&key.l_query, &l), "l query")?;
        check(sum(&key.b_g2_query, &random[..b.len()]) == (g2 * product(b, &random)).into_affine(), "b query in G2")
    }
}

/// Σ scalar·factor.
fn product(scalars: &[F], factors: &[F]) -> F {
    scalars.iter().zip(factors).map(|(scalar, factor)| *scalar * factor).sum()
}
