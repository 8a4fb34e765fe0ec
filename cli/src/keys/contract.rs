//! Key files as the contract's constructor takes them.

use super::read_with_rows;
use alloy::primitives::{B256, U256, keccak256};
use anyhow::{Context as _, Result};
use sheaf_circuits::ceremony::{CeremonyError, check_secret, check_transcript};
use sheaf_circuits::evm::{g1_words, g2_words};
use sheaf_circuits::keys::{KeyError, Kind, Origin, StoredKeys};
use sheaf_circuits::prove::VerifyingKey;
use sheaf_core::shape::Shape;
use sheaf_core::shapes::{Shapes, ShapesError};
use sheaf_settlement::deploy::{ShapeWords, VerifyingKeyWords};
use std::path::{Path, PathBuf};

/// The keys of a contract.
#[derive(Clone, Debug)]
pub struct Contract {
    /// Where all of them come from.
    pub kind: Kind,
    /// The sizes, in order of their ids.
    pub sizes: Shapes,
    /// What all shapes share.
    pub key: VerifyingKeyWords,
    /// Each shape's own, in order of their ids.
    pub shapes: Vec<ShapeWords>,
    /// See [`transcript_of`]; zero for development keys.
    pub transcript: B256,
    /// The shapes whose ceremony is not finished by a beacon: whoever contributed last could choose among keys.
    pub unfinished: Vec<u8>,
}

/// Why key files are no contract's.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// A shape twice, or one left out.
    #[error("{0}")]
    Shapes(#[from] ShapesError),
    /// Development keys beside a ceremony's.
    #[error("some of the keys are development keys, others are from a ceremony")]
    Kinds,
    /// Keys of another phase 1 than the others'.
    #[error(
        "the keys of shape {0} have another alpha, beta, gamma or tau than those of shape 0: they began from another phase 1"
    )]
    Shared(u8),
    /// Two shapes with one δ: a proof for one could be made with the key of the other.
    #[error("the keys of shape {0} have the delta of another shape")]
    SharedDelta(u8),
    /// A circuit with other public inputs.
    #[error("the circuit must have three public inputs, and a shape fewer than 2^16 slots")]
    Inputs,
}

impl ContractError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Shapes(_) => "keys_shapes",
            Self::Kinds => "keys_kinds",
            Self::Shared(_) => "keys_phase1",
            Self::SharedDelta(_) => "keys_delta",
            Self::Inputs => "keys_inputs",
        }
    }
}

/// Reads the key files of a contract's shapes, in any order, and checks that each is for this program's circuit, and that
/// a ceremony's transcript is that of its verifying key. It takes seconds for the development shape: whether the points
/// that provers use are right, and the phase 1 that all began with, `sheaf keys verify` tells.
///
/// # Errors
/// If a file can't be read, is for another circuit, or has another transcript than its keys', or a [`ContractError`].
pub fn contract(files: &[PathBuf]) -> Result<Contract> {
    let mut read = Vec::new();
    for file in files {
        // One at a time: all that is kept of a proving key is its verifying key.
        let summary = Summary::read(file).map_err(|e| anyhow::anyhow!("{}: {e}", e.code()));
        read.push(summary.with_context(|| format!("loading {}", file.display()))?);
    }
    read.sort_by_key(|keys| keys.shape.id);
    combine(&read).map_err(|error| anyhow::anyhow!("{}: {error}", error.code()))
}

/// The hash of several ceremonies' transcripts, which the contract keeps: keccak256 of their hashes one after another, in
/// order of their shapes' ids, also if there is one alone.
pub fn transcript_of(hashes: &[B256]) -> B256 {
    keccak256(hashes.concat())
}

/// What is needed of one key file.
#[derive(Clone, Debug)]
struct Summary {
    shape: Shape,
    origin: Origin,
    vk: VerifyingKey,
}

impl Summary {
    fn read(file: &Path) -> Result<Self, CeremonyError> {
        let (keys, matrices) = read_with_rows(file)?;
        if matrices.fingerprint() != keys.fingerprint {
            return Err(KeyError::Circuit.into());
        }
        if let Origin::Ceremony(transcript) = &keys.origin {
            // The transcript's hash is all that the contract says of its keys, so it must be that of these.
            check_secret(transcript)?;
            check_transcript((keys.geometry, &keys.shape), keys.fingerprint, &keys.proving_key, transcript)?;
        }
        Ok(Self { shape: keys.shape, origin: keys.origin, vk: keys.proving_key.vk })
    }
}

fn combine(keys: &[Summary]) -> Result<Contract, ContractError> {
    let sizes = Shapes::new(keys.iter().map(|keys| keys.shape).collect())?;
    let kind = keys[0].origin.kind();
    let (mut shapes, mut hashes, mut unfinished) = (Vec::new(), Vec::new(), Vec::new());
    let (key, _) = words(&keys[0].shape, &keys[0].vk)?;
    for Summary { shape, origin, vk } in keys {
        let (shared, own) = words(shape, vk)?;
        if origin.kind() != kind {
            return Err(ContractError::Kinds);
        }
        if shared != key || phase1(origin) != phase1(&keys[0].origin) {
            return Err(ContractError::Shared(shape.id));
        }
        if shapes.iter().any(|other: &ShapeWords| other.delta == own.delta) {
            return Err(ContractError::SharedDelta(shape.id));
        }
        shapes.push(own);
        hashes.push(origin.transcript_hash());
        if matches!(origin, Origin::Ceremony(transcript) if !transcript.is_finished()) {
            unfinished.push(shape.id);
        }
    }
    let transcript = match kind {
        Kind::Development => B256::ZERO,
        Kind::Ceremony => transcript_of(&hashes),
    };
    Ok(Contract { kind, sizes, key, shapes, transcript, unfinished })
}

/// The digest of the phase 1 that a ceremony began with, τ included.
const fn phase1(origin: &Origin) -> Option<B256> {
    match origin {
        Origin::Ceremony(transcript) => Some(transcript.phase1),
        Origin::Development => None,
    }
}

/// The verifying key of a key file as the contract takes it.
///
/// # Errors
/// If the file can't be read.
pub fn contract_words(file: &Path) -> Result<(VerifyingKeyWords, ShapeWords)> {
    let keys = StoredKeys::read(file).with_context(|| format!("loading {}", file.display()))?;
    Ok(words(&keys.shape, &keys.proving_key.vk)?)
}

pub(super) fn words(shape: &Shape, key: &VerifyingKey) -> Result<(VerifyingKeyWords, ShapeWords), ContractError> {
    let ic: Vec<U256> = key.gamma_abc_g1.iter().flat_map(g1_words).collect();
    let shared =
        VerifyingKeyWords { alpha: g1_words(&key.alpha_g1), beta: g2_words(&key.beta_g2), gamma: g2_words(&key.gamma_g2) };
    let own = ShapeWords {
        slots: shape.slots.try_into().map_err(|_| ContractError::Inputs)?,
        delta: g2_words(&key.delta_g2),
        ic: ic.try_into().map_err(|_| ContractError::Inputs)?,
    };
    Ok((shared, own))
}

#[cfg(test)]
mod tests {
    use super::super::GEOMETRY;
    use super::*;
    use sheaf_circuits::ceremony::{Contribution, Share, Transcript};
    use sheaf_circuits::keys::development_verifying_key;
    use std::sync::OnceLock;

    fn development() -> &'static VerifyingKey {
        static KEY: OnceLock<VerifyingKey> = OnceLock::new();
        KEY.get_or_init(|| development_verifying_key(GEOMETRY, &Shape::DEVELOPMENT))
    }

    fn ceremony(shape: Shape, secrets: usize) -> Summary {
        let mut vk = development().clone();
        if shape.id > 0 {
            // Any other point.
            vk.delta_g2 = vk.beta_g2;
        }
        let share = Share::Beacon { value: vec![shape.id], iterations_exponent: 10 };
        let knowledge = sheaf_circuits::ceremony::Knowledge { s: vk.alpha_g1, s_x: vk.alpha_g1, r_x: vk.beta_g2 };
        let with = |share| Contribution { name: String::new(), delta_g1: vk.alpha_g1, delta_g2: vk.delta_g2, share };
        let mut contributions = vec![with(Share::Secret(knowledge)); secrets];
        contributions.push(with(share));
        let transcript = Transcript { phase1: B256::ZERO, initial: B256::repeat_byte(shape.id), contributions };
        Summary { shape, origin: Origin::Ceremony(transcript), vk }
    }

    fn code(keys: &[Summary]) -> &'static str {
        combine(keys).unwrap_err().code()
    }

    #[test]
    fn shapes_of_one_phase_1_make_a_contract() {
        let keys = [ceremony(Shape::DEVELOPMENT, 1), ceremony(Shape::MEDIUM, 2)];
        let contract = combine(&keys).unwrap();
        assert_eq!(contract.kind, Kind::Ceremony);
        assert_eq!(contract.shapes.iter().map(|shape| shape.slots).collect::<Vec<_>>(), [16, 64]);
        let hashes = [&keys[0], &keys[1]].map(|keys| keys.origin.transcript_hash());
        assert_ne!(hashes[0], hashes[1]);
        assert_eq!(contract.transcript, keccak256([hashes[0].0, hashes[1].0].concat()));
        let one = combine(&keys[..1]).unwrap();
        assert_eq!(one.transcript, keccak256(hashes[0]));
        assert!(contract.unfinished.is_empty());
        let [small, mut medium] = keys.clone();
        if let Origin::Ceremony(transcript) = &mut medium.origin {
            transcript.contributions.pop();
        }
        assert_eq!(combine(&[small, medium]).unwrap().unfinished, [1]);
        let development = Summary { origin: Origin::Development, ..keys[0].clone() };
        let development = combine(&[development]).unwrap();
        assert_eq!((development.kind, development.transcript), (Kind::Development, B256::ZERO));
    }

    #[test]
    fn keys_that_do_not_belong_together_are_refused_by_name() {
        let (small, medium) = (ceremony(Shape::DEVELOPMENT, 1), ceremony(Shape::MEDIUM, 1));
        assert_eq!(code(&[]), "keys_shapes");
        assert_eq!(code(std::slice::from_ref(&medium)), "keys_shapes", "the first one left out");
        assert_eq!(code(&[small.clone(), small.clone()]), "keys_shapes", "one twice");
        let development = Summary { origin: Origin::Development, ..medium.clone() };
        assert_eq!(code(&[small.clone(), development]), "keys_kinds");
        let mut other = medium.clone();
        other.vk.beta_g2 = other.vk.gamma_g2;
        assert_eq!(code(&[small.clone(), other]), "keys_phase1");
        let mut other = medium.clone();
        if let Origin::Ceremony(transcript) = &mut other.origin {
            transcript.phase1.0[0] ^= 1;
        }
        assert_eq!(code(&[small.clone(), other]), "keys_phase1");
        let mut other = medium.clone();
        other.vk.delta_g2 = small.vk.delta_g2;
        assert_eq!(code(&[small.clone(), other]), "keys_delta");
        let mut other = medium;
        other.vk.gamma_abc_g1.pop();
        assert_eq!(code(&[small, other]), "keys_inputs");
    }
}
