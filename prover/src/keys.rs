//! The keys of one shape that a worker holds.

use crate::EVM_PROOF_BYTES;
use alloy_primitives::B256;
use sheaf_circuits::evm::proof_to_bytes;
use sheaf_circuits::groth16::Stage;
use sheaf_circuits::keys::KeySet;
use sheaf_circuits::prove::{Blinding, prove_reporting, verify};
use sheaf_core::batch::PublicInputs;
use sheaf_core::geometry::Geometry;
use sheaf_core::shape::Shape;
use sheaf_core::trace::BatchWitness;
use std::io::Read as _;

pub use sheaf_circuits::prove::Proof;

/// The keys of one shape.
#[derive(Debug)]
pub struct Keys {
    set: KeySet,
}

impl Keys {
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

    /// The hash of the verifying key.
    pub fn vk_hash(&self) -> B256 {
        self.set.vk_hash()
    }

    /// Proves a batch, and says which stage begins. Each proof is blinded anew.
    ///
    /// # Errors
    /// A sentence with a stable code that says why it can't be proven.
    pub fn prove(&self, witness: &BatchWitness, progress: &mut dyn FnMut(Stage)) -> Result<Proof, String> {
        let seed = random_seed().map_err(|error| format!("no random numbers: {error}"))?;
        let proven = prove_reporting(&self.set, witness, Blinding::from_seed(seed), progress);
        let proven = proven.map_err(|error| format!("{}: {error}", error.code()))?;
        let timing = proven.timing;
        tracing::info!(
            slots = self.set.shape.slots,
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
