//! The contract's verifying keys, and whether a stored proof holds under them.
//!
//! A prover verifies with its own keys. They may be those of another ceremony, and what is stored may have been damaged: it is
//! the contract that must accept a proof, so it is the contract's keys that it is held against before it is sent.

use crate::Result;
use crate::error::Error;
use crate::l1::L1;
use alloy::primitives::B256;
use alloy::providers::Provider;
use sheaf_circuits::evm::{proof_from_evm, verifying_key_from_words};
use sheaf_circuits::keys::vk_hash;
use sheaf_circuits::prove::{VerifyingKey, verify};
use sheaf_contracts::{Sheaf, StoredKeys};
use sheaf_core::F;
use sheaf_core::batch::PublicData;
use sheaf_core::l1::domain;
use sheaf_core::operation::Operation;
use sheaf_core::shape::Shape;
use sheaf_core::types::{AccountId, field_from_u256};

/// The keys of all shapes of a contract.
#[derive(Clone, Debug)]
pub struct ContractKeys {
    domain: F,
    shapes: Vec<(VerifyingKey, u16)>,
}

impl ContractKeys {
    /// Reads them from where the contract's constructor put them. They never change.
    ///
    /// # Errors
    /// [`Error::BadKeys`] if there is something else, [`Error::L1`].
    pub async fn read(l1: &L1) -> Result<Self> {
        let code = l1.provider.get_code_at(StoredKeys::address(l1.contract)).await?;
        if code.is_empty() {
            // A node that is behind the deployment has nothing there.
            return Err(Error::L1("it does not have the contract's verifying keys yet".to_owned()));
        }
        let bad = |reason: String| Error::BadKeys { contract: l1.contract, reason };
        let stored = StoredKeys::from_code(&code).ok_or_else(|| bad(format!("{} bytes that are no keys", code.len())))?;
        let key = |(id, shape): (u8, &Sheaf::Shape)| {
            let words = stored.words(id).expect("one of its shapes");
            let key = verifying_key_from_words(&words).map_err(|error| bad(format!("shape {id}: {error}")))?;
            Ok((key, shape.slots))
        };
        let shapes = (0..).zip(&stored.shapes).map(key).collect::<Result<_>>()?;
        Ok(Self { domain: domain(l1.chain_id, l1.contract), shapes })
    }

    /// The hashes of the keys by which provers know them, in the order of the shapes.
    pub fn hashes(&self) -> Vec<B256> {
        self.shapes.iter().map(|(key, _)| vk_hash(key)).collect()
    }

    /// Whether the contract will find that the batch's proof proves it. What can't be read proves nothing.
    pub fn verifies(&self, batch: &Sheaf::Batch) -> bool {
        self.check(batch).unwrap_or(false)
    }

    fn check(&self, batch: &Sheaf::Batch) -> Option<bool> {
        let (key, slots) = self.shapes.get(usize::from(batch.shape))?;
        let operations = Operation::decode_all(&batch.ops, batch.l1Count.into(), batch.opCount.into()).ok()?;
        if operations.len() > usize::from(*slots) {
            return None;
        }
        let data = PublicData {
            domain: self.domain,
            old_root: field_from_u256(batch.oldRoot)?,
            new_root: field_from_u256(batch.newRoot)?,
            timestamp: batch.header as u32,
            fee_account: AccountId::new(u32::try_from(batch.header >> 32).ok()?)?,
            operations,
        };
        // The numbers of rows are in the key alone.
        let shape = Shape { id: batch.shape, slots: usize::from(*slots), leaf_rows: 0, node_rows: 0 };
        let inputs = data.public_inputs(&shape, field_from_u256(batch.c)?);
        Some(verify(key, &inputs, &proof_from_evm(&batch.proof).ok()?))
    }
}
