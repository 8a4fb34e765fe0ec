//! `sheaf keys transcript`.

use super::contract;
use anyhow::{Result, bail};
use clap::Args;
use sheaf_circuits::keys::Kind;
use std::path::PathBuf;

/// Whose transcripts.
#[derive(Args, Debug)]
pub struct Options {
    /// The key files of all of the contract's shapes, in any order.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
}

/// The hash alone goes to stdout, what is wrong with it to stderr.
pub(super) fn run(options: &Options) -> Result<()> {
    let found = contract(&options.files)?;
    if found.kind == Kind::Development {
        bail!("ceremony_kind: these are development keys, which have no transcript: for them, a contract keeps zero");
    }
    for shape in &found.unfinished {
        eprintln!("warning: the ceremony of shape {shape} is not finished by a beacon: `sheaf deploy` will refuse its keys");
    }
    eprintln!("the files were read, not verified: `sheaf keys verify` does that, with the phase 1");
    println!("{}", found.transcript);
    Ok(())
}
