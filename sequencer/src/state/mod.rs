//! The state after the last operation, in memory: its words, and what is derived from them to find accounts.
//!
//! The words are written by the executor. What it did is then [noted](State::note) operation by operation, which keeps
//! up who can be found where, and how much of each token there is. [`State::absorb`] does both for an operation that was
//! executed elsewhere.

mod pairs;

pub(crate) use pairs::{PairIndex, Unresolved};

use alloy_primitives::Address;
use ark_ff::Zero;
use sheaf_core::F;
use sheaf_core::geometry::Geometry;
use sheaf_core::operation::Operation;
use sheaf_core::slot::{Context, PORTS, Port, evaluate};
use sheaf_core::transaction::{Pair, Resolution};
use sheaf_core::types::{
    AccountId, KEY_HASH_WORD, NONCE_WORD, OWNER_WORD, TOKEN_COUNT, TokenId, TokenWord, address_from_field, field_from_address,
    u128_from_field,
};
use sheaf_executor::Words;
use std::fmt;

/// One account as it stands, without its balances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// Hash of the L2 key; 0 if there is no such account.
    pub(crate) key_hash: F,
    /// The L1 address that controls it.
    pub(crate) owner: Address,
    /// The next transaction's number.
    pub(crate) nonce: u64,
}

impl Account {
    /// Whether somebody has this index.
    pub(crate) fn exists(&self) -> bool {
        !self.key_hash.is_zero()
    }
}

/// All accounts, and who can be found where.
pub(crate) struct State {
    words: Words,
    pairs: PairIndex,
    /// Sum of all balances of each token; below 2^128, so that no credit can overflow.
    supply: [u128; TOKEN_COUNT as usize],
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("accounts", &self.pairs.len()).finish_non_exhaustive()
    }
}

impl State {
    /// The state of genesis: nobody has anything.
    pub(crate) fn new(geometry: Geometry, operator: Pair, fee_account: AccountId) -> Self {
        let pairs = PairIndex::new(operator, fee_account.get(), geometry.account_capacity());
        Self { words: Words::new(geometry), pairs, supply: [0; TOKEN_COUNT as usize] }
    }

    /// The state as words.
    pub(crate) const fn words(&self) -> &Words {
        &self.words
    }

    /// The words for the executor. Whoever changes them [notes](Self::note) afterwards what was executed, in order.
    pub(crate) const fn words_mut(&mut self) -> &mut Words {
        &mut self.words
    }

    fn geometry(&self) -> Geometry {
        self.words.geometry()
    }

    fn word(&self, index: AccountId, word: u32) -> F {
        self.words.get(self.geometry().address(index.get(), word))
    }

    /// The account at `index`, empty where there is none.
    ///
    /// # Panics
    /// If the index is not one of this state.
    pub(crate) fn account(&self, index: AccountId) -> Account {
        let owner = address_from_field(self.word(index, OWNER_WORD)).expect("an owner is an address");
        Account { key_hash: self.key_hash(index), owner, nonce: self.nonce(index) }
    }

    /// The key hash of the account at `index`, 0 where there is none.
    ///
    /// # Panics
    /// If the index is not one of this state.
    pub(crate) fn key_hash(&self, index: AccountId) -> F {
        self.word(index, KEY_HASH_WORD)
    }

    /// The next transaction's number of the account at `index`.
    ///
    /// # Panics
    /// If the index is not one of this state.
    pub(crate) fn nonce(&self, index: AccountId) -> u64 {
        let nonce = u128_from_field(self.word(index, NONCE_WORD));
        nonce.and_then(|n| n.try_into().ok()).expect("a nonce counts up by one")
    }

    /// What an account has of a token.
    ///
    /// # Panics
    /// If the index is not one of this state.
    pub(crate) fn balance(&self, index: AccountId, token: TokenId) -> u128 {
        u128_from_field(self.word(index, token.word().get().into())).expect("a balance is below 2^128")
    }

    /// Whether the index is one of this state.
    pub(crate) fn contains(&self, index: AccountId) -> bool {
        index.get() < self.geometry().account_capacity()
    }

    /// Sum of all balances of a token.
    pub(crate) const fn supply(&self, token: TokenId) -> u128 {
        self.supply[token.get() as usize]
    }

    /// Where a credit to `pair` goes: the lowest index that has it, or else the lowest empty one.
    pub(crate) fn resolve(&self, pair: &Pair) -> Result<Resolution, Unresolved> {
        self.pairs.resolve(pair)
    }

    /// The lowest empty index from `from` on that is for everybody.
    pub(crate) fn empty_index(&self, from: u32) -> Option<AccountId> {
        self.pairs.empty_index(from)
    }

    /// Notes that no account is created for `pair` any more, and says whether that is new.
    pub(crate) fn retire(&mut self, pair: Pair) -> bool {
        self.pairs.retire(pair)
    }

    /// Puts an account where it was stored, without its balances.
    ///
    /// # Panics
    /// If the index is not one of this state.
    pub(crate) fn put_account(&mut self, index: AccountId, key_hash: F, owner: Address, nonce: u64) {
        let geometry = self.geometry();
        let before = self.account(index);
        if before.exists() {
            self.pairs.remove(&Pair { owner: before.owner, key_hash: before.key_hash }, index.get());
        }
        let mut set = |word, value| self.words.set(geometry.address(index.get(), word), value);
        set(KEY_HASH_WORD, key_hash);
        set(NONCE_WORD, F::from(nonce));
        set(OWNER_WORD, field_from_address(owner));
        if !key_hash.is_zero() {
            self.pairs.insert(Pair { owner, key_hash }, index.get());
        }
    }

    /// Puts a balance where it was stored.
    ///
    /// # Panics
    /// If the index is not one of this state, or all balances of the token are 2^128 or more together.
    pub(crate) fn put_balance(&mut self, index: AccountId, token: TokenId, amount: u128) {
        let before = self.balance(index, token);
        let supply = &mut self.supply[token.get() as usize];
        *supply = (*supply - before).checked_add(amount).expect("deposits beyond 2^128 are refunded");
        self.words.set(self.geometry().address(index.get(), token.word().get().into()), F::from(amount));
    }

    /// Makes room for the index of as many accounts more, before many are put.
    pub(crate) fn reserve(&mut self, accounts: usize) {
        self.pairs.reserve(accounts);
    }

    /// Applies an operation that was executed, and so checked, elsewhere.
    ///
    /// # Panics
    /// If it can't have been executed on this state.
    pub(crate) fn absorb(&mut self, ctx: &Context, operation: &Operation) {
        let ports = evaluate(ctx, operation, &mut self.words);
        self.note(operation, &ports);
    }

    /// Keeps up what is derived from the words, after an operation that made these accesses. If it replaced a key, the pair
    /// that is retired by it for the first time.
    ///
    /// # Panics
    /// If the operation can't have been executed on this state.
    pub(crate) fn note(&mut self, operation: &Operation, ports: &[Port; PORTS]) -> Option<Pair> {
        let index = |token: TokenWord| token.token().expect("the slot function refuses other words").get() as usize;
        match *operation {
            Operation::Deposit { account, token, amount, owner, key_hash } => {
                let supply = &mut self.supply[index(token)];
                *supply = supply.checked_add(amount).expect("deposits beyond 2^128 are refunded");
                if ports[3].old.is_zero() {
                    self.pairs.insert(Pair { owner, key_hash }, account.get());
                }
            }
            Operation::TransferNew { to, owner, key_hash, .. } => self.pairs.insert(Pair { owner, key_hash }, to.get()),
            Operation::Withdraw { token, amount, .. } => {
                self.supply[index(token)] -= amount.value().expect("a balance paid it");
            }
            Operation::ForcedExit { token, amount, .. } => self.supply[index(token)] -= amount,
            Operation::SetKey { account, .. } => return self.note_key(account, ports),
            Operation::Noop | Operation::Transfer { .. } | Operation::DepositRefund { .. } => {}
        }
        None
    }

    fn note_key(&mut self, account: AccountId, ports: &[Port; PORTS]) -> Option<Pair> {
        let (key, owner) = (ports[3], address_from_field(ports[4].old).expect("an owner is an address"));
        if key.old == key.new {
            return None;
        }
        self.pairs.insert(Pair { owner, key_hash: key.new }, account.get());
        if key.old.is_zero() {
            return None;
        }
        let replaced = Pair { owner, key_hash: key.old };
        self.pairs.remove(&replaced, account.get());
        self.retire(replaced).then_some(replaced)
    }
}
