//! The single writer: admits, orders and executes, one operation after the other.
//!
//! ```text
//!  transaction ─▶ admission ─▶ slot function ─▶ fits the open batch? ──yes──▶ state, draft block
//!                     │             │                  └─no─▶ seal, L1 entries first, again
//!                  refusal       refusal                          draft block ──cut──▶ committer
//!  L1 entry ──▶ waits until the open batch takes it ─▶ slot function ─▶ state, draft block
//! ```
//!
//! Nothing here does IO. The state runs ahead of the database; the driver answers only what is durable, and
//! stops the process if a block can't be made durable, so the state never has to go back.

mod admission;
mod draft;
mod l1;
#[cfg(test)]
mod tests;

pub(crate) use admission::EXPIRES_AHEAD_MAX_S;
pub(crate) use draft::Draft;
pub(crate) use l1::{BadEntry, L1Entry};

use crate::batcher::{BatchRules, OpenBatch};
use crate::block::{BlockRecord, L1Row, RetiredRow, TransactionHash, TransactionRow};
use crate::config::Config;
use crate::error::Refusal;
use crate::state::{SlotRun, State};
use crate::types::{BlockNumber, Placement};
use sheaf_core::operation::Operation;
use sheaf_core::slot::Signed;
use sheaf_core::transaction::Transaction;
use sheaf_core::types::TokenId;
use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

/// A transaction whose signature was verified.
#[derive(Clone, Debug)]
pub(crate) struct Verified {
    pub(crate) transaction: Transaction,
    pub(crate) hash: TransactionHash,
    pub(crate) signed: Signed,
}

/// Where the engine takes up work.
pub(crate) struct Resume {
    pub(crate) state: State,
    pub(crate) open: OpenBatch,
    pub(crate) last_block: BlockNumber,
    pub(crate) next_l1: u64,
    pub(crate) tokens: BTreeSet<TokenId>,
    /// Whether the open batch's row exists.
    pub(crate) batch_is_stored: bool,
}

/// The state and everything in progress.
pub(crate) struct Engine {
    config: Config,
    state: State,
    open: OpenBatch,
    draft: Draft,
    tokens: BTreeSet<TokenId>,
    /// Confirmed entries of the L1 queue with the time they were seen, in order.
    ready_l1: VecDeque<(Instant, L1Entry)>,
    next_l1: u64,
}

impl Engine {
    pub(crate) fn new(config: Config, resume: Resume) -> Self {
        let mut draft = Draft::new(resume.last_block.next());
        if !resume.batch_is_stored {
            draft.batch(resume.open.row(false));
        }
        let Resume { state, open, next_l1, tokens, .. } = resume;
        Self { config, state, open, draft, tokens, ready_l1: VecDeque::new(), next_l1 }
    }

    /// The rules of a configuration's batches.
    pub(crate) fn rules(config: &Config) -> BatchRules {
        BatchRules {
            geometry: config.geometry(),
            shape: config.shape,
            domain: sheaf_core::l1::domain(config.chain_id, config.contract),
            fee_account: Config::FEE_ACCOUNT,
            timeout: config.batch_timeout(),
        }
    }

    pub(crate) const fn open(&self) -> &OpenBatch {
        &self.open
    }

    #[cfg(test)]
    pub(crate) const fn state(&self) -> &State {
        &self.state
    }

    /// Operations and batches that the next block has so far.
    pub(crate) const fn draft(&self) -> &Draft {
        &self.draft
    }

    /// Replaces the set of tokens that transactions may name.
    pub(crate) fn set_tokens(&mut self, tokens: BTreeSet<TokenId>) {
        self.tokens = tokens;
    }

    /// Executes a transaction, or refuses it and changes nothing.
    ///
    /// # Errors
    /// [`Refusal`].
    pub(crate) fn execute(&mut self, verified: &Verified, now: u32) -> Result<Placement, Refusal> {
        loop {
            let timestamp = self.open.timestamp(now);
            let operation = self.admit(verified, timestamp, now)?;
            let ctx = self.open.context(timestamp);
            let run = self
                .state
                .run(&ctx, &operation, Some(&verified.signed))
                .map_err(|error| self.refusal(verified, timestamp, error))?;
            if let Some(position) = self.open.put(&operation, &run.addresses(), now) {
                let batch = self.open.number();
                self.keep(&run);
                let Verified { transaction, hash, .. } = *verified;
                self.draft.transactions.push(TransactionRow { hash, transaction, operation, batch, position });
                return Ok(Placement { block: self.draft.number, batch, position });
            }
            // The next batch may be too late for it: then this one need not be sealed for it.
            let (expires, timestamp) = (verified.signed.expires, self.open.next_timestamp(now));
            if expires < timestamp {
                return Err(Refusal::Expired { expires, timestamp });
            }
            self.seal(now);
            self.drain_l1(now, Instant::now());
        }
    }

    /// Takes a confirmed entry of the L1 queue.
    ///
    /// # Errors
    /// [`BadEntry`]: the watcher and the contract disagree, nothing can go on.
    pub(crate) fn offer_l1(&mut self, entry: L1Entry) -> Result<(), BadEntry> {
        let expected = self.next_l1 + self.ready_l1.len() as u64;
        if entry.index != expected {
            return Err(BadEntry::Order { found: entry.index, expected });
        }
        self.ready_l1.push_back((Instant::now(), entry));
        Ok(())
    }

    /// Entries that wait.
    pub(crate) fn waiting_l1(&self) -> usize {
        self.ready_l1.len()
    }

    /// Does what is due: L1 entries that may go in now, and the batch's timer.
    pub(crate) fn tick(&mut self, now: u32, instant: Instant) {
        self.drain_l1(now, instant);
        if self.open.due().is_some_and(|due| due <= instant) {
            self.seal(now);
            self.drain_l1(now, instant);
        }
    }

    fn drain_l1(&mut self, now: u32, instant: Instant) {
        while let Some((ready_at, _)) = self.ready_l1.front() {
            if !self.open.takes_l1() {
                if instant < *ready_at + self.config.l1_wait() {
                    break;
                }
                self.seal(now);
            }
            let (_, entry) = self.ready_l1.pop_front().expect("there is a front");
            self.apply_l1(&entry, now);
        }
    }

    /// # Panics
    /// If the slot function refuses: an entry can always be applied or refunded.
    fn apply_l1(&mut self, entry: &L1Entry, now: u32) {
        let operation = self.resolve_l1(&entry.operation);
        let ctx = self.open.context(self.open.timestamp(now));
        let run = self.state.run(&ctx, &operation, None).expect("an L1 operation can always be applied");
        let position = self.open.put(&operation, &run.addresses(), now).unwrap_or_else(|| {
            self.seal(now);
            self.open.put(&operation, &run.addresses(), now).expect("an empty batch holds any operation")
        });
        if let Some(pair) = self.replaced_pair(&operation, &run)
            && self.state.retire(pair)
        {
            self.draft.retired.push(RetiredRow { pair, batch: self.open.number() });
        }
        self.keep(&run);
        let L1Entry { index, preimage, .. } = *entry;
        self.draft.l1.push(L1Row { index, preimage, operation, batch: self.open.number(), position });
        self.next_l1 += 1;
    }

    /// Takes over what a slot did.
    fn keep(&mut self, run: &SlotRun) {
        let batch = self.open.number();
        for write in &run.writes {
            if self.open.first_change(write.address) {
                self.draft.undo(batch, write);
            }
            self.draft.touch(self.config.geometry().locate(write.address), &self.state);
        }
        self.state.commit(&run.writes);
        self.draft.batch(self.open.row(false));
    }

    /// # Panics
    /// If the batch is empty: the circuit and the contract take no such batch.
    fn seal(&mut self, now: u32) {
        assert!(self.open.op_count() > 0, "an empty batch is not sealed");
        let (row, next) = self.open.seal(now);
        self.open = next;
        self.draft.batch(row);
        self.draft.batch(self.open.row(false));
    }

    /// Ends the draft block, if there is anything in it.
    pub(crate) fn cut(&mut self) -> Option<BlockRecord> {
        if self.draft.is_empty() {
            return None;
        }
        let next = Draft::new(self.draft.number.next());
        Some(std::mem::replace(&mut self.draft, next).finish(&self.state))
    }

    fn fees(&self, operation: &Operation, token: TokenId) -> u128 {
        let fees = self.config.minimum_fee(token);
        match operation {
            Operation::TransferNew { .. } => fees.transfer_new.0,
            Operation::Withdraw { .. } => fees.withdraw.0,
            _ => fees.transfer.0,
        }
    }
}
