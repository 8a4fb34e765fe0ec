//! What the driver does with transactions and blocks.

use super::flight::Flight;
use super::{Driver, Reply, Submission, View};
use crate::block::{BlockRecord, TransactionHash};
use crate::engine::Verified;
use crate::environment::Step;
use crate::error::Refusal;
use crate::mempool::{Entry, Inserted, Removed};
use crate::signer::SignedBlock;
use crate::store::Unsettled;
use crate::types::Placement;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// After this it is worth looking whether the builder, or settlement, has caught up.
const BEHIND_PAUSE: Duration = Duration::from_secs(5);

type Waiter = oneshot::Sender<Reply>;

impl Driver {
    /// Takes a transaction up, or refuses it; either at once.
    pub(super) fn submit(&mut self, submission: Submission) {
        let Submission { verified, wait, reply } = submission;
        let hash = verified.hash;
        if let Some(executed) = self.recent.get(&hash) {
            let _ = reply.send(Reply::Executed(executed.clone()));
            return;
        }
        if let Some(flight) = self.in_flight.iter_mut().find(|flight| flight.contains(&hash)) {
            let crowded = if wait { flight.join(&hash, reply) } else { Err(reply) };
            crowded.unwrap_or_else(pending);
            return;
        }
        let (waiter, other) = if wait { (Some(reply), None) } else { (None, Some(reply)) };
        // One that waits was admitted before.
        let admitted = if self.pool.contains(&hash) { Ok(()) } else { self.admit(&verified) };
        let next = self.engine.next_nonce(verified.transaction.payload.from);
        let inserted = match admitted {
            Ok(()) => self.pool.insert(verified, waiter, next),
            Err(refusal) => Err((waiter, refusal)),
        };
        match inserted {
            Ok(Inserted::New(removed)) => removed.into_iter().for_each(|removed| self.refuse_removed(*removed)),
            Ok(Inserted::Joined) => {}
            Ok(Inserted::Crowded(waiter)) => pending(waiter),
            Err((waiter, refusal)) => return self.refuse(hash, waiter.into_iter().chain(other), &refusal),
        }
        other.into_iter().for_each(pending);
    }

    fn admit(&self, verified: &Verified) -> Result<(), Refusal> {
        self.engine.admission(verified, self.environment.now())?;
        if self.builder_is_behind() || self.settlement_is_behind() { Err(Refusal::PoolFull) } else { Ok(()) }
    }

    fn builder_is_behind(&self) -> bool {
        self.engine.open().number().0 > self.ends.progress.built().0 + self.config.limits.unbuilt_batches_max
    }

    /// Whether so many batches wait for their proofs or for L1, or one of them for so long, that no more transactions are promised
    /// anything. What L1 itself asks for is executed all the same.
    fn settlement_is_behind(&self) -> bool {
        let limits = &self.config.limits;
        self.unsettled.is_some_and(|oldest| {
            // One that was frozen may hear of batches that others have made meanwhile.
            let waiting = self.engine.open().number().0.saturating_sub(oldest.number.0);
            waiting > limits.unsettled_batches_max || self.age_s(oldest) > limits.unsettled_age_s_max
        })
    }

    fn age_s(&self, batch: Unsettled) -> u32 {
        self.environment.now().saturating_sub(batch.timestamp)
    }

    /// Says when transactions are refused because of the batches that wait for L1, and when no longer.
    fn report_settlement(&mut self) {
        let behind = self.settlement_is_behind();
        if behind != self.behind_reported {
            self.behind_reported = behind;
            let oldest = self.unsettled.map(|batch| batch.number.0);
            let age_s = self.unsettled.map(|batch| self.age_s(batch));
            let (batches_max, age_s_max) = (self.config.limits.unsettled_batches_max, self.config.limits.unsettled_age_s_max);
            match behind {
                true => tracing::warn!(
                    oldest,
                    age_s,
                    batches_max,
                    age_s_max,
                    "too many batches wait for L1, or one for too long: no transactions are taken"
                ),
                false => tracing::info!(oldest, "L1 has caught up: transactions are taken again"),
            }
        }
    }

    /// Does what is due, and executes what is ready, up to a block.
    pub(super) fn execute(&mut self) {
        if self.builder_is_behind() {
            return;
        }
        let now = self.environment.now();
        if self.engine.replaying() > 0 {
            self.engine.replay_waiting(self.room(), now);
        }
        self.engine.tick(now, Instant::now());
        for removed in self.pool.expire(self.engine.timestamp(now)) {
            self.refuse_removed(removed);
        }
        self.drafted = self.replayed();
        // What was promised before comes first.
        let taken = if self.engine.replaying() > 0 { Vec::new() } else { self.pool.take(self.room()) };
        if !taken.is_empty() {
            let results = self.engine.run(taken.iter().map(|entry| &entry.verified), now);
            self.settle(taken, results);
        }
    }

    /// What the draft block has from a replay: nobody waits for it, but its senders may ask again.
    fn replayed(&self) -> Flight {
        let draft = self.engine.draft();
        let mut flight = Flight::default();
        for row in &draft.transactions {
            let placement = Placement { block: draft.number, batch: row.batch, position: row.position };
            flight.add(row.hash, placement, Vec::new());
        }
        flight
    }

    /// Operations that the draft block still takes.
    fn room(&self) -> usize {
        self.config.limits.block_operations_max.saturating_sub(self.engine.draft().operations())
    }

    /// Sorts what was executed from what was refused, and puts back what waits for the latter's nonces.
    fn settle(&mut self, taken: Vec<Entry<Waiter>>, results: Vec<Result<Placement, Refusal>>) {
        assert_eq!(taken.len(), results.len(), "one result a transaction");
        for (entry, result) in taken.into_iter().zip(results) {
            let account = entry.verified.transaction.payload.from;
            match result {
                Ok(placement) => self.drafted.add(entry.verified.hash, placement, entry.waiters),
                Err(Refusal::NonceGap { .. }) => self.pool.put_back(entry, self.engine.next_nonce(account)),
                Err(refusal) => {
                    self.refuse_removed(Removed { entry, refusal });
                    for removed in self.pool.advance(account, self.engine.next_nonce(account)) {
                        self.refuse_removed(removed);
                    }
                }
            }
        }
    }

    /// Ends the draft block, if there is anything in it.
    pub(super) fn cut(&mut self) -> Option<BlockRecord> {
        let block = self.engine.cut()?;
        self.environment.reached(if block.replayed_to.is_some() { Step::ReplayCut } else { Step::BlockCut });
        self.in_flight.push_back(std::mem::take(&mut self.drafted));
        Some(block)
    }

    /// Tells everybody who waits for the oldest block that it is durable.
    pub(super) fn acknowledge(&mut self, block: SignedBlock) {
        self.environment.reached(Step::BlockAcknowledged);
        let flight = self.in_flight.pop_front().expect("only blocks in flight are committed");
        self.pace.note(flight.len(), Instant::now());
        self.publish();
        flight.land(block, &mut self.recent);
    }

    /// Shows what the outside may see.
    pub(super) fn publish(&mut self) {
        self.report_settlement();
        let (open, now) = (self.engine.open(), self.environment.now());
        let pending = self.pool.len() + self.in_flight.iter().map(Flight::len).sum::<usize>();
        let pause = if self.builder_is_behind() || self.settlement_is_behind() { BEHIND_PAUSE } else { self.pace.pause(pending) };
        let retry_after_ms = pause.as_millis() as u64;
        let (timestamp, replaying) = (self.engine.timestamp(now), self.engine.replaying());
        let view = View { timestamp, open_batch: open.number(), pending, retry_after_ms, replaying };
        self.ends.view.send_if_modified(|old| std::mem::replace(old, view) != view);
    }

    fn refuse_removed(&self, removed: Removed<Waiter>) {
        self.refuse(removed.entry.verified.hash, removed.entry.waiters, &removed.refusal);
    }

    fn refuse(&self, hash: TransactionHash, waiters: impl IntoIterator<Item = Waiter>, refusal: &Refusal) {
        // An old nonce may be that of exactly this transaction: who answers its sender looks, and notes it if not.
        if !matches!(refusal, Refusal::NonceTooOld { .. }) {
            self.ends.journal.note(hash, refusal);
        }
        for waiter in waiters {
            let _ = waiter.send(Reply::Refused(refusal.clone()));
        }
    }
}

fn pending(waiter: Waiter) {
    let _ = waiter.send(Reply::Pending);
}
