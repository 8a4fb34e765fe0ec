//! Which way is faster here and now. A plan knows who waits for whom, but not what a second core gives on this machine at this
//! moment, so both ways are timed: most jobs take the faster one, and few enough the other to notice when that changes.

use crate::Path;
use std::time::Duration;

/// Jobs of a try of the slower way: in parallel enough of them to wake the threads and fill their caches.
const PROBE_PARALLEL: usize = 1 << 16;
const PROBE_LOOP: usize = 1 << 14;
/// Jobs between two tries, at first; each that changes nothing doubles that.
const INTERVAL_MIN: usize = 1 << 19;
/// Jobs between two tries, at most.
const INTERVAL_MAX: usize = 1 << 22;
/// Jobs between two looks at the clock, at most.
const STRETCH_MAX: usize = 1 << 14;
/// Jobs over which the faster way's time is averaged, about.
const MEMORY: f64 = 65_536.0;
/// A slower sample counts as so many times what is known, at most: a thread that was preempted says little.
const SLOWER_MAX: f64 = 2.0;

/// What is known of the two ways.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Nanoseconds a job.
    in_loop: Option<f64>,
    parallel: Option<f64>,
    probe: Option<Probe>,
    /// Jobs until the slower way is tried again.
    until_probe: usize,
    interval: usize,
}

/// A try that has begun.
#[derive(Debug)]
struct Probe {
    path: Path,
    left: usize,
    jobs: usize,
    time: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        let probe = Some(Probe::new(Path::Parallel));
        Self { in_loop: None, parallel: None, probe, until_probe: INTERVAL_MIN, interval: INTERVAL_MIN }
    }
}

impl Probe {
    const fn new(path: Path) -> Self {
        let left = match path {
            Path::Parallel => PROBE_PARALLEL,
            Path::Sequential => PROBE_LOOP,
        };
        Self { path, left, jobs: 0, time: Duration::ZERO }
    }
}

impl Pace {
    /// How to run the next jobs, and how many of them at most.
    pub(crate) fn next(&self) -> (Path, usize) {
        match &self.probe {
            Some(probe) => (probe.path, probe.left.min(STRETCH_MAX)),
            None if self.slower() == Path::Parallel => (Path::Sequential, self.until_probe.min(STRETCH_MAX)),
            None => (Path::Parallel, self.until_probe.min(STRETCH_MAX)),
        }
    }

    /// Takes note of how long jobs took.
    pub(crate) fn record(&mut self, path: Path, jobs: usize, time: Duration) {
        if let Some(probe) = self.probe.as_mut().filter(|probe| probe.path == path) {
            probe.left = probe.left.saturating_sub(jobs);
            probe.jobs += jobs;
            probe.time += time;
            if probe.left == 0 {
                let sample = probe.time.as_nanos() as f64 / probe.jobs as f64;
                self.end_probe(path, sample);
            }
        } else if jobs > 0 {
            let slower = self.slower();
            let sample = time.as_nanos() as f64 / jobs as f64;
            let weight = (jobs as f64 / MEMORY).min(1.0);
            let known = self.known(path);
            *known = known.map(|known| known + weight * (sample.min(SLOWER_MAX * known) - known));
            self.until_probe = self.until_probe.saturating_sub(jobs);
            if self.until_probe == 0 && self.probe.is_none() {
                self.probe = Some(Probe::new(slower));
            }
        }
    }

    fn end_probe(&mut self, path: Path, sample: f64) {
        let before = (self.in_loop.is_some() && self.parallel.is_some()).then(|| self.slower());
        *self.known(path) = Some(sample);
        self.probe = (self.in_loop.is_none()).then(|| Probe::new(Path::Sequential));
        let unchanged = before == Some(self.slower());
        self.interval = if unchanged { INTERVAL_MAX.min(2 * self.interval) } else { INTERVAL_MIN };
        self.until_probe = self.interval;
    }

    const fn known(&mut self, path: Path) -> &mut Option<f64> {
        match path {
            Path::Parallel => &mut self.parallel,
            Path::Sequential => &mut self.in_loop,
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

    /// Runs so many calls of `call` jobs at these costs; how many jobs ran in parallel.
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
            let (mut pace, calls) = (Pace::default(), 16_000_000 / call);
            let all = (call * calls) as f64;
            let parallel = run(&mut pace, call, calls, [250, 170]) as f64;
            assert!(parallel >= 0.99 * all, "calls of {call}: {parallel} of {all} in parallel, the faster way");
            // Now the other core is somebody else's.
            let parallel = run(&mut pace, call, calls, [250, 500]) as f64;
            assert!(parallel <= 0.05 * all, "calls of {call}: {parallel} of {all} in parallel, the slower way");
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
