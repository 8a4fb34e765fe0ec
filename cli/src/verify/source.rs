//! Where a batch comes from, and what it is held against: from L1, an API or files.
//!
//! A batch of an API or a file is held against L1 if a node is at hand: against what L1 accepted under its number, or else
//! against what the contract would hold it against now.

use super::Options;
use super::case::{BatchJson, Case, Deployment, FIRST_BATCH};
use super::keys::Keys;
use super::l1::{Reader, State};
use anyhow::{Context as _, Result, anyhow, ensure};
use sheaf_api::client::Client;
use std::path::Path;

/// The contract that a batch is for: from L1, or as it is said to be.
pub(super) async fn deployment(options: &Options, reader: Option<&Reader>) -> Result<Deployment> {
    match (reader, &options.keys, options.chain_id) {
        (Some(reader), ..) => reader.deployment().await,
        (None, Some(file), Some(chain_id)) => {
            Ok(Deployment { chain_id, contract: options.contract, keys: Keys::from_file(file)? })
        }
        _ => Err(anyhow!("either --l1, or --keys and --chain-id are needed")),
    }
}

/// The batch, with all that can be known around it.
pub(super) async fn case(options: &Options, reader: Option<&Reader>) -> Result<Case> {
    let client = options.api.as_deref().map(Client::new);
    let case = match (&options.file, &client, options.batch) {
        (Some(file), ..) => {
            let previous = options.previous.as_deref().map(read).transpose()?;
            read(file)?.to_case(options.batch, previous.as_ref()).with_context(|| file.display().to_string())?
        }
        (None, Some(client), Some(number)) => of_api(client, number).await?,
        (None, None, Some(number)) => {
            return reader.context("--l1, --api or --file is needed")?.case(number).await;
        }
        (None, _, None) => return Err(anyhow!("--batch is needed")),
    };
    match (reader, case.asked.or(case.number)) {
        (Some(reader), Some(number)) => around(case, number, reader, client.as_ref()).await,
        _ => Ok(case),
    }
}

async fn of_api(client: &Client, number: u64) -> Result<Case> {
    let batch = BatchJson::of_api(&client.batch(number).await?)?;
    let previous = match number {
        0..=FIRST_BATCH => None,
        _ => Some(BatchJson::of_api(&client.batch(number - 1).await?)?),
    };
    batch.to_case(Some(number), previous.as_ref()).with_context(|| format!("batch {number}"))
}

/// The batch that somebody told of, with what L1 says of what is around it.
async fn around(case: Case, number: u64, reader: &Reader, client: Option<&Client>) -> Result<Case> {
    let state = reader.state().await?;
    if number <= state.batch {
        let Case { batch, number: said, asked, domain, decoded, .. } = case;
        return Ok(Case { batch, number: said, asked, domain, decoded, ..reader.case(number).await? });
    }
    let mut case = Case { block_timestamp: Some(state.now), ..case };
    let count = case.batch.l1Count;
    if number == state.batch + 1 {
        case.previous = Some(state.previous());
        case.queue = Some(reader.waiting(&state, 0, count).await?);
        return Ok(case);
    }
    case.between = Some(state.batch + 1..=number - 1);
    if let Some(client) = client {
        let taken = taken_before(client, number, &state).await?;
        case.queue = Some(reader.waiting(&state, taken, count).await?);
    }
    Ok(case)
}

/// How many entries of the queue the batches between L1's last one and batch `number` take, as the API says.
async fn taken_before(client: &Client, number: u64, state: &State) -> Result<u64> {
    let (mut before, mut taken) = (number, 0);
    while before > state.batch + 1 {
        let page = client.batches(Some(before)).await?.batches;
        let of_page: Vec<_> = page.iter().filter(|b| (state.batch + 1..before).contains(&b.number)).collect();
        let next = of_page.iter().map(|b| b.number).min().unwrap_or(before);
        ensure!(of_page.len() as u64 == before - next && next < before, "the API's list leaves out batches before {before}");
        taken += of_page.iter().map(|b| u64::from(b.l1_count)).sum::<u64>();
        before = next;
    }
    Ok(taken)
}

fn read(path: &Path) -> Result<BatchJson> {
    let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("{} holds no batch", path.display()))
}
