//! Whether everything is as the tally says.

use super::l1::gas_wei;
use super::l2::wait_for;
use super::report::{BalanceLine, BatchLine, units};
use super::settling::{batches, recipients};
use super::tally::Token;
use super::world::{PATIENCE, TOKENS, World};
use alloy::consensus::Transaction as _;
use alloy::primitives::{Address, B256};
use alloy::providers::Provider;
use alloy::sol_types::SolInterface;
use anyhow::{Context, Result};
use sheaf_api::model::{BatchSummary, Operation, Status};
use sheaf_contracts::Sheaf::SheafCalls;
use sheaf_core::transaction::Pair;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

/// Balances by place, name and token, as they were before the scenario.
#[derive(Debug, Default)]
pub struct Before(HashMap<(&'static str, String, Token), u128>);

/// Reads every balance that the scenario may change.
///
/// # Errors
/// If a service does not answer.
pub async fn snapshot(world: &World) -> Result<Before> {
    let mut before = Before::default();
    for (who, address) in addresses(world) {
        for token in TOKENS {
            before.0.insert(("L1", who.clone(), token), world.l1.balance(address, token).await?);
        }
    }
    Ok(before)
}

/// Compares every balance with the tally.
///
/// # Errors
/// If a service does not answer.
pub async fn balances(world: &mut World, before: &Before) -> Result<()> {
    for (who, pair) in pairs(world) {
        for token in TOKENS {
            let (after, expected) = (world.l2.balance(pair, token).await?, world.tally.l2_balance(pair, token));
            line(world, before, &who, "L2", token, after, expected);
        }
    }
    for (who, address) in addresses(world) {
        for token in TOKENS {
            let (after, expected) = (world.l1.balance(address, token).await?, world.tally.l1_balance(address, token));
            line(world, before, &who, "L1", token, after, expected);
            let (after, expected) = (world.l1.claimable(address, token).await?, world.tally.claimable(address, token));
            line(world, before, &who, "claimable", token, after, expected);
        }
    }
    for token in TOKENS {
        let (after, expected) = (world.l1.balance(world.l1.contract, token).await?, world.tally.held(token));
        line(world, before, "the contract", "L1", token, after, expected);
    }
    for place in ["L2", "L1", "claimable"] {
        let lines = || world.progress.report.balances.iter().filter(|b| b.place == place);
        let (count, wrong) =
            (lines().count(), lines().filter(|b| b.after != b.expected).map(|b| b.who.clone()).collect::<Vec<_>>());
        let detail = if wrong.is_empty() { format!("{count} balances") } else { format!("wrong: {}", wrong.join(", ")) };
        let name = match place {
            "claimable" => "everything claimable is as the tally says".to_owned(),
            _ => format!("every {place} balance is as the tally says"),
        };
        world.progress.check(name, wrong.is_empty(), detail);
    }
    Ok(())
}

fn line(world: &mut World, before: &Before, who: &str, place: &'static str, token: Token, after: u128, expected: u128) {
    let before = before.0.get(&(place, who.to_owned(), token)).copied().unwrap_or(0);
    let token = world.symbol(token);
    world.progress.report.balances.push(BalanceLine { who: who.to_owned(), place, token, before, after, expected });
}

fn pairs(world: &World) -> Vec<(String, Pair)> {
    world.people.iter().map(|p| (p.name.clone(), p.pair())).chain(world.retired.iter().cloned()).collect()
}

fn addresses(world: &World) -> Vec<(String, Address)> {
    let people = world.people.iter().map(|p| (p.name.clone(), p.l1.address()));
    people.chain(world.receivers.iter().map(|(name, a)| ((*name).to_owned(), *a))).collect()
}

/// Checks that every transaction that was sent has come to the end of its life.
///
/// # Errors
/// If the API does not answer.
pub async fn lives(world: &mut World) -> Result<()> {
    let mut settled = 0;
    for hash in &world.executed {
        settled += usize::from(world.l2.client.transaction(*hash).await?.status >= Status::Settled);
    }
    let count = world.executed.len();
    world.progress.check("every L2 transaction is settled", settled == count, format!("{settled} of {count}"));
    let mut settled = 0;
    for hash in &world.queued {
        let found = world.l2.client.l1_operations(*hash).await?.operations;
        settled += usize::from(!found.is_empty() && found.iter().all(|o| o.status >= Status::Settled));
    }
    let count = world.queued.len();
    world.progress.check("every L1 operation is settled", settled == count, format!("{settled} of {count}"));
    let mut withdrawals = Vec::new();
    for recipient in recipients(world) {
        let client = world.l2.client.clone();
        // Settlement sees a claim when its block is deep enough.
        let of_one = wait_for("claims to be seen", PATIENCE, async || {
            let found = client.withdrawals(recipient).await?;
            Ok(found.iter().all(|w| w.status == Status::Claimed).then_some(found))
        });
        withdrawals.extend(of_one.await?);
    }
    let detail = format!("{} withdrawals", withdrawals.len());
    world.progress.check("every withdrawal is claimed", withdrawals.iter().all(|w| w.status == Status::Claimed), detail);
    Ok(())
}

/// Reads from L1 what settlement sent since block `from`: its gas goes into the books of its keys and into the report.
///
/// # Errors
/// If the node does not answer.
pub async fn settlement_gas(world: &mut World, from: u64) -> Result<()> {
    let head = world.l1.provider.get_block_number().await?;
    for number in from..=head {
        let block = world.l1.provider.get_block_by_number(number.into()).full().await?.context("a block is missing")?;
        for transaction in block.transactions.txns() {
            let hash: B256 = *transaction.inner.tx_hash();
            if transaction.to() != Some(world.l1.contract) || world.sent.contains(&hash) {
                continue;
            }
            let receipt = world.l1.receipt(hash).await?;
            let name = match SheafCalls::abi_decode(transaction.input()) {
                Ok(SheafCalls::submit(_)) => "submit",
                Ok(SheafCalls::creditWithdrawals(_)) => "creditWithdrawals",
                _ => continue,
            };
            world.progress.report.gas(name, receipt.gas_used);
            if world.people.iter().any(|p| p.l1.address() == receipt.from) {
                world.tally.gas(receipt.from, gas_wei(&receipt))?;
            }
        }
    }
    Ok(())
}

/// Fills in the report's batches, from the API and L1's receipts.
///
/// # Errors
/// If a service does not answer.
pub async fn batch_lines(world: &mut World) -> Result<()> {
    let all = batches(world).await?;
    let settled = || all.iter().filter(|b| b.status == "settled");
    // By call: its gas, its operations, its batches, and whether all are plain transfers.
    let mut calls: BTreeMap<B256, (u64, u64, usize, bool)> = BTreeMap::new();
    let call_of = |b: &BatchSummary| -> Result<B256> {
        Ok(b.settled_tx.as_deref().context("a settled batch without its transaction")?.parse()?)
    };
    let mut posted = Vec::new();
    for summary in settled() {
        let batch = world.l2.client.batch(summary.number).await?;
        let hash = call_of(summary)?;
        if let Entry::Vacant(call) = calls.entry(hash) {
            call.insert((world.l1.receipt(hash).await?.gas_used, 0, 0, true));
        }
        let (_, operations, count, plain) = calls.get_mut(&hash).context("it was just put there")?;
        *operations += u64::from(summary.op_count);
        *count += 1;
        *plain &= batch.operations.iter().all(|o| matches!(o, Operation::Transfer { .. }));
        posted.push(batch.ops.as_deref().map_or(0, |ops| (ops.len() - 2) / 2));
    }
    for (summary, posted_bytes) in settled().zip(posted) {
        let (gas, operations, call_batches, _) = calls[&call_of(summary)?];
        world.progress.report.batches.push(BatchLine {
            number: summary.number,
            l1_operations: summary.l1_count as usize,
            l2_transactions: (summary.op_count - summary.l1_count) as usize,
            constraints: world.progress.report.circuit.constraints,
            proving_ms: summary.proving_ms.unwrap_or(0),
            call_batches,
            gas,
            gas_per_operation: gas / operations.max(1),
            posted_bytes,
        });
    }
    let largest = calls.values().map(|(_, _, count, _)| *count).max().unwrap_or(0);
    world.progress.check(
        "settlement put several batches into one call",
        largest >= 2,
        format!("at most {largest} in each of {} calls", calls.len()),
    );
    let plain = calls.values().filter(|(_, operations, _, plain)| *plain && *operations > 0);
    let best = plain.max_by_key(|(_, operations, ..)| *operations).map(|(gas, operations, ..)| (*operations, gas / operations));
    world.progress.report.gas_per_transfer = best.map(|(_, gas)| gas);
    let transfers = world.progress.report.batches.iter().map(|b| b.l2_transactions).sum::<usize>();
    let detail = format!("{transfers} of {}", world.executed.len());
    world.progress.check(
        "the settled batches hold exactly the L2 transactions that were sent",
        transfers == world.executed.len(),
        detail,
    );
    Ok(())
}

/// A few words on what the contract holds.
pub fn holdings(world: &World) -> String {
    TOKENS.map(|token| format!("{} {}", units(world.tally.held(token)), world.symbol(token))).join(" and ")
}
