//! The proof that a contributor knew his number, bound to the transcript so far (Bowe, Gabizon and Miers, section 2.4).

use super::sums::pairings_agree;
use super::transcript::{Knowledge, write_words};
use crate::evm::{g1_words, g2_words};
use alloy_primitives::{B256, keccak256};
use ark_bn254::{Fq, Fq2, G1Affine, G2Affine};
use ark_ec::{AffineRepr as _, CurveGroup as _};
use ark_ff::PrimeField as _;
use sheaf_core::F;

const LABEL: &[u8] = b"Sheaf ceremony, proof of knowledge";

/// What a proof is bound to, besides its own points.
#[derive(Clone, Copy, Debug)]
pub(super) struct Statement<'a> {
    /// The transcript's hash before the contribution.
    pub(super) before: B256,
    /// Who contributes.
    pub(super) name: &'a str,
    /// δ before and after.
    pub(super) deltas: [G1Affine; 2],
    /// δ after.
    pub(super) delta_g2: G2Affine,
}

impl Statement<'_> {
    /// The paper's R: a point whose logarithm nobody knows.
    fn point(&self, s: &G1Affine, s_x: &G1Affine) -> G2Affine {
        let mut bytes = [LABEL, self.before.as_slice(), keccak256(self.name).as_slice()].concat();
        self.deltas.iter().chain([s, s_x]).for_each(|point| write_words(&g1_words(point), &mut bytes));
        write_words(&g2_words(&self.delta_g2), &mut bytes);
        hash_to_g2(keccak256(bytes))
    }

    /// Shows that x is known; `s` is any point of G1.
    pub(super) fn prove(&self, s: G1Affine, x: F) -> Knowledge {
        let s_x = (s * x).into_affine();
        Knowledge { s, s_x, r_x: (self.point(&s, &s_x) * x).into_affine() }
    }

    /// Whether somebody knew an x, and whether δ was multiplied by it.
    pub(super) fn check(&self, Knowledge { s, s_x, r_x }: &Knowledge) -> (bool, bool) {
        let r = self.point(s, s_x);
        let [before, after] = self.deltas;
        let (g1, g2) = (G1Affine::generator(), G2Affine::generator());
        let known = pairings_agree((*s, *r_x), (*s_x, r));
        let multiplied = pairings_agree((before, *r_x), (after, r)) && pairings_agree((after, g2), (g1, self.delta_g2));
        (known, multiplied)
    }
}

/// Tries x coordinates until one is on the curve, and moves that point into the subgroup.
fn hash_to_g2(seed: B256) -> G2Affine {
    let element = |counter: u32, part: u8| {
        let half = |half: u8| keccak256([seed.as_slice(), &counter.to_be_bytes(), &[part, half]].concat());
        Fq::from_be_bytes_mod_order(&[half(0).0, half(1).0].concat())
    };
    let candidates = (0u32..).filter_map(|counter| {
        let greatest = keccak256([seed.as_slice(), &counter.to_be_bytes(), &[2]].concat())[0] & 1 == 1;
        let x = Fq2::new(element(counter, 0), element(counter, 1));
        G2Affine::get_point_from_x_unchecked(x, greatest).map(|point| point.clear_cofactor())
    });
    candidates.filter(|point| !point.is_zero()).take(1).next().expect("every second candidate is a point")
}
