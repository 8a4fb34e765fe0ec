//! The scenario: what happens, in which order.

use super::world::World;
use super::{checks, claims, deposits, rescue, settling, snarkjs, transfers};
use crate::verify::check::check;
use crate::verify::l1::Reader;
use alloy::providers::Provider as _;
use anyhow::{Context, Result};
use sheaf_api::model::BatchSummary;

/// Steps that [`play`] takes.
pub const STEPS: usize = 11;

/// Plays it on a running stack whose settlement only watches.
///
/// # Errors
/// Whatever keeps the scenario from going on. A check that does not hold is no error: it is in the report.
pub async fn play(world: &mut World) -> Result<()> {
    let first_block = world.l1.provider.get_block_number().await?;
    world.progress.step("Fresh keys for everyone, ETH and the token on L1");
    deposits::fund(world).await?;
    let before = checks::snapshot(world).await?;

    world.progress.step("Deposits of ETH and the token");
    deposits::deposit_all(world).await?;
    let deposit_batches = settling::batches(world).await?.last().map_or(1, |b| b.number);

    let [first, _, third] = world.counts.waves;
    world.progress.step(&format!("{first} transfers of both: hot receivers, new accounts, one to oneself"));
    transfers::first(world).await?;
    world.progress.say("all executed");

    world.progress.step("A key change and a forced exit, from L1");
    rescue::key_change_and_exit(world).await?;

    world.progress.step(&format!("{third} more transfers, also with the new key; three withdrawals and the operator's fees"));
    transfers::third(world).await?;
    claims::withdraw_all(world).await?;
    world.progress.say("all executed");

    world.progress.step("The first batch with one byte changed, before the honest one");
    settling::tampered(world, 1).await?;

    world.progress.step("A later batch with one byte changed, in a call behind honest ones");
    settling::tampered(world, deposit_batches + 1).await?;

    world.progress.step("Settlement begins: everything proven, settled and credited");
    world.stack.settle(true).await?;
    settling::all_settled(world).await?;

    world.progress.step("Claims on L1");
    claims::claim_all(world).await?;

    world.progress.step("Every balance on both layers against the tally");
    checks::settlement_gas(world, first_block + 1).await?;
    checks::lives(world).await?;
    checks::batch_lines(world).await?;
    checks::balances(world, &before).await?;
    world.progress.say(&format!("the contract holds {}", checks::holdings(world)));

    world.progress.step("A batch from L1 alone (sheaf verify), and its proof before an independent verifier (snarkjs)");
    independent(world).await
}

/// Reads the fullest batch back from L1 alone and checks it as `sheaf verify` does; then lets `snarkjs` verify its proof, and
/// the same with a public input changed.
async fn independent(world: &mut World) -> Result<()> {
    let batches = settling::batches(world).await?;
    let batch: &BatchSummary = batches.iter().max_by_key(|b| b.op_count).context("no batch")?;
    let reader = Reader::connect(&world.stack.l1_url(), world.l1.contract, world.stack.deployment().block).await?;
    let (case, deployment) = (reader.case(batch.number).await?, reader.deployment().await?);
    let outcome = check(&case, &deployment, &mut Vec::new());
    let refusal = outcome.as_ref().err().map_or("", |refusal| refusal.code());
    world.progress.check(format!("sheaf verify accepts batch {} from L1 alone", batch.number), outcome.is_ok(), refusal);
    let verified = outcome?;
    let script = sheaf_devkit::paths::repository().join("scripts/verify-snarkjs.mjs");
    let dir = world.stack.dir().join("snarkjs");
    let holds = snarkjs::holds(&verified, &script, &dir).await?;
    world.progress.check(format!("snarkjs accepts the proof of batch {}", batch.number), holds, "");
    let changed = snarkjs::holds(&snarkjs::changed(&verified), &script, &dir.join("changed")).await?;
    world.progress.check("snarkjs refuses it with a public input changed", !changed, "");
    Ok(())
}
