//! Points as a key file has them: the limbs that the field arithmetic works with, so that reading them computes nothing.
//!
//! A coordinate is the four 64-bit limbs of its Montgomery form, little-endian, least significant first; a point is
//! (x, y) in G1 and (x0, x1, y0, y1) in G2; infinity is all zeros, which is on neither curve. It is also the form that
//! snarkjs keeps points in.

use ark_bn254::{Fq, Fq2};
use ark_ec::AffineRepr;
use ark_ec::short_weierstrass::Affine;
use ark_ff::{BigInt, PrimeField};
use rayon::prelude::*;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

/// Points that are read, converted and summed up at once: 1 MiB of G1.
const CHUNK: usize = 1 << 14;
const COORDINATE_BYTES: usize = 32;

/// A point that has a fixed number of bytes.
pub(crate) trait Raw: AffineRepr {
    /// How many.
    const BYTES: usize;

    /// Writes it to exactly so many bytes.
    fn to_raw(&self, bytes: &mut [u8]);

    /// Whether it is on the curve, and in the subgroup.
    fn is_valid(&self) -> bool;

    /// Reads it; nothing if a coordinate is not below the modulus. Does not look whether it is on the curve.
    fn from_raw(bytes: &[u8]) -> Option<Self>;
}

fn write_coordinate(value: &Fq, bytes: &mut [u8]) {
    for (limb, bytes) in value.0.0.iter().zip(bytes.chunks_exact_mut(8)) {
        bytes.copy_from_slice(&limb.to_le_bytes());
    }
}

#[inline]
fn read_coordinate(bytes: &[u8]) -> Option<Fq> {
    let limb = |i: usize| u64::from_le_bytes(bytes[8 * i..8 * (i + 1)].try_into().expect("eight bytes"));
    let limbs = BigInt([limb(0), limb(1), limb(2), limb(3)]);
    (limbs < Fq::MODULUS).then(|| Fq::new_unchecked(limbs))
}

impl Raw for Affine<ark_bn254::g1::Config> {
    const BYTES: usize = 2 * COORDINATE_BYTES;

    fn to_raw(&self, bytes: &mut [u8]) {
        let Some((x, y)) = self.xy() else { return bytes.fill(0) };
        let (first, second) = bytes.split_at_mut(COORDINATE_BYTES);
        write_coordinate(&x, first);
        write_coordinate(&y, second);
    }

    fn is_valid(&self) -> bool {
        // All of G1's curve is its subgroup.
        self.is_on_curve()
    }

    #[inline]
    fn from_raw(bytes: &[u8]) -> Option<Self> {
        let (x, y) = (read_coordinate(&bytes[..32])?, read_coordinate(&bytes[32..64])?);
        let zero = x.0.0 == [0; 4] && y.0.0 == [0; 4];
        Some(if zero { Self::zero() } else { Self::new_unchecked(x, y) })
    }
}

impl Raw for Affine<ark_bn254::g2::Config> {
    const BYTES: usize = 4 * COORDINATE_BYTES;

    fn to_raw(&self, bytes: &mut [u8]) {
        let Some((x, y)) = self.xy() else { return bytes.fill(0) };
        for (value, bytes) in [x.c0, x.c1, y.c0, y.c1].iter().zip(bytes.chunks_exact_mut(COORDINATE_BYTES)) {
            write_coordinate(value, bytes);
        }
    }

    fn is_valid(&self) -> bool {
        self.is_on_curve() && self.is_in_correct_subgroup_assuming_on_curve()
    }

    #[inline]
    fn from_raw(bytes: &[u8]) -> Option<Self> {
        let at = |i: usize| read_coordinate(&bytes[32 * i..32 * (i + 1)]);
        let (x, y) = (Fq2::new(at(0)?, at(1)?), Fq2::new(at(2)?, at(3)?));
        let zero = bytes[..Self::BYTES].iter().all(|byte| *byte == 0);
        Some(if zero { Self::zero() } else { Self::new_unchecked(x, y) })
    }
}

/// What to think of infinity among points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Infinity {
    Allowed,
    Refused,
}

/// Whether each point is on its curve and in its subgroup.
pub(crate) fn valid<P: Raw>(points: &[P], infinity: Infinity) -> bool {
    points.par_iter().with_min_len(64).all(|point| match point.is_zero() {
        true => infinity == Infinity::Allowed,
        false => point.is_valid(),
    })
}

/// Mixes bytes, eight at a time: finds damage, not malice.
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    let mix = |sum: u64, word: u64| (sum ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29);
    let mut words = bytes.chunks_exact(8);
    let sum = words.by_ref().fold(0xcbf2_9ce4_8422_2325 ^ bytes.len() as u64, |sum, word| {
        mix(sum, u64::from_be_bytes(word.try_into().expect("eight bytes")))
    });
    words.remainder().iter().fold(sum, |sum, byte| mix(sum, u64::from(*byte)))
}

/// The checksum of parts by their checksums, in order.
pub(super) fn combine(sums: &[u64]) -> u64 {
    checksum(&sums.iter().flat_map(|sum| sum.to_be_bytes()).collect::<Vec<_>>())
}

/// Writes points by chunks, and notes each chunk's checksum.
pub(super) fn write<P: Raw>(points: &[P], out: &mut impl Write, sums: &mut Vec<u64>) -> io::Result<()> {
    for chunk in points.chunks(CHUNK) {
        let mut bytes = vec![0; chunk.len() * P::BYTES];
        bytes.par_chunks_exact_mut(P::BYTES).zip(chunk).for_each(|(bytes, point)| point.to_raw(bytes));
        sums.push(checksum(&bytes));
        out.write_all(&bytes)?;
    }
    Ok(())
}

/// Reads `count` points that begin at byte `at`, on all threads, and notes each chunk's checksum.
///
/// # Errors
/// Of kind `InvalidData`, if a coordinate is not below the modulus.
pub(crate) fn read<P: Raw>(file: &File, at: u64, count: usize, sums: &mut Vec<u64>) -> io::Result<Vec<P>> {
    let mut points = vec![P::zero(); count];
    let read = points.par_chunks_mut(CHUNK).enumerate().map(|(i, chunk)| {
        let mut bytes = vec![0; chunk.len() * P::BYTES];
        file.read_exact_at(&mut bytes, at + (i * CHUNK * P::BYTES) as u64)?;
        for (point, bytes) in chunk.iter_mut().zip(bytes.chunks_exact(P::BYTES)) {
            *point = P::from_raw(bytes).ok_or(io::ErrorKind::InvalidData)?;
        }
        Ok(checksum(&bytes))
    });
    sums.extend(read.collect::<io::Result<Vec<u64>>>()?);
    Ok(points)
}
