//! Upper bounds for the gas of submitting, from the figures that are pinned in `gas.txt`. The gas tests hold them against the EVM.

use crate::Sheaf;
use std::collections::BTreeSet;

/// What a call takes besides its batches and shapes: its base, and the pairings that all proofs share.
pub const CALL: u64 = 160_000;
/// What each different shape among the batches takes: a pairing and its part of L.
pub const SHAPE: u64 = 60_000;
/// What a batch takes besides its operations.
pub const BATCH: u64 = 90_000;
/// The floor of EIP-7623 for a byte that is not zero, more than its evaluation and its price without the floor.
pub const BYTE: u64 = 40;
/// A byte by which an operation is longer than the shortest of its kind: what leaves is hashed, for one.
pub const EXTRA_BYTE: u64 = 130;
/// An operation from L1, before the refund for the entry that is deleted.
pub const L1_OPERATION: u64 = 10_000;

/// Bytes of the shortest operation of L2 and of L1.
const OPERATION_BYTES: [u64; 2] = [14, 41];

/// What a batch takes at most, without its part of [`CALL`] and [`SHAPE`].
pub fn batch_bound(batch: &Sheaf::Batch) -> u64 {
    let (length, l1) = (batch.ops.len() as u64, u64::from(batch.l1Count));
    let shortest = OPERATION_BYTES[0] * u64::from(batch.opCount).saturating_sub(l1) + OPERATION_BYTES[1] * l1;
    BATCH + BYTE * length + EXTRA_BYTE * length.saturating_sub(shortest) + L1_OPERATION * l1
}

/// What a call with these batches takes at most.
pub fn call_bound(batches: &[Sheaf::Batch]) -> u64 {
    let shapes: BTreeSet<u8> = batches.iter().map(|batch| batch.shape).collect();
    CALL + SHAPE * shapes.len() as u64 + batches.iter().map(batch_bound).sum::<u64>()
}

/// What a call pays at least for its data (EIP-7623): 21,000, and 10 for a byte that is zero, 40 for another one.
pub fn calldata_floor(data: &[u8]) -> u64 {
    let zeros = data.iter().filter(|byte| **byte == 0).count() as u64;
    21_000 + 10 * zeros + 40 * (data.len() as u64 - zeros)
}
