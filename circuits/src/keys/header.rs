//! A key file's header: what the file says about itself. Numbers are big-endian.

use super::{KeyError, VERSION};
use alloy_primitives::B256;
use sheaf_core::geometry::{DEPTH, Geometry};
use sheaf_core::shape::Shape;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

const MAGIC: &[u8; 8] = b"SHEAFKEY";
/// Depth u32, then id u8 and three u32 of the shape.
const SIZE_BYTES: usize = 17;
pub(super) const HEADER_BYTES: usize = 8 + 2 + 1 + SIZE_BYTES + 8 + 32 + 32 + 8 + 8 + 8;

/// Where keys come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// From a seed that everybody knows.
    Development = 1,
    /// From a ceremony, which left a transcript.
    Ceremony = 2,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Development => "development",
            Self::Ceremony => "ceremony",
        })
    }
}

/// What a key file says about itself. Only loading the file tells whether the verifying key and the transcript have
/// these hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// Where the keys come from.
    pub kind: Kind,
    /// The state's geometry.
    pub geometry: Geometry,
    /// The circuit's size.
    pub shape: Shape,
    /// The circuit's fingerprint, see [`Matrices::fingerprint`](crate::matrices::Matrices::fingerprint).
    pub fingerprint: u64,
    /// Hash of the verifying key, see [`vk_hash`](super::vk_hash).
    pub vk_hash: B256,
    /// Hash of the ceremony's transcript; zero for development keys.
    pub transcript: B256,
}

impl KeyInfo {
    /// Reads a file's header, and nothing else of it.
    ///
    /// # Errors
    /// [`KeyError`], if it is no key file, of another format, or not as long as its header says.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        Header::read(&File::open(path)?).map(|header| header.info)
    }

    /// Whether the keys are of this size.
    ///
    /// # Errors
    /// [`KeyError::Shape`].
    pub fn check_size(&self, geometry: Geometry, shape: &Shape) -> Result<(), KeyError> {
        if (self.geometry, self.shape) == (geometry, *shape) {
            return Ok(());
        }
        Err(KeyError::Shape { found: size_text(self.geometry, &self.shape), wanted: size_text(geometry, shape) })
    }
}

/// What stands before the transcript and the points.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) info: KeyInfo,
    /// Bytes of the transcript.
    pub(super) transcript_bytes: u64,
    /// Bytes of the points, their counts included.
    pub(super) point_bytes: u64,
    /// Of the transcript and the points.
    pub(super) checksum: u64,
}

/// Depth, then the shape, as the header and a ceremony's transcript have them.
pub(crate) fn size_bytes(geometry: Geometry, shape: &Shape) -> [u8; SIZE_BYTES] {
    let number = |n: usize| u32::try_from(n).expect("fewer than 2^32 rows").to_be_bytes();
    let mut bytes = [0; SIZE_BYTES];
    bytes[..4].copy_from_slice(&geometry.depth().to_be_bytes());
    bytes[4] = shape.id;
    bytes[5..].copy_from_slice(&[number(shape.slots), number(shape.leaf_rows), number(shape.node_rows)].concat());
    bytes
}

fn size_from_bytes(bytes: &[u8]) -> Result<(Geometry, Shape), KeyError> {
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    let (depth, rows) = (number(0), |at: usize| number(at) as usize);
    if !(4..=DEPTH).contains(&depth) {
        return Err(KeyError::Damaged);
    }
    let shape = Shape { id: bytes[4], slots: rows(5), leaf_rows: rows(9), node_rows: rows(13) };
    Ok((Geometry::new(depth), shape))
}

fn size_text(geometry: Geometry, shape: &Shape) -> String {
    let Shape { id, slots, leaf_rows, node_rows } = shape;
    format!("shape {id} with {slots} slots, {leaf_rows} leaf rows, {node_rows} node rows at depth {}", geometry.depth())
}

impl Header {
    pub(super) fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let Self { info, transcript_bytes, point_bytes, checksum } = self;
        let parts: [&[u8]; 10] = [
            MAGIC,
            &VERSION.to_be_bytes(),
            &[info.kind as u8],
            &size_bytes(info.geometry, &info.shape),
            &info.fingerprint.to_be_bytes(),
            info.vk_hash.as_slice(),
            info.transcript.as_slice(),
            &transcript_bytes.to_be_bytes(),
            &point_bytes.to_be_bytes(),
            &checksum.to_be_bytes(),
        ];
        parts.concat().try_into().expect("the parts make up a header")
    }

    /// Reads the header, and checks that the file is as long as it says.
    pub(super) fn read(file: &File) -> Result<Self, KeyError> {
        let found = file.metadata()?.len();
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        file.take(HEADER_BYTES as u64).read_to_end(&mut bytes)?;
        if bytes.len() < MAGIC.len() || &bytes[..MAGIC.len()] != MAGIC {
            return Err(KeyError::Magic);
        }
        // Any format has its number here, also one with a shorter header.
        match bytes.get(8..10) {
            Some(version) if version != VERSION.to_be_bytes() => {
                return Err(KeyError::Version(u16::from_be_bytes([version[0], version[1]])));
            }
            _ if bytes.len() < HEADER_BYTES => return Err(KeyError::Truncated { found, wanted: HEADER_BYTES as u64 }),
            _ => {}
        }
        let kind = match bytes[10] {
            1 => Kind::Development,
            2 => Kind::Ceremony,
            other => return Err(KeyError::Kind(other)),
        };
        let word = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let (transcript_bytes, point_bytes, checksum) = (word(100), word(108), word(116));
        let wanted = (HEADER_BYTES as u64).saturating_add(transcript_bytes).saturating_add(point_bytes);
        if found != wanted {
            return Err(KeyError::Truncated { found, wanted });
        }
        let (geometry, shape) = size_from_bytes(&bytes[11..28])?;
        let (vk_hash, transcript) = (B256::from_slice(&bytes[36..68]), B256::from_slice(&bytes[68..100]));
        let info = KeyInfo { kind, geometry, shape, fingerprint: word(28), vk_hash, transcript };
        Ok(Self { info, transcript_bytes, point_bytes, checksum })
    }
}
