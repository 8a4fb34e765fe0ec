//! The verifying keys: from the contract's storage of them, from a file, or from proving keys.

use alloy::primitives::U256;
use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use sheaf_circuits::evm::{ProofError, verifying_key_from_words, verifying_key_words};
use sheaf_circuits::keys::KeyInfo;
use sheaf_circuits::prove::VerifyingKey;
use sheaf_contracts::{Sheaf, StoredKeys};
use std::path::Path;

/// Words of a verifying key: alpha, beta, gamma, delta, four IC.
const KEY_WORDS: usize = 22;

/// The keys of every shape of a contract, as its constructor took them: points of G2 in EIP-197's order (x1, x0, y1, y0).
/// This is also the form of `keys.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyWords {
    /// A point of G1.
    pub alpha: [U256; 2],
    /// A point of G2.
    pub beta: [U256; 4],
    /// A point of G2.
    pub gamma: [U256; 4],
    /// The shapes, the place in this list being a shape's id.
    pub shapes: Vec<ShapeWords>,
}

/// A shape's own part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShapeWords {
    /// Operations that a batch of this shape can have.
    pub slots: u16,
    /// A point of G2.
    pub delta: [U256; 4],
    /// Four points of G1.
    pub ic: [U256; 8],
}

/// Why words are no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// The contract keeps something else where its keys should be.
    #[error("where the contract keeps its keys there are {0} bytes that are no keys")]
    Layout(usize),
    /// A point is none.
    #[error("the key of shape {0} has a point that is none: {1}")]
    Point(usize, ProofError),
}

impl KeysError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Layout(_) => "keys_layout",
            Self::Point(..) => "key_point_invalid",
        }
    }
}

/// Keys whose points were checked.
#[derive(Clone, Debug)]
pub struct Keys {
    words: KeyWords,
    keys: Vec<VerifyingKey>,
}

impl Keys {
    /// Checks the points of all shapes.
    ///
    /// # Errors
    /// [`KeysError::Point`].
    pub fn new(words: KeyWords) -> Result<Self, KeysError> {
        let KeyWords { alpha, beta, gamma, shapes } = &words;
        let key = |(id, shape): (usize, &ShapeWords)| {
            let all = [&alpha[..], beta, gamma, &shape.delta, &shape.ic].concat();
            verifying_key_from_words(&all).map_err(|error| KeysError::Point(id, error))
        };
        let keys = shapes.iter().enumerate().map(key).collect::<Result<_, _>>()?;
        Ok(Self { words, keys })
    }

    /// The keys of one shape, with its number of slots.
    ///
    /// # Panics
    /// If the key has not three public inputs.
    pub fn of_shape(key: &VerifyingKey, slots: u16) -> Self {
        let w = verifying_key_words(key);
        assert_eq!(w.len(), KEY_WORDS, "a batch's key has three public inputs");
        let shape = ShapeWords { slots, delta: take(&w, 10), ic: take(&w, 14) };
        let words = KeyWords { alpha: take(&w, 0), beta: take(&w, 2), gamma: take(&w, 6), shapes: vec![shape] };
        Self { words, keys: vec![key.clone()] }
    }

    /// Reads the code of the contract in which Sheaf's constructor stored the keys, see [`StoredKeys`].
    ///
    /// # Errors
    /// [`KeysError`].
    pub fn from_storage(code: &[u8]) -> Result<Self, KeysError> {
        let StoredKeys { key, shapes } = StoredKeys::from_code(code).ok_or(KeysError::Layout(code.len()))?;
        let shape = |s: Sheaf::Shape| ShapeWords { slots: s.slots, delta: s.delta, ic: s.ic };
        let Sheaf::VerifyingKey { alpha, beta, gamma } = key;
        Self::new(KeyWords { alpha, beta, gamma, shapes: shapes.into_iter().map(shape).collect() })
    }

    /// Reads `keys.json`, or the verifying key of a file with proving keys of shape 0.
    ///
    /// # Errors
    /// If the file is neither.
    pub fn from_file(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        if bytes.starts_with(b"{") {
            let words = serde_json::from_slice(&bytes).with_context(|| format!("{} holds no verifying keys", path.display()))?;
            return Ok(Self::new(words)?);
        }
        let shape = KeyInfo::read(path).with_context(|| format!("reading {}", path.display()))?.shape.id;
        // The place in the list is the shape's number.
        ensure!(
            shape == 0,
            "{} holds the keys of shape {shape} only: give a keys.json with all of the contract's",
            path.display()
        );
        let (shared, own) = crate::keys::contract_words(path)?;
        let shape = ShapeWords { slots: own.slots, delta: own.delta, ic: own.ic };
        Ok(Self::new(KeyWords { alpha: shared.alpha, beta: shared.beta, gamma: shared.gamma, shapes: vec![shape] })?)
    }

    /// The keys as words.
    pub const fn words(&self) -> &KeyWords {
        &self.words
    }

    /// How many shapes there are.
    pub const fn shapes(&self) -> usize {
        self.keys.len()
    }

    /// The key of a shape and its number of slots; `None` if there is no such shape.
    pub fn shape(&self, id: u8) -> Option<(&VerifyingKey, u16)> {
        let id = usize::from(id);
        Some((self.keys.get(id)?, self.words.shapes.get(id)?.slots))
    }
}

fn take<const N: usize>(words: &[U256], first: usize) -> [U256; N] {
    words[first..first + N].try_into().expect("N words")
}
