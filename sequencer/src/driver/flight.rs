//! What was executed: on its way to the database, and lately made durable.

use super::{Executed, Reply};
use crate::block::TransactionHash;
use crate::mempool::WAITERS_MAX;
use crate::signer::SignedBlock;
use crate::types::Placement;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use tokio::sync::oneshot;

/// Transactions that are remembered with their receipts after they were answered; older ones are in the database.
const RECENT_MAX: usize = 32_768;

/// A transaction of a block that is not durable yet.
#[derive(Debug)]
struct Flying {
    hash: TransactionHash,
    placement: Placement,
    waiters: Vec<oneshot::Sender<Reply>>,
}

/// A block that is not durable yet.
#[derive(Debug, Default)]
pub(super) struct Flight {
    /// All transactions of the block, in its order.
    flying: Vec<Flying>,
    by_hash: HashMap<TransactionHash, usize>,
}

impl Flight {
    /// Adds the next transaction of the block.
    pub(super) fn add(&mut self, hash: TransactionHash, placement: Placement, waiters: Vec<oneshot::Sender<Reply>>) {
        self.by_hash.insert(hash, self.flying.len());
        self.flying.push(Flying { hash, placement, waiters });
    }

    pub(super) fn len(&self) -> usize {
        self.flying.len()
    }

    pub(super) fn contains(&self, hash: &TransactionHash) -> bool {
        self.by_hash.contains_key(hash)
    }

    /// Lets one more wait for the fate of a transaction of this block, if it is one and not too many wait already.
    ///
    /// # Errors
    /// The waiter.
    pub(super) fn join(&mut self, hash: &TransactionHash, waiter: oneshot::Sender<Reply>) -> Result<(), oneshot::Sender<Reply>> {
        let waiters = self.by_hash.get(hash).map(|at| &mut self.flying[*at].waiters);
        match waiters.filter(|waiters| waiters.len() < WAITERS_MAX) {
            Some(waiters) => waiters.push(waiter),
            None => return Err(waiter),
        }
        Ok(())
    }

    /// Answers everybody: the block is durable.
    pub(super) fn land(self, block: SignedBlock, recent: &mut Recent) {
        let block = Arc::new(block);
        let mut hashes = Vec::with_capacity(self.flying.len());
        for (index, Flying { hash, placement, waiters }) in self.flying.into_iter().enumerate() {
            let executed = Executed { placement, index, block: block.clone() };
            for waiter in waiters {
                // Whoever has gone will ask by hash.
                let _ = waiter.send(Reply::Executed(executed.clone()));
            }
            recent.known.insert(hash, executed);
            hashes.push(hash);
        }
        recent.blocks.push_back(hashes);
        recent.shrink();
    }
}

/// Transactions that were lately made durable.
#[derive(Debug, Default)]
pub(super) struct Recent {
    known: HashMap<TransactionHash, Executed>,
    blocks: VecDeque<Vec<TransactionHash>>,
}

impl Recent {
    pub(super) fn get(&self, hash: &TransactionHash) -> Option<&Executed> {
        self.known.get(hash)
    }

    fn shrink(&mut self) {
        while self.known.len() > RECENT_MAX {
            for hash in self.blocks.pop_front().expect("what is known is of a block") {
                self.known.remove(&hash);
            }
        }
    }
}
