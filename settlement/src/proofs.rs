//! Holds stored proofs against the contract's keys before they are sent, and has those made anew that don't hold.

use crate::Result;
use crate::keys::ContractKeys;
use crate::l1::L1;
use crate::store::batches::Run;
use crate::store::proofs::{self, TakenBack};
use alloy::primitives::{B256, keccak256};
use alloy::sol_types::SolValue;
use sheaf_contracts::Sheaf;
use sqlx::postgres::PgPool;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the job of a batch whose proof did not hold has for its last error; it begins with the stable name that provers use, too.
const WRONG_PROOF: &str = "wrong_proof: the stored proof does not verify with the contract's key";

/// Verifies each stored proof once.
pub(crate) struct ProofCheck {
    pool: PgPool,
    l1: L1,
    attempts_max: u32,
    keys: Option<Arc<ContractKeys>>,
    /// The batches that hold, by their numbers: hashes of all that is sent of them.
    held: BTreeMap<u64, B256>,
}

impl ProofCheck {
    /// A job is parked when it has been tried `attempts_max` times.
    pub(crate) const fn new(pool: PgPool, l1: L1, attempts_max: u32) -> Self {
        Self { pool, l1, attempts_max, keys: None, held: BTreeMap::new() }
    }

    /// Takes those away from the run of batches, whose first has number `first`, that follow one whose proof does not hold, and this
    /// one; its proof is removed from the database.
    ///
    /// # Errors
    /// [`crate::Error::L1`], [`crate::Error::BadKeys`] or [`crate::Error::Database`].
    pub(crate) async fn keep_valid(&mut self, first: u64, run: &mut Run) -> Result<()> {
        self.held = self.held.split_off(&first);
        for (place, number) in (0..run.batches.len()).zip(first..) {
            let batch = &run.batches[place];
            let hash = keccak256(batch.abi_encode());
            if self.held.get(&number) == Some(&hash) {
                continue;
            }
            if self.verifies(batch).await? {
                self.held.insert(number, hash);
                continue;
            }
            let proof = batch.proof;
            run.batches.truncate(place);
            let taken = proofs::take_back(&self.pool, number, &proof, self.attempts_max, WRONG_PROOF).await?;
            report(number, taken);
            return Ok(());
        }
        Ok(())
    }

    async fn verifies(&mut self, batch: &Sheaf::Batch) -> Result<bool> {
        let keys = match &self.keys {
            Some(keys) => keys.clone(),
            None => self.keys.insert(Arc::new(ContractKeys::read(&self.l1).await?)).clone(),
        };
        let batch = batch.clone();
        // Some milliseconds of arithmetic.
        Ok(tokio::task::spawn_blocking(move || keys.verifies(&batch)).await.expect("verifying does not panic"))
    }
}

fn report(number: u64, taken: TakenBack) {
    let code = "wrong_proof";
    match taken {
        TakenBack::Queued => {
            tracing::error!(batch = number, code, "a stored proof does not verify with the contract's key: it is made anew");
        }
        TakenBack::Parked => tracing::error!(
            batch = number,
            code,
            "a stored proof does not verify with the contract's key, and has been made too often: its job is parked"
        ),
        TakenBack::Changed => tracing::info!(batch = number, code, "a proof that does not verify was replaced meanwhile"),
    }
}
