//! What the sequencer takes from outside besides its configuration: the clock, and where tests may break in.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// The points between which a crash must lose and repeat nothing. Each is announced when it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The writer's lock was taken: nobody else led.
    LockTaken,
    /// This sequencer's epoch has begun: no earlier one can commit any more.
    EpochBegun,
    /// The state is read and up to date, nothing is served yet.
    StateLoaded,
    /// A block was executed and is about to be written.
    BlockCut,
    /// Its database transaction has begun.
    BlockBegun,
    /// Its row and its transactions are written, not the rest.
    BlockCopied,
    /// Everything is written, the commit is next.
    BlockWritten,
    /// The commit succeeded, nobody was told yet.
    BlockCommitted,
    /// Everybody who waits for the block is about to be told.
    BlockAcknowledged,
    /// Entries of the L1 queue were read.
    L1Read,
    /// A sealed batch was read back, and is about to be built.
    BatchRead,
    /// It is built, nothing is stored yet.
    BatchBuilt,
    /// The built batch is written and its job is queued, the commit is next.
    BatchWritten,
    /// That is durable.
    BatchCommitted,
    /// Some chunks of the state were brought to a later block.
    ChunksCommitted,
    /// All were, and the log of changes up to that block is deleted.
    LogCut,
    /// The database transaction that takes batches back has begun.
    UnwindingBegun,
    /// Everything is taken back, the commit is next.
    UnwindingWritten,
    /// That is durable.
    UnwindingCommitted,
    /// A block of operations that were taken back was executed and is about to be written.
    ReplayCut,
}

impl Step {
    /// Every step.
    pub const ALL: [Self; 20] = [
        Self::LockTaken,
        Self::EpochBegun,
        Self::StateLoaded,
        Self::BlockCut,
        Self::BlockBegun,
        Self::BlockCopied,
        Self::BlockWritten,
        Self::BlockCommitted,
        Self::BlockAcknowledged,
        Self::L1Read,
        Self::BatchRead,
        Self::BatchBuilt,
        Self::BatchWritten,
        Self::BatchCommitted,
        Self::ChunksCommitted,
        Self::LogCut,
        Self::UnwindingBegun,
        Self::UnwindingWritten,
        Self::UnwindingCommitted,
        Self::ReplayCut,
    ];

    /// Whether it is only reached when executed batches are taken back.
    pub const fn is_of_unwinding(self) -> bool {
        matches!(self, Self::UnwindingBegun | Self::UnwindingWritten | Self::UnwindingCommitted | Self::ReplayCut)
    }

    /// Whether it is reached once in a leader's life, before anything is served.
    pub const fn is_of_takeover(self) -> bool {
        matches!(self, Self::LockTaken | Self::EpochBegun | Self::StateLoaded)
    }
}

/// The clock, and the observer of steps.
#[derive(Clone)]
pub struct Environment {
    clock: Arc<dyn Fn() -> u32 + Send + Sync>,
    observer: Arc<dyn Fn(Step) + Send + Sync>,
}

impl Environment {
    /// The system's clock, and nobody observing.
    ///
    /// # Panics
    /// The clock does, before 1970 and after 2106: the protocol's times have 32 bits.
    pub fn system() -> Self {
        let seconds = || SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_secs();
        Self { clock: Arc::new(move || u32::try_from(seconds()).expect("a time before 2106")), observer: Arc::new(|_| {}) }
    }

    /// Replaces the clock, which gives unix seconds.
    #[must_use]
    pub fn with_clock(self, clock: impl Fn() -> u32 + Send + Sync + 'static) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }

    /// Calls `observer` at each step: tests stop the process there.
    #[must_use]
    pub fn with_observer(self, observer: impl Fn(Step) + Send + Sync + 'static) -> Self {
        Self { observer: Arc::new(observer), ..self }
    }

    pub(crate) fn now(&self) -> u32 {
        (self.clock)()
    }

    pub(crate) fn reached(&self, step: Step) {
        (self.observer)(step);
    }
}
