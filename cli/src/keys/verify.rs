//! `sheaf keys verify`.

use super::{info, random_seed, read_with_rows};
use anyhow::{Context as _, Result, bail};
use clap::Args;
use sheaf_circuits::ceremony::{CeremonyError, Contribution, Phase1, Share, Transcript, verify};
use sheaf_circuits::keys::{KeyError, KeySet, Origin};
use std::path::{Path, PathBuf};

/// Which keys, and what they are verified with.
#[derive(Args, Debug)]
pub struct Options {
    /// A key file.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The prepared phase 1 that a ceremony began with; a ceremony's keys can't be verified without.
    #[arg(long, value_name = "FILE")]
    pub ptau: Option<PathBuf>,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let Options { file, ptau } = options;
    let keys = load(file).map_err(|error| coded(&error.into())).with_context(|| file.display().to_string())?;
    match (&keys.origin, ptau) {
        (Origin::Development, None) => {
            keys.check_development(random_seed()?).map_err(|error| coded(&error.into()))?;
            info::print(&keys.info());
        }
        (Origin::Development, Some(_)) => bail!("ceremony_kind: these are development keys, which have no phase 1"),
        (Origin::Ceremony(_), None) => bail!("these keys are from a ceremony: give the phase 1 that it began with by --ptau"),
        (Origin::Ceremony(transcript), Some(ptau)) => {
            let phase1 = Phase1::read(ptau, &keys.matrices, random_seed()?).map_err(|error| coded(&error))?;
            verify(&keys, &phase1, random_seed()?).map_err(|error| coded(&error))?;
            info::print(&keys.info());
            print(transcript);
        }
    }
    match &keys.origin {
        Origin::Development => println!("verified: these are the development keys, which prove nothing to anybody"),
        Origin::Ceremony(_) => {
            println!("verified: the keys follow from this phase 1 and these contributions");
            println!(
                "that holds if the phase 1 is one that you verified and prepared yourself: whoever knows its tau proves anything"
            );
        }
    }
    Ok(())
}

fn load(file: &Path) -> Result<KeySet, KeyError> {
    let (stored, matrices) = read_with_rows(file)?;
    KeySet::of_circuit(stored, matrices)
}

/// An error that begins with its code.
pub(super) fn coded(error: &CeremonyError) -> anyhow::Error {
    anyhow::anyhow!("{}: {error}", error.code())
}

fn print(transcript: &Transcript) {
    println!("phase 1       {}", transcript.phase1);
    println!("contributions");
    let mut hash = transcript.start();
    for (i, contribution) in transcript.contributions.iter().enumerate() {
        hash = contribution.follow(hash);
        println!("  {:>3} {hash} {}", i + 1, description(contribution));
    }
    if !transcript.is_finished() {
        println!("  the ceremony is not finished: its last contribution is no beacon");
    }
}

/// Names are anything, so they are quoted, with what a terminal could take for a command.
fn description(Contribution { name, share, .. }: &Contribution) -> String {
    match share {
        Share::Secret(_) => format!("{name:?}"),
        Share::Beacon { value, iterations_exponent } => {
            let value = alloy::hex::encode(value);
            format!("{name:?}, beacon {value}, hashed 2^{iterations_exponent} times")
        }
    }
}
