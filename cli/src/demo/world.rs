//! What the scenario's steps share: people, books, both layers, and the stack that runs them.

use super::Options;
use super::l1::{Call, Key, L1, gas_wei};
use super::l2::L2;
use super::people::{Person, fresh_address};
use super::plan::{Choices, Counts};
use super::progress::Progress;
use super::tally::{ETH, Tally, Token};
use crate::stack::Stack;
use crate::wallet::amounts::fee_at_least;
use alloy::primitives::{Address, B256};
use alloy::rpc::types::TransactionReceipt;
use anyhow::{Context, Result, ensure};
use sheaf_core::transaction::Pair;
use std::collections::HashSet;
use std::ops::Range;
use std::time::Duration;

/// The ERC-20's number on L2: the first that was listed.
pub const ERC20: Token = 1;
/// Every token of the scenario.
pub const TOKENS: [Token; 2] = [ETH, ERC20];
/// How long anything but proofs may take.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How long all proofs may take.
pub const PROVING_PATIENCE: Duration = Duration::from_secs(900);
/// The gas limit of ordinary calls: more than any needs, so that nothing has to be estimated first.
pub const GAS_LIMIT: u64 = 400_000;

/// The place of the operator among the people.
pub const OPERATOR: usize = 0;

/// The scenario's state.
#[derive(Debug)]
pub struct World {
    /// The services.
    pub stack: Stack,
    /// L1.
    pub l1: L1,
    /// L2.
    pub l2: L2,
    /// The books.
    pub tally: Tally,
    /// What is said, measured and checked.
    pub progress: Progress,
    /// The operator, the users, the newcomers.
    pub people: Vec<Person>,
    /// Addresses whose keys nobody here has: they only receive.
    pub receivers: Vec<(&'static str, Address)>,
    /// How much is done.
    pub counts: Counts,
    /// Random choices.
    pub choices: Choices,
    /// L2 transactions that were executed.
    pub executed: Vec<B256>,
    /// L1 transactions that made queue entries.
    pub queued: Vec<B256>,
    /// All L1 transactions of the scenario.
    pub sent: HashSet<B256>,
    /// Pairs that have been replaced.
    pub retired: Vec<(String, Pair)>,
    /// What an entry of the queue costs.
    pub queue_fee_wei: u128,
    /// The last batch of which was said that it is settled or proven.
    pub told: Vec<(u64, String)>,
}

impl World {
    /// Gathers the people around a running stack.
    ///
    /// # Errors
    /// If a service does not answer.
    pub async fn new(stack: Stack, options: &Options, progress: Progress) -> Result<Self> {
        let deployment = stack.deployment().clone();
        let l1 = L1::connect(&stack.l1_url(), deployment.contract, deployment.erc20).await?;
        let l2 = L2::connect(&stack.api_url(), TOKENS.len(), PATIENCE).await?;
        let operator = Person {
            name: "operator".to_owned(),
            l1: Key::existing(stack.operator_key()?, &l1).await?,
            l2: stack.operator_l2_key()?,
            account: None,
            nonce: 0,
        };
        let counts = if options.quick { Counts::QUICK } else { Counts::FULL };
        let mut people = vec![operator];
        people.extend((0..counts.users + counts.newcomers).map(Person::new));
        let queue_fee_wei = l1.sheaf().queueFee().call().await?;
        let tally = Tally::new(people[OPERATOR].pair(), people[OPERATOR].l1.address(), queue_fee_wei);
        let receivers = vec![("exchange", fresh_address()), ("cold store", fresh_address()), ("treasury", fresh_address())];
        Ok(Self {
            stack,
            l1,
            l2,
            tally,
            progress,
            people,
            receivers,
            counts,
            choices: Choices::new(options.seed),
            executed: Vec::new(),
            queued: Vec::new(),
            sent: HashSet::new(),
            retired: Vec::new(),
            queue_fee_wei,
            told: Vec::new(),
        })
    }

    /// The users' places.
    pub const fn users(&self) -> Range<usize> {
        1..self.counts.users + 1
    }

    /// The newcomers' places.
    pub const fn newcomers(&self) -> Range<usize> {
        self.counts.users + 1..self.counts.users + 1 + self.counts.newcomers
    }

    /// The user whose key is changed.
    pub const fn key_changer(&self) -> usize {
        self.counts.users - 1
    }

    /// The user who is forced out of the token.
    pub const fn leaver(&self) -> usize {
        self.counts.users
    }

    /// An address that only receives.
    ///
    /// # Panics
    /// If there is none of this name.
    pub fn receiver(&self, name: &str) -> Address {
        self.receivers.iter().find(|(n, _)| *n == name).expect("a known receiver").1
    }

    /// Sends an L1 transaction from someone's key, without waiting.
    ///
    /// # Errors
    /// If the node refuses it.
    pub async fn send(&mut self, who: usize, call: &Call) -> Result<B256> {
        let hash = self.l1.send(&self.people[who].l1, call).await?;
        self.sent.insert(hash);
        Ok(hash)
    }

    /// Waits for an L1 transaction that must succeed; notes its gas under a name, and in the payer's books.
    ///
    /// # Errors
    /// If it is refused.
    pub async fn succeed(&mut self, who: usize, name: &str, hash: B256) -> Result<TransactionReceipt> {
        let receipt = self.l1.receipt(hash).await?;
        ensure!(receipt.status(), "{name} ({hash}) of {} was refused by L1", self.people[who].name);
        self.progress.report.gas(name, receipt.gas_used);
        self.tally.gas(self.people[who].l1.address(), gas_wei(&receipt))?;
        Ok(receipt)
    }

    /// A fee of so many times the least that the operator takes, for the kind that `pick` names.
    ///
    /// # Errors
    /// If the API's fee is no number.
    pub fn fee(&self, token: Token, factor: u128, pick: impl Fn(&sheaf_api::model::MinimumFee) -> &String) -> Result<u128> {
        let least: u128 = pick(self.l2.minimum_fee(token)?).parse().context("a minimum fee is no number")?;
        Ok(fee_at_least(least.max(1) * factor))
    }

    /// A token's symbol.
    pub fn symbol(&self, token: Token) -> String {
        self.l2.info.tokens.iter().find(|t| t.id == token).map_or_else(|| token.to_string(), |t| t.symbol.clone())
    }
}
