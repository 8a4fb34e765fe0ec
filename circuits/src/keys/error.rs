//! Why keys can't be loaded, saved or accepted.

use super::VERSION;
use alloy_primitives::B256;
use std::io;

/// Why keys can't be loaded or saved.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file can't be read or written.
    #[error("the key file can't be read or written: {0}")]
    Io(#[from] io::Error),
    /// Not a key file.
    #[error("this is not a Sheaf key file")]
    Magic,
    /// Another format.
    #[error("the key file has format {0}, this program reads format {VERSION}")]
    Version(u16),
    /// Neither development keys nor anything else that is known.
    #[error("the key file has keys of unknown kind {0}")]
    Kind(u8),
    /// Keys of another circuit size.
    #[error("the key file is for {found}, wanted is {wanted}")]
    Shape {
        /// What the file says.
        found: String,
        /// What the caller wants.
        wanted: String,
    },
    /// Keys of a circuit with other rows, made by another version of this program.
    #[error("the key file was made for another version of the circuit: make the keys again")]
    Circuit,
    /// The file ends early, or has bytes left over.
    #[error("the key file is {found} bytes long, it should have {wanted}")]
    Truncated {
        /// Its length.
        found: u64,
        /// What its header promises.
        wanted: u64,
    },
    /// The content is not what was written.
    #[error("the key file is damaged")]
    Damaged,
    /// The verifying key is not the one that the header names.
    #[error("the key file's verifying key has hash {found}, its header says {wanted}")]
    Hash {
        /// The hash of what is in the file.
        found: B256,
        /// The hash in its header.
        wanted: B256,
    },
    /// The transcript is not the one that the header names.
    #[error("the key file's transcript has hash {found}, its header says {wanted}")]
    Transcript {
        /// The hash of what is in the file.
        found: B256,
        /// The hash in its header.
        wanted: B256,
    },
    /// A point that is on no curve, outside of the subgroup, or at infinity where no honest key has it.
    #[error("the key has an invalid point in its {0}")]
    Point(&'static str),
    /// Development keys that are not those of the seed.
    #[error("these are not the development keys: their {0} does not follow from the seed")]
    Query(&'static str),
    /// A ceremony's keys lie where development keys are expected; they are not written over.
    #[error("the key file is from a ceremony, where development keys are expected")]
    NotDevelopment,
}

impl KeyError {
    /// Returns the stable code of this error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "key_file_io",
            Self::Magic => "key_file_magic",
            Self::Version(_) => "key_file_version",
            Self::Kind(_) => "key_file_kind",
            Self::Shape { .. } => "key_file_shape",
            Self::Circuit => "key_file_circuit",
            Self::Truncated { .. } => "key_file_truncated",
            Self::Damaged => "key_file_damaged",
            Self::Hash { .. } => "key_file_hash",
            Self::Transcript { .. } => "key_file_transcript",
            Self::Point(_) => "key_point",
            Self::Query(_) => "key_query",
            Self::NotDevelopment => "key_file_not_development",
        }
    }
}
