//! Why a phase 1, a contribution or a ceremony is refused.

use crate::keys::KeyError;
use std::io;

/// Why a ceremony can't go on, or is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum CeremonyError {
    /// The phase 1 can't be read.
    #[error("the phase 1 file can't be read: {0}")]
    Io(#[from] io::Error),
    /// The key file can't be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Not a phase 1 file as snarkjs writes it.
    #[error("this is not a .ptau file as snarkjs writes it: {0}")]
    Format(&'static str),
    /// A phase 1 over other groups.
    #[error("the phase 1 is for another curve than BN254")]
    Curve,
    /// The Lagrange sections are absent.
    #[error("the phase 1 is not prepared: run `snarkjs powersoftau prepare phase2 FILE.ptau PREPARED.ptau` first")]
    NotPrepared,
    /// Too few powers for the circuit.
    #[error("the phase 1 is for 2^{found} rows, the circuit needs 2^{wanted}")]
    TooSmall {
        /// What the file has.
        found: u32,
        /// What the circuit needs.
        wanted: u32,
    },
    /// A point that is on no curve, at infinity, or outside of the subgroup.
    #[error("the phase 1 has an invalid point in its section {0}")]
    Point(&'static str),
    /// A section does not fit to the others.
    #[error("the phase 1 contradicts itself: its section {0} does not fit to the others")]
    Inconsistent(&'static str),
    /// Development keys, where a ceremony's are needed.
    #[error("these are development keys, not a ceremony's")]
    NotCeremony,
    /// A contribution after the beacon.
    #[error("the ceremony is finished: its last contribution is the beacon")]
    Finished,
    /// A name or a beacon's value that is too long, or a beacon without value.
    #[error("{0} must have {1} to 255 bytes")]
    Text(&'static str, usize),
    /// A beacon that is hashed too rarely, or so often that nobody could verify it.
    #[error("a beacon's value is hashed 2^10 to 2^32 times, not 2^{0}")]
    Iterations(u8),
    /// The transcript can't be read back.
    #[error("the transcript has points that are none")]
    Transcript,
    /// The ceremony began from another phase 1.
    #[error("the ceremony began from another phase 1 than this one")]
    Phase1,
    /// What no contribution may change was changed, or the ceremony was for another circuit.
    #[error("the transcript is of another initial key than this")]
    Initial,
    /// Nobody contributed: δ is known to everybody.
    #[error("nobody contributed, so everybody knows the secret")]
    NoContribution,
    /// The contributor did not show that he knew his number, or showed it in another transcript.
    #[error("contribution {index} ({name:?}) has a proof of knowledge that does not hold after what was before it")]
    Knowledge {
        /// Counted from 1.
        index: usize,
        /// Who contributed.
        name: String,
    },
    /// δ is not what it was times the contributor's number.
    #[error("contribution {index} ({name:?}) did not multiply what was before it by its own number")]
    Delta {
        /// Counted from 1.
        index: usize,
        /// Who contributed.
        name: String,
    },
    /// The key's δ is not that of the last contribution.
    #[error("the key's delta is not that of the last contribution")]
    LastDelta,
    /// Points that do not follow from phase 1, the circuit and δ.
    #[error("the key's {0} does not follow from phase 1, the circuit and delta")]
    Query(&'static str),
}

impl CeremonyError {
    /// Returns the stable code of this error.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "ptau_io",
            Self::Key(error) => error.code(),
            Self::Format(_) => "ptau_format",
            Self::Curve => "ptau_curve",
            Self::NotPrepared => "ptau_not_prepared",
            Self::TooSmall { .. } => "ptau_too_small",
            Self::Point(_) => "ptau_point",
            Self::Inconsistent(_) => "ptau_inconsistent",
            Self::NotCeremony => "ceremony_kind",
            Self::Finished => "ceremony_finished",
            Self::Text(..) => "ceremony_text",
            Self::Iterations(_) => "ceremony_iterations",
            Self::Transcript => "ceremony_transcript",
            Self::Phase1 => "ceremony_phase1",
            Self::Initial => "ceremony_initial",
            Self::NoContribution => "ceremony_without_contribution",
            Self::Knowledge { .. } => "ceremony_knowledge",
            Self::Delta { .. } => "ceremony_delta",
            Self::LastDelta => "ceremony_last_delta",
            Self::Query(_) => "ceremony_query",
        }
    }
}
