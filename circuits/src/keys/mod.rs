//! Keys of a shape: made, stored, loaded.
//!
//! ```text
//!  rows(shape) ──▶ Matrices ──┬─ generate (development trapdoor) ──▶ KeySet ──▶ save ──▶ file
//!                             ├─ ceremony (phase 1, contributions) ──────────────────────▶ │
//!                             └─ load (the file's fingerprint must fit) ◀──────────────────┘
//! ```
//!
//! Development keys are made from a fixed seed. Whoever knows it proves what he likes: they are for tests and demos,
//! and the contract takes them on a local test chain only. Keys of real value come from a [`ceremony`](crate::ceremony).

mod check;
mod error;
mod generate;
mod header;
pub(crate) mod points;
mod store;

pub(crate) use check::check_multiplied_points;
pub use check::check_points;
pub use error::KeyError;
pub use generate::{DevelopmentTrapdoor, Stage, development_verifying_key};
pub(crate) use header::size_bytes;
pub use header::{KeyInfo, Kind};
pub use store::StoredKeys;

use crate::batch::rows;
use crate::ceremony::Transcript;
use crate::evm::verifying_key_words;
use crate::groth16::Quotient;
use crate::matrices::Matrices;
use crate::prove::{ProvingKey, VerifyingKey};
use alloy_primitives::{B256, keccak256};
use sheaf_core::geometry::Geometry;
use sheaf_core::shape::Shape;
use std::path::{Path, PathBuf};

/// The format of key files that this program reads and writes.
const VERSION: u16 = 2;

/// Where keys come from, and what shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From a seed that everybody knows.
    Development,
    /// From a ceremony with this transcript.
    Ceremony(Transcript),
}

impl Origin {
    /// Without what shows it.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Development => Kind::Development,
            Self::Ceremony(_) => Kind::Ceremony,
        }
    }

    /// The hash of the ceremony's transcript; zero for development keys.
    pub fn transcript_hash(&self) -> B256 {
        match self {
            Self::Development => B256::ZERO,
            Self::Ceremony(transcript) => transcript.hash(),
        }
    }

    fn transcript_bytes(&self) -> Vec<u8> {
        match self {
            Self::Development => Vec::new(),
            Self::Ceremony(transcript) => transcript.to_bytes(),
        }
    }
}

/// What proving needs for one shape.
#[derive(Clone, Debug)]
pub struct KeySet {
    /// The circuit's size.
    pub shape: Shape,
    /// The state's geometry.
    pub geometry: Geometry,
    /// Where the keys come from.
    pub origin: Origin,
    /// The proving key; the verifying key is a part of it.
    pub proving_key: ProvingKey,
    /// The circuit's rows.
    pub matrices: Matrices,
    /// What the division by the vanishing polynomial takes besides.
    pub quotient: Quotient,
}

impl KeySet {
    /// Makes development keys, the same ones every time. Takes some 20 seconds for the development shape on two cores.
    ///
    /// `progress` gets the stage and the fraction of the whole that is done.
    pub fn generate_development(geometry: Geometry, shape: Shape, progress: &mut dyn FnMut(Stage, f64)) -> Self {
        progress(Stage::Circuit, 0.0);
        let matrices = Matrices::from(&rows(geometry, &shape));
        let trapdoor = DevelopmentTrapdoor::of(geometry, &shape);
        let proving_key = generate::proving_key(&matrices, &trapdoor, progress);
        let quotient = Quotient::new(&matrices);
        Self { shape, geometry, origin: Origin::Development, proving_key, matrices, quotient }
    }

    /// Writes the keys to a file, whole or not at all.
    ///
    /// # Errors
    /// [`KeyError::Io`].
    pub fn save(&self, path: &Path) -> Result<(), KeyError> {
        store::save(path, self.info(), &self.origin, &self.proving_key)
    }

    /// What the header of a file with these keys says.
    pub fn info(&self) -> KeyInfo {
        store::info(self.geometry, self.shape, self.matrices.fingerprint(), &self.origin, self.verifying_key())
    }

    /// Loads the keys of a shape, of whatever kind they are.
    ///
    /// # Errors
    /// [`KeyError`], which says whether the file is absent, damaged, or of another shape or program.
    pub fn load(path: &Path, geometry: Geometry, shape: Shape, progress: &mut dyn FnMut(Stage, f64)) -> Result<Self, KeyError> {
        progress(Stage::Circuit, 0.0);
        // What can be told from the header is told before the circuit is built.
        KeyInfo::read(path)?.check_size(geometry, &shape)?;
        let matrices = Matrices::from(&rows(geometry, &shape));
        progress(Stage::Read, 0.4);
        let stored = StoredKeys::read(path)?;
        // Another file may have taken its place in the meantime.
        stored.info().check_size(geometry, &shape)?;
        let keys = Self::of_circuit(stored, matrices)?;
        progress(Stage::Read, 1.0);
        Ok(keys)
    }

    /// Puts keys and their circuit together.
    ///
    /// # Errors
    /// [`KeyError::Circuit`], if the keys are for another one.
    pub fn of_circuit(stored: StoredKeys, matrices: Matrices) -> Result<Self, KeyError> {
        let StoredKeys { geometry, shape, fingerprint, origin, proving_key } = stored;
        let sizes = [&proving_key.a_query, &proving_key.b_g1_query].map(Vec::len);
        let quotient = Quotient::new(&matrices);
        let fits = fingerprint == matrices.fingerprint()
            && sizes == [matrices.variable_count; 2]
            && proving_key.b_g2_query.len() == matrices.variable_count
            && proving_key.vk.gamma_abc_g1.len() == matrices.input_count
            && proving_key.l_query.len() == matrices.variable_count - matrices.input_count
            && proving_key.h_query.len() + 1 == matrices.domain_size();
        if fits { Ok(Self { shape, geometry, origin, proving_key, matrices, quotient }) } else { Err(KeyError::Circuit) }
    }

    /// Loads the development keys of a shape from `directory`, or makes and saves them where they are absent,
    /// damaged or out of date.
    ///
    /// # Errors
    /// [`KeyError::Io`] if new keys can't be saved, [`KeyError::NotDevelopment`] if a ceremony's keys are there.
    pub fn development(
        directory: &Path,
        geometry: Geometry,
        shape: Shape,
        progress: &mut dyn FnMut(Stage, f64),
    ) -> Result<Self, KeyError> {
        let path = Self::development_path(directory, geometry, &shape);
        if KeyInfo::read(&path).is_ok_and(|info| info.kind != Kind::Development) {
            return Err(KeyError::NotDevelopment);
        }
        if let Ok(keys) = Self::load(&path, geometry, shape, progress) {
            return Ok(keys);
        }
        let keys = Self::generate_development(geometry, shape, progress);
        keys.save(&path)?;
        Ok(keys)
    }

    /// The name of a shape's development keys in `directory`.
    pub fn development_path(directory: &Path, geometry: Geometry, shape: &Shape) -> PathBuf {
        let Shape { id, slots, leaf_rows, node_rows } = shape;
        directory.join(format!("development-{id}-{slots}-{leaf_rows}-{node_rows}-depth{}.keys", geometry.depth()))
    }

    /// The verifying key.
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.proving_key.vk
    }

    /// Hash of the verifying key.
    pub fn vk_hash(&self) -> B256 {
        vk_hash(self.verifying_key())
    }
}

/// Hash of a verifying key: keccak256 of its points as the contract takes them, alpha, beta, gamma, delta, IC.
pub fn vk_hash(key: &VerifyingKey) -> B256 {
    let bytes: Vec<u8> = verifying_key_words(key).iter().flat_map(|word| word.to_be_bytes::<32>()).collect();
    keccak256(bytes)
}
