//! Waits for work without asking the database over and over.

use crate::queue::JOBS_CHANNEL;
use sqlx::postgres::{PgListener, PgPool};
use std::time::Duration;

/// Listens for announced jobs. A listener that is lost is replaced; meanwhile the slow poll goes on.
pub(crate) struct Wake {
    pool: PgPool,
    listener: Option<PgListener>,
}

impl Wake {
    pub(crate) const fn new(pool: PgPool) -> Self {
        Self { pool, listener: None }
    }

    /// Subscribes unless that is done. Called before the queue is looked at, so that what is announced in between is heard.
    pub(crate) async fn subscribe(&mut self) -> Result<(), sqlx::Error> {
        if self.listener.is_none() {
            let mut listener = PgListener::connect_with(&self.pool).await?;
            listener.listen(JOBS_CHANNEL).await?;
            self.listener = Some(listener);
        }
        Ok(())
    }

    /// Returns when a job was announced, or after `limit`.
    pub(crate) async fn wait(&mut self, limit: Duration) {
        let Some(listener) = &mut self.listener else { return tokio::time::sleep(limit).await };
        match tokio::time::timeout(limit, listener.try_recv()).await {
            Ok(Ok(Some(_))) | Err(_) => {}
            // The connection was lost: what was announced meanwhile is not known, so look at once.
            Ok(Ok(None) | Err(_)) => self.listener = None,
        }
    }
}
