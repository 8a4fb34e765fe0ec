//! Block-STM's collaborative scheduler (algorithms 4 and 5 of the paper).

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a worker does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Run an operation.
    Execute { index: usize, incarnation: usize },
    /// See whether what it read still holds.
    Validate { index: usize, incarnation: usize },
    /// Nothing at the moment: look again.
    Look,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Ready,
    Executing,
    Executed,
    Aborting,
}

struct State {
    incarnation: usize,
    status: Status,
}

/// Which operation is run or validated next, and when all is done.
pub(super) struct Scheduler {
    count: usize,
    execution: AtomicUsize,
    validation: AtomicUsize,
    /// How often one of the two was set back.
    decreases: AtomicUsize,
    active: AtomicUsize,
    done: AtomicBool,
    states: Vec<Mutex<State>>,
    waiting: Vec<Mutex<Vec<usize>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Scheduler {
    pub(super) fn new(count: usize) -> Self {
        let state = || Mutex::new(State { incarnation: 0, status: Status::Ready });
        Self {
            count,
            execution: AtomicUsize::new(0),
            validation: AtomicUsize::new(0),
            decreases: AtomicUsize::new(0),
            active: AtomicUsize::new(0),
            done: AtomicBool::new(count == 0),
            states: (0..count).map(|_| state()).collect(),
            waiting: (0..count).map(|_| Mutex::default()).collect(),
        }
    }

    /// The next task; `None` when the block is done.
    pub(super) fn next_task(&self) -> Option<Task> {
        if self.done.load(Ordering::SeqCst) {
            return None;
        }
        let (validation, execution) = (self.validation.load(Ordering::SeqCst), self.execution.load(Ordering::SeqCst));
        let task = if validation < execution { self.next_validation() } else { self.next_execution() };
        Some(task.unwrap_or_else(|| {
            std::hint::spin_loop();
            Task::Look
        }))
    }

    fn check_done(&self) {
        let decreases = self.decreases.load(Ordering::SeqCst);
        let least = self.execution.load(Ordering::SeqCst).min(self.validation.load(Ordering::SeqCst));
        if least >= self.count && self.active.load(Ordering::SeqCst) == 0 && decreases == self.decreases.load(Ordering::SeqCst) {
            self.done.store(true, Ordering::SeqCst);
        }
    }

    /// Begins an operation's next incarnation, if it may run.
    fn try_incarnate(&self, index: usize) -> Option<Task> {
        if index < self.count {
            let mut state = lock(&self.states[index]);
            if state.status == Status::Ready {
                state.status = Status::Executing;
                return Some(Task::Execute { index, incarnation: state.incarnation });
            }
        }
        self.active.fetch_sub(1, Ordering::SeqCst);
        None
    }

    fn next_execution(&self) -> Option<Task> {
        if self.execution.load(Ordering::SeqCst) >= self.count {
            self.check_done();
            return None;
        }
        self.active.fetch_add(1, Ordering::SeqCst);
        let index = self.execution.fetch_add(1, Ordering::SeqCst);
        self.try_incarnate(index)
    }

    fn next_validation(&self) -> Option<Task> {
        if self.validation.load(Ordering::SeqCst) >= self.count {
            self.check_done();
            return None;
        }
        self.active.fetch_add(1, Ordering::SeqCst);
        let index = self.validation.fetch_add(1, Ordering::SeqCst);
        if index < self.count {
            let state = lock(&self.states[index]);
            if state.status == Status::Executed {
                return Some(Task::Validate { index, incarnation: state.incarnation });
            }
        }
        self.active.fetch_sub(1, Ordering::SeqCst);
        None
    }

    /// Makes `index` wait for `blocking`; false if that was executed meanwhile.
    pub(super) fn add_dependency(&self, index: usize, blocking: usize) -> bool {
        let mut waiting = lock(&self.waiting[blocking]);
        if lock(&self.states[blocking]).status == Status::Executed {
            return false;
        }
        lock(&self.states[index]).status = Status::Aborting;
        waiting.push(index);
        drop(waiting);
        self.active.fetch_sub(1, Ordering::SeqCst);
        true
    }

    fn set_ready(&self, index: usize) {
        let mut state = lock(&self.states[index]);
        state.incarnation += 1;
        state.status = Status::Ready;
    }

    fn set_back(&self, counter: &AtomicUsize, target: usize) {
        counter.fetch_min(target, Ordering::SeqCst);
        self.decreases.fetch_add(1, Ordering::SeqCst);
    }

    /// The incarnation ran.
    pub(super) fn finish_execution(&self, index: usize, incarnation: usize, wrote_new: bool) -> Option<Task> {
        lock(&self.states[index]).status = Status::Executed;
        let waiting = std::mem::take(&mut *lock(&self.waiting[index]));
        for waiter in &waiting {
            self.set_ready(*waiter);
        }
        if let Some(least) = waiting.iter().min() {
            self.set_back(&self.execution, *least);
        }
        if self.validation.load(Ordering::SeqCst) > index {
            if !wrote_new {
                return Some(Task::Validate { index, incarnation });
            }
            self.set_back(&self.validation, index);
        }
        self.active.fetch_sub(1, Ordering::SeqCst);
        None
    }

    /// Whether this validation is the one that aborts the incarnation.
    pub(super) fn try_abort(&self, index: usize, incarnation: usize) -> bool {
        let mut state = lock(&self.states[index]);
        let first = state.incarnation == incarnation && state.status == Status::Executed;
        if first {
            state.status = Status::Aborting;
        }
        first
    }

    /// The validation is over.
    pub(super) fn finish_validation(&self, index: usize, aborted: bool) -> Option<Task> {
        if aborted {
            self.set_ready(index);
            self.set_back(&self.validation, index + 1);
            if self.execution.load(Ordering::SeqCst) > index {
                return self.try_incarnate(index);
            }
        }
        self.active.fetch_sub(1, Ordering::SeqCst);
        None
    }
}
