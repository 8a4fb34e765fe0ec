//! A state and a tree that are kept up with a leader's blocks and built batches.

#[cfg(test)]
mod tests;

use crate::builder::{Base, BaseWords};
use crate::config::Config;
use crate::engine::Engine;
use crate::state::State;
use crate::store::{self, Loaded, StoreError};
use crate::types::BlockNumber;
use sheaf_core::slot::Context;
use sqlx::PgPool;
use std::sync::atomic::{AtomicU64, Ordering};

/// Blocks and batches that are taken in at once.
const NEWS_MAX: u32 = 1_000;

/// What came of looking for news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Followed {
    /// Everything that there was.
    Current,
    /// As much as is taken in at once.
    Behind,
    /// That work was taken back: the state is of no use any more.
    Stale,
}

/// The state after the last block that was taken in, and the tree after the last built batch.
pub(crate) struct Warm {
    state: State,
    block: BlockNumber,
    base: Base,
}

impl std::fmt::Display for Warm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "block {}, batch {}", self.block, self.base.built())
    }
}

impl Warm {
    /// Reads everything, and says how far that is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn load(pool: &PgPool, config: &Config, tell: &(dyn Fn(&str) + Sync)) -> Result<Self, StoreError> {
        let mut connection = pool.acquire().await?;
        let mut tx = store::snapshot(&mut connection).await?;
        let telling = |done, all| {
            tracing::info!(done, all, "reading accounts");
            tell(&format!("reading accounts, {done} of {all}"));
        };
        let Loaded { state, block } = store::load_state(&mut tx, &Engine::rules(config), config.operator(), &telling).await?;
        let words = BaseWords::load(&mut tx, &state).await?;
        tx.commit().await?;
        tell("making the tree");
        let base = Base::make(words, tenths(|tenth| tracing::info!("making the tree, {tenth}0 %"))).await?;
        Ok(Self { state, block, base })
    }

    /// Takes in what is new.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Damaged`] if a built batch has another root than the tree has with its operations.
    pub(crate) async fn follow(&mut self, pool: &PgPool, config: &Config) -> Result<Followed, StoreError> {
        let news = store::news_after(pool, self.block, self.base.built(), NEWS_MAX).await?;
        if news.unwound {
            return Ok(Followed::Stale);
        }
        let full = news.blocks.len().max(news.built.len()) == NEWS_MAX as usize;
        let rules = Engine::rules(config);
        // No access depends on the time.
        let ctx = Context { geometry: rules.geometry, domain: rules.domain, timestamp: 0, fee_account: rules.fee_account };
        for (number, operations) in news.blocks {
            for operation in &operations {
                self.state.absorb(&ctx, operation);
            }
            self.block = number;
        }
        self.base.advance(news.built, rules.domain).await?;
        Ok(if full { Followed::Behind } else { Followed::Current })
    }

    /// Takes in everything that there is, or reads everything anew if work was taken back.
    ///
    /// # Errors
    /// As [`Warm::follow`].
    pub(crate) async fn catch_up(
        mut self,
        pool: &PgPool,
        config: &Config,
        tell: &(dyn Fn(&str) + Sync),
    ) -> Result<Self, StoreError> {
        loop {
            match self.follow(pool, config).await? {
                Followed::Behind => {}
                Followed::Current => return Ok(self),
                Followed::Stale => return Self::load(pool, config, tell).await,
            }
        }
    }

    /// What the engine and the builder take up.
    pub(crate) fn into_parts(self) -> (Loaded, Base) {
        let Self { state, block, base } = self;
        (Loaded { state, block }, base)
    }
}

/// Passes on only every tenth of what is done.
fn tenths(tell: impl Fn(u64) + Send + Sync) -> impl Fn(u64, u64) + Send + Sync {
    let told = AtomicU64::new(0);
    move |done, all| {
        let tenth = done * 10 / all.max(1);
        if told.fetch_max(tenth, Ordering::Relaxed) < tenth {
            tell(tenth);
        }
    }
}
