//! Brings confirmed entries of the L1 queue and newly listed tokens to the engine.

use crate::engine::L1Entry;
use crate::environment::{Environment, Step};
use crate::health::Health;
use crate::store::{self, StoreError};
use sheaf_core::geometry::Geometry;
use sheaf_core::types::TokenId;
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::mpsc;

/// How long to wait before looking again without being told.
const POLL: Duration = Duration::from_millis(500);
/// Entries read at once, and entries that may wait in the engine.
pub(crate) const ENTRIES_MAX: usize = 256;

/// News from L1.
#[derive(Debug)]
pub(crate) enum L1News {
    /// The next entry of the queue.
    Entry(L1Entry),
    /// All tokens that are listed.
    Tokens(BTreeSet<TokenId>),
}

/// Reads what settlement has written.
pub(crate) struct Watcher {
    pub(crate) pool: PgPool,
    pub(crate) geometry: Geometry,
    pub(crate) next: u64,
    pub(crate) tokens: BTreeSet<TokenId>,
    pub(crate) news: mpsc::Sender<L1News>,
    pub(crate) environment: Environment,
    pub(crate) health: Health,
}

impl Watcher {
    /// Reports news until nobody listens any more.
    ///
    /// # Errors
    /// [`StoreError`] if an entry can't be right.
    pub(crate) async fn run(mut self) -> Result<(), StoreError> {
        let mut listener: Option<PgListener> = None;
        while !self.news.is_closed() {
            match self.look(&mut listener).await {
                Ok(more) => {
                    self.health.recover("watcher");
                    if !more {
                        let bell = listener.as_mut().expect("look has opened it");
                        // What the bell says does not matter, nor that it broke: the next look tells.
                        let _ = tokio::time::timeout(POLL, bell.recv()).await;
                    }
                }
                Err(error) if error.is_transient() => {
                    self.health.complain("watcher", &error);
                    listener = None;
                    tokio::time::sleep(POLL).await;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reports what is new, and says whether there may be more.
    async fn look(&mut self, listener: &mut Option<PgListener>) -> Result<bool, StoreError> {
        if listener.is_none() {
            // Listening begins before looking, so that nothing falls between.
            let mut fresh = PgListener::connect_with(&self.pool).await?;
            fresh.listen("l1_operations").await?;
            *listener = Some(fresh);
        }
        let tokens = store::listed_tokens(&mut *self.pool.acquire().await?).await?;
        if tokens != self.tokens {
            self.tokens.clone_from(&tokens);
            let _ = self.news.send(L1News::Tokens(tokens)).await;
        }
        let entries = store::confirmed_entries(&self.pool, self.geometry, self.next, ENTRIES_MAX).await?;
        let count = entries.len();
        if count > 0 {
            self.environment.reached(Step::L1Read);
        }
        for entry in entries {
            self.next = entry.index + 1;
            let _ = self.news.send(L1News::Entry(entry)).await;
        }
        Ok(count == ENTRIES_MAX)
    }
}
