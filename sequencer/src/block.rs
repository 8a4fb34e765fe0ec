//! A block: everything that becomes durable in one database transaction.

use crate::types::{BatchNumber, BlockNumber};
use alloy_primitives::{Address, B256};
use sheaf_core::F;
use sheaf_core::l1::QUEUE_PREIMAGE_BYTES;
use sheaf_core::operation::Operation;
use sheaf_core::receipt::Leaf;
use sheaf_core::transaction::{Pair, Transaction};
use sheaf_core::types::{AccountId, TokenId};

/// A transaction's hash: its signed message, 32 big-endian bytes.
pub(crate) type TransactionHash = [u8; 32];

/// A batch as it stands after the block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BatchRow {
    pub(crate) number: BatchNumber,
    pub(crate) timestamp: u32,
    pub(crate) sealed: bool,
    /// The number of the smallest shape that holds it.
    pub(crate) shape: u8,
    pub(crate) l1_count: u32,
    pub(crate) op_count: u32,
}

/// A transaction that was executed.
#[derive(Clone, Debug)]
pub(crate) struct TransactionRow {
    pub(crate) hash: TransactionHash,
    pub(crate) transaction: Transaction,
    pub(crate) operation: Operation,
    pub(crate) batch: BatchNumber,
    pub(crate) position: u32,
}

/// An entry of the L1 queue that was executed.
#[derive(Clone, Debug)]
pub(crate) struct L1Row {
    pub(crate) index: u64,
    pub(crate) preimage: [u8; QUEUE_PREIMAGE_BYTES],
    pub(crate) operation: Operation,
    pub(crate) batch: BatchNumber,
    pub(crate) position: u32,
}

/// An account as it stands after the block.
#[derive(Clone, Debug)]
pub(crate) struct AccountRow {
    pub(crate) id: AccountId,
    pub(crate) key_hash: F,
    pub(crate) owner: Address,
    pub(crate) nonce: u64,
    /// Whether it had a key hash, an owner or a nonce before this block: then its row exists.
    pub(crate) existed: bool,
}

/// A balance as it stands after the block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BalanceRow {
    pub(crate) account: AccountId,
    pub(crate) token: TokenId,
    pub(crate) amount: u128,
}

/// A pair that a SetKey replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RetiredRow {
    pub(crate) pair: Pair,
    /// The batch of the SetKey.
    pub(crate) batch: BatchNumber,
}

/// A transaction that was executed once, was taken back, and no longer holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DroppedRow {
    /// Its place among what is replayed.
    pub(crate) seq: u64,
    pub(crate) hash: TransactionHash,
    /// The refusal's stable code.
    pub(crate) code: &'static str,
    /// The refusal in a sentence.
    pub(crate) message: String,
}

/// What a word was before `batch` first changed it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UndoRow {
    pub(crate) batch: BatchNumber,
    pub(crate) address: u32,
    pub(crate) old: F,
}

/// Everything that one block changes.
#[derive(Clone, Debug)]
pub(crate) struct BlockRecord {
    pub(crate) number: BlockNumber,
    pub(crate) batches: Vec<BatchRow>,
    pub(crate) transactions: Vec<TransactionRow>,
    pub(crate) l1: Vec<L1Row>,
    pub(crate) accounts: Vec<AccountRow>,
    pub(crate) balances: Vec<BalanceRow>,
    pub(crate) retired: Vec<RetiredRow>,
    pub(crate) undo: Vec<UndoRow>,
    /// What was replayed up to here, by its place, is settled by this block: as operations of it, or dropped.
    pub(crate) replayed_to: Option<u64>,
    /// Replayed transactions that no longer hold.
    pub(crate) dropped: Vec<DroppedRow>,
}

impl BlockRecord {
    /// What the operator promises of the block's transactions, in their order.
    ///
    /// # Panics
    /// If they are not in the order of their batches and positions, by which receipts are found again.
    pub(crate) fn leaves(&self) -> Vec<Leaf> {
        let place = |row: &TransactionRow| (row.batch, row.position);
        assert!(self.transactions.is_sorted_by(|a, b| place(a) < place(b)), "transactions are in the order of execution");
        let leaf = |(index, row): (usize, &TransactionRow)| Leaf {
            hash: B256::new(row.hash),
            block: self.number.0,
            index: index as u32,
            batch: row.batch.0,
            position: row.position,
        };
        self.transactions.iter().enumerate().map(leaf).collect()
    }
}
