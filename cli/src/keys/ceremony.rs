//! `sheaf keys import-ptau`, `contribute` and `beacon`: the steps of a ceremony.

use super::verify::coded;
use super::{GEOMETRY, random_seed};
use anyhow::{Context as _, Result, ensure};
use clap::Args;
use sheaf_bench::ShapeName;
use sheaf_circuits::batch::rows;
use sheaf_circuits::ceremony::{CeremonyError, Phase1, beacon, contribute, import};
use sheaf_circuits::keys::StoredKeys;
use sheaf_circuits::matrices::Matrices;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Instant;
use zeroize::Zeroizing;

/// What a ceremony begins with.
#[derive(Args, Debug)]
pub struct ImportOptions {
    /// The phase 1, prepared by `snarkjs powersoftau prepare phase2`.
    #[arg(value_name = "FILE.ptau")]
    pub ptau: PathBuf,
    /// The size of a batch.
    #[arg(long, value_enum)]
    pub shape: ShapeName,
    /// The key file to write.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// A contribution.
#[derive(Args, Debug)]
pub struct ContributeOptions {
    /// The key file that the one before wrote.
    #[arg(value_name = "IN")]
    pub before: PathBuf,
    /// The key file to write, for the next one.
    #[arg(value_name = "OUT")]
    pub after: PathBuf,
    /// Who contributes, for the transcript.
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub name: String,
}

/// The last contribution.
#[derive(Args, Debug)]
pub struct BeaconOptions {
    /// The key file that the last contributor wrote.
    #[arg(value_name = "IN")]
    pub before: PathBuf,
    /// The key file to write.
    #[arg(value_name = "OUT")]
    pub after: PathBuf,
    /// The public value, which must not have been known before the last contribution.
    #[arg(long, value_name = "HEX")]
    pub value: String,
    /// The value is hashed 2^N times: 10 to 32.
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub iterations_exp: u8,
    /// Where the value comes from, for the transcript.
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub name: String,
}

pub(super) fn import_ptau(options: &ImportOptions) -> Result<()> {
    let ImportOptions { ptau, shape, out } = options;
    must_be_new(out)?;
    let (started, shape) = (Instant::now(), shape.shape());
    let matrices = Matrices::from(&rows(GEOMETRY, &shape));
    eprintln!("the circuit has {} rows; reading and checking the phase 1", matrices.row_count());
    let phase1 = Phase1::read(ptau, &matrices, random_seed()?).map_err(|error| coded(&error));
    let phase1 = phase1.with_context(|| ptau.display().to_string())?;
    let mut last_percent = 0;
    let keys = import(&phase1, (GEOMETRY, shape), matrices, &mut |done| {
        let percent = (done * 100.0) as u32;
        if percent != last_percent && std::io::stderr().is_terminal() {
            eprintln!("making the initial key: {percent} %, {:.0} s", started.elapsed().as_secs_f32());
            last_percent = percent;
        }
    });
    keys.save(out)?;
    println!("{}", out.display());
    println!("transcript {}", keys.origin.transcript_hash());
    Ok(())
}

pub(super) fn contribute_to(options: &ContributeOptions) -> Result<()> {
    let ContributeOptions { before, after, name } = options;
    step(before, after, |keys| {
        let entropy = Zeroizing::new(random_seed().map_err(|error| CeremonyError::Io(std::io::Error::other(error)))?);
        contribute(keys, name, entropy)
    })
}

pub(super) fn add_beacon(options: &BeaconOptions) -> Result<()> {
    let BeaconOptions { before, after, value, iterations_exp, name } = options;
    let value = alloy::hex::decode(value).context("the beacon's value is not hexadecimal")?;
    step(before, after, |keys| beacon(keys, name, &value, *iterations_exp))
}

/// Reads keys, changes them, and writes them to another file.
fn step(before: &Path, after: &Path, change: impl FnOnce(&mut StoredKeys) -> Result<(), CeremonyError>) -> Result<()> {
    must_be_new(after)?;
    let keys = StoredKeys::read(before).map_err(|error| coded(&error.into()));
    let mut keys = keys.with_context(|| before.display().to_string())?;
    change(&mut keys).map_err(|error| coded(&error))?;
    keys.write(after)?;
    println!("{}", after.display());
    println!("transcript {}", keys.origin.transcript_hash());
    Ok(())
}

/// What a ceremony has made is not made again, so nothing is written over.
fn must_be_new(path: &Path) -> Result<()> {
    ensure!(!path.exists(), "{} is there already", path.display());
    Ok(())
}
