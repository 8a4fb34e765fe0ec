//! `sheaf keys info`.

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::json;
use sheaf_circuits::golden::Golden;
use sheaf_circuits::keys::{KeyInfo, Kind, Origin, StoredKeys};
use sheaf_core::shape::Shape;
use std::path::{Path, PathBuf};

/// Which file, and how it is printed.
#[derive(Args, Debug)]
pub struct Options {
    /// A key file.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(options: &Options) -> Result<()> {
    match &options.file {
        Some(file) => of_file(file, options.json),
        None => of_circuit(options.json),
    }
}

fn of_file(file: &Path, as_json: bool) -> Result<()> {
    let info = KeyInfo::read(file).map_err(|e| anyhow::anyhow!("{}: {e}", e.code()));
    let info = info.with_context(|| file.display().to_string())?;
    let KeyInfo { kind, geometry, shape, fingerprint, vk_hash, transcript } = info;
    let is_finished = match kind {
        Kind::Development => None,
        Kind::Ceremony => Some(is_finished(file)?),
    };
    if as_json {
        let value = json!({
            "kind": kind.to_string(), "depth": geometry.depth(), "shape": shape,
            "fingerprint": format!("{fingerprint:016x}"), "vk_hash": vk_hash, "transcript": transcript,
            "finished": is_finished,
        });
        println!("{value:#}");
    } else {
        print(&info);
        if is_finished == Some(false) {
            println!("the ceremony is not finished: its last contribution is no beacon");
        }
    }
    Ok(())
}

/// Whether the ceremony's last contribution is a beacon. The header does not say, so the whole file is read.
fn is_finished(file: &Path) -> Result<bool> {
    let keys = StoredKeys::read(file).map_err(|e| anyhow::anyhow!("{}: {e}", e.code()));
    let keys = keys.with_context(|| file.display().to_string())?;
    Ok(matches!(&keys.origin, Origin::Ceremony(transcript) if transcript.is_finished()))
}

/// Prints what a key file's header says.
pub(super) fn print(info: &KeyInfo) {
    let KeyInfo { kind, geometry, shape, fingerprint, vk_hash, transcript } = info;
    match kind {
        Kind::Development => println!("DEVELOPMENT KEYS: everybody knows their secrets, they prove nothing to anybody"),
        Kind::Ceremony => println!("keys from a ceremony"),
    }
    let Shape { id, slots, leaf_rows, node_rows } = shape;
    println!("shape         {id}: {slots} slots, {leaf_rows} leaf rows, {node_rows} node rows");
    println!("depth         {}", geometry.depth());
    println!("circuit       {fingerprint:016x}");
    println!("verifying key {vk_hash}");
    if *kind == Kind::Ceremony {
        println!("transcript    {transcript}, of this file alone: `sheaf keys transcript` prints the contract's");
    }
}

fn of_circuit(as_json: bool) -> Result<()> {
    let found = Golden::current();
    if as_json {
        println!("{}", serde_json::to_string_pretty(&found)?);
        return Ok(());
    }
    let Shape { slots, leaf_rows, node_rows, .. } = Shape::DEVELOPMENT;
    let Golden { counts, vk_hash } = found;
    println!("development shape: {slots} slots, {leaf_rows} leaf rows, {node_rows} node rows");
    println!("constraints of");
    let parts = [("H4", counts.h4), ("a sponge element", counts.sponge_element), ("a slot", counts.slot)];
    let rows = [("a leaf row", counts.leaf_row), ("a node row", counts.node_row), ("the whole circuit", counts.total)];
    for (part, count) in parts.into_iter().chain(rows) {
        println!("  {part:<18} {count:>8}");
    }
    println!("verifying key {vk_hash}");
    Ok(())
}
