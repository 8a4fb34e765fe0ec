//! What a ceremony leaves behind: what it began with, and each contribution.
//!
//! ```text
//!  phase 1, 32 bytes | initial key, 32 bytes | contributions:
//!    tag u8 | length of the name u8, name | δ in G1 | δ in G2 | share
//!  share of tag 1: s and s·x in G1, r·x in G2;  of tag 2 (beacon): exponent u8 | length of the value u8, value
//! ```
//!
//! Points have EIP-197's words. A transcript's hash is keccak256 over the hash before and the contribution, from that of
//! what the ceremony began with: so each contribution is bound to all before it.

use crate::evm::{g1_from_words, g1_words, g2_from_words, g2_words};
use alloy_primitives::{B256, U256, keccak256};
use ark_bn254::{G1Affine, G2Affine};
use ark_ec::AffineRepr as _;

const LABEL: &[u8] = b"Sheaf ceremony, version 1";
const TAG_SECRET: u8 = 1;
const TAG_BEACON: u8 = 2;
/// Bytes of a contributor's name, and of a beacon's value, at most.
pub(crate) const TEXT_BYTES_MAX: usize = 255;

/// Everything that a ceremony's keys can be checked with, besides phase 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    /// Digest of the phase 1 that the keys were imported from: keccak256 of its elements.
    pub phase1: B256,
    /// Digest of what stays the same from the import on: the circuit's size, and all points that are not over δ.
    pub initial: B256,
    /// In order.
    pub contributions: Vec<Contribution>,
}

/// One multiplication of δ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contribution {
    /// Who did it; at most 255 bytes, anything, checked by nobody.
    pub name: String,
    /// δ afterwards.
    pub delta_g1: G1Affine,
    /// The same δ.
    pub delta_g2: G2Affine,
    /// What it was multiplied by.
    pub share: Share,
}

/// What a contribution multiplied δ by.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "nearly all are of the larger one, and there are few")]
pub enum Share {
    /// A number that the contributor knew.
    Secret(Knowledge),
    /// A number that everybody can compute, from a value that nobody could choose.
    Beacon {
        /// The value: a block's hash, or the result of a lottery.
        value: Vec<u8>,
        /// It is hashed 2^this often before it is used, so that nobody can try values out.
        iterations_exponent: u8,
    },
}

/// A proof that the contributor knew x (Bowe, Gabizon and Miers, section 2.4): `r` is a point that follows from all that
/// was before, and whose logarithm nobody knows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the paper")]
pub struct Knowledge {
    pub s: G1Affine,
    pub s_x: G1Affine,
    pub r_x: G2Affine,
}

impl Transcript {
    /// The hash that everything so far is bound by; the contract keeps that of the last contribution.
    pub fn hash(&self) -> B256 {
        self.contributions.iter().fold(self.start(), |hash, contribution| contribution.follow(hash))
    }

    /// The hash before the first contribution.
    pub fn start(&self) -> B256 {
        keccak256([LABEL, self.phase1.as_slice(), self.initial.as_slice()].concat())
    }

    /// Whether the last contribution was a beacon, after which there is none.
    pub fn is_finished(&self) -> bool {
        self.contributions.last().is_some_and(|last| matches!(last.share, Share::Beacon { .. }))
    }

    /// Whether anybody contributed a secret: without one, everybody knows δ.
    pub fn has_secret(&self) -> bool {
        self.contributions.iter().any(|contribution| matches!(contribution.share, Share::Secret(_)))
    }

    /// Writes it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = [self.phase1.0, self.initial.0].concat();
        self.contributions.iter().for_each(|contribution| contribution.write(&mut bytes));
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) writes; nothing, if it is something else, or points are none.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let (phase1, initial) = (B256::from_slice(take(&mut rest, 32)?), B256::from_slice(take(&mut rest, 32)?));
        let mut contributions = Vec::new();
        while !rest.is_empty() {
            contributions.push(Contribution::read(&mut rest)?);
        }
        Some(Self { phase1, initial, contributions })
    }
}

impl Contribution {
    /// The transcript's hash after this contribution, from that before.
    pub fn follow(&self, hash: B256) -> B256 {
        let mut bytes = hash.to_vec();
        self.write(&mut bytes);
        keccak256(bytes)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(match self.share {
            Share::Secret(_) => TAG_SECRET,
            Share::Beacon { .. } => TAG_BEACON,
        });
        write_text(self.name.as_bytes(), out);
        write_words(&g1_words(&self.delta_g1), out);
        write_words(&g2_words(&self.delta_g2), out);
        match &self.share {
            Share::Secret(Knowledge { s, s_x, r_x }) => {
                write_words(&g1_words(s), out);
                write_words(&g1_words(s_x), out);
                write_words(&g2_words(r_x), out);
            }
            Share::Beacon { value, iterations_exponent } => {
                out.push(*iterations_exponent);
                write_text(value, out);
            }
        }
    }

    fn read(rest: &mut &[u8]) -> Option<Self> {
        let tag = take(rest, 1)?[0];
        let name = String::from_utf8(read_text(rest)?.to_vec()).ok()?;
        let (delta_g1, delta_g2) = (read_g1(rest)?, read_g2(rest)?);
        let share = match tag {
            TAG_SECRET => Share::Secret(Knowledge { s: read_g1(rest)?, s_x: read_g1(rest)?, r_x: read_g2(rest)? }),
            TAG_BEACON => {
                let iterations_exponent = take(rest, 1)?[0];
                Share::Beacon { value: read_text(rest)?.to_vec(), iterations_exponent }
            }
            _ => return None,
        };
        Some(Self { name, delta_g1, delta_g2, share })
    }
}

pub(super) fn write_words(words: &[U256], out: &mut Vec<u8>) {
    words.iter().for_each(|word| out.extend(word.to_be_bytes::<32>()));
}

fn write_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(u8::try_from(text.len()).expect("a text has at most 255 bytes"));
    out.extend(text);
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(count)?;
    *rest = left;
    Some(taken)
}

fn read_text<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let count = take(rest, 1)?[0];
    take(rest, count.into())
}

fn read_words<const N: usize>(rest: &mut &[u8]) -> Option<[U256; N]> {
    let bytes = take(rest, 32 * N)?;
    Some(std::array::from_fn(|i| U256::from_be_slice(&bytes[32 * i..32 * (i + 1)])))
}

/// No honest contribution has infinity anywhere.
fn read_g1(rest: &mut &[u8]) -> Option<G1Affine> {
    g1_from_words(read_words(rest)?).ok().filter(|point| !point.is_zero())
}

fn read_g2(rest: &mut &[u8]) -> Option<G2Affine> {
    g2_from_words(read_words(rest)?).ok().filter(|point| !point.is_zero())
}
