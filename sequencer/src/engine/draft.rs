//! The block that is being filled.

use crate::block::{AccountRow, BalanceRow, BatchRow, BlockRecord, DroppedRow, L1Row, RetiredRow, TransactionRow, UndoRow};
use crate::state::{Account, State};
use crate::types::{BatchNumber, BlockNumber};
use sheaf_core::types::{AccountId, FIRST_BALANCE_WORD, TokenId};
use std::collections::{BTreeMap, BTreeSet};

/// What the next block has so far. Accounts and balances are looked up when it is finished.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) number: BlockNumber,
    pub(crate) transactions: Vec<TransactionRow>,
    pub(crate) l1: Vec<L1Row>,
    pub(crate) retired: Vec<RetiredRow>,
    pub(crate) dropped: Vec<DroppedRow>,
    pub(crate) replayed_to: Option<u64>,
    batches: BTreeMap<BatchNumber, BatchRow>,
    /// Changed accounts, and whether each existed before the block.
    accounts: BTreeMap<u32, bool>,
    /// Changed balances.
    balances: BTreeSet<(u32, u8)>,
    undo: Vec<UndoRow>,
}

impl Draft {
    pub(crate) const fn new(number: BlockNumber) -> Self {
        Self {
            number,
            transactions: Vec::new(),
            l1: Vec::new(),
            retired: Vec::new(),
            dropped: Vec::new(),
            replayed_to: None,
            batches: BTreeMap::new(),
            accounts: BTreeMap::new(),
            balances: BTreeSet::new(),
            undo: Vec::new(),
        }
    }

    /// Whether there is nothing to make durable.
    pub(crate) fn is_empty(&self) -> bool {
        self.batches.is_empty() && self.replayed_to.is_none()
    }

    /// Operations in it.
    pub(crate) const fn operations(&self) -> usize {
        self.transactions.len() + self.l1.len()
    }

    /// Notes how a batch stands now.
    pub(crate) fn batch(&mut self, row: BatchRow) {
        self.batches.insert(row.number, row);
    }

    /// Notes that `(account, word)` changed, and whether the account existed before. Of several changes in a block the first
    /// one counts.
    pub(crate) fn touch(&mut self, (account, word): (u32, u32), existed: bool) {
        if word < FIRST_BALANCE_WORD {
            self.accounts.entry(account).or_insert(existed);
        } else {
            self.balances.insert((account, (word - FIRST_BALANCE_WORD) as u8));
        }
    }

    /// Notes what a word was before its batch first changed it.
    pub(crate) fn undo(&mut self, row: UndoRow) {
        self.undo.push(row);
    }

    /// The finished block; `state` is the one after it.
    pub(crate) fn finish(self, state: &State) -> BlockRecord {
        let id = |index| AccountId::new(index).expect("touched accounts are in range");
        let account = |(index, existed): (&u32, &bool)| {
            let Account { key_hash, owner, nonce } = state.account(id(*index));
            AccountRow { id: id(*index), key_hash, owner, nonce, existed: *existed }
        };
        let balance = |(index, token): &(u32, u8)| {
            let (account, token) = (id(*index), TokenId::new(*token).expect("touched tokens are in range"));
            BalanceRow { account, token, amount: state.balance(account, token) }
        };
        BlockRecord {
            number: self.number,
            batches: self.batches.into_values().collect(),
            accounts: self.accounts.iter().map(account).collect(),
            balances: self.balances.iter().map(balance).collect(),
            transactions: self.transactions,
            l1: self.l1,
            retired: self.retired,
            undo: self.undo,
            replayed_to: self.replayed_to,
            dropped: self.dropped,
        }
    }
}
