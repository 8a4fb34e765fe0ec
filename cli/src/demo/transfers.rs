//! Waves of L2 transfers: every sender's in order, the senders side by side.

use super::l2::L2;
use super::people::Order;
use super::plan::{Transfer, Wave};
use super::tally::Token;
use super::world::{OPERATOR, TOKENS, World};
use crate::wallet::amounts::amount_at_most;
use alloy::primitives::{Address, B256};
use anyhow::{Context, Result, ensure};
use sheaf_api::model::SubmitResult;
use sheaf_core::json::TransactionJson;
use sheaf_core::transaction::{Pair, Target, Transaction};
use sheaf_core::types::field_to_bytes;
use std::collections::BTreeMap;
use tokio::task::JoinSet;

/// How a sender hands its transactions in.
#[derive(Clone, Copy, Debug)]
pub enum Manner {
    /// Each in a request of its own, the next one when the one before is executed.
    OneByOne,
    /// All in one request.
    Together,
}

/// The first wave: everyone pays, accounts come to be, someone pays oneself.
///
/// # Errors
/// If a transaction is refused.
pub async fn first(world: &mut World) -> Result<()> {
    let users: Vec<usize> = world.users().collect();
    let newcomers: Vec<usize> = world.newcomers().collect();
    let count = world.counts.waves[0];
    let wave = Wave { senders: &users, receivers: &users, newcomers: &newcomers, to_oneself: Some(users[1]), count };
    let plan = wave.plan(&mut world.choices);
    send(world, &plan, Manner::OneByOne).await?;
    for n in newcomers {
        let pair = world.people[n].pair();
        let accounts = world.l2.client.accounts(Some(pair.owner), Some(pair.key_hash)).await?;
        let [account] = &accounts[..] else { anyhow::bail!("{} has {} accounts", world.people[n].name, accounts.len()) };
        world.people[n].account = sheaf_core::types::AccountId::new(account.id);
    }
    Ok(())
}

/// The second wave: among those whom the L1 operations under way do not concern.
///
/// # Errors
/// If a transaction is refused.
pub async fn second(world: &mut World) -> Result<()> {
    let users: Vec<usize> = world.users().filter(|u| *u != world.key_changer() && *u != world.leaver()).collect();
    let count = world.counts.waves[1];
    let plan = Wave { senders: &users, receivers: &users, newcomers: &[], to_oneself: None, count }.plan(&mut world.choices);
    send(world, &plan, Manner::Together).await
}

/// The third wave: the new key pays, and the newcomers pay on half of what they got.
///
/// # Errors
/// If a transaction is refused.
pub async fn third(world: &mut World) -> Result<()> {
    let receivers: Vec<usize> = world.users().collect();
    let senders: Vec<usize> = world.users().filter(|u| *u != world.leaver()).collect();
    let mut plan = Vec::new();
    for from in world.newcomers() {
        let held = TOKENS.map(|token| (token, world.tally.l2_balance(world.people[from].pair(), token)));
        let (token, amount) = held.into_iter().max_by_key(|(_, amount)| *amount).expect("there are tokens");
        plan.push(Transfer { from, to: 1, token, amount: amount_at_most(amount / 2), fee_factor: 1, creates: false });
    }
    plan.push(Transfer {
        from: world.key_changer(),
        to: 1,
        token: 0,
        amount: 1_000_000_000_000_000,
        fee_factor: 1,
        creates: false,
    });
    let count = world.counts.waves[2] - plan.len();
    plan.extend(
        Wave { senders: &senders, receivers: &receivers, newcomers: &[], to_oneself: None, count }.plan(&mut world.choices),
    );
    send(world, &plan, Manner::OneByOne).await
}

/// Withdraws to an L1 address, and waits until that is executed.
///
/// # Errors
/// If it is refused.
pub async fn withdraw(world: &mut World, who: usize, token: Token, amount: u128, recipient: Address) -> Result<()> {
    let fee = world.fee(token, 1, |f| &f.withdraw)?;
    let (expires, domain) = (world.l2.expires(), world.l2.domain);
    let order = Order { token, amount, fee, target: Target::L1(recipient) };
    let transaction = world.people[who].sign(&order, expires, domain);
    world.l2.submit(&transaction).await.with_context(|| format!("a withdrawal of {}", world.people[who].name))?;
    world.executed.push(hash(&transaction, world));
    world.tally.withdraw(world.people[who].pair(), recipient, token, amount, fee)?;
    Ok(())
}

/// Withdraws all fees that the operator has of a token.
///
/// # Errors
/// If it is refused.
pub async fn withdraw_fees(world: &mut World, token: Token, recipient: Address) -> Result<u128> {
    let held = world.tally.l2_balance(world.people[OPERATOR].pair(), token);
    let fee = world.fee(token, 1, |f| &f.withdraw)?;
    let amount = amount_at_most(held.checked_sub(fee).context("the operator has too little for the withdrawal's fee")?);
    withdraw(world, OPERATOR, token, amount, recipient).await?;
    Ok(amount)
}

/// Signs a plan's transfers and hands them in, every sender's in order, the senders side by side; then books them.
async fn send(world: &mut World, plan: &[Transfer], manner: Manner) -> Result<()> {
    let (expires, domain) = (world.l2.expires(), world.l2.domain);
    let mut by_sender: BTreeMap<usize, Vec<Transaction>> = BTreeMap::new();
    let mut bookings: Vec<(Pair, Pair, Token, u128, u128)> = Vec::new();
    for t in plan {
        let fee = world.fee(t.token, t.fee_factor, |f| if t.creates { &f.transfer_new } else { &f.transfer })?;
        let (from, to) = (world.people[t.from].pair(), world.people[t.to].pair());
        let order = Order { token: t.token, amount: t.amount, fee, target: Target::Account(to) };
        by_sender.entry(t.from).or_default().push(world.people[t.from].sign(&order, expires, domain));
        bookings.push((from, to, t.token, t.amount, fee));
    }
    world.executed.extend(by_sender.values().flatten().map(|t| hash(t, world)).collect::<Vec<_>>());
    let mut tasks = JoinSet::new();
    for (sender, transactions) in by_sender {
        let (l2, name) = (world.l2.clone(), world.people[sender].name.clone());
        tasks.spawn(async move { hand_in(&l2, &transactions, manner).await.with_context(|| format!("a transfer of {name}")) });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    for (from, to, token, amount, fee) in bookings {
        world.tally.transfer(from, to, token, amount, fee)?;
    }
    Ok(())
}

async fn hand_in(l2: &L2, transactions: &[Transaction], manner: Manner) -> Result<()> {
    match manner {
        Manner::OneByOne => {
            for transaction in transactions {
                l2.submit(transaction).await?;
            }
        }
        Manner::Together => {
            let many: Vec<TransactionJson> = transactions.iter().map(TransactionJson::from).collect();
            let answer = l2.client.submit_many(&many).await?;
            ensure!(answer.results.len() == many.len(), "{} answers to {} transactions", answer.results.len(), many.len());
            for result in answer.results {
                if let SubmitResult::Refused { error, .. } = result {
                    anyhow::bail!("{} ({})", error.message, error.code);
                }
            }
        }
    }
    Ok(())
}

/// The hash by which the API knows a transaction.
fn hash(transaction: &Transaction, world: &World) -> B256 {
    B256::from(field_to_bytes(transaction.payload.message(world.l2.domain)))
}
