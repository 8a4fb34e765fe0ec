//! The single writer: admits, orders and executes, window by window.
//!
//! ```text
//!  transactions ─▶ plan: admission ─▶ window ─▶ executor ─▶ record, in order: fits the open batch? ─yes─▶ batch, draft block
//!                     │                             │                             └─no─▶ seal, next batch
//!                  refusal                       refusal                                draft block ──cut──▶ committer
//!  L1 entries ──▶ wait until the open batch takes them ─▶ window ─▶ executor ─▶ record
//! ```
//!
//! A window is executed at one time T: the open batch's or now, whichever is later. A batch that has operations may be
//! older than T, and a batch that begins in the window gets T, but the time counts only for expiry, and who has not
//! expired at T has not before: so it does not matter in which batch an operation ends up, and batches are
//! cut after execution, when it is known what takes a slot.
//!
//! Nothing here does IO. The state runs ahead of the database; the driver answers only what is durable, and
//! stops the process if a block can't be made durable, so the state never has to go back.

mod admission;
mod draft;
mod l1;
mod ledger;
mod replay;
#[cfg(test)]
mod tests;
mod window;

pub(crate) use admission::EXPIRES_AHEAD_MAX_S;
pub(crate) use draft::Draft;
pub(crate) use l1::{BadEntry, L1Entry};
pub(crate) use replay::{ReplayItem, ReplayKind};

use crate::batcher::{BatchRules, OpenBatch};
use crate::block::{BlockRecord, TransactionHash};
use crate::config::Config;
use crate::error::Refusal;
use crate::state::State;
use crate::types::{BlockNumber, Placement};
use ledger::Ledger;
use sheaf_core::slot::{Context, Signed};
use sheaf_core::transaction::Transaction;
use sheaf_core::types::TokenId;
use sheaf_executor::{Choice, Executor};
use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;
use window::Request;

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
    /// The next entry of the L1 queue that was not executed, or was taken back.
    pub(crate) next_l1: u64,
    pub(crate) tokens: BTreeSet<TokenId>,
    /// Whether the open batch's row exists.
    pub(crate) batch_is_stored: bool,
    /// What an unwinding took back, in its old order.
    pub(crate) replays: VecDeque<ReplayItem>,
}

impl Resume {
    /// The first entry of the L1 queue that is still to be read: those that are replayed are known.
    pub(crate) fn next_unread_l1(&self) -> u64 {
        self.next_l1 + self.replays.iter().filter(|item| matches!(item.kind, ReplayKind::L1(_))).count() as u64
    }
}

/// The state and everything in progress.
pub(crate) struct Engine {
    config: Config,
    ledger: Ledger,
    executor: Executor,
    choice: Choice,
    tokens: BTreeSet<TokenId>,
    replays: VecDeque<ReplayItem>,
    /// Confirmed entries of the L1 queue with the time they were seen, in order.
    ready_l1: VecDeque<(Instant, L1Entry)>,
    /// The next entry of the L1 queue that is executed, and the next one that is offered.
    next_l1: u64,
    next_offered_l1: u64,
}

impl Engine {
    pub(crate) fn new(config: Config, resume: Resume) -> Self {
        let mut draft = Draft::new(resume.last_block.next());
        if !resume.batch_is_stored {
            draft.batch(resume.open.row(false));
        }
        let next_offered_l1 = resume.next_unread_l1();
        let Resume { state, open, next_l1, tokens, replays, .. } = resume;
        let executor = Executor::new(config.executor_threads());
        let (ledger, choice) = (Ledger { state, open, draft }, config.executor_path.into());
        Self { config, ledger, executor, choice, tokens, replays, ready_l1: VecDeque::new(), next_l1, next_offered_l1 }
    }

    /// The rules of a configuration's batches.
    pub(crate) fn rules(config: &Config) -> BatchRules {
        BatchRules {
            geometry: config.geometry(),
            shapes: config.shapes.clone(),
            domain: sheaf_core::l1::domain(config.chain_id, config.contract),
            fee_account: Config::FEE_ACCOUNT,
            timeout: config.batch_timeout(),
        }
    }

    pub(crate) const fn open(&self) -> &OpenBatch {
        &self.ledger.open
    }

    #[cfg(test)]
    pub(crate) const fn state(&self) -> &State {
        &self.ledger.state
    }

    /// Operations and batches that the next block has so far.
    pub(crate) const fn draft(&self) -> &Draft {
        &self.ledger.draft
    }

    /// Replaces the set of tokens that transactions may name.
    pub(crate) fn set_tokens(&mut self, tokens: BTreeSet<TokenId>) {
        self.tokens = tokens;
    }

    /// The time at which an operation is executed now: it must not have expired then.
    pub(crate) fn timestamp(&self, now: u32) -> u32 {
        self.ledger.open.next_timestamp(now)
    }

    fn context(&self, now: u32) -> Context {
        self.ledger.open.context(self.timestamp(now))
    }

    /// Executes transactions in order, and gives what became of each. A refused one changes nothing; one whose
    /// predecessor was refused gets [`Refusal::NonceGap`].
    ///
    /// # Panics
    /// If something waits to be replayed: that was promised first.
    pub(crate) fn run<'a>(
        &mut self,
        entries: impl IntoIterator<Item = &'a Verified>,
        now: u32,
    ) -> Vec<Result<Placement, Refusal>> {
        assert!(self.replays.is_empty(), "what waits to be replayed comes first");
        let request = |verified| Request { verified, created_at: None, promised: false };
        let requests: Vec<_> = entries.into_iter().map(request).collect();
        self.run_requests(&requests, now)
    }

    /// Takes a confirmed entry of the L1 queue.
    ///
    /// # Errors
    /// [`BadEntry`]: the watcher and the contract disagree, nothing can go on.
    pub(crate) fn offer_l1(&mut self, entry: L1Entry) -> Result<(), BadEntry> {
        let expected = self.next_offered_l1;
        if entry.index != expected {
            return Err(BadEntry::Order { found: entry.index, expected });
        }
        self.next_offered_l1 += 1;
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
        if self.ledger.open.due().is_some_and(|due| due <= instant) {
            self.ledger.seal(now);
            self.drain_l1(now, instant);
        }
    }

    fn drain_l1(&mut self, now: u32, instant: Instant) {
        let Some((ready_at, _)) = self.ready_l1.front() else { return };
        if !self.replays.is_empty() {
            return;
        }
        if !self.ledger.open.takes_l1() {
            if instant < *ready_at + self.config.l1_wait() {
                return;
            }
            self.ledger.seal(now);
        }
        let entries: Vec<_> = self.ready_l1.drain(..).map(|(_, entry)| entry).collect();
        self.run_l1(&entries, now);
    }

    /// Ends the draft block, if there is anything in it.
    pub(crate) fn cut(&mut self) -> Option<BlockRecord> {
        let Ledger { draft, state, .. } = &mut self.ledger;
        if draft.is_empty() {
            return None;
        }
        let next = Draft::new(draft.number.next());
        Some(std::mem::replace(draft, next).finish(state))
    }
}
