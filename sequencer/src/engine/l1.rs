//! Entries of the contract's queue: what each becomes on the state as it is.

use super::Engine;
use crate::state::{SlotRun, Unresolved};
use ark_ff::Zero;
use sheaf_core::geometry::Geometry;
use sheaf_core::l1::{QUEUE_PREIMAGE_BYTES, queue_preimage};
use sheaf_core::operation::Operation;
use sheaf_core::transaction::{Pair, Resolution};
use sheaf_core::types::field_from_address;

/// A confirmed entry of the contract's queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct L1Entry {
    /// Its index in the queue, from 0.
    pub(crate) index: u64,
    /// What the contract hashed.
    pub(crate) preimage: [u8; QUEUE_PREIMAGE_BYTES],
    /// The same, read: a deposit's index and an exit's amount are still 0.
    pub(crate) operation: Operation,
}

/// An entry that the contract can't have taken: the watcher read something else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadEntry {
    /// The bytes are no entry.
    #[error("entry {index} of the L1 queue can't be read")]
    Unreadable {
        /// Which.
        index: u64,
    },
    /// An entry is missing or comes twice.
    #[error("entry {found} of the L1 queue came where {expected} was due")]
    Order {
        /// What came.
        found: u64,
        /// What was due.
        expected: u64,
    },
}

impl L1Entry {
    /// Reads an entry.
    ///
    /// # Errors
    /// [`BadEntry::Unreadable`], also for an account that this geometry does not have and for what the contract refuses.
    pub(crate) fn read(index: u64, preimage: [u8; QUEUE_PREIMAGE_BYTES], geometry: Geometry) -> Result<Self, BadEntry> {
        let unreadable = BadEntry::Unreadable { index };
        // An entry's aux2 is not posted where the operation has none, so the rest must be zeros.
        let operation = Operation::decode_as(&mut &preimage[..], true).map_err(|_| unreadable.clone())?;
        let sane = match operation {
            Operation::Deposit { token, amount, owner, key_hash, .. } => {
                token.token().is_some() && amount > 0 && !owner.is_zero() && !key_hash.is_zero()
            }
            Operation::SetKey { account, key_hash, .. } => account.get() < geometry.account_capacity() && !key_hash.is_zero(),
            Operation::ForcedExit { account, token, .. } => {
                account.get() < geometry.account_capacity() && token.token().is_some()
            }
            _ => false,
        };
        if sane && queue_preimage(&operation) == Some(preimage) {
            Ok(Self { index, preimage, operation })
        } else {
            Err(unreadable)
        }
    }
}

impl Engine {
    /// The operation that settles an entry: the operator's free fields filled in, or a refund.
    pub(super) fn resolve_l1(&self, entry: &Operation) -> Operation {
        match *entry {
            Operation::Deposit { token, amount, owner, key_hash, .. } => {
                let refund = Operation::DepositRefund { token, amount, owner, key_hash };
                let id = token.token().expect("entries were checked when they were read");
                if self.state.supply(id).checked_add(amount).is_none() {
                    return refund;
                }
                match self.state.resolve(&Pair { owner, key_hash }) {
                    Ok(Resolution::Existing(account) | Resolution::Create(account)) => {
                        Operation::Deposit { account, token, amount, owner, key_hash }
                    }
                    Err(Unresolved::Retired | Unresolved::Full) => refund,
                }
            }
            Operation::ForcedExit { account, token, caller, .. } => {
                let id = token.token().expect("entries were checked when they were read");
                let holder = self.state.account(account);
                let amount = if field_from_address(holder.owner) == field_from_address(caller) { holder.balance(id) } else { 0 };
                Operation::ForcedExit { account, token, amount, caller }
            }
            other => other,
        }
    }

    /// The pair that this operation replaces, if it is a SetKey that has an effect.
    pub(super) fn replaced_pair(&self, operation: &Operation, run: &SlotRun) -> Option<Pair> {
        let Operation::SetKey { account, .. } = *operation else { return None };
        let key = run.ports[3];
        let owner = self.state.account(account).owner;
        (key.old != key.new && !key.old.is_zero()).then_some(Pair { owner, key_hash: key.old })
    }
}
