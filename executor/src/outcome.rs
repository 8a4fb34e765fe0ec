//! What became of each job.

use crate::plan::Plan;
use sheaf_core::slot::{PORTS, Port, SlotError};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How operations were executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// All in one loop.
    Sequential,
    /// At least one window by several threads.
    Parallel,
}

/// What the plans of a call looked like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Windows that ran in parallel.
    pub windows: usize,
    /// Operations in these windows.
    pub parallel: usize,
    /// Operations in the longest chain, within one window, in which each waits for the one before.
    pub critical_path: u32,
    /// How often an operation waited for another.
    pub waits: u64,
}

/// A record whose credits were added later.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unpatched {
    /// Its index in [`Buffer::ports`].
    pub(crate) record: u32,
    /// Its operation's number in the window.
    pub(crate) operation: u32,
    /// Which of ports 6 and 7 were deferred.
    pub(crate) deferred: [bool; 2],
}

/// Results that one thread wrote.
#[derive(Default)]
pub(crate) struct Buffer {
    pub(crate) ports: Vec<[Port; PORTS]>,
    pub(crate) errors: Vec<SlotError>,
    /// Records of the last window whose deferred credits still lack the balances.
    pub(crate) unpatched: Vec<Unpatched>,
    /// Operations that became ready while their thread ran another one.
    pub(crate) stack: Vec<u32>,
}

impl Buffer {
    fn clear(&mut self) {
        self.ports.clear();
        self.errors.clear();
        self.unpatched.clear();
    }

    /// Keeps a result, and gives its place.
    pub(crate) fn push(&mut self, thread: usize, result: Result<[Port; PORTS], SlotError>) -> u64 {
        let thread = (thread as u64) << 33;
        match result {
            Ok(ports) => {
                self.ports.push(ports);
                thread | (self.ports.len() - 1) as u64
            }
            Err(error) => {
                self.errors.push(error);
                thread | REFUSED | (self.errors.len() - 1) as u64
            }
        }
    }
}

/// Marks the place of a refusal.
pub(crate) const REFUSED: u64 = 1 << 32;

/// The result of each job of one call, in the order of the jobs.
///
/// It owns its memory. Give it back with [`Executor::recycle`](crate::Executor::recycle), so that the next call need not ask the system for it.
#[derive(Default)]
pub struct Outcome {
    pub(crate) buffers: Vec<Buffer>,
    /// Where each job's result is: thread, [`REFUSED`] or not, index.
    pub(crate) places: Vec<AtomicU64>,
    pub(crate) len: usize,
    pub(crate) statistics: Statistics,
}

impl Outcome {
    /// Empties it, with room for `len` results of `threads` threads.
    pub(crate) fn reset(&mut self, threads: usize, len: usize) {
        self.buffers.resize_with(threads, Buffer::default);
        self.buffers.iter_mut().for_each(Buffer::clear);
        if self.places.len() < len {
            self.places.resize_with(len, AtomicU64::default);
        }
        self.len = len;
        self.statistics = Statistics::default();
    }

    /// Takes a plan that ran into the statistics.
    pub(crate) fn count(&mut self, plan: &Plan) {
        let statistics = &mut self.statistics;
        statistics.windows += 1;
        statistics.parallel += plan.nodes.len();
        statistics.critical_path = statistics.critical_path.max(plan.critical_path);
        statistics.waits += plan.waits;
    }

    /// How the jobs were executed.
    pub fn path(&self) -> Path {
        if self.statistics.windows == 0 { Path::Sequential } else { Path::Parallel }
    }

    /// What the plans looked like.
    pub fn statistics(&self) -> Statistics {
        self.statistics
    }

    /// Number of jobs.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there were no jobs.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What job `i` did: its ports, with the values before and after.
    ///
    /// # Errors
    /// Why the slot function refused it; it then changed nothing.
    ///
    /// # Panics
    /// If there is no job `i`.
    pub fn get(&self, i: usize) -> Result<&[Port; PORTS], SlotError> {
        assert!(i < self.len, "there are {} jobs", self.len);
        let place = self.places[i].load(Relaxed);
        let (buffer, index) = (&self.buffers[(place >> 33) as usize], place as u32 as usize);
        if place & REFUSED == 0 { Ok(&buffer.ports[index]) } else { Err(buffer.errors[index]) }
    }

    /// All results, in the order of the jobs.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Result<&[Port; PORTS], SlotError>> + '_ {
        (0..self.len).map(|i| self.get(i))
    }
}
