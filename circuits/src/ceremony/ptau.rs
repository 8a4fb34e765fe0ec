//! The `.ptau` files of snarkjs: sections of points, each point in the form of [`points`](crate::keys::points).
//!
//! ```text
//!  "ptau" | version u32 = 1 | sections u32 | sections: number u32, bytes u64, content
//!   1 header: bytes of a coordinate u32, modulus, power u32, power of the ceremony u32
//!   2 τ^i G1, 2^(power+1) − 1   3 τ^i G2   4 ατ^i G1   5 βτ^i G1   6 β G2   7 contributions
//!  12 to 15 (prepared): 2 to 5 in the Lagrange basis of each power's domain, smallest first
//! ```
//!
//! Numbers are little-endian.

use super::error::CeremonyError;
use crate::keys::points::{self, Raw};
use ark_bn254::Fq;
use ark_ff::PrimeField;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// More than snarkjs ever writes.
const SECTIONS_MAX: u32 = 64;
/// The field has no larger domain.
const POWER_MAX: u32 = 28;
const HEADER_BYTES: usize = 4 + 32 + 4 + 4;

/// Numbers of sections.
pub(super) mod section {
    pub(in super::super) const HEADER: u32 = 1;
    pub(in super::super) const TAU_G1: u32 = 2;
    pub(in super::super) const TAU_G2: u32 = 3;
    pub(in super::super) const ALPHA_TAU_G1: u32 = 4;
    pub(in super::super) const BETA_TAU_G1: u32 = 5;
    pub(in super::super) const BETA_G2: u32 = 6;
    pub(in super::super) const LAGRANGE_TAU_G1: u32 = 12;
    pub(in super::super) const LAGRANGE_TAU_G2: u32 = 13;
    pub(in super::super) const LAGRANGE_ALPHA_TAU_G1: u32 = 14;
    pub(in super::super) const LAGRANGE_BETA_TAU_G1: u32 = 15;
}

/// What sections are called in refusals.
const fn name(section: u32) -> &'static str {
    match section {
        section::HEADER => "1 (header)",
        section::TAU_G1 => "2 (tauG1)",
        section::TAU_G2 => "3 (tauG2)",
        section::ALPHA_TAU_G1 => "4 (alphaTauG1)",
        section::BETA_TAU_G1 => "5 (betaTauG1)",
        section::BETA_G2 => "6 (betaG2)",
        section::LAGRANGE_TAU_G1 => "12 (tauG1, Lagrange)",
        section::LAGRANGE_TAU_G2 => "13 (tauG2, Lagrange)",
        section::LAGRANGE_ALPHA_TAU_G1 => "14 (alphaTauG1, Lagrange)",
        section::LAGRANGE_BETA_TAU_G1 => "15 (betaTauG1, Lagrange)",
        _ => "unknown",
    }
}

/// An open `.ptau` file.
#[derive(Debug)]
pub(super) struct Ptau {
    file: File,
    /// By number: where it begins, and how many bytes it has.
    sections: HashMap<u32, (u64, u64)>,
    /// 2^this rows are the most that a circuit can have.
    pub(super) power: u32,
}

impl Ptau {
    /// Finds the sections, and reads the header.
    pub(super) fn open(path: &Path) -> Result<Self, CeremonyError> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut bytes = [0; 12];
        file.read_exact_at(&mut bytes, 0).map_err(|_| CeremonyError::Format("it is too short"))?;
        let (magic, version, count) = (&bytes[..4], little_u32(&bytes[4..8]), little_u32(&bytes[8..12]));
        if magic != b"ptau" || version != 1 || count > SECTIONS_MAX {
            return Err(CeremonyError::Format("it does not begin with \"ptau\" and version 1"));
        }
        let mut sections = HashMap::new();
        let mut at = 12u64;
        for _ in 0..count {
            let mut bytes = [0; 12];
            file.read_exact_at(&mut bytes, at).map_err(|_| CeremonyError::Format("it ends early"))?;
            let bytes_count = u64::from_le_bytes(bytes[4..].try_into().expect("eight bytes"));
            let end = (at + 12).checked_add(bytes_count).filter(|end| *end <= length);
            let end = end.ok_or(CeremonyError::Format("a section ends behind the file"))?;
            if sections.insert(little_u32(&bytes[..4]), (at + 12, bytes_count)).is_some() {
                return Err(CeremonyError::Format("a section is there twice"));
            }
            at = end;
        }
        let mut ptau = Self { file, sections, power: 0 };
        ptau.power = ptau.read_power()?;
        Ok(ptau)
    }

    fn read_power(&self) -> Result<u32, CeremonyError> {
        let at = *self.sections.get(&section::HEADER).ok_or(CeremonyError::Format("it has no header"))?;
        if at.1 != HEADER_BYTES as u64 {
            return Err(CeremonyError::Curve);
        }
        let mut header = [0; HEADER_BYTES];
        self.file.read_exact_at(&mut header, at.0)?;
        let modulus: Vec<u8> = Fq::MODULUS.0.iter().flat_map(|limb| limb.to_le_bytes()).collect();
        if little_u32(&header[..4]) != 32 || header[4..36] != modulus {
            return Err(CeremonyError::Curve);
        }
        let power = little_u32(&header[36..40]);
        if power > POWER_MAX { Err(CeremonyError::Format("its power is above 28")) } else { Ok(power) }
    }

    /// Reads points of a section, from the one with number `first` on, and checks that each is a point other than infinity.
    pub(super) fn points<P: Raw>(&self, section: u32, first: usize, count: usize) -> Result<Vec<P>, CeremonyError> {
        let missing = if section >= section::LAGRANGE_TAU_G1 {
            CeremonyError::NotPrepared
        } else {
            CeremonyError::Format("a section is absent")
        };
        let (at, length) = *self.sections.get(&section).ok_or(missing)?;
        if ((first + count) * P::BYTES) as u64 > length {
            return Err(CeremonyError::Format("a section is too short"));
        }
        let points = points::read::<P>(&self.file, at + (first * P::BYTES) as u64, count, &mut Vec::new());
        let points = points.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => CeremonyError::Point(name(section)),
            _ => CeremonyError::Io(error),
        })?;
        if points::valid(&points, points::Infinity::Refused) { Ok(points) } else { Err(CeremonyError::Point(name(section))) }
    }

    /// Refuses a section.
    pub(super) fn inconsistent(section: u32) -> CeremonyError {
        CeremonyError::Inconsistent(name(section))
    }
}

fn little_u32(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(bytes.try_into().expect("four bytes"))
}
