//! Executing again what an unwinding took back.

use super::window::Request;
use super::{Engine, L1Entry, Verified};
use crate::block::DroppedRow;
use sheaf_core::types::AccountId;

/// An operation that was executed and taken back.
#[derive(Clone, Debug)]
pub(crate) struct ReplayItem {
    /// Its place among all that is to be replayed; ascending.
    pub(crate) seq: u64,
    pub(crate) kind: ReplayKind,
}

/// What is replayed.
#[derive(Clone, Debug)]
pub(crate) enum ReplayKind {
    /// An entry of the L1 queue. A deposit's account is the index that it had, 0 if it was refunded.
    L1(L1Entry),
    /// A transaction.
    Transaction {
        verified: Box<Verified>,
        /// The index that it created.
        created_at: Option<AccountId>,
    },
}

impl Engine {
    /// How much still waits to be replayed. New work comes after it.
    pub(crate) fn replaying(&self) -> usize {
        self.replays.len()
    }

    /// Replays what waits for it, `count_max` operations at most.
    pub(crate) fn replay_waiting(&mut self, count_max: usize, now: u32) {
        let count = count_max.min(self.replays.len());
        let items: Vec<_> = self.replays.drain(..count).collect();
        self.replay(&items, now);
    }

    /// Executes operations in their old order, each as far as it still holds: accounts are created at their old indices
    /// where these are empty, and a transaction that no longer holds is dropped with the reason. It was admitted
    /// once, so only the protocol's rules count now, not the operator's.
    ///
    /// # Panics
    /// If an entry of the L1 queue is not the next one.
    pub(crate) fn replay(&mut self, items: &[ReplayItem], now: u32) {
        for run in items.chunk_by(|a, b| matches!(a.kind, ReplayKind::L1(_)) == matches!(b.kind, ReplayKind::L1(_))) {
            let (mut entries, mut requests, mut places) = (Vec::new(), Vec::new(), Vec::new());
            for item in run {
                match &item.kind {
                    ReplayKind::L1(entry) => entries.push(entry.clone()),
                    ReplayKind::Transaction { verified, created_at } => {
                        requests.push(Request { verified, created_at: *created_at, promised: true });
                        places.push(item.seq);
                    }
                }
            }
            self.replay_l1(&entries, now);
            let results = self.run_requests(&requests, now);
            for ((request, seq), result) in requests.iter().zip(places).zip(results) {
                if let Err(refusal) = result {
                    let (hash, code, message) = (request.verified.hash, refusal.code(), refusal.to_string());
                    self.ledger.draft.dropped.push(DroppedRow { seq, hash, code, message });
                }
            }
        }
        if let Some(last) = items.last() {
            self.ledger.draft.replayed_to = Some(last.seq);
        }
    }

    fn replay_l1(&mut self, entries: &[L1Entry], now: u32) {
        let Some(first) = entries.first() else { return };
        assert_eq!(first.index, self.next_l1, "replayed entries of the L1 queue come in order");
        if !self.ledger.open.takes_l1() {
            self.ledger.seal(now);
        }
        self.run_l1(entries, now);
    }
}
