//! `sheaf verify`: what the contract checks of a batch, checked by anybody, without a database.
//!
//! ```text
//!  L1: event, transaction, queue, keys ──┐
//!  API: GET /v1/batches/N ───────────────┼──▶ Case + Deployment ── check ──▶ lines, and the first Refusal
//!  files: batch.json, keys.json ─────────┘                          └──▶ files for snarkjs
//! ```
//!
//! Who it trusts: the L1 node, and the address of the contract. With a node at hand, of the API nothing but what its batches
//! before this one are, where L1 has not accepted those; without one, nobody can know what L1 would say, and those checks are
//! not made: each has its line then, and the command its own exit status. The checks are in [`check`](check::check), in the
//! contract's order.

pub mod case;
pub mod check;
pub mod export;
pub mod keys;
pub mod l1;
mod logs;
pub mod operations;
pub mod refusal;
mod source;

use alloy::primitives::Address;
use anyhow::{Result, anyhow};
use check::{Line, check};
use clap::{ArgGroup, Args};
use l1::Reader;
use std::path::PathBuf;
use std::process::ExitCode;

/// The exit status when all that was checked holds, but not all was checked.
pub const INCOMPLETE: u8 = 3;

/// Which batch is verified, and against what.
#[derive(Args, Clone, Debug)]
#[command(group(ArgGroup::new("source").args(["l1", "api", "file"]).required(true).multiple(true)))]
pub struct Options {
    /// The batch's number.
    #[arg(long, value_name = "NUMBER", required_unless_present = "file", value_parser = clap::value_parser!(u64).range(1..))]
    pub batch: Option<u64>,
    /// The contract.
    #[arg(long, value_name = "ADDRESS")]
    pub contract: Address,
    /// JSON-RPC of an L1 node: has the contract's keys, what a batch is held against, and the batch itself unless --api or
    /// --file names another place.
    #[arg(long, value_name = "URL")]
    pub l1: Option<String>,
    /// A block before which there was no contract; makes the node's search shorter.
    #[arg(long, value_name = "NUMBER", default_value_t = 0, requires = "l1")]
    pub from_block: u64,
    /// An API that has the batch, which need not be settled yet.
    #[arg(long, value_name = "URL", conflicts_with = "file")]
    pub api: Option<String>,
    /// A file that has the batch, in the API's form.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// A file that has the batch before it.
    #[arg(long, value_name = "FILE", requires = "file")]
    pub previous: Option<PathBuf>,
    /// The verifying keys instead of those on L1: `keys.json` of --export, or a file with proving keys.
    #[arg(long, value_name = "FILE", required_unless_present = "l1", conflicts_with = "l1", requires = "chain_id")]
    pub keys: Option<PathBuf>,
    /// The chain's id, where no L1 node tells it.
    #[arg(long, value_name = "NUMBER", conflicts_with = "l1")]
    pub chain_id: Option<u64>,
    /// Write the batch, the keys, and the three files that `snarkjs groth16 verify` takes.
    #[arg(long, value_name = "DIR")]
    pub export: Option<PathBuf>,
}

/// Verifies, and prints what was checked, line by line. Exit status 0: all that the contract checks was checked, and holds.
/// [`INCOMPLETE`]: what was checked holds, but something could not be checked, and its line says what.
///
/// # Errors
/// If the batch can't be read, or with the name of the first check that does not hold.
pub async fn run(options: Options) -> Result<ExitCode> {
    let reader = match &options.l1 {
        Some(url) => Some(Reader::connect(url, options.contract, options.from_block).await?),
        None => None,
    };
    let deployment = source::deployment(&options, reader.as_ref()).await?;
    let case = source::case(&options, reader.as_ref()).await?;
    let mut lines = Vec::new();
    let verified = check(&case, &deployment, &mut lines);
    for line in &lines {
        println!("{line}");
    }
    let verified = verified.map_err(|refusal| {
        println!("refused      {}", refusal.code());
        anyhow!("{}: {refusal}", refusal.code())
    })?;
    if let Some(folder) = &options.export {
        export::all(folder, &case, &deployment, &verified)?;
        println!("written      {}", folder.display());
    }
    match lines.iter().filter(|line| matches!(line, Line::Unknown(_))).count() {
        0 => {
            println!("verified     all that the contract checks holds");
            Ok(ExitCode::SUCCESS)
        }
        unknown => {
            println!("incomplete   what was checked holds; {unknown} of the checks could not be made, see above");
            Ok(ExitCode::from(INCOMPLETE))
        }
    }
}
