//! Builds sealed batches in order, off the execution path: roots, posted bytes, commitment and witness.
//!
//! The builder has the tree after the last built batch. A restarted one makes it anew from the current words, with what
//! unbuilt batches have changed put back. The same batch gives the same commitment. Batches come from memory after their
//! block is durable; those that are not there (a restart, or too many) are read from the database.

mod base;
mod checkpointer;
mod handover;

pub(crate) use base::{Base, BaseWords};

use crate::block::BlockRecord;
use crate::config::Config;
use crate::environment::{Environment, Step};
use crate::health::Health;
use crate::store::{self, BuildInput, StoreError};
use crate::types::BatchNumber;
use checkpointer::Checkpointer;
use handover::Handover;
use rayon::prelude::*;
use sheaf_core::F;
use sheaf_core::geometry::Geometry;
use sheaf_core::shapes::Shapes;
use sheaf_core::trace::{BatchHeader, BatchWitness, Draft, draft};
use sheaf_core::tree::Tree;
use sqlx::PgPool;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::Notify;

/// How long to wait before looking again without being told.
const POLL: Duration = Duration::from_secs(1);
/// How long to wait after the database failed.
const PAUSE: Duration = Duration::from_millis(200);
/// Batches that are built and stored together at most.
const BATCHES_MAX: usize = 32;
/// By how much the builder's threads step back behind those that answer users: they take what these leave of the cores.
const NICENESS: i32 = 10;

/// How far the builder is, what is handed to it, and the bell that wakes it.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    built: AtomicU64,
    sealed: Notify,
    handover: Mutex<Handover>,
}

impl Progress {
    /// The last batch that is built.
    pub(crate) fn built(&self) -> BatchNumber {
        BatchNumber(self.built.load(Ordering::Acquire))
    }

    /// A block is durable, and with it the batches that it sealed.
    pub(crate) fn committed(&self, block: &BlockRecord) {
        if self.handover().take_in(block) {
            self.sealed.notify_one();
        }
    }

    fn handover(&self) -> MutexGuard<'_, Handover> {
        self.handover.lock().expect("nothing panics while it holds the batches")
    }
}

/// Builds batches.
pub(crate) struct Builder {
    pool: PgPool,
    tree: Tree,
    shapes: Shapes,
    domain: F,
    epoch: i64,
    environment: Environment,
    health: Health,
    progress: Arc<Progress>,
    log_bytes_max: u64,
    threads: Arc<rayon::ThreadPool>,
}

impl Builder {
    /// A builder that goes on after `base`.
    pub(crate) fn new(
        pool: PgPool,
        config: &Config,
        epoch: i64,
        environment: Environment,
        health: Health,
        progress: Arc<Progress>,
        base: Base,
    ) -> Self {
        progress.built.store(base.built.0, Ordering::Release);
        let domain = sheaf_core::l1::domain(config.chain_id, config.contract);
        let (shapes, log_bytes_max) = (config.shapes.clone(), config.limits.state_log_bytes_max);
        let threads = Arc::new(threads());
        Self { pool, tree: base.tree, shapes, domain, epoch, environment, health, progress, log_bytes_max, threads }
    }

    /// Builds what is sealed, and keeps the log of changes short, for ever.
    ///
    /// # Errors
    /// If a batch can't be built: a defect, or another sequencer.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let checkpointer = Checkpointer {
            pool: self.pool.clone(),
            epoch: self.epoch,
            bytes_max: self.log_bytes_max,
            environment: self.environment.clone(),
            health: self.health.clone(),
        };
        tokio::try_join!(self.build_all(), checkpointer.run()).map(|((), ())| ())
    }

    async fn build_all(mut self) -> anyhow::Result<()> {
        loop {
            match self.next().await {
                Ok(inputs) if inputs.is_empty() => {
                    // Nothing is taken while it complains, so nothing to build may come before it says that it is well.
                    self.health.recover("builder");
                    let _ = tokio::time::timeout(POLL, self.progress.sealed.notified()).await;
                }
                Ok(inputs) => self.build(inputs).await?,
                Err(error) if error.is_transient() => self.pause(&error).await,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The batches after the last built one that are sealed, some of them.
    async fn next(&self) -> Result<Vec<BuildInput>, StoreError> {
        let mut inputs = Vec::new();
        let mut last = self.progress.built();
        while inputs.len() < BATCHES_MAX {
            let handed = self.progress.handover().take_out(last.next());
            let input = match handed {
                Some(input) => input,
                // What is there can be built before the database is asked for more.
                None if !inputs.is_empty() => break,
                None => match store::in_time(store::next_unbuilt(&self.pool, last)).await? {
                    Some(input) => input,
                    None => break,
                },
            };
            last = input.number;
            inputs.push(input);
        }
        Ok(inputs)
    }

    async fn build(&mut self, inputs: Vec<BuildInput>) -> anyhow::Result<()> {
        self.environment.reached(Step::BatchRead);
        let (mut tree, shapes, domain) =
            (std::mem::replace(&mut self.tree, Tree::new(Geometry::PROTOCOL)), self.shapes.clone(), self.domain);
        let threads = self.threads.clone();
        let building = tokio::task::spawn_blocking(move || {
            let built = threads.install(|| build(&mut tree, &shapes, domain, &inputs));
            (tree, built)
        });
        let (tree, built) = building.await?;
        self.tree = tree;
        let built = built.map_err(|(number, reason)| anyhow::anyhow!("batch {number} can't be built: {reason}"))?;
        self.environment.reached(Step::BatchBuilt);
        while let Err(error) = store::in_time(store::store_built(&self.pool, &built, self.epoch, &self.environment)).await {
            if !error.is_transient() {
                return Err(anyhow::Error::from(error).context("built batches can't be stored"));
            }
            self.pause(&error).await;
        }
        self.health.recover("builder");
        for (number, witness) in &built {
            self.progress.built.store(number.0, Ordering::Release);
            tracing::info!(batch = %number, shape = witness.shape.id, operations = witness.public.operations.len(), "batch built");
        }
        Ok(())
    }

    async fn pause(&self, error: &StoreError) {
        tracing::warn!(%error, "the builder can't reach the database");
        self.health.complain("builder", error);
        tokio::time::sleep(PAUSE).await;
    }
}

/// As many threads as there are cores, behind all others.
///
/// # Panics
/// If the system gives no threads.
fn threads() -> rayon::ThreadPool {
    let step_back = |_| {
        // On Linux this is about the calling thread alone. Without it everything still works, only slower to answer.
        if let Err(error) = rustix::process::nice(NICENESS) {
            tracing::warn!(%error, "the builder's threads can't step back");
        }
    };
    let pool = rayon::ThreadPoolBuilder::new().thread_name(|i| format!("builder-{i}")).start_handler(step_back).build();
    pool.expect("the system gives threads")
}

/// Moves the tree over batches one after the other, and computes their commitments side by side.
fn build(
    tree: &mut Tree,
    shapes: &Shapes,
    domain: F,
    inputs: &[BuildInput],
) -> Result<Vec<(BatchNumber, BatchWitness)>, (BatchNumber, String)> {
    let mut drafts: Vec<(BatchNumber, Draft)> = Vec::with_capacity(inputs.len());
    for input in inputs {
        let header = BatchHeader { domain, timestamp: input.timestamp, fee_account: Config::FEE_ACCOUNT };
        let shape = shapes.get(input.shape).ok_or_else(|| (input.number, format!("there is no shape {}", input.shape)))?;
        let drafted = draft(tree, shape, header, &input.slots).map_err(|error| (input.number, error.to_string()))?;
        drafts.push((input.number, drafted));
    }
    Ok(drafts.into_par_iter().map(|(number, draft)| (number, draft.commit())).collect())
}
