//! The file in which `sheaf deploy` says where the contract is, and from which the services learn it.

use alloy::primitives::{Address, B256};
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

/// Its name where none is given.
pub const FILE_NAME: &str = "deployment.toml";

/// What was deployed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeploymentFile {
    /// The chain.
    pub chain_id: u64,
    /// Sheaf's contract.
    pub contract: Address,
    /// The block in which it was made: settlement reads L1 from here on.
    pub start_block: u64,
    /// The hash of its keys' ceremony transcripts; zero for development keys.
    pub transcript: B256,
    /// The listed ERC-20s, in order of their numbers from 1.
    #[serde(default)]
    pub tokens: Vec<Address>,
}

impl DeploymentFile {
    /// Reads it.
    ///
    /// # Errors
    /// If there is none, or it is no such file.
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("reading {}, which `sheaf deploy` writes", path.display()))?;
        toml::from_str(&text).with_context(|| format!("in {}", path.display()))
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = format!("# Written by `sheaf deploy`; sheaf.toml names this file in [l1].\n{}", toml::to_string(self)?);
        let temporary = path.with_extension(format!("tmp-{}", std::process::id()));
        let written = File::create(&temporary).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&temporary, path)
        });
        written.with_context(|| format!("writing {}", path.display()))
    }
}
