//! Makes the withdrawals of settled batches claimable.
//!
//! The contract keeps one hash of a batch's withdrawals. A call peels the last ones off; the hash over those before them
//! takes its place. Which are left is read from the contract each time, never remembered.

use crate::Result;
use crate::error::Error;
use crate::l1::L1;
use crate::repeat::{Next, Step};
use crate::sender::Sender;
use crate::store::withdrawals;
use alloy::primitives::B256;
use alloy::sol_types::SolCall;
use sheaf_contracts::Sheaf;
use sheaf_core::l1::{Withdrawal, withdrawals_hash_step};
use sqlx::postgres::PgPool;

/// The kind of its transactions in the database.
pub const KIND: &str = "credit";

/// Credits withdrawals.
pub struct Creditor {
    pool: PgPool,
    l1: L1,
    sender: Sender,
    chunk: usize,
}

impl Creditor {
    /// Sets a creditor up that credits at most `chunk` withdrawals with a call.
    pub const fn new(pool: PgPool, l1: L1, sender: Sender, chunk: usize) -> Self {
        Self { pool, l1, sender, chunk }
    }

    /// Sends one call for the oldest batch that has something to be credited.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn credit_next(&mut self) -> Result<Next> {
        for batch in withdrawals::uncredited_batches(&self.pool).await? {
            let stored = self.l1.withdrawals_hash(batch).await?;
            // Credited already; the watcher will see it when that is confirmed.
            if stored.is_zero() {
                continue;
            }
            let all = withdrawals::leaving(&self.pool, batch).await?.all;
            let call = next_call(batch, &all, stored, self.chunk)?;
            self.sender.send(batch, call.abi_encode().into()).await?;
            return Ok(Next::Again);
        }
        Ok(Next::Wait)
    }
}

impl Step for Creditor {
    const NAME: &'static str = "creditor";

    async fn step(&mut self) -> Result<Next> {
        self.credit_next().await
    }
}

/// The call that credits the last `chunk` of those of `all` that `stored` still covers.
///
/// # Errors
/// [`Error::WithdrawalsDiffer`] if it covers no first part of them.
pub fn next_call(batch: u64, all: &[Withdrawal], stored: B256, chunk: usize) -> Result<Sheaf::creditWithdrawalsCall> {
    // prefixes[n] is the hash over the first n.
    let mut prefixes = vec![B256::ZERO];
    prefixes.extend(all.iter().scan(B256::ZERO, |hash, withdrawal| {
        *hash = withdrawals_hash_step(*hash, withdrawal);
        Some(*hash)
    }));
    let left = prefixes.iter().position(|prefix| *prefix == stored);
    let left =
        left.ok_or_else(|| Error::WithdrawalsDiffer { batch, reason: format!("{stored} covers no first part of them") })?;
    let first = left.saturating_sub(chunk);
    let withdrawals = all[first..left].iter().map(|w| sheaf_contracts::Sheaf::Withdrawal {
        recipient: w.recipient,
        token: w.token.get(),
        amount: w.amount,
    });
    Ok(Sheaf::creditWithdrawalsCall { batch, prefix: prefixes[first], withdrawals: withdrawals.collect() })
}
