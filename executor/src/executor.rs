//! Executes jobs in one loop or in parallel windows, whichever is faster.

use crate::access::touch;
use crate::outcome::{Outcome, Path};
use crate::pace::Pace;
use crate::parallel::{Credits, Window, patch};
use crate::plan::{Plan, Planner};
use crate::words::{Word, Words};
use rayon::{ThreadPool, ThreadPoolBuilder};
use sheaf_core::operation::Operation;
use sheaf_core::slot::{Context, Signed, apply};
use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

/// Operations that are planned together. What a window needs stays in a core's second cache.
pub const WINDOW: usize = 1024;

/// Operations of a call's first window, for which nothing else can run while it is planned.
const FIRST_WINDOW: usize = 512;
/// Fewer operations than this are never worth waking other threads for.
const MIN_PARALLEL: usize = 256;
/// Operations that must be able to run at a time, for each thread, for threads not to stand idle.
const MIN_PARALLELISM: usize = 4;
/// What an operation costs in the loop, in a plan, and what waiting for another one adds where that ran on another
/// core, in units of about 50 ns.
const COSTS: Costs = Costs { in_loop: 4, planned: 6, wait: 2 };
/// Jobs whose words are fetched together.
const TOUCH: usize = 16;
/// After a plan was of no use, this many times its operations run in the loop before another is made, in this call and in
/// the next: that bounds what planning in vain costs.
const BACKOFF: usize = 16;

/// An operation to execute, and what its verified signature binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// The operation.
    pub operation: Operation,
    /// Present exactly for L2 operations, else the slot function refuses the job.
    pub signed: Option<Signed>,
}

/// Who chooses how to execute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The executor, by what its plan says.
    Auto,
    /// The caller. Operations that can't be planned run alone even so.
    Force(Path),
}

/// A pool of threads, and memory that is used again from call to call.
pub struct Executor {
    pool: ThreadPool,
    threads: usize,
    planner: Planner,
    /// The plan that runs, and the one that is made meanwhile.
    plans: [Plan; 2],
    /// Credits of the window that runs, and of the one before, whose ports are not patched yet.
    credits: [Credits; 2],
    /// Jobs that run in the loop before a plan is tried again.
    in_loop: usize,
    pace: Pace,
    spare: Outcome,
}

/// Measured costs of an operation.
struct Costs {
    in_loop: u64,
    planned: u64,
    wait: u64,
}

/// What a call is about.
#[derive(Clone, Copy)]
struct Call<'a> {
    ctx: &'a Context,
    jobs: &'a [Job],
    choice: Choice,
}

impl Executor {
    /// An executor with its own `threads` threads.
    ///
    /// # Panics
    /// If `threads` is 0, or the system gives no threads.
    pub fn new(threads: usize) -> Self {
        Self::with_window(threads, WINDOW)
    }

    /// An executor that plans `window` operations at a time.
    ///
    /// # Panics
    /// If `threads` or `window` is 0, or the system gives no threads.
    pub fn with_window(threads: usize, window: usize) -> Self {
        assert!(threads > 0 && window > 0, "an executor needs threads and a window");
        let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(|i| format!("executor-{i}")).build();
        let credits = || (0..window).map(|_| Word::default()).collect();
        Self {
            pool: pool.expect("the system gives threads"),
            threads,
            planner: Planner::new(window),
            plans: Default::default(),
            credits: [[credits(), credits()], [credits(), credits()]],
            in_loop: 0,
            pace: Pace::default(),
            spare: Outcome::default(),
        }
    }

    /// Number of threads.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Executes `jobs` in order on `words`: state and results are those of [`sheaf_core::slot::apply`] on one after the other,
    /// whatever the choice. A job that is refused changes nothing, and the others go on.
    ///
    /// Signatures are taken as verified.
    ///
    /// # Panics
    /// If an account is outside of the geometry, or `ctx` has another geometry than `words`.
    pub fn execute(&mut self, ctx: &Context, words: &mut Words, jobs: &[Job], choice: Choice) -> Outcome {
        assert_eq!(ctx.geometry, words.geometry(), "the context and the words must have one geometry");
        let mut outcome = std::mem::take(&mut self.spare);
        outcome.reset(self.threads, jobs.len());
        let call = Call { ctx, jobs, choice };
        let sequential = match choice {
            Choice::Force(path) => path == Path::Sequential,
            Choice::Auto => self.threads == 1 || jobs.len() < MIN_PARALLEL,
        };
        if sequential {
            call.run_in_order(words, 0..jobs.len(), &mut outcome);
        } else {
            self.run_planned(call, words, &mut outcome);
        }
        outcome
    }

    /// Takes back an outcome that is no longer needed, for its memory.
    pub fn recycle(&mut self, outcome: Outcome) {
        self.spare = outcome;
    }

    /// Plans, and runs in windows or in order: as the plans say, and then as the clock does.
    fn run_planned(&mut self, call: Call<'_>, words: &mut Words, outcome: &mut Outcome) {
        let forced = call.choice != Choice::Auto;
        if forced {
            self.in_loop = 0;
        }
        let mut at = 0;
        while at < call.jobs.len() {
            let (path, limit) = match self.in_loop {
                0 if forced => (Path::Parallel, usize::MAX),
                0 => self.pace.next(),
                jobs => (Path::Sequential, jobs),
            };
            let end = call.jobs.len().min(at.saturating_add(limit));
            let (start, started) = (at, Instant::now());
            at = match path {
                Path::Parallel => self.run_parallel(Call { jobs: &call.jobs[..end], ..call }, at, words, outcome),
                Path::Sequential => {
                    call.run_in_order(words, at..end, outcome);
                    self.in_loop = self.in_loop.saturating_sub(end - at);
                    end
                }
            };
            if !forced {
                self.pace.record(path, at - start, started.elapsed());
            }
        }
    }

    /// Runs windows from `start` until a plan is of no use, whose jobs are left to the loop. Gives the next job.
    fn run_parallel(&mut self, call: Call<'_>, start: usize, words: &mut Words, outcome: &mut Outcome) -> usize {
        let inputs = (call.ctx, &*words, call.jobs);
        self.planner.plan(&mut self.plans[0], inputs, (start, FIRST_WINDOW), call.useful(self.threads));
        let mut at = start;
        if !self.plans[0].hopeless {
            let Self { pool, threads, planner, plans, credits, .. } = self;
            at = pool.install(|| run_windows(call, words, outcome, (*threads, planner, plans, credits)));
        }
        let hopeless = if self.plans[0].hopeless { self.plans[0].range.len() } else { 0 };
        // The few jobs that are left at a call's end say nothing about those of the next.
        self.in_loop = if hopeless < MIN_PARALLEL { hopeless } else { BACKOFF * hopeless };
        at
    }
}

impl Call<'_> {
    /// Says from a plan's number of operations, critical path and waits whether to run it.
    fn useful(self, threads: usize) -> impl Fn(usize, u32, u64) -> bool + Send {
        let forced = self.choice != Choice::Auto;
        move |operations, critical_path, waits| {
            let (all, threads_u64) = (operations as u64, threads as u64);
            let in_loop = COSTS.in_loop * all * threads_u64;
            let planned = COSTS.planned * all + COSTS.wait * waits;
            // The plan must seem to win by a tenth, since it can only guess which core will run what.
            forced
                || operations >= MIN_PARALLEL
                    && operations >= critical_path as usize * threads * MIN_PARALLELISM
                    && 10 * in_loop >= 11 * planned
        }
    }

    /// Runs some of the jobs in one loop.
    fn run_in_order(self, words: &mut Words, range: Range<usize>, outcome: &mut Outcome) {
        let buffer = &mut outcome.buffers[0];
        let places = outcome.places[range.clone()].chunks(TOUCH);
        for (jobs, places) in self.jobs[range].chunks(TOUCH).zip(places) {
            touch(words, jobs);
            for (job, place) in jobs.iter().zip(places) {
                let result = apply(self.ctx, &job.operation, job.signed.as_ref(), words);
                place.store(buffer.push(0, result), Relaxed);
            }
        }
    }
}

/// Runs windows from the one that `plans[0]` holds until a plan is of no use or no job is left. Gives the next job.
fn run_windows(
    call: Call<'_>,
    words: &mut Words,
    outcome: &mut Outcome,
    (threads, planner, plans, credits): (usize, &mut Planner, &mut [Plan; 2], &mut [Credits; 2]),
) -> usize {
    loop {
        let [current, next] = &mut *plans;
        let [credits_now, credits_before] = &*credits;
        current.missing.iter().for_each(|address| words.reserve(*address));
        let window = Window {
            ctx: call.ctx,
            words,
            jobs: &call.jobs[current.range.clone()],
            plan: current,
            credits: credits_now,
            places: &outcome.places[current.range.clone()],
        };
        let behind = current.range.end + usize::from(current.alone);
        let useful = call.useful(threads);
        rayon::scope(|scope| {
            let mut buffers = outcome.buffers.iter_mut().enumerate();
            let (_, first) = buffers.next().expect("there is a thread");
            for (thread, buffer) in buffers {
                scope.spawn(move |_| {
                    patch(buffer, credits_before);
                    window.run(thread, buffer);
                });
            }
            planner.plan(next, (call.ctx, window.words, call.jobs), (behind, usize::MAX), useful);
            patch(first, credits_before);
            window.run(0, first);
        });
        rayon::scope(|scope| {
            (1..threads).for_each(|_| scope.spawn(move |_| window.fold_open()));
            window.fold_open();
        });
        outcome.count(current);
        if current.alone {
            call.run_in_order(words, current.range.end..behind, outcome);
        }
        plans.swap(0, 1);
        credits.swap(0, 1);
        if plans[0].hopeless || behind == call.jobs.len() {
            break;
        }
    }
    let credits_before = &credits[1];
    rayon::scope(|scope| {
        for buffer in &mut outcome.buffers {
            scope.spawn(|_| patch(buffer, credits_before));
        }
    });
    plans[0].range.start
}
