//! Numbers of blocks and batches.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Number of a batch, from 1: the contract counts the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BatchNumber(pub u64);

/// Number of a block, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BlockNumber(pub u64);

impl BatchNumber {
    /// The first batch.
    pub const FIRST: Self = Self(1);

    /// The one after this.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// As the database keeps it.
    pub(crate) const fn sql(self) -> i64 {
        self.0.cast_signed()
    }
}

impl BlockNumber {
    /// The one after this.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// As the database keeps it.
    pub(crate) const fn sql(self) -> i64 {
        self.0.cast_signed()
    }
}

impl fmt::Display for BatchNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for BlockNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where an operation stands, once it is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The block that made it durable.
    pub block: BlockNumber,
    /// The batch that proves it.
    pub batch: BatchNumber,
    /// Its position in the batch.
    pub position: u32,
}
