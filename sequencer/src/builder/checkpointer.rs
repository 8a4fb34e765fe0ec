//! Folds the log of changes into the chunks whenever it has become long.

use crate::environment::Environment;
use crate::health::Health;
use crate::store::{self, LogSize, StoreError};
use sqlx::PgPool;
use std::time::Duration;

/// How often to look how long the log is, or to try again.
const POLL: Duration = Duration::from_millis(500);
/// Blocks in the log at most, however little each has changed.
const BLOCKS_MAX: u64 = 20_000;

/// Keeps the log short.
pub(crate) struct Checkpointer {
    pub(crate) pool: PgPool,
    pub(crate) epoch: i64,
    /// How long the log may become.
    pub(crate) bytes_max: u64,
    pub(crate) environment: Environment,
    pub(crate) health: Health,
}

impl Checkpointer {
    /// Looks and folds, for ever.
    ///
    /// # Errors
    /// If that can't be done: a defect, or another sequencer.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        loop {
            match store::within(store::LOADING_TIME_MAX, self.look()).await {
                Ok(()) => self.health.recover("checkpoints"),
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, "the state's chunks can't be written");
                    self.health.complain("checkpoints", &error);
                }
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn look(&self) -> Result<(), StoreError> {
        let LogSize { blocks, bytes } = store::log_size(&self.pool).await?;
        if bytes <= self.bytes_max && blocks <= BLOCKS_MAX {
            return Ok(());
        }
        store::checkpoint(&self.pool, self.epoch, &self.environment).await?;
        tracing::debug!(blocks, bytes, "the log of changes is folded into the chunks");
        Ok(())
    }
}
