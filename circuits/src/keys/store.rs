//! The key file: a header that says what it is, a ceremony's transcript if there was one, then the proving key's points.
//!
//! ```text
//!  "SHEAFKEY" | format u16 | kind u8 | depth u32 | shape id u8, slots u32, leaf rows u32, node rows u32
//!  | fingerprint of the circuit u64 | hash of the verifying key, 32 bytes | hash of the transcript, 32 bytes
//!  | bytes of the transcript u64 | bytes of the points u64 | checksum of both u64
//!  | transcript
//!  | how many IC, a, b (G1), h, l, b (G2) there are, u64 each
//!  | alpha, beta, delta in G1 | beta, gamma, delta in G2 | IC, a, b (G1), h, l, b (G2)
//! ```
//!
//! Numbers are big-endian; points are as [`points`](super::points) says. They are read without checking that they are on
//! the curve, which would take minutes: a key file is as trusted as the program, unless it was verified.

use super::header::{HEADER_BYTES, Header};
use super::points::{self, Raw};
use super::{KeyError, KeyInfo, Origin, vk_hash};
use crate::ceremony::Transcript;
use crate::prove::{ProvingKey, VerifyingKey};
use ark_bn254::{G1Affine, G2Affine};
use sheaf_core::geometry::Geometry;
use sheaf_core::shape::Shape;
use std::fs::File;
use std::io::{self, BufWriter, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

const BUFFER_BYTES: usize = 1 << 20;
/// IC, a, b in G1, h, l, b in G2.
const QUERIES: usize = 6;
const COUNTS_BYTES: usize = 8 * QUERIES;
const SINGLES_BYTES: usize = 3 * G1Affine::BYTES + 3 * G2Affine::BYTES;
/// Room for some ten thousand contributions.
const TRANSCRIPT_BYTES_MAX: u64 = 1 << 24;

/// The content of a key file, without the circuit that the keys are for.
#[derive(Clone, Debug)]
pub struct StoredKeys {
    /// The state's geometry.
    pub geometry: Geometry,
    /// The circuit's size.
    pub shape: Shape,
    /// The circuit's fingerprint, see [`Matrices::fingerprint`](crate::matrices::Matrices::fingerprint).
    pub fingerprint: u64,
    /// Where the keys come from.
    pub origin: Origin,
    /// The proving key; the verifying key is a part of it.
    pub proving_key: ProvingKey,
}

impl StoredKeys {
    /// Reads a key file. The content is checked against the header and the checksum; points are not checked to be on
    /// their curves.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let file = File::open(path)?;
        let header = Header::read(&file)?;
        let mut sums = Vec::new();
        let origin = origin(&file, &header, &mut sums)?;
        let at = HEADER_BYTES as u64 + header.transcript_bytes;
        let proving_key = proving_key(&file, at, header.point_bytes, &mut sums).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => KeyError::Damaged,
            _ => KeyError::Io(error),
        })?;
        if points::combine(&sums) != header.checksum {
            return Err(KeyError::Damaged);
        }
        let KeyInfo { geometry, shape, fingerprint, vk_hash: wanted, transcript, .. } = header.info;
        let found = vk_hash(&proving_key.vk);
        if found != wanted {
            return Err(KeyError::Hash { found, wanted });
        }
        let found = origin.transcript_hash();
        if found != transcript {
            return Err(KeyError::Transcript { found, wanted: transcript });
        }
        Ok(Self { geometry, shape, fingerprint, origin, proving_key })
    }

    /// Writes the keys to a file, whole or not at all.
    ///
    /// # Errors
    /// [`KeyError::Io`].
    pub fn write(&self, path: &Path) -> Result<(), KeyError> {
        save(path, self.info(), &self.origin, &self.proving_key)
    }

    /// What the file's header says.
    pub fn info(&self) -> KeyInfo {
        let Self { geometry, shape, fingerprint, .. } = *self;
        info(geometry, shape, fingerprint, &self.origin, &self.proving_key.vk)
    }
}

pub(super) fn info(geometry: Geometry, shape: Shape, fingerprint: u64, origin: &Origin, vk: &VerifyingKey) -> KeyInfo {
    let transcript = origin.transcript_hash();
    KeyInfo { kind: origin.kind(), geometry, shape, fingerprint, vk_hash: vk_hash(vk), transcript }
}

/// Writes to a temporary file beside `path`, which then takes its name.
pub(super) fn save(path: &Path, info: KeyInfo, origin: &Origin, key: &ProvingKey) -> Result<(), KeyError> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let temporary = path.with_extension(format!("tmp-{}", std::process::id()));
    let written = (|| -> io::Result<()> {
        let mut file = File::create(&temporary)?;
        write_content(&mut file, info, origin, key)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    })();
    if written.is_err() {
        // Best effort: what failed first is what the caller needs to know.
        let _ = std::fs::remove_file(&temporary);
    }
    Ok(written?)
}

fn write_content(file: &mut File, info: KeyInfo, origin: &Origin, key: &ProvingKey) -> io::Result<()> {
    let transcript = origin.transcript_bytes();
    let mut sums = vec![points::checksum(&transcript)];
    let mut out = BufWriter::with_capacity(BUFFER_BYTES, &mut *file);
    out.write_all(&[0; HEADER_BYTES])?;
    out.write_all(&transcript)?;
    let vk = &key.vk;
    let g1_queries = [&vk.gamma_abc_g1, &key.a_query, &key.b_g1_query, &key.h_query, &key.l_query];
    let counts: Vec<u8> =
        g1_queries.iter().map(|query| query.len()).chain([key.b_g2_query.len()]).flat_map(|n| (n as u64).to_be_bytes()).collect();
    sums.push(points::checksum(&counts));
    out.write_all(&counts)?;
    points::write(&[vk.alpha_g1, key.beta_g1, key.delta_g1], &mut out, &mut sums)?;
    points::write(&[vk.beta_g2, vk.gamma_g2, vk.delta_g2], &mut out, &mut sums)?;
    for query in g1_queries {
        points::write(query, &mut out, &mut sums)?;
    }
    points::write(&key.b_g2_query, &mut out, &mut sums)?;
    out.flush()?;
    let end = out.stream_position()?;
    drop(out);
    let transcript_bytes = transcript.len() as u64;
    let point_bytes = end - HEADER_BYTES as u64 - transcript_bytes;
    let header = Header { info, transcript_bytes, point_bytes, checksum: points::combine(&sums) };
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&header.to_bytes())
}

fn origin(file: &File, header: &Header, sums: &mut Vec<u64>) -> Result<Origin, KeyError> {
    if header.transcript_bytes > TRANSCRIPT_BYTES_MAX {
        return Err(KeyError::Damaged);
    }
    let mut bytes = vec![0; header.transcript_bytes as usize];
    file.read_exact_at(&mut bytes, HEADER_BYTES as u64)?;
    sums.push(points::checksum(&bytes));
    match header.info.kind {
        super::Kind::Development if bytes.is_empty() => Ok(Origin::Development),
        super::Kind::Development => Err(KeyError::Damaged),
        super::Kind::Ceremony => Transcript::from_bytes(&bytes).map(Origin::Ceremony).ok_or(KeyError::Damaged),
    }
}

fn proving_key(file: &File, mut at: u64, length: u64, sums: &mut Vec<u64>) -> io::Result<ProvingKey> {
    if length < (COUNTS_BYTES + SINGLES_BYTES) as u64 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = [0; COUNTS_BYTES];
    file.read_exact_at(&mut bytes, at)?;
    sums.push(points::checksum(&bytes));
    at += COUNTS_BYTES as u64;
    let counts: [u64; QUERIES] =
        std::array::from_fn(|i| u64::from_be_bytes(bytes[8 * i..8 * (i + 1)].try_into().expect("eight bytes")));
    // Before anything is allocated: the counts must be those of a file of this length.
    let size =
        |(i, count): (usize, &u64)| count.saturating_mul(if i < QUERIES - 1 { G1Affine::BYTES } else { G2Affine::BYTES } as u64);
    let queries = counts.iter().enumerate().map(size).fold(0, u64::saturating_add);
    if queries != length - (COUNTS_BYTES + SINGLES_BYTES) as u64 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut g1 = |count: u64, at: &mut u64| read::<G1Affine>(file, at, count, sums);
    let singles_g1 = g1(3, &mut at)?;
    let singles_g2 = read::<G2Affine>(file, &mut at, 3, sums)?;
    let mut g1 = |count: u64| read::<G1Affine>(file, &mut at, count, sums);
    let (gamma_abc_g1, a_query, b_g1_query) = (g1(counts[0])?, g1(counts[1])?, g1(counts[2])?);
    let (h_query, l_query) = (g1(counts[3])?, g1(counts[4])?);
    let b_g2_query = read(file, &mut at, counts[5], sums)?;
    let vk = VerifyingKey {
        alpha_g1: singles_g1[0],
        beta_g2: singles_g2[0],
        gamma_g2: singles_g2[1],
        delta_g2: singles_g2[2],
        gamma_abc_g1,
    };
    let (beta_g1, delta_g1) = (singles_g1[1], singles_g1[2]);
    Ok(ProvingKey { vk, beta_g1, delta_g1, a_query, b_g1_query, b_g2_query, h_query, l_query })
}

/// Reads points, and moves on behind them.
fn read<P: Raw>(file: &File, at: &mut u64, count: u64, sums: &mut Vec<u64>) -> io::Result<Vec<P>> {
    let points = points::read(file, *at, count as usize, sums)?;
    *at += count * P::BYTES as u64;
    Ok(points)
}
