//! What an update of the tree tells whoever watches it.

use crate::F;
use crate::geometry::ARITY;
use std::sync::atomic::{AtomicU64, Ordering};

/// A node or quad that an update passed, changed or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// The node's id, or the quad's index.
    pub(crate) id: u32,
    /// The children's hashes, or the words, before.
    pub(crate) old: [F; ARITY],
    /// The same after.
    pub(crate) new: [F; ARITY],
    /// Its own hash, before and after.
    pub(crate) hashes: [F; 2],
}

/// Watches an update: each quad and node once, children before their parent, and within a level by id.
///
/// Subtrees are updated in parallel, each with a visitor of its own.
pub(crate) trait Visitor: Send + Sync {
    /// A visitor for a subtree.
    fn fork(&self) -> Self;
    /// Takes over what the visitor of a subtree saw. Comes in the order of ids.
    fn join(&mut self, other: Self);
    /// A quad was set, `words` of it.
    fn quad(&mut self, words: usize, change: Change);
    /// A node of this level was rehashed if a child changed; `active` tells which children were passed.
    fn node(&mut self, level: usize, active: [bool; ARITY], change: Change);
}

/// Nobody watches.
impl Visitor for () {
    fn fork(&self) -> Self {}
    fn join(&mut self, (): Self) {}
    fn quad(&mut self, _: usize, _: Change) {}
    fn node(&mut self, _: usize, _: [bool; ARITY], _: Change) {}
}

/// How far an update is, reported to a function every [`Progress::STEP_WORDS`] words or so.
pub(super) struct Progress<'a> {
    shared: &'a Shared<'a>,
    /// Words that this visitor saw and has not reported.
    unreported: u64,
}

/// What the visitors of one update share.
pub(super) struct Shared<'a> {
    done: AtomicU64,
    total: u64,
    report: &'a (dyn Fn(u64, u64) + Sync),
}

impl<'a> Shared<'a> {
    pub(super) fn new(total: u64, report: &'a (dyn Fn(u64, u64) + Sync)) -> Self {
        Self { done: AtomicU64::new(0), total, report }
    }
}

impl<'a> Progress<'a> {
    const STEP_WORDS: u64 = 1 << 12;

    pub(super) const fn new(shared: &'a Shared<'a>) -> Self {
        Self { shared, unreported: 0 }
    }

    /// Reports what is left to report.
    pub(super) fn flush(&mut self) {
        let words = std::mem::take(&mut self.unreported);
        let Shared { done, total, report } = self.shared;
        report(done.fetch_add(words, Ordering::Relaxed) + words, *total);
    }

    fn add(&mut self, words: u64) {
        self.unreported += words;
        if self.unreported >= Self::STEP_WORDS {
            self.flush();
        }
    }
}

impl Visitor for Progress<'_> {
    fn fork(&self) -> Self {
        Self::new(self.shared)
    }
    fn join(&mut self, other: Self) {
        self.add(other.unreported);
    }
    fn quad(&mut self, words: usize, _: Change) {
        self.add(words as u64);
    }
    fn node(&mut self, _: usize, _: [bool; ARITY], _: Change) {}
}
