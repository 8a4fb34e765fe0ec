//! The block that is being filled.

use crate::block::{AccountRow, BalanceRow, BatchRow, BlockRecord, L1Row, RetiredRow, TransactionRow, UndoRow};
use crate::state::{State, Write};
use crate::types::{BatchNumber, BlockNumber};
use alloy_primitives::Address;
use sheaf_core::types::{AccountId, FIRST_BALANCE_WORD, TokenId};
use std::collections::BTreeMap;

fn id(index: u32) -> AccountId {
    AccountId::new(index).expect("touched accounts are in range")
}

/// What the next block has so far. Accounts and balances are looked up when it is finished.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) number: BlockNumber,
    pub(crate) transactions: Vec<TransactionRow>,
    pub(crate) l1: Vec<L1Row>,
    pub(crate) retired: Vec<RetiredRow>,
    batches: BTreeMap<BatchNumber, BatchRow>,
    /// Changed accounts, and whether each existed before the block.
    accounts: BTreeMap<u32, bool>,
    /// Changed balances, and whether each was above 0 before the block.
    balances: BTreeMap<(u32, u8), bool>,
    undo: Vec<UndoRow>,
}

impl Draft {
    pub(crate) const fn new(number: BlockNumber) -> Self {
        Self {
            number,
            transactions: Vec::new(),
            l1: Vec::new(),
            retired: Vec::new(),
            batches: BTreeMap::new(),
            accounts: BTreeMap::new(),
            balances: BTreeMap::new(),
            undo: Vec::new(),
        }
    }

    /// Whether there is nothing to make durable.
    pub(crate) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Operations in it.
    pub(crate) const fn operations(&self) -> usize {
        self.transactions.len() + self.l1.len()
    }

    /// Notes how a batch stands now.
    pub(crate) fn batch(&mut self, row: BatchRow) {
        self.batches.insert(row.number, row);
    }

    /// Notes that `(account, word)` is about to change; `state` is the one before.
    pub(crate) fn touch(&mut self, (account, word): (u32, u32), state: &State) {
        let before = state.account(id(account));
        if word < FIRST_BALANCE_WORD {
            let existed = before.exists() || before.nonce > 0 || before.owner != Address::ZERO;
            self.accounts.entry(account).or_insert(existed);
        } else {
            let token = TokenId::new((word - FIRST_BALANCE_WORD) as u8).expect("touched tokens are in range");
            self.balances.entry((account, token.get())).or_insert(before.balance(token) > 0);
        }
    }

    /// Notes what a word was before the batch.
    pub(crate) fn undo(&mut self, batch: BatchNumber, write: &Write) {
        self.undo.push(UndoRow { batch, address: write.address, old: write.old });
    }

    /// The finished block; `state` is the one after it.
    pub(crate) fn finish(self, state: &State) -> BlockRecord {
        let account = |(index, existed): (&u32, &bool)| {
            let account = state.account(id(*index));
            AccountRow {
                id: id(*index),
                key_hash: account.key_hash,
                owner: account.owner,
                nonce: account.nonce,
                existed: *existed,
            }
        };
        let balance = |((index, token), existed): (&(u32, u8), &bool)| {
            let token = TokenId::new(*token).expect("touched tokens are in range");
            BalanceRow { account: id(*index), token, amount: state.account(id(*index)).balance(token), existed: *existed }
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
            replayed_to: None,
            dropped: Vec::new(),
        }
    }
}
