//! How fast blocks become durable, to say when it is worth trying again.

use std::time::{Duration, Instant};

/// Nobody is told to come back sooner.
pub(super) const PAUSE_MIN: Duration = Duration::from_millis(100);
/// Nor later.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How much of the past counts: this part of it is forgotten with each block.
const FORGET: u64 = 8;

/// Transactions made durable, and the time that it took, the latest counting most.
#[derive(Debug)]
pub(super) struct Pace {
    /// In thousandths, so that little is lost in forgetting.
    count: u64,
    time_us: u64,
    last: Instant,
}

impl Pace {
    pub(super) const fn new(now: Instant) -> Self {
        Self { count: 0, time_us: 0, last: now }
    }

    /// Notes that `count` more are durable.
    pub(super) fn note(&mut self, count: usize, now: Instant) {
        // A quiet time says nothing about how fast it goes.
        let time = now.duration_since(self.last).min(PAUSE_MAX);
        self.count = self.count - self.count / FORGET + 1000 * count as u64;
        self.time_us = self.time_us - self.time_us / FORGET + time.as_micros() as u64;
        self.last = now;
    }

    /// How long it takes until `waiting` more are durable.
    pub(super) fn pause(&self, waiting: usize) -> Duration {
        let time_us = (waiting as u64).saturating_mul(1000).saturating_mul(self.time_us) / self.count.max(1);
        Duration::from_micros(time_us).clamp(PAUSE_MIN, PAUSE_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_follows_the_pace() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        assert_eq!(pace.pause(0), PAUSE_MIN);
        let at = |n: u32| start + Duration::from_millis(100) * n;
        (1..50).for_each(|n| pace.note(100, at(n)));
        // A thousand a second.
        let near = |found: Duration, expected: u64| found.abs_diff(Duration::from_millis(expected)) < Duration::from_millis(40);
        assert!(near(pace.pause(2_000), 2_000), "{:?}", pace.pause(2_000));
        (50..100).for_each(|n| pace.note(10, at(n)));
        assert!(near(pace.pause(50), 500), "{:?}", pace.pause(50));
        assert_eq!(pace.pause(1_000_000), PAUSE_MAX);
    }
}
