//! The stack's private keys: random, made at the first start, each in a file of its own.

use alloy::primitives::hex;
use alloy::signers::local::PrivateKeySigner;
use anyhow::{Context, Result};
use sheaf_core::eddsa::SecretKey;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The first of the accounts that a development node funds: known to everyone.
pub const BANK_KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

/// Where each key is kept.
#[derive(Clone, Debug)]
pub struct KeyFiles {
    /// Lists tokens.
    pub admin: PathBuf,
    /// Submits batches.
    pub operator: PathBuf,
    /// Credits withdrawals.
    pub creditor: PathBuf,
    /// Signs receipts.
    pub receipt: PathBuf,
    /// Seed of the operator's L2 key.
    operator_l2: PathBuf,
}

impl KeyFiles {
    /// Makes the keys that are missing.
    ///
    /// # Errors
    /// If a file can't be written.
    pub fn load_or_make(dir: &Path) -> Result<Self> {
        let file = |name: &str| -> Result<PathBuf> {
            let path = std::path::absolute(dir.join(name))?;
            if !path.exists() {
                let key = hex::encode_prefixed(PrivateKeySigner::random().to_bytes());
                write_private(&path, key.as_bytes())?;
            }
            Ok(path)
        };
        Ok(Self {
            admin: file("admin.key")?,
            operator: file("operator.key")?,
            creditor: file("creditor.key")?,
            receipt: file("receipt.key")?,
            operator_l2: file("operator-l2.key")?,
        })
    }

    /// The operator's L2 key.
    ///
    /// # Errors
    /// If its file is gone or damaged.
    pub fn operator_l2(&self) -> Result<SecretKey> {
        let shown = self.operator_l2.display();
        let text = std::fs::read_to_string(&self.operator_l2).with_context(|| format!("reading {shown}"))?;
        let seed: [u8; 32] = hex::decode_to_array(text.trim()).with_context(|| format!("{shown} is no seed"))?;
        Ok(SecretKey::from_seed(&seed))
    }
}

/// Writes a file that only its owner may read; it is there completely or not at all.
///
/// # Errors
/// If the system refuses.
pub fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let unfinished = path.with_extension("unfinished");
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&unfinished, path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}
