//! Who leads, as others see it, and the leader's sign of life.
//!
//! One sequencer leads: it holds the writer's lock, commits under the latest epoch, and shows every now and then, on a
//! connection of its own, that it lives. The epoch is what makes a second writer impossible; lock and heartbeat only
//! decide when somebody else may begin the next one.
//!
//! ```mermaid
//! stateDiagram-v2
//!     [*] --> standby
//!     standby --> leader: nobody ever led, or the last one resigned
//!     standby --> leader: the lock is free, and no heartbeat for 2/5 of takeover_after_ms
//!     standby --> leader: no heartbeat for takeover_after_ms - the holder's connection is ended
//!     leader --> [*]: fenced - another epoch has begun
//!     leader --> [*]: told to stop - resigns
//! ```
//!
//! Silence is counted by the clock of whoever stands by, and only while the database answers: when the database was
//! away, nobody could show anything, and counting begins anew when it is back. So a leader gets as much time to come back
//! as it has at any other moment.

use crate::health::Health;
use crate::store::{self, Sighting, StoreError};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use std::time::{Duration, Instant};

/// Signs of life within the time after which a silent leader is replaced.
const BEATS: u32 = 5;
/// So many beats must be missing before a lock that is free is taken from a leader that did not resign: it may only have
/// lost the one connection.
const BEATS_MISSED_MAX: u32 = 2;

/// How often the leader shows that it lives.
pub(crate) fn beat_interval(takeover_after: Duration) -> Duration {
    takeover_after / BEATS
}

/// What to do about the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Somebody leads, or may come back.
    Wait,
    /// Nobody leads: the lock is free.
    Seize,
    /// Whoever holds the lock is gone or frozen.
    Depose,
}

/// Watches a leader.
#[derive(Debug)]
pub(crate) struct Vigil {
    takeover_after: Duration,
    /// What was seen last, and when.
    seen: Option<(Sighting, Instant)>,
    /// How long that has been the same while the database answered.
    silence: Duration,
    /// Whether a sign of life was seen to be given.
    life: bool,
}

impl Vigil {
    pub(crate) const fn new(takeover_after: Duration) -> Self {
        Self { takeover_after, seen: None, silence: Duration::ZERO, life: false }
    }

    /// The database did not answer: what was not seen since is nobody's fault.
    pub(crate) fn interrupted(&mut self) {
        self.seen = None;
        self.silence = Duration::ZERO;
    }

    /// Whether a leader has given a sign of life since the vigil began.
    pub(crate) const fn sees_life(&self) -> bool {
        self.life
    }

    /// Judges what is seen at `now`.
    pub(crate) fn look(&mut self, sighting: Sighting, now: Instant) -> Verdict {
        let beat = beat_interval(self.takeover_after);
        match &self.seen {
            // Between two looks that are far apart, something may have stood still that is not the leader: the
            // database, or this process. Such a gap counts as one beat only.
            Some((last, at)) if *last == sighting => self.silence += now.saturating_duration_since(*at).min(beat),
            Some((last, _)) => {
                self.life |= sighting.beat.is_some() && last.beat != sighting.beat;
                self.silence = Duration::ZERO;
            }
            None => self.silence = Duration::ZERO,
        }
        let verdict = match (&sighting.holder, &sighting.beat) {
            (None, None) => Verdict::Seize,
            (None, Some(_)) if self.silence >= beat * BEATS_MISSED_MAX => Verdict::Seize,
            (Some(_), _) if self.silence >= self.takeover_after => Verdict::Depose,
            _ => Verdict::Wait,
        };
        self.seen = Some((sighting, now));
        verdict
    }
}

/// The leader's sign of life, until it is fenced.
pub(crate) struct Heartbeat {
    pub(crate) options: PgConnectOptions,
    pub(crate) epoch: i64,
    /// Where others find the leader.
    pub(crate) address: String,
    pub(crate) interval: Duration,
    pub(crate) health: Health,
}

impl Heartbeat {
    /// Beats for ever, `connection` first.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when another one has taken over.
    pub(crate) async fn run(self, connection: PgConnection) -> Result<(), StoreError> {
        let mut connection = Some(connection);
        loop {
            let pause = match tokio::time::timeout(self.interval * 2, self.beat(&mut connection)).await {
                Ok(Ok(())) => {
                    self.health.recover("heartbeat");
                    self.interval
                }
                Ok(Err(StoreError::Fenced)) => return Err(StoreError::Fenced),
                // Whatever else it is, the epoch decides who may write. Nobody should take over only because of it, so
                // the next attempt comes soon.
                Ok(Err(error)) => {
                    connection = None;
                    self.complain(error.to_string())
                }
                Err(_) => {
                    connection = None;
                    self.complain("the database does not answer".to_owned())
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn beat(&self, connection: &mut Option<PgConnection>) -> Result<(), StoreError> {
        let connection = match connection {
            Some(connection) => connection,
            empty => empty.insert(self.options.connect().await?),
        };
        store::beat(connection, self.epoch, &self.address).await
    }

    /// Says why it can't beat, and gives the pause until the next attempt.
    fn complain(&self, reason: String) -> Duration {
        tracing::warn!(reason, "the leader can't show that it lives");
        self.health.complain("heartbeat", reason);
        self.interval / 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Beat, Holder};

    const TAKEOVER: Duration = Duration::from_secs(5);

    /// A vigil with a clock that the test moves.
    struct Watchman {
        vigil: Vigil,
        now: Instant,
    }

    impl Watchman {
        fn new() -> Self {
            Self { vigil: Vigil::new(TAKEOVER), now: Instant::now() }
        }

        /// Looks every 100 ms for `ms`, and gives the first verdict that is not to wait, with the time that it took.
        fn watch(&mut self, sighting: &Sighting, ms: u64) -> Option<(u64, Verdict)> {
            (0..=ms / 100).find_map(|i| {
                self.now += Duration::from_millis(if i == 0 { 0 } else { 100 });
                let verdict = self.vigil.look(sighting.clone(), self.now);
                (verdict != Verdict::Wait).then_some((i * 100, verdict))
            })
        }
    }

    fn held(pid: i32, beat: u32) -> Sighting {
        Sighting { holder: Some(Holder::new(pid)), ..free(beat) }
    }

    fn free(beat: u32) -> Sighting {
        Sighting { holder: None, beat: Some(Beat::new(1, beat)) }
    }

    #[test]
    fn who_beats_is_left_alone() {
        let mut watchman = Watchman::new();
        for beat in 0..100 {
            assert_eq!(watchman.watch(&held(7, beat), 4_900), None);
            assert_eq!(watchman.watch(&free(beat), 1_900), None, "it has lost its connection only");
        }
        assert!(watchman.vigil.sees_life());
    }

    #[test]
    fn who_is_silent_is_replaced_in_time() {
        let mut watchman = Watchman::new();
        assert_eq!(watchman.watch(&held(7, 1), 60_000), Some((5_000, Verdict::Depose)));
        let mut watchman = Watchman::new();
        assert_eq!(watchman.watch(&free(1), 60_000), Some((2_000, Verdict::Seize)));
        assert!(!watchman.vigil.sees_life());
    }

    #[test]
    fn nobody_waits_for_a_leader_that_resigned() {
        let nobody = Sighting::default();
        assert_eq!(Watchman::new().watch(&nobody, 1_000), Some((0, Verdict::Seize)));
        // But for one that has the lock and is about to beat.
        let new = Sighting { holder: Some(Holder::new(7)), beat: None };
        assert_eq!(Watchman::new().watch(&new, 60_000), Some((5_000, Verdict::Depose)));
    }

    #[test]
    fn another_holder_has_all_the_time_again() {
        let mut watchman = Watchman::new();
        assert_eq!(watchman.watch(&held(7, 1), 4_900), None);
        assert_eq!(watchman.watch(&held(8, 1), 60_000), Some((5_000, Verdict::Depose)));
    }

    #[test]
    fn a_database_that_was_away_proves_nothing() {
        let mut watchman = Watchman::new();
        assert_eq!(watchman.watch(&held(7, 1), 4_900), None);
        watchman.vigil.interrupted();
        watchman.now += Duration::from_secs(600);
        assert_eq!(watchman.watch(&free(1), 1_900), None);
        // It stood still without an error: one beat is all that this counts for.
        let mut watchman = Watchman::new();
        assert_eq!(watchman.watch(&held(7, 1), 1_000), None);
        watchman.now += Duration::from_secs(600);
        assert_eq!(watchman.watch(&held(7, 1), 60_000), Some((3_000, Verdict::Depose)));
    }
}
