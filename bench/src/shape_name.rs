//! What a command line calls the sizes of a batch.

use clap::ValueEnum;
use sheaf_core::shape::Shape;

/// The protocol's shapes, by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ShapeName {
    /// 16 operations, the demo's.
    #[default]
    Development,
    /// 64 operations, some 2^20 constraints.
    Medium,
    /// 256 operations, some 2^22 constraints.
    Large,
}

impl ShapeName {
    /// The shape of this name.
    pub const fn shape(self) -> Shape {
        match self {
            Self::Development => Shape::DEVELOPMENT,
            Self::Medium => Shape::MEDIUM,
            Self::Large => Shape::LARGE,
        }
    }
}
