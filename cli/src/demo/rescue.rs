//! What an owner can do from L1 alone: replace a key, and force an exit.

use super::l1::Call;
use super::people::{Order, fresh_l2_key};
use super::report::units;
use super::tally::ETH;
use super::transfers;
use super::world::{ERC20, GAS_LIMIT, PATIENCE, World};
use alloy::primitives::B256;
use alloy::primitives::aliases::U24;
use anyhow::{Context, Result};
use sheaf_contracts::Sheaf;
use sheaf_core::transaction::{Pair, Target};
use sheaf_core::types::u256_from_field;

/// One user replaces the L2 key from L1, another takes the whole balance of the token out, while others go on paying. Then
/// the old key must be refused.
///
/// # Errors
/// If L1 or the sequencer refuses what is right.
pub async fn key_change_and_exit(world: &mut World) -> Result<()> {
    let (changer, leaver) = (world.key_changer(), world.leaver());
    let old_key = std::mem::replace(&mut world.people[changer].l2, fresh_l2_key());
    let new = world.people[changer].pair();
    let old = Pair { key_hash: old_key.public_key().key_hash(), ..new };

    let set_key = Sheaf::setKeyCall { account: account(world, changer)?, keyHash: u256_from_field(new.key_hash) };
    let set_key = queue(world, changer, &set_key).await?;
    world.tally.set_key(new.owner, old, new)?;
    let exit = Sheaf::requestExitCall { account: account(world, leaver)?, token: ERC20 };
    let exit = queue(world, leaver, &exit).await?;
    let leaving = world.tally.forced_exit(world.people[leaver].pair(), ERC20)?;

    transfers::second(world).await?;
    world.progress.say(&format!("{} transfers among others meanwhile", world.counts.waves[1]));
    world.succeed(changer, "setKey", set_key).await?;
    world.succeed(leaver, "requestExit", exit).await?;
    world.l2.executed_l1_operation(set_key, PATIENCE).await?;
    let exited = world.l2.executed_l1_operation(exit, PATIENCE).await?;
    let amount = exited.amount.as_deref().and_then(|a| a.parse::<u128>().ok());
    let detail = format!("{} {}", units(leaving), world.symbol(ERC20));
    world.progress.check("the forced exit took the whole balance", amount == Some(leaving), detail);
    world.retired.push((format!("{} (old key)", world.people[changer].name), old));

    let new_key = std::mem::replace(&mut world.people[changer].l2, old_key);
    let to = world.people[1].pair();
    let order = Order { token: ETH, amount: 1, fee: world.fee(ETH, 1, |f| &f.transfer)?, target: Target::Account(to) };
    let (expires, domain) = (world.l2.expires(), world.l2.domain);
    let forged = world.people[changer].sign(&order, expires, domain);
    world.people[changer].l2 = new_key;
    world.people[changer].nonce -= 1;
    let code = world.l2.submit_refused(&forged).await.context("a transaction with a replaced key")?;
    world.progress.check("a transaction with the replaced key is refused", code == "wrong_key", code);
    Ok(())
}

fn account(world: &World, who: usize) -> Result<U24> {
    Ok(U24::from(world.people[who].account.context("no account yet")?.get()))
}

async fn queue(world: &mut World, who: usize, call: &impl alloy::sol_types::SolCall) -> Result<B256> {
    let hash = world.send(who, &Call::new(world.l1.contract, call, world.queue_fee_wei, GAS_LIMIT)).await?;
    world.queued.push(hash);
    Ok(hash)
}
