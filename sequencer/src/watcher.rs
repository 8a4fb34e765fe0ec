//! Brings confirmed entries of the L1 queue, newly listed tokens and how far L1 has come to the engine.

use crate::engine::L1Entry;
use crate::environment::{Environment, Step};
use crate::health::Health;
use crate::store::{self, StoreError, Unsettled};
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
    /// The oldest batch that L1 has not accepted, if there is a sealed one.
    Unsettled(Option<Unsettled>),
}

/// What is read at once.
struct Read {
    tokens: BTreeSet<TokenId>,
    entries: Vec<L1Entry>,
    unsettled: Option<Unsettled>,
}

/// What a look has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// Everything that there is.
    All,
    /// As much as is read at once.
    Full,
    /// That executed work is to be taken back.
    Unwinding,
}

/// Why a watcher ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Nobody listens any more.
    Unheard,
    /// Executed work is to be taken back: a leader does that when it starts.
    UnwindingRequested,
}

/// Reads what settlement has written.
pub(crate) struct Watcher {
    pub(crate) pool: PgPool,
    pub(crate) geometry: Geometry,
    pub(crate) next: u64,
    pub(crate) tokens: BTreeSet<TokenId>,
    pub(crate) unsettled: Option<Unsettled>,
    pub(crate) news: mpsc::Sender<L1News>,
    pub(crate) environment: Environment,
    pub(crate) health: Health,
}

impl Watcher {
    /// Reports news until nobody listens any more, or work is to be taken back.
    ///
    /// # Errors
    /// [`StoreError`] if an entry can't be right.
    pub(crate) async fn run(mut self) -> Result<Ended, StoreError> {
        let mut listener: Option<PgListener> = None;
        while !self.news.is_closed() {
            match self.look(&mut listener).await {
                Ok(Found::Unwinding) => return Ok(Ended::UnwindingRequested),
                Ok(found) => {
                    self.health.recover("watcher");
                    if found == Found::All {
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
        Ok(Ended::Unheard)
    }

    /// Reports what is new, and says whether that is all.
    async fn look(&mut self, listener: &mut Option<PgListener>) -> Result<Found, StoreError> {
        let read = store::in_time(self.read(listener)).await?;
        let Some(Read { tokens, entries, unsettled }) = read else { return Ok(Found::Unwinding) };
        if unsettled != self.unsettled {
            self.unsettled = unsettled;
            let _ = self.news.send(L1News::Unsettled(unsettled)).await;
        }
        if tokens != self.tokens {
            self.tokens.clone_from(&tokens);
            let _ = self.news.send(L1News::Tokens(tokens)).await;
        }
        let count = entries.len();
        if count > 0 {
            self.environment.reached(Step::L1Read);
        }
        for entry in entries {
            self.next = entry.index + 1;
            let _ = self.news.send(L1News::Entry(entry)).await;
        }
        Ok(if count == ENTRIES_MAX { Found::Full } else { Found::All })
    }

    /// What settlement has written; `None` if work is to be taken back.
    async fn read(&self, listener: &mut Option<PgListener>) -> Result<Option<Read>, StoreError> {
        if listener.is_none() {
            // Listening begins before looking, so that nothing falls between.
            let mut fresh = PgListener::connect_with(&self.pool).await?;
            fresh.listen_all(["l1_operations", "unwindings"]).await?;
            *listener = Some(fresh);
        }
        if store::requested_unwinding(&self.pool).await?.is_some() {
            return Ok(None);
        }
        let tokens = store::listed_tokens(&mut *self.pool.acquire().await?).await?;
        let entries = store::confirmed_entries(&self.pool, self.geometry, self.next, ENTRIES_MAX).await?;
        let unsettled = store::oldest_unsettled(&self.pool).await?;
        Ok(Some(Read { tokens, entries, unsettled }))
    }
}
