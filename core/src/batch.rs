//! A batch as L1 sees it: its public data, the challenge, and the evaluation that ties them to the proof.

use crate::F;
use crate::hash::sponge;
use crate::l1;
use crate::operation::Operation;
use crate::shape::Shape;
use crate::slot::Context;
use crate::types::{AccountId, field_to_bytes};
use alloy_primitives::keccak256;
use ark_ff::{PrimeField, Zero};

/// Words of the public data before the first slot's.
pub const HEADER_WORDS: usize = 4;
/// Words of public data a slot.
pub const SLOT_WORDS: usize = 3;

/// The public data of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicData {
    /// The chain and contract.
    pub domain: F,
    /// The state root before.
    pub old_root: F,
    /// The state root after.
    pub new_root: F,
    /// The batch's time, unix seconds.
    pub timestamp: u32,
    /// The account that fees go to.
    pub fee_account: AccountId,
    /// The operations, those from L1 first, without padding.
    pub operations: Vec<Operation>,
}

/// The header as an integer: timestamp in the low 32 bits, the fee account above.
pub const fn header(timestamp: u32, fee_account: AccountId) -> u64 {
    timestamp as u64 | (fee_account.get() as u64) << 32
}

/// The public inputs of a batch proof, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicInputs {
    /// The commitment to public data and trace.
    pub c: F,
    /// The challenge.
    pub x: F,
    /// The evaluation of the public data at `x`.
    pub y: F,
}

impl PublicInputs {
    /// The inputs as the verifier takes them.
    pub const fn to_array(self) -> [F; 3] {
        [self.c, self.x, self.y]
    }
}

impl PublicData {
    /// The vector `W`, padded to the shape's slots.
    ///
    /// # Panics
    /// If there are more operations than slots.
    pub fn words(&self, slots: usize) -> Vec<F> {
        assert!(self.operations.len() <= slots, "more operations than slots");
        let header = F::from(header(self.timestamp, self.fee_account));
        let mut words = vec![self.domain, self.old_root, self.new_root, header];
        words.extend(self.operations.iter().flat_map(Operation::words));
        words.resize(HEADER_WORDS + SLOT_WORDS * slots, F::zero());
        words
    }

    /// The challenge `x` for commitment `c`.
    ///
    /// # Panics
    /// With 2^16 operations or more.
    pub fn challenge(&self, shape: &Shape, c: F) -> F {
        let count = |n: usize| u16::try_from(n).expect("fewer than 2^16 operations").to_be_bytes();
        let mut preimage = vec![shape.id];
        for word in [self.domain, self.old_root, self.new_root] {
            preimage.extend_from_slice(&field_to_bytes(word));
        }
        preimage.extend_from_slice(&header(self.timestamp, self.fee_account).to_be_bytes());
        preimage.extend_from_slice(&count(l1::l1_count(&self.operations)));
        preimage.extend_from_slice(&count(self.operations.len()));
        preimage.extend_from_slice(&field_to_bytes(c));
        preimage.extend_from_slice(&l1::posted(&self.operations));
        F::from_be_bytes_mod_order(keccak256(preimage).as_slice())
    }

    /// The public inputs of a proof for commitment `c`.
    pub fn public_inputs(&self, shape: &Shape, c: F) -> PublicInputs {
        let x = self.challenge(shape, c);
        PublicInputs { c, x, y: evaluate_at(&self.words(shape.slots), x) }
    }

    /// What all slots of this batch share.
    pub const fn context(&self, geometry: crate::geometry::Geometry) -> Context {
        Context { geometry, domain: self.domain, timestamp: self.timestamp, fee_account: self.fee_account }
    }
}

/// `Σ words[i] · x^i`.
pub fn evaluate_at(words: &[F], x: F) -> F {
    words.iter().rev().fold(F::zero(), |sum, word| sum * x + word)
}

/// The commitment `c` to public data `w` and trace `t`.
pub fn commitment(w: &[F], t: &[F]) -> F {
    sponge(&[w, t].concat())
}
