//! What is verified: a batch, and what is known around it.

use super::keys::Keys;
use super::operations::QueueEntry;
use alloy::primitives::{Address, B256, Bytes, U256};
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use sheaf_api::model::Operation;
use sheaf_contracts::Sheaf;
use sheaf_core::geometry::Geometry;
use sheaf_core::tree::Tree;
use sheaf_core::types::u256_from_field;
use std::ops::RangeInclusive;

/// The number of the first batch.
pub const FIRST_BATCH: u64 = 1;

/// The contract that a batch is for.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// Its chain's id.
    pub chain_id: u64,
    /// Its address.
    pub contract: Address,
    /// Its keys.
    pub keys: Keys,
}

/// A batch as the contract takes it, and what it has to fit to, as far as that is known.
#[derive(Clone, Debug)]
pub struct Case {
    /// The batch.
    pub batch: Sheaf::Batch,
    /// The number that it says it has.
    pub number: Option<u64>,
    /// The number that was asked for.
    pub asked: Option<u64>,
    /// The domain that it says it is for.
    pub domain: Option<U256>,
    /// The operations as somebody else decoded them.
    pub decoded: Option<Vec<Operation>>,
    /// The batch before it.
    pub previous: Option<Previous>,
    /// The entries of the queue that are next for this batch, as far as L1 has them.
    pub queue: Option<Vec<QueueEntry>>,
    /// The time of the block that accepted it, or of now if none did yet; unix seconds.
    pub block_timestamp: Option<u64>,
    /// The hash that L1 keeps of what leaves with it.
    pub withdrawals_hash: Option<B256>,
    /// The batch of this number that L1 accepted.
    pub settled: Option<Sheaf::Batch>,
    /// The numbers of the batches between the last one that L1 accepted and this one, which somebody else tells of.
    pub between: Option<RangeInclusive<u64>>,
}

/// What a batch has to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Previous {
    /// Its number.
    pub number: Option<u64>,
    /// The root after it.
    pub root: U256,
    /// Its timestamp, unix seconds.
    pub timestamp: u32,
}

impl Case {
    /// A batch of which nothing else is known.
    pub const fn of(batch: Sheaf::Batch) -> Self {
        Self {
            batch,
            number: None,
            asked: None,
            domain: None,
            decoded: None,
            previous: None,
            queue: None,
            block_timestamp: None,
            withdrawals_hash: None,
            settled: None,
            between: None,
        }
    }
}

impl Previous {
    /// What the first batch has to follow: the empty state.
    pub fn genesis() -> Self {
        Self { number: Some(FIRST_BATCH - 1), root: u256_from_field(Tree::new(Geometry::PROTOCOL).root()), timestamp: 0 }
    }

    /// What the batch after `batch` has to follow.
    pub const fn of(number: Option<u64>, batch: &Sheaf::Batch) -> Self {
        Self { number, root: batch.newRoot, timestamp: batch.header as u32 }
    }
}

/// A batch as the API answers it (`GET /v1/batches/N`); of its fields only those that can be verified. This is also the
/// form of `batch.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are those of sheaf_api::model::Batch")]
pub struct BatchJson {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    pub shape: u8,
    pub timestamp: u32,
    pub fee_account: u32,
    pub l1_count: u16,
    pub op_count: u16,
    pub old_root: Option<U256>,
    pub new_root: Option<U256>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<U256>,
    pub ops: Option<Bytes>,
    pub commitment: Option<U256>,
    pub proof: Option<[U256; 8]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operations: Option<Vec<Operation>>,
}

impl BatchJson {
    /// Of an answer of the API.
    ///
    /// # Errors
    /// If a field is not of its width.
    pub fn of_api(batch: &sheaf_api::model::Batch) -> Result<Self> {
        serde_json::from_value(serde_json::to_value(batch)?).context("the API's batch has a field of another form")
    }

    /// Of a batch as the contract takes it.
    pub fn of_contract(number: Option<u64>, batch: &Sheaf::Batch) -> Self {
        Self {
            number,
            shape: batch.shape,
            timestamp: batch.header as u32,
            fee_account: (batch.header >> 32) as u32,
            l1_count: batch.l1Count,
            op_count: batch.opCount,
            old_root: Some(batch.oldRoot),
            new_root: Some(batch.newRoot),
            domain: None,
            ops: Some(batch.ops.clone()),
            commitment: Some(batch.c),
            proof: Some(batch.proof),
            operations: None,
        }
    }

    /// The batch as the contract takes it.
    ///
    /// # Errors
    /// If it is not proven yet.
    pub fn to_contract(&self) -> Result<Sheaf::Batch> {
        Ok(Sheaf::Batch {
            shape: self.shape,
            header: u64::from(self.timestamp) | u64::from(self.fee_account) << 32,
            oldRoot: self.old_root.context("the batch is not built yet")?,
            newRoot: self.new_root.context("the batch is not built yet")?,
            c: self.commitment.context("the batch is not built yet")?,
            l1Count: self.l1_count,
            opCount: self.op_count,
            ops: self.ops.clone().context("the batch is not built yet")?,
            proof: self.proof.context("the batch is not proven yet")?,
        })
    }

    /// The batch with what it says of itself, and the one before it if that is known and built; before the first one is the
    /// empty state.
    ///
    /// # Errors
    /// If it is not proven yet.
    pub fn to_case(&self, asked: Option<u64>, previous: Option<&Self>) -> Result<Case> {
        let previous = match asked.or(self.number) {
            Some(FIRST_BATCH) => Some(Previous::genesis()),
            _ => previous.and_then(|p| Some(Previous { number: p.number, root: p.new_root?, timestamp: p.timestamp })),
        };
        Ok(Case {
            number: self.number,
            asked,
            domain: self.domain,
            decoded: self.operations.clone(),
            previous,
            ..Case::of(self.to_contract()?)
        })
    }
}
