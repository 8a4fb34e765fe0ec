//! A verified batch as files: for `snarkjs`, an independent verifier, and for `sheaf verify` itself, without a network.

use super::case::{BatchJson, Case, Deployment};
use super::check::Verified;
use anyhow::{Context as _, Result};
use serde::Serialize;
use sheaf_circuits::snarkjs;
use std::path::{Path, PathBuf};

/// The files that `snarkjs groth16 verify` takes, in its order.
pub const SNARKJS_FILES: [&str; 3] = ["verification_key.json", "public.json", "proof.json"];
/// The batch, as `--file` takes it.
pub const BATCH_FILE: &str = "batch.json";
/// The verifying keys, as `--keys` takes them.
pub const KEYS_FILE: &str = "keys.json";

/// Writes what `snarkjs` takes to a folder; answers the files in the order of [`SNARKJS_FILES`].
///
/// # Errors
/// If a file can't be written.
pub fn for_snarkjs(folder: &Path, verified: &Verified) -> Result<[PathBuf; 3]> {
    let Verified { key, inputs, proof } = verified;
    let values = [snarkjs::verifying_key(key), snarkjs::public(inputs), snarkjs::proof(proof)];
    for (name, value) in SNARKJS_FILES.iter().zip(&values) {
        write(folder, name, value)?;
    }
    Ok(SNARKJS_FILES.map(|name| folder.join(name)))
}

/// Writes all files.
///
/// # Errors
/// If one can't be written.
pub fn all(folder: &Path, case: &Case, deployment: &Deployment, verified: &Verified) -> Result<()> {
    for_snarkjs(folder, verified)?;
    write(folder, BATCH_FILE, &BatchJson::of_contract(case.number.or(case.asked), &case.batch))?;
    write(folder, KEYS_FILE, deployment.keys.words())
}

fn write(folder: &Path, name: &str, value: &impl Serialize) -> Result<()> {
    let path = folder.join(name);
    let bytes = serde_json::to_vec_pretty(value)?;
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&path, bytes))
        .with_context(|| format!("writing {}", path.display()))
}
