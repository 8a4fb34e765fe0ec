//! Decides when what L2 has executed has to be taken back: when L1 can't accept the next batch any more.
//!
//! The contract refuses a batch whose timestamp is more than [`SUBMISSION_AGE_MAX_S`] before its block's. Times of blocks
//! only grow, so once a *confirmed* block is later than that and the batch is in no block before it, no block will ever
//! have it, and no submission that is still under way can land. Only then is the sequencer asked to go back to the last
//! batch on L1: a moment earlier the same money could count twice. While L1 can't be reached nothing is decided.

use crate::Result;
use crate::l1::{Block, L1};
use crate::store::cursor;
use crate::store::unwindings::{self, Unsettled};
use sqlx::postgres::PgPool;
use std::time::Duration;

/// By how much a batch's timestamp may be before its block's: the contract's `MAX_AGE`, seconds.
pub const SUBMISSION_AGE_MAX_S: u64 = 3 * 24 * 60 * 60;

/// Whether batches can be submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// Yes, as far as their age is concerned.
    Open,
    /// Everything after this batch is about to be taken back by the sequencer.
    Unwinding {
        /// The last batch that stays.
        to_batch: u64,
    },
}

/// Looks after the age of the batch that L1 expects next.
pub struct Unwinding {
    pool: PgPool,
    l1: L1,
    /// The last confirmed block and its time, unix seconds.
    confirmed: Option<(Block, u64)>,
    /// The request that was reported.
    reported: Option<u64>,
}

impl Unwinding {
    /// Sets it up; nothing is read yet.
    pub const fn new(pool: PgPool, l1: L1) -> Self {
        Self { pool, l1, confirmed: None, reported: None }
    }

    /// Asks for an unwinding if one is needed, and says whether one is under way; `accepted` is the number of the last batch
    /// that the contract has at its latest block.
    ///
    /// # Errors
    /// [`crate::Error::L1`] or [`crate::Error::Database`].
    pub async fn look(&mut self, accepted: u64) -> Result<Outlook> {
        if let Some(to_batch) = unwindings::pending(&self.pool).await? {
            self.report(to_batch);
            return Ok(Outlook::Unwinding { to_batch });
        }
        if self.reported.take().is_some() {
            tracing::info!("the sequencer has taken the batches back that were too old; going on with the new ones");
        }
        // The order matters: a batch that the cursor's block has is marked as settled together with the cursor.
        let Some(cursor) = cursor::read(&self.pool).await? else { return Ok(Outlook::Open) };
        let Some(oldest) = unwindings::oldest_unsettled(&self.pool).await? else { return Ok(Outlook::Open) };
        // What the contract has at its latest block, confirmed or not, is never taken back.
        if oldest.number != accepted + 1 {
            return Ok(Outlook::Open);
        }
        let Some(time) = self.time(cursor.confirmed).await? else { return Ok(Outlook::Open) };
        if !is_too_old(oldest.timestamp, time) {
            return Ok(Outlook::Open);
        }
        self.request(oldest, cursor.confirmed, time).await
    }

    /// Looks after each `every`, and returns once an unwinding was asked for.
    pub async fn needed(&mut self, every: Duration) {
        loop {
            tokio::time::sleep(every).await;
            let looked = match self.l1.progress().await {
                Ok(progress) => self.look(progress.batch).await,
                Err(error) => Err(error),
            };
            match looked {
                Ok(Outlook::Unwinding { .. }) => return,
                Ok(Outlook::Open) => {}
                Err(error) => tracing::warn!(code = error.code(), %error, "the age of the next batch is not known"),
            }
        }
    }

    async fn request(&self, oldest: Unsettled, confirmed: Block, time: u64) -> Result<Outlook> {
        let Unsettled { number, timestamp } = oldest;
        let days = SUBMISSION_AGE_MAX_S / (24 * 60 * 60);
        let reason = format!(
            "batch {number} of time {timestamp} is more than {days} days older than L1's confirmed block {} of time {time}, \
             and L1 does not have it",
            confirmed.number
        );
        if !unwindings::request(&self.pool, oldest, &reason).await? {
            return Ok(Outlook::Open);
        }
        tracing::error!(
            to_batch = number - 1,
            reason,
            "L1 can't accept what was executed: the sequencer is asked to take it back"
        );
        Ok(Outlook::Unwinding { to_batch: number - 1 })
    }

    /// The time of the last confirmed block; `None` if the node does not have this block any more.
    async fn time(&mut self, confirmed: Block) -> Result<Option<u64>> {
        if let Some((block, time)) = self.confirmed
            && block == confirmed
        {
            return Ok(Some(time));
        }
        let found = self.l1.header(confirmed.number).await?.filter(|header| header.hash == confirmed.hash);
        self.confirmed = found.map(|header| (confirmed, header.timestamp));
        Ok(found.map(|header| header.timestamp))
    }

    fn report(&mut self, to_batch: u64) {
        if self.reported.replace(to_batch) != Some(to_batch) {
            tracing::warn!(to_batch, "nothing is submitted until the sequencer has taken back what L1 can't accept");
        }
    }
}

/// Whether a batch of this timestamp is refused by each block that follows one of time `block`, unix seconds both.
pub const fn is_too_old(timestamp: u64, block: u64) -> bool {
    timestamp + SUBMISSION_AGE_MAX_S < block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_second_of_the_window_still_counts() {
        assert!(!is_too_old(1_000, 1_000 + SUBMISSION_AGE_MAX_S));
        assert!(is_too_old(1_000, 1_001 + SUBMISSION_AGE_MAX_S));
        assert!(!is_too_old(2_000, 1_000), "a batch may be ahead of L1");
    }
}
