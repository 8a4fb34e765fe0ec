//! Waiting for proofs and for L1, and the batches that L1 must refuse.

use super::l2::{contract_batch, wait_for};
use super::tamper;
use super::world::{OPERATOR, PATIENCE, PROVING_PATIENCE, World};
use anyhow::{Context, Result, bail};
use sheaf_api::model::{BatchSummary, Status};
use std::time::{Duration, Instant};

/// How often batches are looked at.
const POLL: Duration = Duration::from_millis(500);

/// Waits for the proofs of the batches up to `last` that L1 does not have, sends them with one call in which one byte of the
/// last is changed in several ways, and checks that L1 refuses each. Settlement must be watching only.
///
/// # Errors
/// If there are no such proofs in time.
pub async fn tampered(world: &mut World, last: u64) -> Result<()> {
    let next = world.l1.sheaf().batchNumber().call().await? + 1;
    let proven = |b: &BatchSummary| (next..=last).contains(&b.number) && b.proven_at.is_some();
    await_batches(world, |batches| batches.iter().filter(|b| proven(b)).count() as u64 == last + 1 - next).await?;
    let mut honest = Vec::new();
    for number in next..=last {
        honest.push(contract_batch(&world.l2.proven_batch(number, PATIENCE).await?)?);
    }
    world.people[OPERATOR].l1.refresh(&world.l1).await?;
    let batch = honest.last().context("L1 has this batch already")?;
    let mut label = format!("batch {last} ({} from L1, {} on L2)", batch.l1Count, batch.opCount - batch.l1Count);
    if honest.len() > 1 {
        label = format!("a call with {} batches, of which {label}", honest.len());
    }
    let (operator, progress) = (&world.people[OPERATOR].l1, &mut world.progress);
    for hash in tamper::refuse_all(&world.l1, operator, &honest, &label, progress).await? {
        let receipt = world.l1.receipt(hash).await?;
        world.tally.gas(world.people[OPERATOR].l1.address(), super::l1::gas_wei(&receipt))?;
        world.sent.insert(hash);
    }
    Ok(())
}

/// Waits until all that was executed is settled, and all that leaves is claimable.
///
/// # Errors
/// If that takes too long.
pub async fn all_settled(world: &mut World) -> Result<()> {
    await_batches(world, |batches| batches.iter().all(|b| b.status == "settled" || b.op_count == 0)).await?;
    for recipient in recipients(world) {
        let client = world.l2.client.clone();
        wait_for("withdrawals to be claimable", PATIENCE, async || {
            let withdrawals = client.withdrawals(recipient).await?;
            Ok(withdrawals.iter().all(|w| w.status >= Status::Claimable).then_some(()))
        })
        .await?;
    }
    Ok(())
}

/// Everyone to whom something may leave.
pub fn recipients(world: &World) -> Vec<alloy::primitives::Address> {
    world.people.iter().map(|p| p.l1.address()).chain(world.receivers.iter().map(|(_, a)| *a)).collect()
}

/// All batches, by number.
///
/// # Errors
/// If the API does not answer.
pub async fn batches(world: &World) -> Result<Vec<BatchSummary>> {
    let mut all = Vec::new();
    let mut before = None;
    loop {
        let page = world.l2.client.batches(before).await?;
        all.extend(page.batches);
        before = page.next;
        if before.is_none() {
            all.sort_by_key(|b| b.number);
            return Ok(all);
        }
    }
}

/// Waits until the batches are as wanted, and says what becomes of them meanwhile.
async fn await_batches(world: &mut World, wanted: impl Fn(&[BatchSummary]) -> bool) -> Result<()> {
    let since = Instant::now();
    loop {
        let batches = batches(world).await?;
        tell(world, &batches);
        if wanted(&batches) {
            return Ok(());
        }
        world.stack.check()?;
        let health = world.l2.client.health().await.context("asking for the API's health")?;
        let waiting = health.waiting.unwrap_or_default();
        if waiting.parked > 0 {
            bail!("the prover gave up on a batch");
        }
        if !waiting.shapes_without_prover.is_empty() {
            bail!("no prover that runs has keys for the shapes {:?}", waiting.shapes_without_prover);
        }
        if since.elapsed() > PROVING_PATIENCE {
            bail!("waited {} s for batches to be proven and settled", PROVING_PATIENCE.as_secs());
        }
        tokio::time::sleep(POLL).await;
    }
}

fn tell(world: &mut World, batches: &[BatchSummary]) {
    for b in batches.iter().filter(|b| b.status == "proven" || b.status == "settled") {
        let state = (b.number, b.status.clone());
        if world.told.contains(&state) {
            continue;
        }
        let text = match b.status.as_str() {
            "settled" => format!("batch {} settled", b.number),
            _ => format!("batch {} proven in {:.1} s", b.number, b.proving_ms.unwrap_or(0) as f64 / 1000.0),
        };
        world.progress.say(&text);
        world.told.push(state);
    }
}
