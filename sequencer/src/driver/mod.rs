//! The loop around mempool and engine: admits transactions, executes and cuts blocks, and answers when they are durable.
//!
//! ```text
//!  intake ─▶ admission ─▶ mempool ─▶ take ─▶ engine.run ─▶ cut ─▶ block ─▶ committer ─▶ receipts to all who wait
//!               │            │                   │
//!            refusal      replaced,           refusal; what came after it goes back
//!                        expired, ..
//! ```
//!
//! It runs on a thread of its own, so that executing a block stalls nobody. At most [`COMMITTING_MAX`] blocks are
//! between execution and durability: the next one is executed while the last one is committed, and no further.

mod flight;
mod pace;
mod work;

use crate::block::{BlockRecord, TransactionHash};
use crate::builder::Progress;
use crate::committer::Committer;
use crate::config::Config;
use crate::engine::{Engine, Verified};
use crate::environment::Environment;
use crate::error::Refusal;
use crate::journal::Journal;
use crate::mempool::{Bounds, Mempool};
use crate::signer::SignedBlock;
use crate::store::{StoreError, Unsettled};
use crate::types::{BatchNumber, Placement};
use crate::watcher::{ENTRIES_MAX, L1News};
use flight::{Flight, Recent};
use pace::Pace;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// Blocks that are executed and not durable yet.
const COMMITTING_MAX: usize = 2;
/// Messages read before looking at the clock and the committer again.
const MESSAGES_AT_ONCE: usize = 64;

/// A transaction, and who waits for its fate.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) verified: Verified,
    /// Whether to answer when the block is durable, or already when the transaction is admitted.
    pub(crate) wait: bool,
    pub(crate) reply: oneshot::Sender<Reply>,
}

/// What comes to the driver from the HTTP interface.
#[derive(Debug)]
pub(crate) enum Message {
    /// Transactions, with their places in the queue of messages.
    Submissions(Vec<Submission>, OwnedSemaphorePermit),
    /// Whether a transaction waits or is not durable yet.
    IsPending(TransactionHash, oneshot::Sender<bool>),
}

/// What became of a transaction.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// It is durable.
    Executed(Executed),
    /// It is admitted; this promises nothing.
    Pending,
    /// It changed nothing.
    Refused(Refusal),
}

/// A transaction that is durable.
#[derive(Clone, Debug)]
pub(crate) struct Executed {
    pub(crate) placement: Placement,
    /// Its place among the block's transactions.
    pub(crate) index: usize,
    pub(crate) block: Arc<SignedBlock>,
}

/// What the outside may see of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    /// The time that a transaction executed now would have.
    pub(crate) timestamp: u32,
    pub(crate) open_batch: BatchNumber,
    /// Transactions that wait or are not durable yet.
    pub(crate) pending: usize,
    /// Whoever finds no room should try again after this, milliseconds.
    pub(crate) retry_after_ms: u64,
    /// Operations that were taken back and wait to be executed again; nothing new is taken before.
    pub(crate) replaying: usize,
}

/// What the driver is connected to.
pub(crate) struct Ends {
    pub(crate) messages: mpsc::Receiver<Message>,
    pub(crate) news: mpsc::Receiver<L1News>,
    pub(crate) view: watch::Sender<View>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) journal: Journal,
}

/// The engine and the mempool with everything that they are connected to.
pub(crate) struct Driver {
    config: Config,
    engine: Engine,
    environment: Environment,
    ends: Ends,
    pool: Mempool<oneshot::Sender<Reply>>,
    /// The draft block's transactions.
    drafted: Flight,
    in_flight: VecDeque<Flight>,
    recent: Recent,
    pace: Pace,
    /// The oldest batch that is sealed and that L1 has not accepted.
    unsettled: Option<Unsettled>,
    /// Whether the log says that too many of them wait.
    behind_reported: bool,
}

impl Driver {
    pub(crate) fn new(config: Config, engine: Engine, environment: Environment, ends: Ends) -> Self {
        let bounds = Bounds { total: config.limits.pending_max, per_account: config.limits.pending_per_account_max };
        Self {
            config,
            engine,
            environment,
            ends,
            pool: Mempool::new(bounds),
            drafted: Flight::default(),
            in_flight: VecDeque::new(),
            recent: Recent::default(),
            pace: Pace::new(Instant::now()),
            unsettled: None,
            behind_reported: false,
        }
    }

    /// What the outside may see of an engine that has done nothing yet.
    pub(crate) fn first_view(engine: &Engine, now: u32) -> View {
        let (timestamp, open_batch) = (engine.timestamp(now), engine.open().number());
        let retry_after_ms = pace::PAUSE_MIN.as_millis() as u64;
        View { timestamp, open_batch, pending: 0, retry_after_ms, replaying: engine.replaying() }
    }

    /// Runs until `stop` is told or gone, then makes durable what was executed. What waits is forgotten.
    ///
    /// # Errors
    /// If a block can't be made durable or the L1 queue can't be right: nothing can go on.
    pub(crate) async fn run(self, committer: Committer, stop: watch::Receiver<bool>) -> anyhow::Result<()> {
        let (to_commit, blocks) = mpsc::channel(COMMITTING_MAX);
        let (committed, done) = mpsc::channel(COMMITTING_MAX);
        // Ends when this does, and with it the thread.
        let mut tasks = JoinSet::new();
        tasks.spawn(commit_all(committer, blocks, committed));
        let (ended, end) = oneshot::channel();
        std::thread::Builder::new().name("driver".to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            let result = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(self.drive(to_commit, done, stop)));
            let _ = ended.send(result);
        })?;
        end.await.map_err(|_| anyhow::anyhow!("the driver panicked"))?
    }

    async fn drive(
        mut self,
        to_commit: mpsc::Sender<BlockRecord>,
        mut done: mpsc::Receiver<Result<SignedBlock, StoreError>>,
        mut stop: watch::Receiver<bool>,
    ) -> anyhow::Result<()> {
        let mut ticker = tokio::time::interval(self.config.block_time());
        ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut stopping, mut due) = (false, false);
        loop {
            tokio::select! {
                biased;
                result = done.recv() => {
                    let block = result.ok_or_else(|| anyhow::anyhow!("the committer stopped"))??;
                    self.acknowledge(block);
                }
                _ = stop.changed(), if !stopping => stopping = true,
                _ = ticker.tick() => {
                    due = true;
                    self.publish();
                }
                Some(news) = self.ends.news.recv(), if !stopping && self.engine.waiting_l1() < ENTRIES_MAX => self.hear(news)?,
                // Until everything is replayed, nobody's nonce is known.
                Some(message) = self.ends.messages.recv(), if !stopping && self.engine.replaying() == 0 => self.read(message),
            }
            let room = self.in_flight.len() < COMMITTING_MAX;
            if room && (due || stopping || self.pool.ready() >= self.config.limits.block_operations_max) {
                due = self.engine.replaying() > 0;
                if !stopping {
                    self.execute();
                }
                if let Some(block) = self.cut() {
                    to_commit.send(block).await.map_err(|_| anyhow::anyhow!("the committer stopped"))?;
                } else if stopping && self.in_flight.is_empty() {
                    return Ok(());
                }
            }
        }
    }

    /// Reads a message and what else has come, up to a bound.
    fn read(&mut self, first: Message) {
        let mut next = Some(first);
        let mut left = MESSAGES_AT_ONCE;
        while let Some(message) = next {
            match message {
                Message::Submissions(submissions, places) => {
                    drop(places);
                    submissions.into_iter().for_each(|submission| self.submit(submission));
                }
                Message::IsPending(hash, reply) => {
                    let in_flight = self.in_flight.iter().any(|flight| flight.contains(&hash));
                    let _ = reply.send(in_flight || self.pool.contains(&hash));
                }
            }
            left -= 1;
            next = if left > 0 { self.ends.messages.try_recv().ok() } else { None };
        }
    }

    fn hear(&mut self, news: L1News) -> anyhow::Result<()> {
        match news {
            L1News::Entry(entry) => self.engine.offer_l1(entry)?,
            L1News::Tokens(tokens) => self.engine.set_tokens(tokens),
            L1News::Unsettled(oldest) => self.unsettled = oldest,
        }
        Ok(())
    }
}

/// Commits blocks in order, and reports each.
async fn commit_all(
    mut committer: Committer,
    mut blocks: mpsc::Receiver<BlockRecord>,
    done: mpsc::Sender<Result<SignedBlock, StoreError>>,
) {
    while let Some(block) = blocks.recv().await {
        let result = committer.commit(&block).await;
        let failed = result.is_err();
        if done.send(result).await.is_err() || failed {
            break;
        }
    }
}
