//! A batch's proof before a verifier that shares no code with Sheaf, over what `sheaf verify` read from L1.

use crate::verify::check::Verified;
use crate::verify::export;
use anyhow::{Context, Result, bail};
use sheaf_core::F;
use std::path::Path;
use tokio::process::Command;

/// Asks `snarkjs` (through `script`) whether a proof holds; writes its files to `dir`.
///
/// # Errors
/// If it could not be asked: anything but its plain yes or no.
pub async fn holds(verified: &Verified, script: &Path, dir: &Path) -> Result<bool> {
    let files = export::for_snarkjs(dir, verified)?;
    let output = Command::new("node").arg(script).args(files).output().await.context("node can't be started")?;
    match output.status.code() {
        Some(0) => Ok(true),
        Some(1) => Ok(false),
        _ => bail!("snarkjs could not be asked: {}", String::from_utf8_lossy(&output.stderr)),
    }
}

/// The same with a public input changed.
pub fn changed(verified: &Verified) -> Verified {
    let mut changed = verified.clone();
    changed.inputs.c += F::from(1u64);
    changed
}
