//! Entries of the contract's queue: what each becomes on the state as it is.

use super::Engine;
use super::window::Creations;
use crate::block::L1Row;
use crate::config::Config;
use crate::state::Unresolved;
use ark_ff::Zero;
use sheaf_core::geometry::Geometry;
use sheaf_core::l1::{QUEUE_PREIMAGE_BYTES, queue_preimage};
use sheaf_core::operation::Operation;
use sheaf_core::transaction::{Pair, Resolution};
use sheaf_executor::Job;
use std::collections::HashMap;

/// A confirmed entry of the contract's queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct L1Entry {
    /// Its index in the queue, from 0.
    pub(crate) index: u64,
    /// What the contract hashed.
    pub(crate) preimage: [u8; QUEUE_PREIMAGE_BYTES],
    /// The same, read: an exit's amount is still 0, and so is a deposit's index. Where the entry was executed before, that
    /// may be the index that it had then: it gets it again if it is empty.
    pub(crate) operation: Operation,
}

/// An entry that the contract can't have taken: the watcher read something else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadEntry {
    /// The bytes are no entry.
    #[error("entry {index} of the L1 queue can't be read")]
    Unreadable {
        /// Which.
        index: u64,
    },
    /// An entry is missing or comes twice.
    #[error("entry {found} of the L1 queue came where {expected} was due")]
    Order {
        /// What came.
        found: u64,
        /// What was due.
        expected: u64,
    },
}

impl L1Entry {
    /// Reads an entry.
    ///
    /// # Errors
    /// [`BadEntry::Unreadable`], also for an account that this geometry does not have and for what the contract refuses.
    pub(crate) fn read(index: u64, preimage: [u8; QUEUE_PREIMAGE_BYTES], geometry: Geometry) -> Result<Self, BadEntry> {
        let unreadable = BadEntry::Unreadable { index };
        // An entry's aux2 is not posted where the operation has none, so the rest must be zeros.
        let operation = Operation::decode_as(&mut &preimage[..], true).map_err(|_| unreadable.clone())?;
        let sane = match operation {
            Operation::Deposit { token, amount, owner, key_hash, .. } => {
                token.token().is_some() && amount > 0 && !owner.is_zero() && !key_hash.is_zero()
            }
            Operation::SetKey { account, key_hash, .. } => account.get() < geometry.account_capacity() && !key_hash.is_zero(),
            Operation::ForcedExit { account, token, .. } => {
                account.get() < geometry.account_capacity() && token.token().is_some()
            }
            _ => false,
        };
        if sane && queue_preimage(&operation) == Some(preimage) {
            Ok(Self { index, preimage, operation })
        } else {
            Err(unreadable)
        }
    }
}

/// Entries that are executed together.
#[derive(Default)]
struct L1Window {
    jobs: Vec<Job>,
    creations: Creations,
    /// Deposited by the jobs, by token number.
    deposited: HashMap<u8, u128>,
}

impl Engine {
    /// Executes entries in order. Those that the open batch has no room for begin the next one.
    ///
    /// # Panics
    /// If the open batch has transactions, or the slot function refuses: an entry can always be applied or refunded.
    pub(super) fn run_l1(&mut self, entries: &[L1Entry], now: u32) {
        let mut rest = entries;
        while !rest.is_empty() {
            let L1Window { jobs, .. } = self.plan_l1(rest);
            let ctx = self.context(now);
            let outcome = self.executor.execute(&ctx, self.ledger.state.words_mut(), &jobs, self.choice);
            let (done, later) = rest.split_at(jobs.len());
            for ((entry, job), result) in done.iter().zip(&jobs).zip(outcome.iter()) {
                let ports = result.expect("an L1 operation can always be applied");
                let (batch, position) = self.ledger.record(&job.operation, ports, now);
                let L1Entry { index, preimage, .. } = *entry;
                self.ledger.draft.l1.push(L1Row { index, preimage, operation: job.operation, batch, position });
                self.next_l1 += 1;
            }
            self.executor.recycle(outcome);
            rest = later;
        }
    }

    /// As many deposits as don't depend on each other, or else one entry.
    fn plan_l1(&self, entries: &[L1Entry]) -> L1Window {
        let mut window = L1Window::default();
        for entry in entries {
            let operation = match entry.operation {
                Operation::Deposit { owner, key_hash, .. } if window.creations.names(&Pair { owner, key_hash }) => break,
                Operation::Deposit { .. } => self.resolve_deposit(&window, &entry.operation),
                // These read what a deposit may have changed.
                _ if !window.jobs.is_empty() => break,
                other => self.resolve_exit(&other),
            };
            let Operation::Deposit { account, token, amount, owner, key_hash } = operation else {
                window.jobs.push(Job { operation, signed: None });
                if matches!(operation, Operation::DepositRefund { .. }) {
                    continue;
                }
                break;
            };
            let creates = self.ledger.state.key_hash(account).is_zero();
            // Idle ports read the fee account, so nothing goes beside the operation that creates it.
            let alone = creates && account == Config::FEE_ACCOUNT;
            if alone && !window.jobs.is_empty() {
                break;
            }
            window.jobs.push(Job { operation, signed: None });
            *window.deposited.entry(token.get()).or_default() += amount;
            if creates {
                window.creations.add(&self.ledger.state, Pair { owner, key_hash }, account);
            }
            if alone {
                break;
            }
        }
        window
    }

    /// A deposit with its index, or a refund.
    fn resolve_deposit(&self, window: &L1Window, entry: &Operation) -> Operation {
        let Operation::Deposit { account: wish, token, amount, owner, key_hash } = *entry else { unreachable!("a deposit") };
        let refund = Operation::DepositRefund { token, amount, owner, key_hash };
        let id = token.token().expect("entries were checked when they were read");
        let deposited = window.deposited.get(&token.get()).copied().unwrap_or(0);
        if (self.ledger.state.supply(id) + deposited).checked_add(amount).is_none() {
            return refund;
        }
        match window.creations.resolve(&self.ledger.state, &Pair { owner, key_hash }, Some(wish)) {
            Ok(Resolution::Existing(account) | Resolution::Create(account)) => {
                Operation::Deposit { account, token, amount, owner, key_hash }
            }
            Err(Unresolved::Retired | Unresolved::Full) => refund,
        }
    }

    /// A forced exit with its amount; any other operation as it is.
    fn resolve_exit(&self, entry: &Operation) -> Operation {
        let Operation::ForcedExit { account, token, caller, .. } = *entry else { return *entry };
        let id = token.token().expect("entries were checked when they were read");
        let state = &self.ledger.state;
        let amount = if state.account(account).owner == caller { state.balance(account, id) } else { 0 };
        Operation::ForcedExit { account, token, amount, caller }
    }
}
