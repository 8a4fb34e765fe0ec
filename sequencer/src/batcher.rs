//! The open batch: what still fits, its time, and when it is sealed.
//!
//! ```mermaid
//! stateDiagram-v2
//!     [*] --> empty: opened
//!     empty --> filling: first operation (fixes the timestamp)
//!     filling --> filling: operation that fits
//!     filling --> sealed: next one does not fit, timer, or an L1 operation waited long enough
//!     sealed --> [*]: the builder takes it
//! ```
//!
//! It fills up to the largest shape, and gets the smallest that holds what is in it when it is sealed.

use crate::block::BatchRow;
use crate::types::BatchNumber;
use sheaf_core::F;
use sheaf_core::geometry::Geometry;
use sheaf_core::operation::Operation;
use sheaf_core::shape::{RowCounter, Shape};
use sheaf_core::shapes::Shapes;
use sheaf_core::slot::{Context, PORTS, addresses};
use sheaf_core::types::AccountId;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// What is the same for all batches.
#[derive(Clone, Debug)]
pub(crate) struct BatchRules {
    pub(crate) geometry: Geometry,
    pub(crate) shapes: Shapes,
    pub(crate) domain: F,
    pub(crate) fee_account: AccountId,
    pub(crate) timeout: Duration,
}

/// The batch that operations go to.
#[derive(Clone, Debug)]
pub(crate) struct OpenBatch {
    rules: BatchRules,
    number: BatchNumber,
    /// Fixed by the first operation; before it, the earliest that it can be.
    timestamp: u32,
    l1_count: u32,
    rows: RowCounter,
    /// When the first operation went in.
    filling_since: Option<Instant>,
    /// Addresses whose value before the batch is on record.
    undo_known: HashSet<u32>,
}

impl OpenBatch {
    /// An empty batch that can't be earlier than `earliest`.
    pub(crate) fn new(rules: BatchRules, number: BatchNumber, earliest: u32) -> Self {
        let rows = RowCounter::new(rules.geometry, rules.shapes.largest(), rules.fee_account);
        Self { rules, number, timestamp: earliest, l1_count: 0, rows, filling_since: None, undo_known: HashSet::new() }
    }

    /// A batch that was open when the sequencer stopped.
    ///
    /// # Panics
    /// If the operations don't fit: they did before.
    pub(crate) fn restore(mut self, operations: &[Operation], undo_known: HashSet<u32>) -> Self {
        let ctx = self.context(self.timestamp);
        for operation in operations {
            assert!(self.rows.try_add(&addresses(&ctx, operation)), "the open batch's operations fitted before");
            self.l1_count += u32::from(operation.code().is_l1());
            self.filling_since = Some(Instant::now());
        }
        Self { undo_known, ..self }
    }

    pub(crate) const fn number(&self) -> BatchNumber {
        self.number
    }

    /// Operations in it.
    pub(crate) fn op_count(&self) -> u32 {
        self.rows.slots().try_into().expect("a shape has few slots")
    }

    /// Its rows so far.
    pub(crate) const fn rows(&self) -> &RowCounter {
        &self.rows
    }

    /// The time that an operation put in now would have.
    pub(crate) fn timestamp(&self, now: u32) -> u32 {
        if self.op_count() == 0 { self.timestamp.max(now) } else { self.timestamp }
    }

    /// The time that an operation would have in the batch after this one.
    pub(crate) fn next_timestamp(&self, now: u32) -> u32 {
        self.timestamp.max(now)
    }

    /// Whether an operation from L1 may still go in: those stand first.
    pub(crate) fn takes_l1(&self) -> bool {
        self.op_count() == self.l1_count
    }

    /// What slots of this batch share.
    pub(crate) const fn context(&self, timestamp: u32) -> Context {
        let BatchRules { geometry, domain, fee_account, .. } = self.rules;
        Context { geometry, domain, timestamp, fee_account }
    }

    /// Puts in an operation that makes these accesses, if it fits, and gives its position.
    ///
    /// # Panics
    /// If an L1 operation comes after a transaction.
    pub(crate) fn put(&mut self, operation: &Operation, addresses: &[u32; PORTS], now: u32) -> Option<u32> {
        let (position, timestamp) = (self.op_count(), self.timestamp(now));
        let from_l1 = operation.code().is_l1();
        assert!(!from_l1 || self.takes_l1(), "operations from L1 stand first");
        if !self.rows.try_add(addresses) {
            return None;
        }
        self.timestamp = timestamp;
        self.l1_count += u32::from(from_l1);
        self.filling_since.get_or_insert_with(Instant::now);
        Some(position)
    }

    /// Whether a word's value before this batch still has to be put on record.
    pub(crate) fn first_change(&mut self, address: u32) -> bool {
        self.undo_known.insert(address)
    }

    /// When the timer seals it, if nothing does before.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.filling_since.map(|since| since + self.rules.timeout)
    }

    /// The smallest shape that holds it as it stands.
    ///
    /// # Panics
    /// If even the largest does not: it was never filled beyond that.
    fn shape(&self) -> Shape {
        self.rules.shapes.choose(&self.rows).expect("the largest shape holds the batch")
    }

    /// The row as it stands.
    pub(crate) fn row(&self, sealed: bool) -> BatchRow {
        let Self { number, timestamp, l1_count, .. } = *self;
        BatchRow { number, timestamp, sealed, shape: self.shape().id, l1_count, op_count: self.op_count() }
    }

    /// Seals it, and becomes the empty batch after it; the sealed batch's row.
    pub(crate) fn seal(&mut self, now: u32) -> BatchRow {
        let row = self.row(true);
        self.timestamp = self.next_timestamp(now);
        self.number = self.number.next();
        self.l1_count = 0;
        self.rows.clear();
        self.filling_since = None;
        self.undo_known.clear();
        row
    }
}
