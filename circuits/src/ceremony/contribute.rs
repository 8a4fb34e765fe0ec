//! Contributions: δ times a number, and the points over δ divided by it.

use super::error::CeremonyError;
use super::knowledge::Statement;
use super::sparse::normalized;
use super::transcript::{Contribution, Share, TEXT_BYTES_MAX, Transcript};
use super::verify::check_transcript;
use crate::keys::{Origin, StoredKeys, check_multiplied_points};
use alloy_primitives::{B256, keccak256};
use ark_bn254::G1Affine;
use ark_ec::{AffineRepr as _, CurveGroup as _};
use ark_ff::{Field as _, PrimeField as _, Zero as _};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};
use sheaf_core::F;
use zeroize::{Zeroize as _, Zeroizing};

const BEACON_LABEL: &[u8] = b"Sheaf ceremony, beacon";
/// A beacon's value is hashed at least 2^10 times, so that trying values out costs something, and at most 2^32 times, which
/// is some quarter of an hour for each who verifies.
const ITERATIONS_EXPONENTS: std::ops::RangeInclusive<u8> = 10..=32;

/// Multiplies δ by a number that follows from 32 secret random bytes, and proves that it was known.
///
/// Points that are on no curve could tell the number to whoever supplied them, so those that are multiplied are checked
/// first, and the transcript too. The bytes and the number are wiped from memory as far as a program can: copies that the
/// compiler or the generator of random numbers made may remain until the process ends.
///
/// # Errors
/// [`CeremonyError::NotCeremony`], [`CeremonyError::Finished`], [`CeremonyError::Text`] for a name above 255 bytes,
/// [`CeremonyError::Key`] for points that are none, or those of [`check_transcript`]; the keys are as before then.
pub fn contribute(keys: &mut StoredKeys, name: &str, entropy: Zeroizing<[u8; 32]>) -> Result<(), CeremonyError> {
    let before = open_transcript(keys, name)?.hash();
    let mut rng = ChaCha20Rng::from_seed(*entropy);
    let (mut x, mut s) = (random(&mut rng), random(&mut rng));
    let (delta_before, s_point) = (keys.proving_key.delta_g1, (G1Affine::generator() * s).into_affine());
    multiply(keys, x);
    let (delta_g1, delta_g2) = (keys.proving_key.delta_g1, keys.proving_key.vk.delta_g2);
    let statement = Statement { before, name, deltas: [delta_before, delta_g1], delta_g2 };
    let share = Share::Secret(statement.prove(s_point, x));
    x.zeroize();
    s.zeroize();
    append(keys, Contribution { name: name.to_owned(), delta_g1, delta_g2, share });
    Ok(())
}

/// Multiplies δ by a number that follows from a public value, after which nobody can contribute.
///
/// # Errors
/// As [`contribute`], and for a value or an exponent out of range.
pub fn beacon(keys: &mut StoredKeys, name: &str, value: &[u8], iterations_exponent: u8) -> Result<(), CeremonyError> {
    let before = open_transcript(keys, name)?.hash();
    let x = beacon_number(before, value, iterations_exponent)?;
    multiply(keys, x);
    let (delta_g1, delta_g2) = (keys.proving_key.delta_g1, keys.proving_key.vk.delta_g2);
    let share = Share::Beacon { value: value.to_vec(), iterations_exponent };
    append(keys, Contribution { name: name.to_owned(), delta_g1, delta_g2, share });
    Ok(())
}

/// What a beacon multiplies δ by: keccak256 of the value, 2^exponent times over, then with the transcript's hash.
pub(super) fn beacon_number(before: B256, value: &[u8], iterations_exponent: u8) -> Result<F, CeremonyError> {
    if value.is_empty() || value.len() > TEXT_BYTES_MAX {
        return Err(CeremonyError::Text("a beacon's value", 1));
    }
    if !ITERATIONS_EXPONENTS.contains(&iterations_exponent) {
        return Err(CeremonyError::Iterations(iterations_exponent));
    }
    let mut hash = keccak256(value);
    for _ in 1..1u64 << iterations_exponent {
        hash = keccak256(hash);
    }
    let seed = keccak256([BEACON_LABEL, before.as_slice(), hash.as_slice()].concat());
    Ok(random(&mut ChaCha20Rng::from_seed(seed.0)))
}

fn open_transcript<'a>(keys: &'a StoredKeys, name: &str) -> Result<&'a Transcript, CeremonyError> {
    let Origin::Ceremony(transcript) = &keys.origin else { return Err(CeremonyError::NotCeremony) };
    if transcript.is_finished() {
        return Err(CeremonyError::Finished);
    }
    if name.len() > TEXT_BYTES_MAX {
        return Err(CeremonyError::Text("a name", 0));
    }
    check_multiplied_points(&keys.proving_key)?;
    check_transcript((keys.geometry, &keys.shape), keys.fingerprint, &keys.proving_key, transcript)?;
    Ok(transcript)
}

fn append(keys: &mut StoredKeys, contribution: Contribution) {
    match &mut keys.origin {
        Origin::Ceremony(transcript) => transcript.contributions.push(contribution),
        Origin::Development => unreachable!("only a ceremony's keys are contributed to"),
    }
}

fn random(rng: &mut ChaCha20Rng) -> F {
    let mut bytes = Zeroizing::new([0; 64]);
    rng.fill_bytes(bytes.as_mut_slice());
    let number = F::from_le_bytes_mod_order(bytes.as_slice());
    assert!(!number.is_zero(), "512 random bits are not a multiple of the modulus");
    number
}

fn multiply(keys: &mut StoredKeys, x: F) {
    let key = &mut keys.proving_key;
    let inverse = Zeroizing::new(x.inverse().expect("the number is not 0"));
    key.delta_g1 = (key.delta_g1 * x).into_affine();
    key.vk.delta_g2 = (key.vk.delta_g2 * x).into_affine();
    for query in [&mut key.l_query, &mut key.h_query] {
        *query = normalized(query.len(), |i| query[i] * *inverse);
    }
}
