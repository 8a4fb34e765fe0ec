//! Money comes in: L1 balances for everyone, then deposits.

use super::l1::Call;
use super::report::units;
use super::tally::{ETH, Token};
use super::world::{ERC20, GAS_LIMIT, OPERATOR, PATIENCE, TOKENS, World};
use alloy::primitives::{B256, U256};
use anyhow::{Context, Result};
use sheaf_contracts::{Sheaf, TestToken, owner_word};
use sheaf_core::types::{AccountId, u256_from_field};

/// A whole token of 18 decimals.
const UNIT: u128 = 1_000_000_000_000_000_000;
/// What each user gets on L1 to begin with.
const START_ETH: u128 = 5 * UNIT;
const START_ERC20: u128 = 1_000 * UNIT;
/// What the operator deposits to open the account that gets the fees.
const OPERATOR_DEPOSIT: u128 = UNIT / 100;

/// Gives each user ETH and the token on L1, from the development chain's funded accounts, and opens the books.
///
/// # Errors
/// If L1 refuses a payment.
pub async fn fund(world: &mut World) -> Result<()> {
    let bank = super::l1::Key::existing(world.stack.bank_key(), &world.l1).await?;
    let mut hashes = Vec::new();
    for user in world.users() {
        let to = world.people[user].l1.address();
        hashes.push(world.l1.send(&bank, &Call::pay(to, START_ETH)).await?);
        let mint = TestToken::mintCall { to, amount: U256::from(START_ERC20) };
        hashes.push(world.l1.send(&bank, &Call::new(world.l1.erc20, &mint, 0, GAS_LIMIT)).await?);
    }
    for hash in hashes {
        anyhow::ensure!(world.l1.receipt(hash).await?.status(), "a payment to a user was refused by L1");
    }
    for person in &world.people {
        for token in TOKENS {
            let who = person.l1.address();
            world.tally.fund(who, token, world.l1.balance(who, token).await?);
        }
    }
    let eth = units(START_ETH);
    world.progress.say(&format!(
        "{} users with {eth} ETH and {} {}",
        world.counts.users,
        units(START_ERC20),
        world.symbol(ERC20)
    ));
    Ok(())
}

/// The operator and every user deposit; waits until all deposits are executed, and checks whose accounts came to be.
///
/// # Errors
/// If L1 or the sequencer refuses one.
pub async fn deposit_all(world: &mut World) -> Result<()> {
    let mut sent = vec![(OPERATOR, deposit(world, OPERATOR, ETH, OPERATOR_DEPOSIT).await?)];
    let mut approvals = Vec::new();
    for user in world.users() {
        approvals.push((user, approve(world, user).await?));
    }
    for (user, hash) in approvals {
        world.succeed(user, "approve (ERC-20)", hash).await?;
    }
    for user in world.users() {
        let n = user as u128;
        sent.push((user, deposit(world, user, ETH, UNIT + n * UNIT / 10).await?));
        sent.push((user, deposit(world, user, ERC20, 100 * UNIT + n * UNIT).await?));
    }
    for (who, hash) in &sent {
        world.succeed(*who, "deposit", *hash).await?;
    }
    world.progress.say(&format!("{} deposits are on L1", sent.len()));
    let mut single = true;
    for (who, hash) in &sent {
        let executed = world.l2.executed_l1_operation(*hash, PATIENCE).await?;
        let account = executed.account.and_then(AccountId::new).context("a deposit without an account")?;
        let person = &mut world.people[*who];
        single &= !executed.refunded && person.account.is_none_or(|known| known == account);
        person.account = Some(account);
    }
    world.queued.extend(sent.iter().map(|(_, hash)| *hash));
    world.progress.check("the deposits of each pair went to one account", single, format!("{} deposits", sent.len()));
    let fee_account = world.people[OPERATOR].account.map(AccountId::get);
    let expected = world.l2.info.fee_account;
    world.progress.check(
        "the operator's deposit opened the fee account",
        fee_account == Some(expected),
        format!("account {expected}"),
    );
    Ok(())
}

async fn approve(world: &mut World, user: usize) -> Result<B256> {
    let approve = TestToken::approveCall { spender: world.l1.contract, value: U256::MAX };
    world.send(user, &Call::new(world.l1.erc20, &approve, 0, GAS_LIMIT)).await
}

async fn deposit(world: &mut World, who: usize, token: Token, amount: u128) -> Result<B256> {
    let pair = world.people[who].pair();
    let call = Sheaf::depositCall { token, amount, owner: owner_word(pair.owner), keyHash: u256_from_field(pair.key_hash) };
    let value = world.queue_fee_wei + if token == ETH { amount } else { 0 };
    let hash = world.send(who, &Call::new(world.l1.contract, &call, value, GAS_LIMIT)).await?;
    world.tally.deposit(pair.owner, token, amount, pair)?;
    Ok(hash)
}
