//! From JSON to the engine: reads transactions, verifies signatures on all cores, takes places in the pool.

use crate::block::TransactionHash;
use crate::driver::{Reply, Submission};
use crate::engine::Verified;
use crate::error::Refusal;
use crate::mempool::Mempool;
use alloy_primitives::hex;
use serde_json::value::RawValue;
use sheaf_core::F;
use sheaf_core::json::TransactionJson;
use sheaf_core::transaction::Transaction;
use sheaf_core::types::field_to_bytes;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc, oneshot};

/// A transaction on its way: its hash as far as it could be read, and its fate.
pub(crate) struct Intake {
    pub(crate) hash: Option<TransactionHash>,
    pub(crate) fate: Fate,
}

/// What is known of a transaction's fate.
pub(crate) enum Fate {
    /// The engine will tell; so far it is unknown.
    Submitted(oneshot::Receiver<Reply>),
    /// It is refused.
    Refused(Refusal),
}

/// The way to the engine.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) domain: F,
    pub(crate) pool: Mempool,
    pub(crate) submissions: mpsc::Sender<Submission>,
    /// One permit a transaction that is being verified.
    pub(crate) verifying: Arc<Semaphore>,
    /// Threads that verify one request.
    pub(crate) threads: usize,
}

type Checked = Result<Verified, (Option<TransactionHash>, Refusal)>;

impl Gate {
    /// Sends transactions to the engine in the order given; what can't be sent is refused.
    pub(crate) async fn submit(&self, transactions: Vec<Box<RawValue>>, wait: bool) -> Vec<Intake> {
        let count = transactions.len();
        let Ok(_permits) = self.verifying.try_acquire_many(count as u32) else {
            return (0..count).map(|_| Intake { hash: None, fate: Fate::Refused(Refusal::PoolFull) }).collect();
        };
        let mut intakes = Vec::with_capacity(count);
        for checked in self.check_all(transactions).await {
            // In order, so that a pool that gets full refuses the last ones of a sender, not the first.
            intakes.push(match checked {
                Ok(verified) => self.send(verified, wait).await,
                Err((hash, refusal)) => Intake { hash, fate: Fate::Refused(refusal) },
            });
        }
        intakes
    }

    async fn send(&self, verified: Verified, wait: bool) -> Intake {
        let hash = Some(verified.hash);
        let place = match self.pool.enter(verified.transaction.payload.from, verified.signed.key_hash, verified.hash) {
            Ok(place) => place,
            Err(refusal) => return Intake { hash, fate: Fate::Refused(refusal) },
        };
        let (reply, receiver) = oneshot::channel();
        // The pool has no more places than the channel.
        let sent = self.submissions.send(Submission { verified, wait, reply, place }).await;
        let fate = if sent.is_ok() { Fate::Submitted(receiver) } else { Fate::Refused(Refusal::NotReady) };
        Intake { hash, fate }
    }

    async fn check_all(&self, transactions: Vec<Box<RawValue>>) -> Vec<Checked> {
        let chunk = transactions.len().div_ceil(self.threads).max(1);
        let mut rest = transactions.into_iter().peekable();
        let mut tasks = Vec::new();
        while rest.peek().is_some() {
            let (gate, part): (Self, Vec<_>) = (self.clone(), rest.by_ref().take(chunk).collect());
            tasks.push(tokio::task::spawn_blocking(move || part.into_iter().map(|t| gate.check(&t)).collect::<Vec<_>>()));
        }
        let mut checked = Vec::new();
        for task in tasks {
            checked.extend(task.await.expect("checking a transaction does not panic"));
        }
        checked
    }

    fn check(&self, value: &RawValue) -> Checked {
        let (hash, transaction) = self.read(value).map_err(|refusal| (None, refusal))?;
        let signed = transaction.verify(self.domain).map_err(|_| (Some(hash), Refusal::InvalidSignature))?;
        Ok(Verified { transaction, hash, signed })
    }

    fn read(&self, value: &RawValue) -> Result<(TransactionHash, Transaction), Refusal> {
        let json: TransactionJson = serde_json::from_str(value.get()).map_err(|error| Refusal::Malformed(error.to_string()))?;
        let transaction = json.to_transaction(self.domain)?;
        Ok((field_to_bytes(transaction.payload.message(self.domain)), transaction))
    }
}

/// A hash as users see it.
pub(crate) fn hash_to_hex(hash: &TransactionHash) -> String {
    hex::encode_prefixed(hash)
}
