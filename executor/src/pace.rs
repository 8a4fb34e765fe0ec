//! Which way is faster here and now. A plan knows who waits for whom, but not what a second core gives on this machine at this
//! moment, so both ways are timed: most jobs take the faster one, and few enough the other to notice when that changes.

use crate::Path;
use std::time::Duration;

/// Jobs that are run in the loop to time it.
const LOOP_PROBE: usize = 1024;
/// Jobs that are run in parallel to time that: some windows, since only the first is planned while nothing runs.
const PARALLEL_PROBE: usize = 10 * crate::WINDOW;
/// Fewer jobs than this are too few to be timed.
const SAMPLE_MIN: usize = 256;
/// Jobs between two tries of the slower way, at first; each that shows it slower again doubles that.
const INTERVAL_MIN: usize = 1 << 15;
/// Jobs between two tries of the slower way, at most.
const INTERVAL_MAX: usize = 1 << 19;
/// Jobs between two looks at the clock, at most.
const STRETCH_MAX: usize = 1 << 14;
/// How much a new sample counts of the way that most jobs take, and of the other, which has fewer.
const WEIGHTS: [f64; 2] = [0.25, 0.5];
/// A slower sample counts as so many times what is known, at most: a thread that was preempted says little.
const SLOWER_MAX: f64 = 2.0;

/// What is known of the two ways.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Nanoseconds a job.
    in_loop: Option<f64>,
    parallel: Option<f64>,
    /// Jobs until the slower way is tried again.
    until_probe: usize,
    interval: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self { in_loop: None, parallel: None, until_probe: INTERVAL_MIN, interval: INTERVAL_MIN }
    }
}

impl Pace {
    /// How to run the next jobs, and how many of them at most.
    pub(crate) fn next(&self) -> (Path, usize) {
        let probe = |path| (path, if path == Path::Parallel { PARALLEL_PROBE } else { LOOP_PROBE });
        match (self.in_loop, self.parallel) {
            (_, None) => probe(Path::Parallel),
            (None, _) => probe(Path::Sequential),
            _ if self.until_probe == 0 => probe(self.slower()),
            _ if self.slower() == Path::Parallel => (Path::Sequential, self.until_probe.min(STRETCH_MAX)),
            _ => (Path::Parallel, self.until_probe.min(STRETCH_MAX)),
        }
    }

    /// Takes note of how long jobs took.
    pub(crate) fn record(&mut self, path: Path, jobs: usize, time: Duration) {
        let tried_slower = self.until_probe == 0 && path == self.slower();
        self.until_probe = self.until_probe.saturating_sub(jobs);
        if jobs < SAMPLE_MIN {
            return;
        }
        let slower = self.slower();
        let sample = time.as_nanos() as f64 / jobs as f64;
        let known = if path == Path::Parallel { &mut self.parallel } else { &mut self.in_loop };
        let weight = WEIGHTS[usize::from(tried_slower)];
        *known = Some(known.map_or(sample, |known| known + weight * (sample.min(SLOWER_MAX * known) - known)));
        if slower != self.slower() {
            (self.interval, self.until_probe) = (INTERVAL_MIN, INTERVAL_MIN);
        } else if tried_slower {
            self.interval = INTERVAL_MAX.min(2 * self.interval);
            self.until_probe = self.interval;
        }
    }

    fn slower(&self) -> Path {
        match (self.in_loop, self.parallel) {
            (Some(in_loop), Some(parallel)) if parallel >= in_loop => Path::Parallel,
            _ => Path::Sequential,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs so many jobs of calls of `call` jobs at these costs; how many ran in parallel.
    fn run(pace: &mut Pace, call: usize, calls: usize, [in_loop, parallel]: [u64; 2]) -> usize {
        let mut ran = 0;
        for _ in 0..calls {
            let mut left = call;
            while left > 0 {
                let (path, limit) = pace.next();
                let jobs = left.min(limit);
                let ns = if path == Path::Parallel { parallel } else { in_loop };
                pace.record(path, jobs, Duration::from_nanos(ns * jobs as u64));
                ran += if path == Path::Parallel { jobs } else { 0 };
                left -= jobs;
            }
        }
        ran
    }

    #[test]
    fn most_take_the_faster_way_and_a_change_is_noticed() {
        for call in [300, 1_000, 10_000, 100_000] {
            let (mut pace, calls) = (Pace::default(), 4_000_000 / call);
            let all = (call * calls) as f64;
            let parallel = run(&mut pace, call, calls, [250, 170]) as f64;
            assert!(parallel >= 0.99 * all, "calls of {call}: {parallel} of {all} in parallel, the faster way");
            // Now the other core is somebody else's.
            let parallel = run(&mut pace, call, calls, [250, 500]) as f64;
            assert!(parallel <= 0.04 * all, "calls of {call}: {parallel} of {all} in parallel, the slower way");
            run(&mut pace, call, calls, [250, 170]);
            let parallel = run(&mut pace, call, calls, [250, 170]) as f64;
            assert!(parallel >= 0.99 * all, "calls of {call}: {parallel} of {all} in parallel, the faster way again");
        }
    }

    #[test]
    fn a_single_slow_moment_of_the_faster_way_changes_little() {
        let mut pace = Pace::default();
        run(&mut pace, 10_000, 100, [250, 170]);
        pace.record(Path::Parallel, 10_000, Duration::from_millis(50));
        let parallel = run(&mut pace, 10_000, 100, [250, 170]);
        assert!(parallel > 900_000, "{parallel} of 1,000,000");
    }
}
