//! Submits proven batches in their order, several with one call when several wait.
//!
//! What is next is read from the contract each time, never remembered: a crash at any step, or a reorg that throws a
//! submission out, leads to the same bytes being sent again, and a batch that is accepted is not sent twice. A proof that does
//! not verify with the contract's own key is not sent: it is removed, and made anew. A batch that
//! became too old for L1 is [unwound](crate::unwinding) by the sequencer, and the ones that replace it are read anew.

use crate::Result;
use crate::error::Error;
use crate::l1::L1;
use crate::policy::CallPolicy;
use crate::proofs::ProofCheck;
use crate::repeat::{Next, Step};
use crate::sender::Sender;
use crate::store::batches;
use crate::unwinding::{Outlook, Unwinding};
use alloy::sol_types::SolCall;
use sheaf_contracts::Sheaf;
use sqlx::postgres::PgPool;

/// The kind of its transactions in the database.
pub const KIND: &str = "submit";

/// Submits proven batches.
pub struct Submitter {
    pool: PgPool,
    l1: L1,
    sender: Sender,
    policy: CallPolicy,
    unwinding: Unwinding,
    proofs: ProofCheck,
    /// The parked batch that was reported.
    reported: Option<u64>,
}

impl Submitter {
    /// Sets a submitter up; its sender has the operator's key. A batch whose proofs don't hold is proven `attempts_max` times.
    pub fn new(pool: PgPool, l1: L1, sender: Sender, policy: CallPolicy, attempts_max: u32) -> Self {
        let unwinding = Unwinding::new(pool.clone(), l1.clone());
        let proofs = ProofCheck::new(pool.clone(), l1.clone(), attempts_max);
        Self { pool, l1, sender, policy, unwinding, proofs, reported: None }
    }

    /// Submits the next batches if they are proven, their proofs hold and the policy says so, unless the first became too old and is being taken
    /// back.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn submit_next(&mut self) -> Result<Next> {
        let progress = self.l1.progress().await?;
        if self.unwinding.look(progress.batch).await? != Outlook::Open {
            return Ok(Next::Wait);
        }
        let number = progress.batch + 1;
        // One more than a call takes: so a full call is told from one that others may join.
        let mut run = batches::ready(&self.pool, number, self.policy.batches + 1).await?;
        if let Some((batch, reason)) = &run.parked {
            self.report(*batch, reason);
        }
        let Some(first) = run.batches.first() else { return Ok(Next::Wait) };
        if first.oldRoot != progress.root {
            return Err(Error::RootDiffers { batch: number, ours: first.oldRoot.into(), contract: progress.root.into() });
        }
        self.proofs.keep_valid(number, &mut run).await?;
        let count = self.policy.due(&run, self.l1.gas_price().await?);
        if count == 0 {
            return Ok(Next::Wait);
        }
        let mut batches = run.batches;
        batches.truncate(count);
        tracing::info!(first = number, batches = count, "submitting");
        let every = self.sender.stuck_after();
        tokio::select! {
            sent = self.sender.send(number, Sheaf::submitCall { batches }.abi_encode().into()) => sent?,
            // One that waits for a block for days, as at fees above the cap, must not hide that it became too old.
            () = self.unwinding.needed(every) => {}
        }
        Ok(Next::Again)
    }

    fn report(&mut self, number: u64, reason: &str) {
        if self.reported != Some(number) {
            tracing::error!(batch = number, reason, "nothing more can be submitted: the proof of this batch is parked");
            self.reported = Some(number);
        }
    }
}

impl Step for Submitter {
    const NAME: &'static str = "submitter";

    async fn step(&mut self) -> Result<Next> {
        self.submit_next().await
    }
}
