//! The scheduler under a model checker: every order in which threads may act, and every value that memory may show.
//!
//! `cargo test -p sheaf-executor --features loom --test loom`

use loom::sync::atomic::{AtomicU32, Ordering};
use sheaf_executor::schedule::{NONE, Policy, Schedule, Sound, Tasks};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

/// `edges[t]`: the tasks that wait for task `t`.
type Graph = &'static [[u32; 3]];

const CHAIN: Graph = &[[1, NONE, NONE], [2, NONE, NONE], [NONE; 3]];
const JOIN: Graph = &[[2, NONE, NONE], [2, NONE, NONE], [NONE; 3]];
const FORK: Graph = &[[1, 2, NONE], [NONE; 3], [NONE; 3]];
const TWICE: Graph = &[[1, 1, NONE], [NONE; 3]];
const DIAMOND: Graph = &[[1, 2, NONE], [3, NONE, NONE], [3, NONE, NONE], [NONE; 3]];
const APART: Graph = &[[NONE; 3], [NONE; 3], [NONE; 3]];

/// As production, but that threads take one task at a time.
struct Fine;

impl Policy for Fine {
    const CHUNK: usize = 1;
}

/// Does not order what a task wrote before what its successor reads.
struct Unordered;

impl Policy for Unordered {
    const FINISH: Ordering = Ordering::Relaxed;
    const CHUNK: usize = 1;
}

/// Forgets the scanner's share.
struct NoScanner;

impl Policy for NoScanner {
    const SCANNER: u32 = 0;
    const CHUNK: usize = 1;
}

/// What the tasks of one run share: how often each ran, and a word that each writes, as operations write words.
struct Shared<P> {
    schedule: Schedule<P>,
    graph: Graph,
    runs: Vec<AtomicU32>,
    words: Vec<AtomicU32>,
    /// What went wrong. No part of the model, which can't unwind out of a task.
    faults: Mutex<Vec<String>>,
}

struct Worker<P>(Arc<Shared<P>>);

impl<P> Tasks for Worker<P> {
    fn run(&mut self, task: u32) {
        let fault = |text: String| self.0.faults.lock().unwrap().push(text);
        if self.0.runs[task as usize].fetch_add(1, Ordering::Relaxed) != 0 {
            fault(format!("task {task} ran twice"));
        }
        let predecessors = self.0.graph.iter().enumerate().filter(|(_, next)| next.contains(&task));
        for (predecessor, _) in predecessors {
            if self.0.words[predecessor].load(Ordering::Relaxed) != 1 {
                fault(format!("task {task} does not see what task {predecessor} wrote"));
            }
        }
        self.0.words[task as usize].store(1, Ordering::Relaxed);
    }

    fn successors(&self, task: u32) -> [u32; 3] {
        self.0.graph[task as usize]
    }
}

fn check<P: Policy + Send + Sync + 'static>(graph: Graph, threads: usize) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(move || {
        let mut schedule = Schedule::<P>::default();
        for task in 0..graph.len() as u32 {
            schedule.push(graph.iter().flatten().filter(|next| **next == task).count() as u32);
        }
        let cells = || graph.iter().map(|_| AtomicU32::new(0)).collect();
        let shared = Arc::new(Shared { schedule, graph, runs: cells(), words: cells(), faults: Mutex::default() });
        let work = |shared: Arc<Shared<P>>| move || shared.schedule.work(&mut Worker(shared.clone()), &mut Vec::new());
        let others: Vec<_> = (1..threads).map(|_| loom::thread::spawn(work(shared.clone()))).collect();
        work(shared.clone())();
        others.into_iter().for_each(|thread| thread.join().unwrap());
        let runs: Vec<_> = shared.runs.iter().map(|runs| runs.load(Ordering::Relaxed)).collect();
        let faults = std::mem::take(&mut *shared.faults.lock().unwrap());
        drop(shared);
        assert!(faults.is_empty() && runs.iter().all(|runs| *runs == 1), "{faults:?}, runs {runs:?}");
    });
}

fn finds_the_fault<P: Policy + Send + Sync + 'static>(graph: Graph) {
    assert!(catch_unwind(AssertUnwindSafe(|| check::<P>(graph, 2))).is_err(), "the model checker must find the fault");
}

#[test]
fn every_task_runs_once_after_its_predecessors_on_two_threads() {
    for graph in [CHAIN, JOIN, FORK, TWICE, DIAMOND, APART] {
        check::<Fine>(graph, 2);
    }
}

#[test]
fn every_task_runs_once_after_its_predecessors_on_three_threads() {
    for graph in [CHAIN, JOIN, FORK, TWICE] {
        check::<Fine>(graph, 3);
    }
}

#[test]
fn the_policy_of_production_holds() {
    check::<Sound>(DIAMOND, 2);
    assert_eq!((Sound::FINISH, Sound::SCANNER), (Fine::FINISH, Fine::SCANNER), "the models check what runs");
}

#[test]
fn a_missing_order_is_found() {
    finds_the_fault::<Unordered>(CHAIN);
}

#[test]
fn a_lost_share_of_the_scanner_is_found() {
    finds_the_fault::<NoScanner>(CHAIN);
}
