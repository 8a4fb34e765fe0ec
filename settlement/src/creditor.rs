//! Makes the withdrawals of settled batches claimable, and pays them out if the operator wants that.
//!
//! The contract keeps one hash of a batch's withdrawals. A call peels the last ones off; the hash over those before them
//! takes its place. Which are left, and what can be claimed, is read from the contract each time, never remembered.

use crate::Result;
use crate::error::Error;
use crate::l1::L1;
use crate::policy::PayoutPolicy;
use crate::repeat::{Next, Step};
use crate::sender::Sender;
use crate::store::withdrawals::{self, Claimable};
use alloy::primitives::{Address, B256};
use alloy::sol_types::SolCall;
use sheaf_contracts::Sheaf;
use sheaf_core::l1::{Withdrawal, withdrawals_hash_step};
use sqlx::postgres::PgPool;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// The kind of its transactions in the database, claims among them: they have the same key.
pub const KIND: &str = "credit";

/// What a claim may take: an owner with code decides what happens when he is paid.
const CLAIM_GAS_MAX: u64 = 200_000;
/// How long an owner who can't be paid is left out.
const UNPAYABLE_FOR: Duration = Duration::from_secs(60 * 60);
/// How many of them are remembered.
const UNPAYABLE_MAX: usize = 10_000;

/// Credits withdrawals, and claims for their owners.
pub struct Creditor {
    pool: PgPool,
    l1: L1,
    sender: Sender,
    policy: PayoutPolicy,
    /// Owners and tokens whose payment failed, and when.
    unpayable: HashMap<(Address, u8), Instant>,
}

impl Creditor {
    /// Sets a creditor up that does what this policy says.
    pub fn new(pool: PgPool, l1: L1, sender: Sender, policy: PayoutPolicy) -> Self {
        Self { pool, l1, sender, policy, unpayable: HashMap::new() }
    }

    /// Sends one call: for the oldest batch that has something to be credited, else for the owner who has waited for his payment
    /// longest.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn pay_next(&mut self) -> Result<Next> {
        if self.credit_next().await? == Next::Again {
            return Ok(Next::Again);
        }
        match self.policy.claims.clone() {
            Some(minimums) => self.claim_next(&minimums).await,
            None => Ok(Next::Wait),
        }
    }

    async fn credit_next(&self) -> Result<Next> {
        for (batch, waited) in withdrawals::uncredited_batches(&self.pool).await? {
            let stored = self.l1.withdrawals_hash(batch).await?;
            // Credited already; the watcher will see it when that is confirmed.
            if stored.is_zero() {
                continue;
            }
            if self.policy.waits(waited, self.l1.gas_price().await?) {
                // Those after it have not waited longer.
                return Ok(Next::Wait);
            }
            let all = withdrawals::leaving(&self.pool, batch).await?.all;
            let call = next_call(batch, &all, stored, self.policy.chunk)?;
            self.sender.send(batch, call.abi_encode().into()).await?;
            return Ok(Next::Again);
        }
        Ok(Next::Wait)
    }

    async fn claim_next(&mut self, minimums: &BTreeMap<u8, u128>) -> Result<Next> {
        self.unpayable.retain(|_, since| since.elapsed() < UNPAYABLE_FOR);
        let left_out: Vec<_> = self.unpayable.keys().copied().collect();
        for claimable in withdrawals::claimable(&self.pool, minimums, &left_out).await? {
            let Claimable { owner, token, waited, .. } = claimable;
            // Paid already, or partly; the watcher will see it when that is confirmed.
            if self.l1.claimable(owner, token).await? < minimums.get(&token).copied().unwrap_or(0).max(1) {
                continue;
            }
            if self.policy.waits(waited, self.l1.gas_price().await?) {
                return Ok(Next::Wait);
            }
            match self.claim(claimable).await {
                Ok(()) => return Ok(Next::Again),
                // It is the owner's business, and must hold nobody else up.
                Err(error @ (Error::Refused { .. } | Error::Failed { .. })) => self.leave_out((owner, token), &error),
                Err(error) => return Err(error),
            }
        }
        Ok(Next::Wait)
    }

    async fn claim(&self, Claimable { owner, token, batch, .. }: Claimable) -> Result<()> {
        let call = Sheaf::claimCall { owner, token }.abi_encode();
        self.sender.send_within(batch, &format!("to claim token {token} for {owner}"), call.into(), CLAIM_GAS_MAX).await
    }

    fn leave_out(&mut self, (owner, token): (Address, u8), error: &Error) {
        tracing::warn!(%owner, token, code = error.code(), %error, "this owner can't be paid; trying again later");
        if self.unpayable.len() >= UNPAYABLE_MAX {
            self.unpayable.clear();
        }
        self.unpayable.insert((owner, token), Instant::now());
    }
}

impl Step for Creditor {
    const NAME: &'static str = "creditor";

    async fn step(&mut self) -> Result<Next> {
        self.pay_next().await
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
