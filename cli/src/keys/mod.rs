//! `sheaf keys`: makes, inspects and verifies keys, and takes part in a ceremony.
//!
//! Development keys are made from a seed that everybody knows; the contract takes them on a local test chain only.

mod ceremony;
mod contract;
mod display;
mod info;
mod transcript;
mod verify;

pub use contract::{Contract, ContractError, contract, contract_words, transcript_of};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand, ValueEnum as _};
use display::Display;
use sheaf_bench::ShapeName;
use sheaf_circuits::batch::rows;
use sheaf_circuits::keys::{KeyError, KeySet, StoredKeys};
use sheaf_circuits::matrices::Matrices;
use sheaf_core::geometry::Geometry;
use sheaf_core::shape::Shape;
use sheaf_devkit::paths;
use sheaf_settlement::deploy::{ShapeWords, VerifyingKeyWords};
use std::io::Read as _;
use std::path::{Path, PathBuf};

const GEOMETRY: Geometry = Geometry::PROTOCOL;

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make the development keys of a shape, unless they are there and fit.
    Generate(GenerateOptions),
    /// Print what a key file says about itself; without a file, the development shape's constraint counts and key.
    Info(info::Options),
    /// Check a key file: every point, and that the key is of this program's circuit and comes from where it says.
    Verify(verify::Options),
    /// Check the key files of a contract's shapes as `sheaf deploy` does, and print the hash that its --transcript expects.
    Transcript(transcript::Options),
    /// Begin a ceremony: make a shape's key from a .ptau file that was prepared by snarkjs.
    ImportPtau(ceremony::ImportOptions),
    /// Contribute a secret from the system's randomness to a ceremony.
    Contribute(ceremony::ContributeOptions),
    /// Finish a ceremony with a public value that nobody could choose.
    Beacon(ceremony::BeaconOptions),
}

/// Which keys, and where they are kept.
#[derive(Args, Debug)]
pub struct GenerateOptions {
    /// The folder for the key file [default: .sheaf/keys].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// The size of a batch.
    #[arg(long, value_enum, default_value_t)]
    pub shape: ShapeName,
}

/// Does it.
///
/// # Errors
/// If a file can't be read or written, or is refused; the message begins with a stable code then.
pub fn run(command: Command) -> Result<()> {
    match command {
        Command::Generate(options) => {
            let (folder, shape) = (options.out.unwrap_or_else(paths::keys), options.shape.shape());
            let keys = load_or_make(&folder, shape)?;
            println!("{}", KeySet::development_path(&folder, GEOMETRY, &shape).display());
            println!("verifying key {}", keys.vk_hash());
            Ok(())
        }
        Command::Info(options) => info::run(&options),
        Command::Verify(options) => verify::run(&options),
        Command::Transcript(options) => transcript::run(&options),
        Command::ImportPtau(options) => ceremony::import_ptau(&options),
        Command::Contribute(options) => ceremony::contribute_to(&options),
        Command::Beacon(options) => ceremony::add_beacon(&options),
    }
}

/// The development keys on disk.
#[derive(Clone, Debug)]
pub struct Development {
    /// Their file.
    pub file: PathBuf,
    /// The verifying key as the contract takes it.
    pub words: (VerifyingKeyWords, ShapeWords),
    /// Constraints of the circuit.
    pub constraints: usize,
}

/// Loads the development keys of the development shape from their usual place, or makes them.
///
/// # Errors
/// If they can't be saved.
pub async fn ensure() -> Result<Development> {
    tokio::task::spawn_blocking(|| {
        let folder = paths::keys();
        let keys = load_or_make(&folder, Shape::DEVELOPMENT)?;
        Ok(Development {
            file: std::path::absolute(KeySet::development_path(&folder, GEOMETRY, &Shape::DEVELOPMENT))?,
            words: contract::words(&keys.shape, keys.verifying_key())?,
            constraints: keys.matrices.row_count(),
        })
    })
    .await?
}

fn load_or_make(folder: &Path, shape: Shape) -> Result<KeySet> {
    let mut display = Display::new();
    let keys = KeySet::development(folder, GEOMETRY, shape, &mut |stage, done| display.show(stage, done));
    display.end();
    keys.with_context(|| format!("the development keys in {}", folder.display()))
}

/// Reads a key file of one of the protocol's shapes, and makes the rows of its circuit. What a header says may be anything:
/// no other circuit is made.
fn read_with_rows(file: &Path) -> Result<(StoredKeys, Matrices), KeyError> {
    let keys = StoredKeys::read(file)?;
    keys.info().check_size(GEOMETRY, &keys.shape)?;
    if !ShapeName::value_variants().iter().any(|name| name.shape() == keys.shape) {
        return Err(KeyError::Circuit);
    }
    let matrices = Matrices::from(&rows(GEOMETRY, &keys.shape));
    Ok((keys, matrices))
}

/// 32 bytes of the system's randomness.
fn random_seed() -> Result<[u8; 32]> {
    let mut seed = [0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut seed).context("the system has no randomness")?;
    Ok(seed)
}
