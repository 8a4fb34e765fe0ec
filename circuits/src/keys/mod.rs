//! Keys of a shape: made, stored, loaded.
//!
//! ```text
//!  rows(shape) ──▶ Matrices ──┬─ generate (development trapdoor) ──▶ KeySet ──▶ save ──▶ file
//!                             └─ load (the file's fingerprint must fit) ◀────────────────┘
//! ```
//!
//! Development keys are made from a fixed seed. Whoever knows it proves what he likes: they are for tests and demos,
//! and the contract takes them on a local test chain only.

mod file;
mod generate;

pub use file::{KeyError, Kind};
pub use generate::{DevelopmentTrapdoor, Stage, development_verifying_key};

use crate::batch::rows;
use crate::evm::verifying_key_words;
use crate::groth16::Quotient;
use crate::matrices::Matrices;
use crate::prove::{ProvingKey, VerifyingKey};
use alloy_primitives::{B256, keccak256};
use sheaf_core::geometry::Geometry;
use sheaf_core::shape::Shape;
use std::path::{Path, PathBuf};

/// What proving needs for one shape.
#[derive(Clone, Debug)]
pub struct KeySet {
    /// The circuit's size.
    pub shape: Shape,
    /// The state's geometry.
    pub geometry: Geometry,
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
        Self { shape, geometry, proving_key, quotient: Quotient::new(&matrices), matrices }
    }

    /// Writes the keys to a file, whole or not at all.
    ///
    /// # Errors
    /// [`KeyError::Io`].
    pub fn save(&self, path: &Path) -> Result<(), KeyError> {
        file::save(self, path)
    }

    /// Loads the keys of a shape.
    ///
    /// # Errors
    /// [`KeyError`], which says whether the file is absent, damaged, or of another shape or program.
    pub fn load(path: &Path, geometry: Geometry, shape: Shape, progress: &mut dyn FnMut(Stage, f64)) -> Result<Self, KeyError> {
        progress(Stage::Circuit, 0.0);
        // What can be told from the header is told before the circuit is built.
        file::read_header(path, geometry, &shape)?;
        let matrices = Matrices::from(&rows(geometry, &shape));
        progress(Stage::Read, 0.4);
        let proving_key = file::load(path, geometry, &shape, &matrices)?;
        progress(Stage::Read, 1.0);
        Ok(Self { shape, geometry, proving_key, quotient: Quotient::new(&matrices), matrices })
    }

    /// Loads the development keys of a shape from `directory`, or makes and saves them where they are absent,
    /// damaged or out of date.
    ///
    /// # Errors
    /// [`KeyError::Io`] if new keys can't be saved.
    pub fn development(
        directory: &Path,
        geometry: Geometry,
        shape: Shape,
        progress: &mut dyn FnMut(Stage, f64),
    ) -> Result<Self, KeyError> {
        let path = Self::development_path(directory, geometry, &shape);
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
