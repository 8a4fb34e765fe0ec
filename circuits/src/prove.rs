//! Proving a batch, and verifying a proof.

use crate::batch::batch;
use crate::groth16::{self, Parts, Stage};
use crate::keys::KeySet;
use crate::r1cs::{Builder, Mode};
use crate::witness::Private;
use ark_bn254::Bn254;
use ark_ff::PrimeField;
use ark_groth16::Groth16;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sheaf_core::F;
use sheaf_core::batch::PublicInputs;
use sheaf_core::trace::BatchWitness;
use std::time::{Duration, Instant};

/// A Groth16 proof over BN254.
pub type Proof = ark_groth16::Proof<Bn254>;
/// A Groth16 proving key over BN254.
pub type ProvingKey = ark_groth16::ProvingKey<Bn254>;
/// A Groth16 verifying key over BN254.
pub type VerifyingKey = ark_groth16::VerifyingKey<Bn254>;

/// The two random numbers that hide a witness in its proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the Groth16 paper")]
pub struct Blinding {
    pub r: F,
    pub s: F,
}

impl Blinding {
    /// Draws them from 32 secret random bytes, to be used for one proof.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let mut rng = ChaCha20Rng::from_seed(seed);
        let [r, s] = std::array::from_fn(|_| {
            let mut bytes = [0; 64];
            rng.fill_bytes(&mut bytes);
            F::from_le_bytes_mod_order(&bytes)
        });
        Self { r, s }
    }
}

/// A proof with what it proves and how long it took.
#[derive(Clone, Debug)]
pub struct Proven {
    /// The proof.
    pub proof: Proof,
    /// What it is a proof for.
    pub public: PublicInputs,
    /// How long it took.
    pub timing: Timing,
}

/// Wall-clock times of the stages of proving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Computing the values of all variables and checking every row.
    pub witness: Duration,
    /// Making the proof of them.
    pub proof: Duration,
    /// The proof's parts.
    pub parts: Parts,
}

/// Why a batch can't be proven. Each is a defect on our side: a user can't cause one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProveError {
    /// The keys are for another shape or geometry than the batch, or the batch has not the size of its own shape.
    #[error("the keys are for another shape than the batch")]
    Shape,
    /// The batch breaks a rule, so no proof of it would verify.
    #[error("the batch does not satisfy the circuit: {group} fails")]
    Unsatisfied {
        /// The group of the first row that fails.
        group: &'static str,
    },
    /// The proof that was made does not verify.
    #[error("the proof does not verify")]
    Invalid,
}

impl ProveError {
    /// Returns the stable code of this error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Shape => "prove_shape",
            Self::Unsatisfied { .. } => "prove_unsatisfied",
            Self::Invalid => "prove_invalid",
        }
    }
}

/// The values of all variables for a batch: one, public inputs, private variables.
pub fn assignment(witness: &BatchWitness) -> Vec<F> {
    let mut b = Builder::new(Mode::Witness);
    batch(&mut b, witness.geometry, &witness.shape, &witness.public_inputs(), &Private::from(witness));
    b.assignment()
}

/// Whether a witness, which may come from a damaged store, is as large as it says.
fn has_size_of_its_shape(BatchWitness { shape, public, trace, signatures, .. }: &BatchWitness) -> bool {
    let sizes = (trace.slots.len(), trace.leaves.len(), trace.nodes.len());
    sizes == (shape.slots, shape.leaf_rows, shape.node_rows)
        && public.operations.len() <= shape.slots
        && signatures.len() == public.operations.len()
}

/// Proves a batch, and verifies the proof before giving it away.
///
/// # Errors
/// [`ProveError`].
pub fn prove(keys: &KeySet, witness: &BatchWitness, blinding: Blinding) -> Result<Proven, ProveError> {
    prove_reporting(keys, witness, blinding, &mut |_| {})
}

/// [`prove`] that says which stage begins.
///
/// # Errors
/// [`ProveError`].
pub fn prove_reporting(
    keys: &KeySet,
    witness: &BatchWitness,
    blinding: Blinding,
    progress: &mut dyn FnMut(Stage),
) -> Result<Proven, ProveError> {
    if (keys.shape, keys.geometry) != (witness.shape, witness.geometry) || !has_size_of_its_shape(witness) {
        return Err(ProveError::Shape);
    }
    let started = Instant::now();
    progress(Stage::Witness);
    let values = assignment(witness);
    if let Some(group) = keys.matrices.first_failure(&values) {
        return Err(ProveError::Unsatisfied { group });
    }
    let witness_time = started.elapsed();
    let started = Instant::now();
    let (proof, parts) = groth16::prove(&keys.proving_key, (&keys.matrices, &keys.quotient), &values, blinding, progress);
    let timing = Timing { witness: witness_time, proof: started.elapsed(), parts };
    progress(Stage::Check);
    let public = witness.public_inputs();
    if verify(keys.verifying_key(), &public, &proof) { Ok(Proven { proof, public, timing }) } else { Err(ProveError::Invalid) }
}

/// Whether `proof` proves the batch with these public inputs.
pub fn verify(key: &VerifyingKey, public: &PublicInputs, proof: &Proof) -> bool {
    let prepared = ark_groth16::prepare_verifying_key(key);
    Groth16::<Bn254>::verify_proof(&prepared, proof, &public.to_array()).unwrap_or(false)
}
