//! Builds sealed batches in order, off the execution path: roots, posted bytes, commitment and witness.
//!
//! The builder has the tree after the last built batch. A restarted one makes it anew from SQL: the
//! current words, with what unbuilt batches have changed put back. The same batch gives the same commitment.

use crate::config::Config;
use crate::environment::{Environment, Step};
use crate::health::Health;
use crate::store::{self, BuildInput, StoreError};
use crate::types::BatchNumber;
use sheaf_core::F;
use sheaf_core::geometry::Geometry;
use sheaf_core::shape::Shape;
use sheaf_core::trace::{BatchHeader, BatchWitness, build};
use sheaf_core::tree::Tree;
use sheaf_core::types::field_to_bytes;
use sqlx::PgPool;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// How long to wait before looking again without being told.
const POLL: Duration = Duration::from_secs(1);
/// How long to wait after the database failed.
const PAUSE: Duration = Duration::from_millis(200);

/// How far the builder is, and the bell that wakes it.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    built: AtomicU64,
    sealed: Notify,
}

impl Progress {
    /// The last batch that is built.
    pub(crate) fn built(&self) -> BatchNumber {
        BatchNumber(self.built.load(Ordering::Acquire))
    }

    /// A batch was sealed and is durable.
    pub(crate) fn ring(&self) {
        self.sealed.notify_one();
    }
}

/// Builds batches.
pub(crate) struct Builder {
    pool: PgPool,
    tree: Tree,
    shape: Shape,
    domain: F,
    epoch: i64,
    environment: Environment,
    health: Health,
    progress: Arc<Progress>,
}

impl Builder {
    /// Reads the state after the last built batch.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Damaged`] if it has another root than that batch.
    pub(crate) async fn start(
        pool: PgPool,
        config: &Config,
        epoch: i64,
        environment: Environment,
        health: Health,
        progress: Arc<Progress>,
    ) -> Result<Self, StoreError> {
        let mut tx = pool.begin().await?;
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").execute(&mut *tx).await?;
        let built = store::last_built(&mut tx).await?;
        let words = store::load_base_words(&mut tx, config.geometry(), built).await?;
        let root: Option<Vec<u8>> = sqlx::query_scalar("SELECT new_root FROM batches WHERE number = $1")
            .bind(built.sql())
            .fetch_optional(&mut *tx)
            .await?
            .flatten();
        tx.commit().await?;
        let tree = tokio::task::spawn_blocking({
            let geometry: Geometry = config.geometry();
            move || Tree::from_words(geometry, words)
        })
        .await
        .expect("making a tree does not panic");
        if root.is_some_and(|root| root != field_to_bytes(tree.root())) {
            return Err(StoreError::Damaged(format!("the state after batch {built} has another root")));
        }
        progress.built.store(built.0, Ordering::Release);
        let domain = sheaf_core::l1::domain(config.chain_id, config.contract);
        Ok(Self { pool, tree, shape: config.shape, domain, epoch, environment, health, progress })
    }

    /// Builds what is sealed, for ever.
    ///
    /// # Errors
    /// If a batch can't be built: a defect, or another sequencer.
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        loop {
            match store::next_unbuilt(&self.pool, self.progress.built()).await {
                Ok(Some(input)) => self.build(input).await?,
                Ok(None) => {
                    let _ = tokio::time::timeout(POLL, self.progress.sealed.notified()).await;
                }
                Err(error) if error.is_transient() => self.pause(&error).await,
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn build(&mut self, input: BuildInput) -> anyhow::Result<()> {
        self.environment.reached(Step::BatchRead);
        let number = input.number;
        let header = BatchHeader { domain: self.domain, timestamp: input.timestamp, fee_account: Config::FEE_ACCOUNT };
        let (mut tree, shape) = (std::mem::replace(&mut self.tree, Tree::new(Geometry::PROTOCOL)), self.shape);
        let (tree, built) = tokio::task::spawn_blocking(move || {
            let built = build(&mut tree, shape, header, &input.slots);
            (tree, built)
        })
        .await?;
        self.tree = tree;
        let built: BatchWitness = built.map_err(|error| anyhow::anyhow!("batch {number} can't be built: {error}"))?;
        self.environment.reached(Step::BatchBuilt);
        while let Err(error) = store::store_built(&self.pool, number, &built, self.epoch, &self.environment).await {
            anyhow::ensure!(error.is_transient(), "batch {number} can't be stored: {error}");
            self.pause(&error).await;
        }
        self.health.recover("builder");
        self.progress.built.store(number.0, Ordering::Release);
        tracing::info!(batch = %number, operations = built.public.operations.len(), "batch built");
        Ok(())
    }

    async fn pause(&self, error: &StoreError) {
        tracing::warn!(%error, "the builder can't reach the database");
        self.health.complain("builder", error);
        tokio::time::sleep(PAUSE).await;
    }
}
