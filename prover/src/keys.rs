//! The keys that a worker holds: loaded once, refused by name if they are not the wanted ones.

use crate::EVM_PROOF_BYTES;
use crate::config::Config;
use alloy_primitives::B256;
use anyhow::{Context as _, Result, ensure};
use sheaf_circuits::evm::proof_to_bytes;
use sheaf_circuits::keys::KeySet;
use sheaf_circuits::prove::{Blinding, prove, verify};
use sheaf_core::batch::PublicInputs;
use sheaf_core::geometry::Geometry;
use sheaf_core::shape::Shape;
use sheaf_core::trace::BatchWitness;
use std::io::Read as _;
use std::path::PathBuf;
use std::time::Instant;

pub use sheaf_circuits::prove::Proof;

/// The keys of one shape.
#[derive(Debug)]
pub struct Keys {
    set: KeySet,
}

impl Keys {
    /// Loads the keys that the configuration names. A directory stands for the shape's development keys in it.
    ///
    /// # Errors
    /// If the file is absent, damaged, for another shape, or its verifying key has another hash than the wanted one.
    pub fn load(config: &Config) -> Result<Self> {
        let geometry = Geometry::new(config.depth);
        let path = if config.keys_path.is_dir() {
            KeySet::development_path(&config.keys_path, geometry, &config.shape)
        } else {
            PathBuf::from(&config.keys_path)
        };
        let start = Instant::now();
        tracing::info!(path = %path.display(), shape = config.shape.id, "loading the keys");
        let loaded = KeySet::load(&path, geometry, config.shape, &mut |stage, done| tracing::debug!(?stage, done, "loading"));
        let set = loaded.with_context(|| format!("the keys in {}", path.display()))?;
        let found = set.vk_hash();
        if let Some(wanted) = &config.verifying_key_hash {
            let wanted: B256 = wanted.parse().context("verifying_key_hash must have 64 hex digits")?;
            ensure!(found == wanted, "the keys in {} have verifying key {found}, wanted is {wanted}", path.display());
        }
        tracing::info!(verifying_key = %found, seconds = start.elapsed().as_secs_f32(), "the keys are loaded");
        Ok(Self { set })
    }

    /// The keys of a set that is in memory already.
    pub const fn new(set: KeySet) -> Self {
        Self { set }
    }

    /// The circuit's size.
    pub const fn shape(&self) -> Shape {
        self.set.shape
    }

    /// The state's geometry.
    pub const fn geometry(&self) -> Geometry {
        self.set.geometry
    }

    /// Proves a batch. Each proof is blinded anew.
    ///
    /// # Errors
    /// A sentence with a stable code that says why it can't be proven.
    pub fn prove(&self, witness: &BatchWitness) -> std::result::Result<Proof, String> {
        let seed = random_seed().map_err(|error| format!("no random numbers: {error}"))?;
        let proven = prove(&self.set, witness, Blinding::from_seed(seed));
        let proven = proven.map_err(|error| format!("{}: {error}", error.code()))?;
        let timing = proven.timing;
        tracing::debug!(
            witness_seconds = timing.witness.as_secs_f32(),
            proof_seconds = timing.proof.as_secs_f32(),
            "made a proof"
        );
        Ok(proven.proof)
    }

    /// Whether a proof proves the batch of these public inputs.
    pub fn verify(&self, public: &PublicInputs, proof: &Proof) -> bool {
        verify(self.set.verifying_key(), public, proof)
    }
}

/// A proof as the contract takes it.
pub fn to_evm(proof: &Proof) -> [u8; EVM_PROOF_BYTES] {
    proof_to_bytes(proof)
}

/// The system's randomness: whoever guesses it learns the witness, signatures among it.
fn random_seed() -> std::io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut seed)?;
    Ok(seed)
}
