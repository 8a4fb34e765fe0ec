//! The keys of all shapes that a worker proves: found by the hashes of their verifying keys, loaded once, and kept.

use crate::config::Config;
use crate::keys::Keys;
use alloy_primitives::B256;
use sheaf_circuits::keys::{KeyError, KeyInfo, KeySet, Kind};
use sheaf_core::geometry::Geometry;
use sheaf_core::l1::is_local_chain;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Keys by the number of their shape; of one shape at least.
#[derive(Clone, Debug)]
pub struct Keyring {
    keys: BTreeMap<u8, Arc<Keys>>,
}

/// Why a worker's keys can't be used; each is shown with its stable name.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// A folder may hold keys of any contract: which ones are wanted must be said.
    #[error("keys_unnamed: {} is a folder: verifying_keys must name the keys in it that are wanted", folder.display())]
    Unnamed {
        /// The folder.
        folder: PathBuf,
    },
    /// No file has these keys.
    #[error("keys_not_found: no key file in {} has verifying key {wanted}; {}", path.display(), found_text(found))]
    NotFound {
        /// Where they were looked for.
        path: PathBuf,
        /// The hash of the verifying key.
        wanted: B256,
        /// The verifying keys that are there, and their files.
        found: Vec<(B256, PathBuf)>,
    },
    /// Keys of a state with more or fewer levels.
    #[error("keys_depth: the keys in {} with verifying key {hash} are for a tree of depth {found}, wanted is {wanted}", path.display())]
    Depth {
        /// The file.
        path: PathBuf,
        /// The hash of the verifying key.
        hash: B256,
        /// The depth that the keys are for.
        found: u32,
        /// The depth of the configuration.
        wanted: u32,
    },
    /// Whoever knows the seed of development keys, and everybody does, proves what he likes.
    #[error("development_keys: the keys in {} with verifying key {hash} are development keys, and chain {chain_id} is no local one", path.display())]
    Development {
        /// The file.
        path: PathBuf,
        /// The hash of the verifying key.
        hash: B256,
        /// The chain of the configuration.
        chain_id: u64,
    },
    /// A contract has one verifying key for each shape.
    #[error("keys_same_shape: verifying keys {first} and {second} are both of shape {shape}: they are not of one contract")]
    SameShape {
        /// The shape's number.
        shape: u8,
        /// The hash of one verifying key.
        first: B256,
        /// The hash of the other.
        second: B256,
    },
    /// A file can't be read, or its keys are not what its header says.
    #[error("{}: the keys in {}: {source}", source.code(), path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: KeyError,
    },
}

impl KeyringError {
    /// A stable name.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unnamed { .. } => "keys_unnamed",
            Self::NotFound { .. } => "keys_not_found",
            Self::Depth { .. } => "keys_depth",
            Self::Development { .. } => "development_keys",
            Self::SameShape { .. } => "keys_same_shape",
            Self::File { source, .. } => source.code(),
        }
    }
}

fn found_text(found: &[(B256, PathBuf)]) -> String {
    if found.is_empty() {
        return "there are no keys".to_owned();
    }
    let one = |(hash, path): &(B256, PathBuf)| format!("{hash} in {}", path.display());
    format!("there are {}", found.iter().map(one).collect::<Vec<_>>().join(", "))
}

impl Keyring {
    /// Loads the keys that the configuration names. All is told by the headers of the files before one of them is loaded.
    ///
    /// # Errors
    /// [`KeyringError`], which names the keys in question.
    pub fn load(config: &Config) -> Result<Self, KeyringError> {
        let chosen = choose(config)?;
        let mut keys = BTreeMap::new();
        for (path, info) in chosen {
            let start = Instant::now();
            tracing::info!(path = %path.display(), shape = info.shape.id, "loading the keys");
            let file = |source| KeyringError::File { path: path.clone(), source };
            let mut progress = |stage, done| tracing::debug!(?stage, done, "loading");
            let set = KeySet::load(&path, info.geometry, info.shape, &mut progress).map_err(file)?;
            let found = set.vk_hash();
            if found != info.vk_hash {
                // Another file has taken its place in the meantime.
                return Err(file(KeyError::Hash { found, wanted: info.vk_hash }));
            }
            let seconds = start.elapsed().as_secs_f32();
            tracing::info!(verifying_key = %found, shape = info.shape.id, seconds, "the keys are loaded");
            keys.insert(info.shape.id, Arc::new(Keys::new(set)));
        }
        Ok(Self { keys })
    }

    /// Keys that are in memory already; of a shape that comes twice, the last ones.
    ///
    /// # Panics
    /// If there are none.
    pub fn new(keys: impl IntoIterator<Item = Arc<Keys>>) -> Self {
        let keys: BTreeMap<_, _> = keys.into_iter().map(|keys| (keys.shape().id, keys)).collect();
        assert!(!keys.is_empty(), "a worker holds keys");
        Self { keys }
    }

    /// The shapes whose batches can be proven, ascending.
    pub fn shapes(&self) -> Vec<u8> {
        self.keys.keys().copied().collect()
    }

    /// The keys of a shape.
    pub fn get(&self, shape: u8) -> Option<&Arc<Keys>> {
        self.keys.get(&shape)
    }
}

/// The files of the wanted keys, one a shape.
fn choose(config: &Config) -> Result<Vec<(PathBuf, KeyInfo)>, KeyringError> {
    let path = &config.keys_path;
    let mut there = headers(path)?;
    let chosen = if config.verifying_keys.is_empty() {
        if path.is_dir() {
            return Err(KeyringError::Unnamed { folder: path.clone() });
        }
        std::mem::take(&mut there)
    } else {
        let find = |wanted: &B256| {
            let found = there.iter().find(|(_, info)| info.vk_hash == *wanted).cloned();
            found.ok_or_else(|| {
                let found = there.iter().map(|(path, info)| (info.vk_hash, path.clone())).collect();
                KeyringError::NotFound { path: path.clone(), wanted: *wanted, found }
            })
        };
        let mut seen = BTreeSet::new();
        config.verifying_keys.iter().filter(|wanted| seen.insert(**wanted)).map(find).collect::<Result<_, _>>()?
    };
    check(config, &chosen)?;
    Ok(chosen)
}

/// The headers of a key file, or of all key files in a folder, by name. What is no key file in a folder is nobody's fault; a key
/// file that can't be used may be the one that somebody misses.
fn headers(path: &Path) -> Result<Vec<(PathBuf, KeyInfo)>, KeyringError> {
    let file = |source| KeyringError::File { path: path.to_owned(), source };
    if !path.is_dir() {
        return Ok(vec![(path.to_owned(), KeyInfo::read(path).map_err(file)?)]);
    }
    let entries = std::fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut paths: Vec<_> = entries.map_err(|error| file(error.into()))?.into_iter().map(|entry| entry.path()).collect();
    paths.retain(|path| path.is_file());
    paths.sort();
    let read = |path: PathBuf| match KeyInfo::read(&path) {
        Ok(info) => Some((path, info)),
        Err(error @ KeyError::Magic) => {
            tracing::debug!(path = %path.display(), %error, "passing over a file");
            None
        }
        Err(error) => {
            tracing::warn!(path = %path.display(), code = error.code(), %error, "passing over a key file that can't be used");
            None
        }
    };
    Ok(paths.into_iter().filter_map(read).collect())
}

/// Whether all of them can be used together.
fn check(config: &Config, chosen: &[(PathBuf, KeyInfo)]) -> Result<(), KeyringError> {
    let mut shapes: BTreeMap<u8, B256> = BTreeMap::new();
    let (depth, chain_id) = (config.depth, config.chain_id);
    for (path, KeyInfo { kind, geometry, shape, vk_hash, .. }) in chosen {
        if *kind == Kind::Development && !is_local_chain(chain_id) {
            return Err(KeyringError::Development { path: path.clone(), hash: *vk_hash, chain_id });
        }
        if *geometry != Geometry::new(depth) {
            let (path, hash) = (path.clone(), *vk_hash);
            return Err(KeyringError::Depth { path, hash, found: geometry.depth(), wanted: depth });
        }
        match shapes.insert(shape.id, *vk_hash) {
            Some(first) if first != *vk_hash => {
                return Err(KeyringError::SameShape { shape: shape.id, first, second: *vk_hash });
            }
            _ => {}
        }
    }
    Ok(())
}
