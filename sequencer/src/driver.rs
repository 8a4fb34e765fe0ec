//! The loop around the engine: feeds it, cuts blocks, and answers when they are durable.

use crate::block::{BlockRecord, TransactionHash};
use crate::builder::Progress;
use crate::committer::Committer;
use crate::config::Config;
use crate::engine::{Engine, Verified};
use crate::environment::{Environment, Step};
use crate::error::Refusal;
use crate::mempool::Place;
use crate::store::StoreError;
use crate::types::{BatchNumber, BlockNumber, Placement};
use crate::watcher::{ENTRIES_MAX, L1News};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

/// A transaction for the engine, and who waits for its fate.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) verified: Verified,
    /// Whether to answer when the block is durable, or already when the transaction is admitted.
    pub(crate) wait: bool,
    pub(crate) reply: oneshot::Sender<Reply>,
    pub(crate) place: Place,
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// It is durable.
    Executed(Placement),
    /// It is admitted; this promises nothing.
    Pending,
    /// It changed nothing.
    Refused(Refusal),
}

/// What the outside may see of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    /// The time that a transaction executed now would have.
    pub(crate) timestamp: u32,
    pub(crate) open_batch: BatchNumber,
}

/// Who is to be told when a block is durable.
#[derive(Debug)]
struct Waiting {
    block: BlockNumber,
    hashes: HashSet<TransactionHash>,
    replies: Vec<(oneshot::Sender<Reply>, Reply, Place)>,
    /// Places of those that were told already.
    places: Vec<Place>,
}

impl Waiting {
    fn new(block: BlockNumber) -> Self {
        Self { block, hashes: HashSet::new(), replies: Vec::new(), places: Vec::new() }
    }

    /// Answers `reply` when the block is durable, or "pending" now.
    fn add(&mut self, submission: Submission, reply: Reply) {
        if submission.wait {
            self.replies.push((submission.reply, reply, submission.place));
        } else {
            let _ = submission.reply.send(Reply::Pending);
            self.places.push(submission.place);
        }
    }
}

/// The engine with everything that it is connected to.
pub(crate) struct Driver {
    pub(crate) config: Config,
    pub(crate) engine: Engine,
    pub(crate) environment: Environment,
    pub(crate) submissions: mpsc::Receiver<Submission>,
    pub(crate) news: mpsc::Receiver<L1News>,
    pub(crate) view: watch::Sender<View>,
    pub(crate) progress: Arc<Progress>,
}

impl Driver {
    /// Runs until `stop` is told, then makes durable what was executed.
    ///
    /// # Errors
    /// If a block can't be made durable or the L1 queue can't be right: nothing can go on.
    pub(crate) async fn run(mut self, committer: Committer, mut stop: watch::Receiver<bool>) -> anyhow::Result<()> {
        let (to_commit, blocks) = mpsc::channel::<BlockRecord>(1);
        let (committed, mut done) = mpsc::channel::<Result<(), StoreError>>(1);
        let task = tokio::spawn(commit_all(committer, blocks, committed));
        let mut ticker = tokio::time::interval(self.config.block_time());
        ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut drafted = Waiting::new(self.engine.draft().number);
        let mut in_flight: Option<Waiting> = None;
        let (mut stopping, mut due) = (false, false);
        loop {
            let full = self.engine.draft().operations() >= self.config.limits.block_operations_max;
            let room = !full && !stopping && !self.builder_is_behind();
            tokio::select! {
                result = done.recv(), if in_flight.is_some() => {
                    result.ok_or_else(|| anyhow::anyhow!("the committer stopped"))??;
                    self.acknowledge(in_flight.take().expect("a block was in flight"));
                }
                Some(submission) = self.submissions.recv(), if room => {
                    self.submit(submission, &mut drafted, in_flight.as_mut());
                }
                Some(news) = self.news.recv(), if room && self.engine.waiting_l1() < ENTRIES_MAX => self.hear(news)?,
                _ = ticker.tick() => {
                    due = true;
                    if room {
                        self.engine.tick(self.environment.now(), Instant::now());
                    }
                    self.publish();
                }
                _ = stop.changed(), if !stopping => stopping = true,
            }
            if in_flight.is_some() || !(due || full || stopping) {
                continue;
            }
            due = false;
            if let Some(block) = self.engine.cut() {
                self.environment.reached(Step::BlockCut);
                let next = Waiting::new(self.engine.draft().number);
                in_flight = Some(std::mem::replace(&mut drafted, next));
                to_commit.send(block).await.map_err(|_| anyhow::anyhow!("the committer stopped"))?;
            } else if stopping {
                break;
            }
        }
        drop(to_commit);
        Ok(task.await?)
    }

    fn builder_is_behind(&self) -> bool {
        self.engine.open().number().0 > self.progress.built().0 + self.config.limits.unbuilt_batches_max
    }

    fn submit(&mut self, submission: Submission, drafted: &mut Waiting, in_flight: Option<&mut Waiting>) {
        let hash = submission.verified.hash;
        // A duplicate must not be told that it was executed before that is durable.
        for waiting in [Some(&mut *drafted), in_flight].into_iter().flatten() {
            if waiting.hashes.contains(&hash) {
                waiting.add(submission, Reply::Refused(Refusal::Duplicate));
                return;
            }
        }
        match self.engine.execute(&submission.verified, self.environment.now()) {
            Ok(placement) => {
                drafted.hashes.insert(hash);
                drafted.add(submission, Reply::Executed(placement));
            }
            Err(refusal) => {
                let _ = submission.reply.send(Reply::Refused(refusal));
            }
        }
    }

    fn hear(&mut self, news: L1News) -> anyhow::Result<()> {
        match news {
            L1News::Entry(entry) => {
                self.engine.offer_l1(entry)?;
                self.engine.tick(self.environment.now(), Instant::now());
            }
            L1News::Tokens(tokens) => self.engine.set_tokens(tokens),
        }
        Ok(())
    }

    /// Tells everybody who waits for a block that it is durable.
    fn acknowledge(&self, waiting: Waiting) {
        self.environment.reached(Step::BlockAcknowledged);
        tracing::debug!(block = %waiting.block, replies = waiting.replies.len(), "block durable");
        for (sender, reply, place) in waiting.replies {
            drop(place);
            // Whoever has gone will ask by hash.
            let _ = sender.send(reply);
        }
        self.progress.ring();
    }

    fn publish(&self) {
        let open = self.engine.open();
        let view = View { timestamp: open.timestamp(self.environment.now()), open_batch: open.number() };
        self.view.send_if_modified(|old| std::mem::replace(old, view) != view);
    }
}

/// Commits blocks in order, and reports each.
async fn commit_all(
    mut committer: Committer,
    mut blocks: mpsc::Receiver<BlockRecord>,
    done: mpsc::Sender<Result<(), StoreError>>,
) {
    while let Some(block) = blocks.recv().await {
        let result = committer.commit(&block).await;
        let failed = result.is_err();
        if done.send(result).await.is_err() || failed {
            break;
        }
    }
}
