//! The key file: a header that says what it is, then the proving key's points, uncompressed.
//!
//! ```text
//!  "SHEAFKEY" | version u16 | kind u8 | depth u32 | shape id u8, slots u32, leaf rows u32, node rows u32
//!  | fingerprint of the circuit u64 | hash of the verifying key, 32 bytes | length of the points u64 | their checksum u64
//!  | points
//! ```
//!
//! Numbers are big-endian. The points are read without checking that they are on the curve, which would take minutes:
//! a key file is as trusted as the program.

use super::{KeySet, vk_hash};
use crate::matrices::Matrices;
use crate::prove::ProvingKey;
use alloy_primitives::B256;
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize, Compress, Validate};
use sheaf_core::geometry::Geometry;
use sheaf_core::shape::Shape;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

const MAGIC: &[u8; 8] = b"SHEAFKEY";
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 8 + 2 + 1 + 4 + 13 + 8 + 32 + 8 + 8;
const BUFFER_BYTES: usize = 1 << 20;

/// Where keys come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// From a seed that everybody knows.
    Development = 1,
}

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
    /// The points are not those that were written.
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
        }
    }
}

/// What stands before the points.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    fingerprint: u64,
    vk_hash: B256,
    length: u64,
    checksum: u64,
}

/// Depth, then the shape, as the header has them.
fn size_bytes(geometry: Geometry, shape: &Shape) -> [u8; 17] {
    let number = |n: usize| u32::try_from(n).expect("fewer than 2^32 rows").to_be_bytes();
    let parts = [geometry.depth().to_be_bytes(), number(shape.slots), number(shape.leaf_rows), number(shape.node_rows)];
    let mut bytes = [0; 17];
    bytes[..4].copy_from_slice(&parts[0]);
    bytes[4] = shape.id;
    bytes[5..].copy_from_slice(&parts[1..].concat());
    bytes
}

fn size_text(bytes: &[u8]) -> String {
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    let (depth, slots, leaves, nodes) = (number(0), number(5), number(9), number(13));
    format!("shape {} with {slots} slots, {leaves} leaf rows, {nodes} node rows at depth {depth}", bytes[4])
}

/// Counts bytes and mixes them into a checksum, eight at a time: finds damage, not malice.
struct Checked<T> {
    inner: T,
    length: u64,
    sum: u64,
    rest: [u8; 8],
}

impl<T> Checked<T> {
    const fn new(inner: T) -> Self {
        Self { inner, length: 0, sum: 0xcbf2_9ce4_8422_2325, rest: [0; 8] }
    }

    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let at = (self.length % 8) as usize;
            let n = bytes.len().min(8 - at);
            self.rest[at..at + n].copy_from_slice(&bytes[..n]);
            self.length += n as u64;
            bytes = &bytes[n..];
            if self.length.is_multiple_of(8) {
                self.sum = (self.sum ^ u64::from_be_bytes(self.rest)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29);
            }
        }
    }

    const fn checksum(&self) -> u64 {
        self.sum ^ self.length
    }
}

impl<T: Write> Write for Checked<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(bytes)?;
        self.take(&bytes[..n]);
        Ok(n)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Read> Read for Checked<T> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(bytes)?;
        self.take(&bytes[..n]);
        Ok(n)
    }
}

/// Writes to a temporary file beside `path`, which then takes its name.
pub(super) fn save(keys: &KeySet, path: &Path) -> Result<(), KeyError> {
    use io::{Seek, SeekFrom};
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let temporary = path.with_extension(format!("tmp-{}", std::process::id()));
    let written = (|| -> Result<(), KeyError> {
        let mut file = File::create(&temporary)?;
        file.write_all(&[0; HEADER_BYTES])?;
        let mut writer = Checked::new(BufWriter::with_capacity(BUFFER_BYTES, &mut file));
        keys.proving_key.serialize_with_mode(&mut writer, Compress::No).map_err(io::Error::other)?;
        writer.flush()?;
        let (length, checksum) = (writer.length, writer.checksum());
        drop(writer);
        let mut header = MAGIC.to_vec();
        header.extend(VERSION.to_be_bytes());
        header.push(Kind::Development as u8);
        header.extend(size_bytes(keys.geometry, &keys.shape));
        header.extend(keys.matrices.fingerprint().to_be_bytes());
        header.extend(keys.vk_hash());
        header.extend(length.to_be_bytes());
        header.extend(checksum.to_be_bytes());
        assert_eq!(header.len(), HEADER_BYTES);
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&header)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        Ok(())
    })();
    if written.is_err() {
        // Best effort: what failed first is what the caller needs to know.
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

/// Reads and checks the header.
pub(super) fn read_header(path: &Path, geometry: Geometry, shape: &Shape) -> Result<Header, KeyError> {
    let file = File::open(path)?;
    let found = file.metadata()?.len();
    let mut bytes = Vec::with_capacity(HEADER_BYTES);
    file.take(HEADER_BYTES as u64).read_to_end(&mut bytes)?;
    if bytes.len() < MAGIC.len() || &bytes[..MAGIC.len()] != MAGIC {
        return Err(KeyError::Magic);
    }
    if bytes.len() < HEADER_BYTES {
        return Err(KeyError::Truncated { found, wanted: HEADER_BYTES as u64 });
    }
    let version = u16::from_be_bytes([bytes[8], bytes[9]]);
    if version != VERSION {
        return Err(KeyError::Version(version));
    }
    if bytes[10] != Kind::Development as u8 {
        return Err(KeyError::Kind(bytes[10]));
    }
    let wanted = size_bytes(geometry, shape);
    if bytes[11..28] != wanted {
        return Err(KeyError::Shape { found: size_text(&bytes[11..28]), wanted: size_text(&wanted) });
    }
    let word = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    let header =
        Header { fingerprint: word(28), vk_hash: B256::from_slice(&bytes[36..68]), length: word(68), checksum: word(76) };
    let wanted = (HEADER_BYTES as u64).saturating_add(header.length);
    if found == wanted { Ok(header) } else { Err(KeyError::Truncated { found, wanted }) }
}

/// Reads the points of a file whose header fits.
pub(super) fn load(path: &Path, geometry: Geometry, shape: &Shape, matrices: &Matrices) -> Result<ProvingKey, KeyError> {
    let header = read_header(path, geometry, shape)?;
    if header.fingerprint != matrices.fingerprint() {
        return Err(KeyError::Circuit);
    }
    let mut file = File::open(path)?;
    io::copy(&mut (&mut file).take(HEADER_BYTES as u64), &mut io::sink())?;
    let mut reader = Checked::new(BufReader::with_capacity(BUFFER_BYTES, file));
    let key = ProvingKey::deserialize_with_mode(&mut reader, Compress::No, Validate::No).map_err(|_| KeyError::Damaged)?;
    if (reader.length, reader.checksum()) != (header.length, header.checksum) {
        return Err(KeyError::Damaged);
    }
    let found = vk_hash(&key.vk);
    if found == header.vk_hash { Ok(key) } else { Err(KeyError::Hash { found, wanted: header.vk_hash }) }
}
