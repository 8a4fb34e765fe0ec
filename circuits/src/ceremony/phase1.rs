//! What a circuit needs of a phase 1, checked to be of one piece.

use super::error::CeremonyError;
use super::ptau::{Ptau, section};
use super::sums::{Factors, pairings_agree, sum};
use super::transcript::write_words;
use crate::evm::{g1_words, g2_words};
use crate::matrices::Matrices;
use alloy_primitives::{B256, keccak256};
use ark_bn254::{G1Affine, G2Affine};
use ark_ec::AffineRepr as _;
use ark_poly::{EvaluationDomain as _, GeneralEvaluationDomain};
use sheaf_core::F;
use std::path::Path;

/// Powers of τ, alone and times α and β, for a domain of n points.
#[derive(Clone, Debug)]
pub struct Phase1 {
    /// α.
    pub alpha_g1: G1Affine,
    /// β.
    pub beta_g1: G1Affine,
    /// The same β.
    pub beta_g2: G2Affine,
    /// τ.
    pub tau_g2: G2Affine,
    /// τ^i, 2n − 1 of them.
    pub powers: Vec<G1Affine>,
    /// The Lagrange polynomials of the domain at τ, n of them.
    pub lagrange_g1: Vec<G1Affine>,
    /// The same.
    pub lagrange_g2: Vec<G2Affine>,
    /// The same times α.
    pub lagrange_alpha: Vec<G1Affine>,
    /// The same times β.
    pub lagrange_beta: Vec<G1Affine>,
}

impl Phase1 {
    /// Reads what a circuit needs of a prepared `.ptau` file, and checks it: every point, and with random combinations
    /// that all sections are of the same τ, α and β. `seed` must be random to whoever made the file.
    ///
    /// It does not look at the file's contributions: that is what `snarkjs powersoftau verify` is for.
    ///
    /// # Errors
    /// [`CeremonyError`]: what the file is not, or which section is not right.
    pub fn read(path: &Path, matrices: &Matrices, seed: [u8; 32]) -> Result<Self, CeremonyError> {
        let ptau = Ptau::open(path)?;
        let n = matrices.domain_size();
        let wanted = n.ilog2();
        if wanted > ptau.power {
            return Err(CeremonyError::TooSmall { found: ptau.power, wanted });
        }
        // The Lagrange bases of the smaller domains stand before: 1 + 2 + … + n/2 points.
        let smaller = n - 1;
        let phase1 = Self {
            lagrange_g1: ptau.points(section::LAGRANGE_TAU_G1, smaller, n)?,
            lagrange_g2: ptau.points(section::LAGRANGE_TAU_G2, smaller, n)?,
            lagrange_alpha: ptau.points(section::LAGRANGE_ALPHA_TAU_G1, smaller, n)?,
            lagrange_beta: ptau.points(section::LAGRANGE_BETA_TAU_G1, smaller, n)?,
            powers: ptau.points(section::TAU_G1, 0, 2 * n - 1)?,
            alpha_g1: ptau.points(section::ALPHA_TAU_G1, 0, 1)?[0],
            beta_g1: ptau.points(section::BETA_TAU_G1, 0, 1)?[0],
            beta_g2: ptau.points(section::BETA_G2, 0, 1)?[0],
            // A file for one row has no second power in G2.
            tau_g2: *ptau.points(section::TAU_G2, 0, 2)?.last().expect("two points"),
        };
        phase1.check(&mut Factors::new(seed))?;
        Ok(phase1)
    }

    fn check(&self, factors: &mut Factors) -> Result<(), CeremonyError> {
        let (g1, g2) = (G1Affine::generator(), G2Affine::generator());
        let (n, fails) = (self.lagrange_g1.len(), |section| Err(Ptau::inconsistent(section)));
        let (last, ratios) = (self.powers.len() - 1, factors.draw(self.powers.len() - 1));
        let (low, high) = (sum(&self.powers[..last], &ratios), sum(&self.powers[1..], &ratios));
        if self.powers[0] != g1 || !pairings_agree((high, g2), (low, self.tau_g2)) {
            return fails(section::TAU_G1);
        }
        // A polynomial by its values is the same polynomial by its coefficients.
        let values = factors.draw(n);
        let coefficients = GeneralEvaluationDomain::<F>::new(n).expect("the field has such a domain").ifft(&values);
        let (lagrange_g1, lagrange_g2) = (sum(&self.lagrange_g1, &values), sum(&self.lagrange_g2, &values));
        if lagrange_g1 != sum(&self.powers[..n], &coefficients) {
            return fails(section::LAGRANGE_TAU_G1);
        }
        if !pairings_agree((lagrange_g1, g2), (g1, lagrange_g2)) {
            return fails(section::LAGRANGE_TAU_G2);
        }
        if !pairings_agree((self.beta_g1, g2), (g1, self.beta_g2)) {
            return fails(section::BETA_G2);
        }
        if !pairings_agree((sum(&self.lagrange_alpha, &values), g2), (self.alpha_g1, lagrange_g2)) {
            return fails(section::LAGRANGE_ALPHA_TAU_G1);
        }
        if !pairings_agree((sum(&self.lagrange_beta, &values), g2), (self.beta_g1, lagrange_g2)) {
            return fails(section::LAGRANGE_BETA_TAU_G1);
        }
        Ok(())
    }

    /// keccak256 of τ in both groups, α in G1, β in both: the secrets, whatever the size.
    pub fn digest(&self) -> B256 {
        let mut bytes = Vec::new();
        [self.powers[1], self.alpha_g1, self.beta_g1].iter().for_each(|point| write_words(&g1_words(point), &mut bytes));
        [self.tau_g2, self.beta_g2].iter().for_each(|point| write_words(&g2_words(point), &mut bytes));
        keccak256(bytes)
    }
}
