//! Runs tasks on several threads, each once and after its predecessors, without locks and without a queue of ready tasks.
//!
//! A task's counter starts at the number of its predecessors and one for the scanner. Threads share a cursor that
//! scans the tasks in order; the scanner takes its share away, each predecessor takes one away when it is done, and
//! whoever brings the counter to zero runs the task. A thread first runs what it readied itself, while the
//! words that both tasks touch are in its cache.

use crate::sync::{AtomicU32, AtomicUsize};
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::atomic::Ordering;

/// No task.
pub const NONE: u32 = u32::MAX;

/// What a model checker may vary to see that it finds the fault. [`Sound`] is what runs.
pub trait Policy {
    /// How a finished task tells its successor. It must release what the task wrote and acquire what others released.
    const FINISH: Ordering = Ordering::AcqRel;
    /// What the scanner holds of a counter. It must be 1: else a task runs before it is scanned, and again then.
    const SCANNER: u32 = 1;
    /// Tasks that a thread takes from the cursor at a time.
    const CHUNK: usize = 16;
}

/// The policy of production.
#[derive(Clone, Copy, Debug)]
pub struct Sound;

impl Policy for Sound {}

/// What the tasks are.
pub trait Tasks {
    /// Says that these tasks come next, as far as they have not run and need not wait.
    fn approach(&mut self, _tasks: Range<usize>) {}
    /// Runs `task`.
    fn run(&mut self, task: u32);
    /// The tasks that wait for `task`, [`NONE`] among them. One that stands here twice waits twice.
    fn successors(&self, task: u32) -> [u32; 3];
}

/// The counters of one set of tasks, and the cursor over them.
pub struct Schedule<P = Sound> {
    cursor: AtomicUsize,
    pending: Vec<AtomicU32>,
    policy: PhantomData<P>,
}

impl<P: Policy> Default for Schedule<P> {
    fn default() -> Self {
        Self { cursor: AtomicUsize::new(0), pending: Vec::new(), policy: PhantomData }
    }
}

impl<P: Policy> Schedule<P> {
    /// Starts anew with no tasks.
    pub fn clear(&mut self) {
        self.cursor.store(0, Ordering::Relaxed);
        self.pending.clear();
    }

    /// Appends a task that waits for `predecessors` others.
    pub fn push(&mut self, predecessors: u32) {
        let pending = if predecessors == 0 { 0 } else { predecessors + P::SCANNER };
        self.pending.push(AtomicU32::new(pending));
    }

    /// Takes part in the work until there is nothing left to take. Every thread that calls this shares the work;
    /// all tasks are done when all these calls have returned. `stack` is empty before and after.
    pub fn work(&self, tasks: &mut impl Tasks, stack: &mut Vec<u32>) {
        loop {
            let start = self.cursor.fetch_add(P::CHUNK, Ordering::Relaxed);
            if start >= self.pending.len() {
                return;
            }
            let chunk = start..(start + P::CHUNK).min(self.pending.len());
            tasks.approach(chunk.clone());
            for task in chunk {
                if self.scan(task) {
                    self.run_from(task as u32, tasks, stack);
                }
            }
        }
    }

    /// Whether the scanner may run `task`. A counter is zero before its scan only if the task never had to wait.
    fn scan(&self, task: usize) -> bool {
        let pending = &self.pending[task];
        pending.load(Ordering::Relaxed) == 0 || pending.fetch_sub(P::SCANNER, Ordering::AcqRel) == P::SCANNER
    }

    /// Runs `task` and everything that becomes ready by it.
    fn run_from(&self, mut task: u32, tasks: &mut impl Tasks, stack: &mut Vec<u32>) {
        loop {
            tasks.run(task);
            let mut follow = None;
            for successor in tasks.successors(task) {
                if successor != NONE && self.pending[successor as usize].fetch_sub(1, P::FINISH) == 1 {
                    stack.extend(follow.replace(successor));
                }
            }
            match follow.or_else(|| stack.pop()) {
                Some(next) => task = next,
                None => return,
            }
        }
    }
}
