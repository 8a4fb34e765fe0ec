//! `sheaf verify`: what the contract checks of a batch, checked by anybody, without a database.
//!
//! ```text
//!  L1: event, transaction, queue, keys ──┐
//!  API: GET /v1/batches/N ───────────────┼──▶ Case + Deployment ── check ──▶ lines, and the first Refusal
//!  files: batch.json, keys.json ─────────┘                          └──▶ files for snarkjs
//! ```
//!
//! Who it trusts: of L1 the node, of the API nothing. The checks are in [`check`](check::check), in the contract's order.

pub mod case;
pub mod check;
pub mod export;
pub mod keys;
pub mod l1;
pub mod operations;
pub mod refusal;

use alloy::primitives::Address;
use anyhow::{Context as _, Result, anyhow};
use case::{BatchJson, Case, Deployment};
use check::check;
use clap::{ArgGroup, Args};
use keys::Keys;
use l1::Reader;
use sheaf_api::client::Client;
use std::path::{Path, PathBuf};

/// Which batch is verified, and against what.
#[derive(Args, Clone, Debug)]
#[command(group(ArgGroup::new("source").args(["l1", "api", "file"]).required(true).multiple(true)))]
pub struct Options {
    /// The batch's number.
    #[arg(long, value_name = "NUMBER", required_unless_present = "file")]
    pub batch: Option<u64>,
    /// The contract.
    #[arg(long, value_name = "ADDRESS")]
    pub contract: Address,
    /// JSON-RPC of an L1 node: has the contract's keys, and the batch unless --api or --file names another place.
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

/// Verifies, and prints what was checked, line by line.
///
/// # Errors
/// If the batch can't be read, or with the name of the first check that does not hold.
pub async fn run(options: Options) -> Result<()> {
    let reader = match &options.l1 {
        Some(url) => Some(Reader::connect(url, options.contract, options.from_block).await?),
        None => None,
    };
    let deployment = deployment(&options, reader.as_ref()).await?;
    let case = case(&options, reader.as_ref()).await?;
    let mut lines = Vec::new();
    let verified = check(&case, &deployment, &mut lines);
    for line in lines {
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
    Ok(())
}

async fn deployment(options: &Options, reader: Option<&Reader>) -> Result<Deployment> {
    match (reader, &options.keys, options.chain_id) {
        (Some(reader), ..) => reader.deployment().await,
        (None, Some(file), Some(chain_id)) => {
            Ok(Deployment { chain_id, contract: options.contract, keys: Keys::from_file(file)? })
        }
        _ => Err(anyhow!("either --l1, or --keys and --chain-id are needed")),
    }
}

async fn case(options: &Options, reader: Option<&Reader>) -> Result<Case> {
    let number = options.batch;
    match (&options.file, &options.api, reader, number) {
        (Some(file), ..) => {
            let previous = options.previous.as_deref().map(read).transpose()?;
            read(file)?.to_case(number, previous.as_ref()).with_context(|| file.display().to_string())
        }
        (None, Some(url), _, Some(number)) => of_api(&Client::new(url), number).await,
        (None, None, Some(reader), Some(number)) => reader.case(number).await,
        _ => Err(anyhow!("--batch, and --l1, --api or --file are needed")),
    }
}

async fn of_api(client: &Client, number: u64) -> Result<Case> {
    let batch = BatchJson::of_api(&client.batch(number).await?)?;
    let previous = match number.checked_sub(1) {
        None | Some(0) => None,
        Some(before) => Some(BatchJson::of_api(&client.batch(before).await?)?),
    };
    batch.to_case(Some(number), previous.as_ref()).with_context(|| format!("batch {number}"))
}

fn read(path: &Path) -> Result<BatchJson> {
    let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("{} holds no batch", path.display()))
}
