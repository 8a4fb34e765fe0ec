//! Verifies a ceremony's keys from phase 1, the circuit and the transcript.

use super::contribute::beacon_number;
use super::error::CeremonyError;
use super::import::initial_digest;
use super::knowledge::Statement;
use super::phase1::Phase1;
use super::sums::{Factors, pairings_agree, sum};
use super::transcript::{Contribution, Share, Transcript};
use crate::keys::{KeySet, Origin, check_points};
use crate::matrices::Matrices;
use crate::prove::ProvingKey;
use ark_bn254::{G1Affine, G2Affine};
use ark_ec::{AffineRepr as _, CurveGroup as _};
use ark_ff::Zero as _;
use rayon::prelude::*;
use sheaf_core::F;
use sheaf_core::geometry::Geometry;
use sheaf_core::shape::Shape;

/// Verifies that keys follow from a phase 1 that was read for their circuit: that each point of the key is what the circuit,
/// phase 1 and δ make it, and that δ is what it became by the transcript's contributions, each by somebody who knew his
/// number, or by a beacon. `seed` must be random to whoever made the keys.
///
/// # Errors
/// [`CeremonyError`]: the first thing that is not right.
pub fn verify(keys: &KeySet, phase1: &Phase1, seed: [u8; 32]) -> Result<(), CeremonyError> {
    let Origin::Ceremony(transcript) = &keys.origin else { return Err(CeremonyError::NotCeremony) };
    check_points(&keys.proving_key)?;
    if transcript.phase1 != phase1.digest() {
        return Err(CeremonyError::Phase1);
    }
    check_secret(transcript)?;
    check_transcript((keys.geometry, &keys.shape), keys.matrices.fingerprint(), &keys.proving_key, transcript)?;
    points(&keys.proving_key, &keys.matrices, phase1, &mut Factors::new(seed))
}

/// Checks that somebody contributed a secret, and that the secrets are not such that everybody knows δ all the same.
///
/// # Errors
/// [`CeremonyError::NoContribution`].
pub fn check_secret(transcript: &Transcript) -> Result<(), CeremonyError> {
    let last = transcript.contributions.last().map(|last| last.delta_g1);
    let known = !transcript.has_secret() || last == Some(G1Affine::generator());
    if known { Err(CeremonyError::NoContribution) } else { Ok(()) }
}

/// Checks that a transcript is the one of these keys, so that its hash stands for the whole verifying key: nothing that no
/// contribution may change was changed, each contribution follows from what was before it, and the last one gave the key its
/// δ. Whether the points over δ are right, and whether those of the beginning follow from phase 1, [`verify`] tells.
///
/// # Errors
/// [`CeremonyError`]: the first thing that is not right.
pub fn check_transcript(
    size: (Geometry, &Shape),
    fingerprint: u64,
    key: &ProvingKey,
    transcript: &Transcript,
) -> Result<(), CeremonyError> {
    // A transcript that is in memory may have points that no file could have.
    if Transcript::from_bytes(&transcript.to_bytes()).as_ref() != Some(transcript) {
        return Err(CeremonyError::Transcript);
    }
    if transcript.initial != initial_digest(size, fingerprint, key) {
        return Err(CeremonyError::Initial);
    }
    if key.vk.gamma_g2 != G2Affine::generator() {
        return Err(CeremonyError::Query("gamma"));
    }
    if chain(transcript)? == (key.delta_g1, key.vk.delta_g2) { Ok(()) } else { Err(CeremonyError::LastDelta) }
}

/// δ after all contributions.
fn chain(transcript: &Transcript) -> Result<(G1Affine, G2Affine), CeremonyError> {
    let mut delta = (G1Affine::generator(), G2Affine::generator());
    let mut hash = transcript.start();
    for (i, contribution) in transcript.contributions.iter().enumerate() {
        let Contribution { name, delta_g1, delta_g2, share } = contribution;
        let (index, last) = (i + 1, i + 1 == transcript.contributions.len());
        let wrong_delta = || CeremonyError::Delta { index, name: name.clone() };
        match share {
            Share::Secret(knowledge) => {
                let deltas = [delta.0, *delta_g1];
                let statement = Statement { before: hash, name, deltas, delta_g2: *delta_g2 };
                let (known, multiplied) = statement.check(knowledge);
                if !known {
                    return Err(CeremonyError::Knowledge { index, name: name.clone() });
                }
                if !multiplied {
                    return Err(wrong_delta());
                }
            }
            Share::Beacon { .. } if !last => return Err(CeremonyError::Finished),
            Share::Beacon { value, iterations_exponent } => {
                let x = beacon_number(hash, value, *iterations_exponent)?;
                if ((delta.0 * x).into_affine(), (delta.1 * x).into_affine()) != (*delta_g1, *delta_g2) {
                    return Err(wrong_delta());
                }
            }
        }
        delta = (*delta_g1, *delta_g2);
        hash = contribution.follow(hash);
    }
    Ok(delta)
}

/// Σᵢ rᵢ·M[row][i] of every row: the combination of a matrix's columns, as factors of the rows' Lagrange points.
fn combined_rows(matrices: &Matrices, side: usize, factors: &[F]) -> Vec<F> {
    let row = |row: &Vec<(F, usize)>| row.iter().fold(F::zero(), |sum, (k, v)| sum + *k * factors[*v]);
    let mut values: Vec<F> = matrices.sides[side].par_iter().map(row).collect();
    if side == 0 {
        values.extend(&factors[..matrices.input_count]);
    }
    values.resize(matrices.domain_size(), F::zero());
    values
}

/// One random combination of each list of points. The initial key itself is not made: the same combination of it follows
/// from phase 1 with as many multiplications as there are rows.
fn points(key: &ProvingKey, matrices: &Matrices, phase1: &Phase1, factors: &mut Factors) -> Result<(), CeremonyError> {
    let (inputs, n) = (matrices.input_count, matrices.domain_size());
    let (g1, g2) = (G1Affine::generator(), G2Affine::generator());
    let check = |holds: bool, name: &'static str| if holds { Ok(()) } else { Err(CeremonyError::Query(name)) };
    let ProvingKey { vk, a_query, b_g1_query, b_g2_query, h_query, l_query, .. } = key;
    check(vk.alpha_g1 == phase1.alpha_g1, "alpha")?;
    check((key.beta_g1, vk.beta_g2) == (phase1.beta_g1, phase1.beta_g2), "beta")?;
    check(pairings_agree((key.delta_g1, g2), (g1, vk.delta_g2)), "delta")?;

    let random = factors.draw(matrices.variable_count);
    let [a, b] = [0, 1].map(|side| combined_rows(matrices, side, &random));
    check(sum(a_query, &random) == sum(&phase1.lagrange_g1, &a), "a query")?;
    check(sum(b_g1_query, &random) == sum(&phase1.lagrange_g1, &b), "b query in G1")?;
    check(sum(b_g2_query, &random) == sum(&phase1.lagrange_g2, &b), "b query in G2")?;

    // β·a + α·b + c of the inputs alone, and of the other variables alone.
    let combined = |random: &[F]| {
        let [a, b, c] = [0, 1, 2].map(|side| combined_rows(matrices, side, random));
        let terms = sum(&phase1.lagrange_beta, &a) + sum(&phase1.lagrange_alpha, &b);
        (terms + sum(&phase1.lagrange_g1, &c)).into_affine()
    };
    let masked = |range: std::ops::Range<usize>| {
        let mut masked = vec![F::zero(); random.len()];
        masked[range.clone()].copy_from_slice(&random[range]);
        masked
    };
    check(sum(&vk.gamma_abc_g1, &random[..inputs]) == combined(&masked(0..inputs)), "IC")?;
    let l = combined(&masked(inputs..random.len()));
    check(pairings_agree((sum(l_query, &random[inputs..]), vk.delta_g2), (l, g2)), "l query")?;

    let random = factors.draw(n - 1);
    let h = (sum(&phase1.powers[n..], &random) - sum(&phase1.powers[..n - 1], &random)).into_affine();
    check(pairings_agree((sum(h_query, &random), vk.delta_g2), (h, g2)), "h query")
}
