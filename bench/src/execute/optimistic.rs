//! Block-STM, the field's usual optimistic executor, in its plain form: run everything at once on a multi-version memory,
//! validate what was read, run again what read too early.
//!
//! Source: Gelashvili et al., "Block-STM: Scaling Blockchain Execution by Turning Ordering Curse to a Performance
//! Blessing" (PPoPP 2023), algorithms 1 to 5. As in pevm, the fee account's balance is left out of the conflicts and added
//! up at the end; otherwise every operation would conflict with every other.

use super::baseline::{Fees, Kept, Results, settle_fees};
use super::scheduler::{Scheduler, Task};
use sheaf_core::F;
use sheaf_core::slot::{Context, Memory, PORTS, Port, SlotError, apply};
use sheaf_executor::{Job, Words};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Independent maps of the multi-version memory.
const SHARDS: usize = 256;

/// Which run of which operation wrote a value; `None` is the state before the block.
type Version = Option<(usize, usize)>;

/// One operation's write of a word.
#[derive(Clone, Copy)]
enum Written {
    /// By this incarnation.
    Value(usize, F),
    /// An aborted incarnation wrote it, the next one probably will again.
    Estimate,
}

/// The multi-version memory.
struct Versions {
    shards: Vec<Mutex<HashMap<u32, BTreeMap<usize, Written>>>>,
    reads: Vec<Mutex<Vec<(u32, Version)>>>,
    writes: Vec<Mutex<Vec<u32>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Versions {
    fn new(count: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            reads: (0..count).map(|_| Mutex::default()).collect(),
            writes: (0..count).map(|_| Mutex::default()).collect(),
        }
    }

    fn shard(&self, address: u32) -> MutexGuard<'_, HashMap<u32, BTreeMap<usize, Written>>> {
        lock(&self.shards[address as usize / 4 % SHARDS])
    }

    /// The latest write below `index`, or the operation that has to run again before it can be known.
    fn read(&self, base: &Words, address: u32, index: usize) -> Result<(Version, F), usize> {
        match self.shard(address).get(&address).and_then(|versions| versions.range(..index).next_back()) {
            Some((writer, Written::Value(incarnation, value))) => Ok((Some((*writer, *incarnation)), *value)),
            Some((writer, Written::Estimate)) => Err(*writer),
            None => Ok((None, base.get(address))),
        }
    }

    /// Takes over an incarnation's reads and writes, and says whether it wrote where the last one did not.
    fn record(&self, index: usize, incarnation: usize, reads: Vec<(u32, Version)>, writes: &[(u32, F)]) -> bool {
        let mut before = lock(&self.writes[index]);
        for (address, value) in writes {
            self.shard(*address).entry(*address).or_default().insert(index, Written::Value(incarnation, *value));
        }
        for address in before.iter().filter(|a| writes.iter().all(|(b, _)| b != *a)) {
            self.shard(*address).entry(*address).or_default().remove(&index);
        }
        let wrote_new = writes.iter().any(|(address, _)| !before.contains(address));
        *before = writes.iter().map(|(address, _)| *address).collect();
        *lock(&self.reads[index]) = reads;
        wrote_new
    }

    fn is_valid(&self, base: &Words, index: usize) -> bool {
        let reads = lock(&self.reads[index]);
        reads.iter().all(|(address, version)| self.read(base, *address, index).is_ok_and(|(now, _)| now == *version))
    }

    fn mark_estimates(&self, index: usize) {
        for address in lock(&self.writes[index]).iter() {
            self.shard(*address).entry(*address).or_default().insert(index, Written::Estimate);
        }
    }

    /// The last value of every word that was written.
    fn last_values(self) -> Vec<(u32, F)> {
        let of = |(address, versions): (u32, BTreeMap<usize, Written>)| match versions.into_values().next_back() {
            Some(Written::Value(_, value)) => Some((address, value)),
            Some(Written::Estimate) | None => None,
        };
        let maps = self.shards.into_iter().map(|shard| shard.into_inner().unwrap_or_else(PoisonError::into_inner));
        maps.flat_map(|map| map.into_iter().filter_map(of).collect::<Vec<_>>()).collect()
    }
}

/// What one incarnation sees and does.
struct View<'a> {
    versions: &'a Versions,
    base: &'a Words,
    index: usize,
    fees: Fees,
    reads: RefCell<Vec<(u32, Version)>>,
    writes: Vec<(u32, F)>,
    /// The operation that it has to wait for.
    blocked: Cell<Option<usize>>,
}

impl Memory for View<'_> {
    fn read(&self, address: u32) -> F {
        if self.fees.deferred(address) {
            return F::from(0u64);
        }
        if let Some((_, value)) = self.writes.iter().find(|(a, _)| *a == address) {
            return *value;
        }
        match self.versions.read(self.base, address, self.index) {
            Ok((version, value)) => {
                self.reads.borrow_mut().push((address, version));
                value
            }
            Err(writer) => {
                self.blocked.set(Some(writer));
                F::from(0u64)
            }
        }
    }

    fn write(&mut self, address: u32, value: F) {
        if self.fees.deferred(address) {
            return;
        }
        match self.writes.iter_mut().find(|(a, _)| *a == address) {
            Some((_, old)) => *old = value,
            None => self.writes.push((address, value)),
        }
    }
}

type Ran = Result<[Port; PORTS], SlotError>;

/// Everything that the workers share.
struct Block<'a> {
    ctx: &'a Context,
    words: &'a Words,
    jobs: &'a [Job],
    versions: Versions,
    scheduler: Scheduler,
    results: Vec<Mutex<Option<Ran>>>,
}

impl Block<'_> {
    fn work(&self) {
        let mut task = None;
        while let Some(next) = task.take().or_else(|| self.scheduler.next_task()) {
            task = match next {
                Task::Execute { index, incarnation } => self.run(index, incarnation),
                Task::Validate { index, incarnation } => {
                    let aborted = !self.versions.is_valid(self.words, index) && self.scheduler.try_abort(index, incarnation);
                    if aborted {
                        self.versions.mark_estimates(index);
                    }
                    self.scheduler.finish_validation(index, aborted)
                }
                Task::Look => None,
            };
        }
    }

    fn run(&self, index: usize, incarnation: usize) -> Option<Task> {
        let job = &self.jobs[index];
        let mut view = View {
            versions: &self.versions,
            base: self.words,
            index,
            fees: Fees::of(self.ctx, &job.operation),
            reads: RefCell::default(),
            writes: Vec::new(),
            blocked: Cell::new(None),
        };
        let result = apply(self.ctx, &job.operation, job.signed.as_ref(), &mut view);
        if let Some(blocking) = view.blocked.get() {
            // It has to be run again once the other one was, unless that happened meanwhile.
            let waits = self.scheduler.add_dependency(index, blocking);
            return (!waits).then_some(Task::Execute { index, incarnation });
        }
        if result.is_err() {
            view.writes.clear();
        }
        let wrote_new = self.versions.record(index, incarnation, view.reads.into_inner(), &view.writes);
        *lock(&self.results[index]) = Some(result);
        self.scheduler.finish_execution(index, incarnation, wrote_new)
    }
}

/// Executes `jobs` in parallel with the result of their order.
pub(super) fn execute(pool: &rayon::ThreadPool, ctx: &Context, words: &mut Words, jobs: &[Job]) -> Results {
    let block = Block {
        ctx,
        words,
        jobs,
        versions: Versions::new(jobs.len()),
        scheduler: Scheduler::new(jobs.len()),
        results: jobs.iter().map(|_| Mutex::default()).collect(),
    };
    pool.broadcast(|_| block.work());
    let Block { versions, results, .. } = block;
    let unlocked = results.into_iter().map(|r| r.into_inner().unwrap_or_else(PoisonError::into_inner));
    let mut results: Vec<Kept> = unlocked.map(|r| r.expect("every operation ran")).collect();
    for (address, value) in versions.last_values() {
        words.set(address, value);
    }
    settle_fees(ctx, words, jobs, &mut results);
    results
}
