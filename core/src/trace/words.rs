//! The vector `T`: what of the trace the commitment absorbs.

use super::rows::RowHashes;
use super::{LeafRow, NodeRow, SlotTrace, Trace};
use crate::F;
use crate::geometry::{ARITY, Geometry};
use crate::hash::h4;
use crate::shape::Shape;
use crate::slot::PORTS;
use ark_ff::{BigInt, PrimeField, Zero};
use rayon::prelude::*;
use std::sync::LazyLock;

/// The hash of four zeros, which every unused row has twice.
static ZERO_HASH: LazyLock<F> = LazyLock::new(|| h4([F::zero(); ARITY]));

/// Most bits that [`pack`] puts into one element: any number of so many is below the modulus.
const PACKED_BITS: u32 = 253;

/// Packs small numbers into one element, the first in the low bits.
///
/// # Panics
/// If a value is wider than its width, or all together wider than 253 bits.
pub fn pack(parts: impl IntoIterator<Item = (u32, u32)>) -> F {
    let (mut limbs, mut total) = ([0u64; 4], 0);
    for (value, width) in parts {
        assert!(u64::from(value) < 1 << width, "{value} is wider than {width} bits");
        let start = total;
        total += width;
        assert!(total <= PACKED_BITS, "too many bits for one element");
        let placed = u128::from(value) << (start % 64);
        let limb = start as usize / 64;
        limbs[limb] |= placed as u64;
        if placed >> 64 != 0 {
            limbs[limb + 1] |= (placed >> 64) as u64;
        }
    }
    F::from_bigint(BigInt(limbs)).expect("253 bits are below the modulus")
}

/// The hashes of four values before and after, which are often the same.
fn hashes(old: [F; ARITY], new: [F; ARITY]) -> [F; 2] {
    let hash = |four: [F; ARITY]| if four.iter().all(Zero::is_zero) { *ZERO_HASH } else { h4(four) };
    let before = hash(old);
    [before, if new == old { before } else { hash(new) }]
}

impl SlotTrace {
    /// The elements absorbed: seven old values, then the gaps packed.
    pub fn words(&self, time_bits: u32) -> [F; PORTS + 1] {
        let gaps = pack(self.gaps.map(|gap| (gap, time_bits)));
        std::array::from_fn(|i| if i < PORTS { self.old[i] } else { gaps })
    }
}

impl LeafRow {
    /// The elements absorbed: quad, live, touched flags and times packed in this order, then both hashes.
    pub fn words(&self, geometry: Geometry, time_bits: u32) -> [F; 3] {
        self.words_with(geometry, time_bits, hashes(self.old, self.new))
    }

    fn words_with(&self, geometry: Geometry, time_bits: u32, [old, new]: [F; 2]) -> [F; 3] {
        let head = [(self.quad, geometry.quad_bits()), (self.live.into(), 1)];
        let (flags, times) = (self.touched.map(|t| (t.into(), 1)), self.times.map(|t| (t, time_bits)));
        [pack(head.into_iter().chain(flags).chain(times)), old, new]
    }
}

impl NodeRow {
    /// The elements absorbed: id, live and active flags packed in this order, then both hashes.
    pub fn words(&self, geometry: Geometry) -> [F; 3] {
        self.words_with(geometry, hashes(self.old, self.new))
    }

    fn words_with(&self, geometry: Geometry, [old, new]: [F; 2]) -> [F; 3] {
        let head = [(self.id, geometry.node_id_bits()), (self.live.into(), 1)];
        [pack(head.into_iter().chain(self.active.map(|a| (a.into(), 1)))), old, new]
    }
}

impl Trace {
    /// The vector `T`: slots, leaf rows, node rows.
    pub fn words(&self, geometry: Geometry, shape: &Shape) -> Vec<F> {
        let leaves = self.leaves.par_iter().map(|row| hashes(row.old, row.new)).collect();
        let nodes = self.nodes.par_iter().map(|row| hashes(row.old, row.new)).collect();
        self.words_with(geometry, shape, &RowHashes { leaves, nodes })
    }

    /// [`Trace::words`] with the hashes of all rows in use known.
    pub(super) fn words_with(&self, geometry: Geometry, shape: &Shape, hashes: &RowHashes) -> Vec<F> {
        let time_bits = shape.time_bits();
        let padded = |hashes: &[[F; 2]], row: usize| hashes.get(row).copied().unwrap_or([*ZERO_HASH; 2]);
        let mut words = Vec::with_capacity((PORTS + 1) * self.slots.len() + 3 * (self.leaves.len() + self.nodes.len()));
        words.extend(self.slots.iter().flat_map(|s| s.words(time_bits)));
        for (i, row) in self.leaves.iter().enumerate() {
            words.extend(row.words_with(geometry, time_bits, padded(&hashes.leaves, i)));
        }
        for (i, row) in self.nodes.iter().enumerate() {
            words.extend(row.words_with(geometry, padded(&hashes.nodes, i)));
        }
        words
    }
}
