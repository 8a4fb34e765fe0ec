//! The state after the last operation, typed and in memory.
//!
//! [`State::run`] gives the slot function a view of it as words and collects what the slot writes;
//! [`State::commit`] takes that over. Between the two nothing has changed, so a refusal needs no undoing.

mod pairs;

pub(crate) use pairs::{PairIndex, Unresolved};

use alloy_primitives::Address;
use ark_ff::Zero;
use sheaf_core::F;
use sheaf_core::geometry::Geometry;
use sheaf_core::operation::Operation;
use sheaf_core::slot::{self, Context, Memory, PORTS, Port, Signed, SlotError};
use sheaf_core::transaction::{Pair, Resolution};
use sheaf_core::types::{
    AccountId, FIRST_BALANCE_WORD, KEY_HASH_WORD, NONCE_WORD, OWNER_WORD, TOKEN_COUNT, TokenId, address_from_field,
    field_from_address, u128_from_field,
};
use std::collections::BTreeMap;

/// One account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// Hash of the L2 key; 0 if there is no such account.
    pub(crate) key_hash: F,
    /// The L1 address that controls it.
    pub(crate) owner: Address,
    /// The next transaction's number.
    pub(crate) nonce: u64,
    /// Balances above 0, by token number.
    pub(crate) balances: BTreeMap<u8, u128>,
}

impl Account {
    /// Whether somebody has this index.
    pub(crate) fn exists(&self) -> bool {
        !self.key_hash.is_zero()
    }

    /// What a token's balance is.
    pub(crate) fn balance(&self, token: TokenId) -> u128 {
        self.balances.get(&token.get()).copied().unwrap_or(0)
    }
}

/// A word that a slot changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) address: u32,
    pub(crate) old: F,
    pub(crate) new: F,
}

/// What a slot did.
#[derive(Clone, Debug)]
pub(crate) struct SlotRun {
    pub(crate) ports: [Port; PORTS],
    /// Every word whose value is another than before, once.
    pub(crate) writes: Vec<Write>,
}

impl SlotRun {
    /// The addresses of the ports.
    pub(crate) fn addresses(&self) -> [u32; PORTS] {
        self.ports.map(|p| p.address)
    }
}

/// All accounts, and who can be found where.
#[derive(Clone, Debug)]
pub(crate) struct State {
    geometry: Geometry,
    accounts: Vec<Account>,
    pairs: PairIndex,
    /// Sum of all balances of each token; below 2^128, so that no credit can overflow.
    supply: [u128; TOKEN_COUNT as usize],
}

impl State {
    /// The state of genesis: nobody has anything.
    pub(crate) fn new(geometry: Geometry, operator: Pair, fee_account: AccountId) -> Self {
        let pairs = PairIndex::new(operator, fee_account.get(), geometry.account_capacity());
        Self { geometry, accounts: Vec::new(), pairs, supply: [0; TOKEN_COUNT as usize] }
    }

    /// The account at `index`, empty where there is none.
    pub(crate) fn account(&self, index: AccountId) -> &Account {
        static EMPTY: Account =
            Account { key_hash: ark_ff::MontFp!("0"), owner: Address::ZERO, nonce: 0, balances: BTreeMap::new() };
        self.accounts.get(index.get() as usize).unwrap_or(&EMPTY)
    }

    /// Whether the index is one of this state.
    pub(crate) fn contains(&self, index: AccountId) -> bool {
        index.get() < self.geometry.account_capacity()
    }

    /// Sum of all balances of a token.
    pub(crate) fn supply(&self, token: TokenId) -> u128 {
        self.supply[token.get() as usize]
    }

    /// Where a credit to `pair` goes: the lowest index that has it, or else the lowest empty one.
    pub(crate) fn resolve(&self, pair: &Pair) -> Result<Resolution, Unresolved> {
        self.pairs.resolve(pair)
    }

    /// Notes that no account is created for `pair` any more.
    pub(crate) fn retire(&mut self, pair: Pair) -> bool {
        self.pairs.retire(pair)
    }

    /// The word at `address`.
    pub(crate) fn word(&self, address: u32) -> F {
        let (index, word) = self.geometry.locate(address);
        let Some(account) = self.accounts.get(index as usize) else { return F::zero() };
        match word {
            KEY_HASH_WORD => account.key_hash,
            NONCE_WORD => F::from(account.nonce),
            OWNER_WORD => field_from_address(account.owner),
            balance => F::from(account.balances.get(&((balance - FIRST_BALANCE_WORD) as u8)).copied().unwrap_or(0)),
        }
    }

    /// Runs the slot function on top of the state.
    ///
    /// # Errors
    /// Its [`SlotError`].
    pub(crate) fn run(&self, ctx: &Context, operation: &Operation, signed: Option<&Signed>) -> Result<SlotRun, SlotError> {
        let mut memory = SlotMemory { state: self, words: Vec::with_capacity(PORTS) };
        let ports = slot::apply(ctx, operation, signed, &mut memory)?;
        let changed = |(address, new)| {
            let old = self.word(address);
            (old != new).then_some(Write { address, old, new })
        };
        Ok(SlotRun { ports, writes: memory.words.into_iter().filter_map(changed).collect() })
    }

    /// Takes over what a slot wrote.
    ///
    /// # Panics
    /// If a word is out of its range: the slot function allows no such write.
    pub(crate) fn commit(&mut self, writes: &[Write]) {
        let mut renamed = Vec::new();
        for write in writes {
            let (index, word) = self.geometry.locate(write.address);
            if self.accounts.len() <= index as usize {
                self.accounts.resize(index as usize + 1, Account::default());
            }
            if (word == KEY_HASH_WORD || word == OWNER_WORD) && !renamed.contains(&index) {
                self.forget(index);
                renamed.push(index);
            }
            self.set_word(index, word, write.new);
        }
        for index in renamed {
            self.learn(index);
        }
    }

    fn set_word(&mut self, index: u32, word: u32, value: F) {
        let account = &mut self.accounts[index as usize];
        match word {
            KEY_HASH_WORD => account.key_hash = value,
            NONCE_WORD => {
                account.nonce = u128_from_field(value).and_then(|n| n.try_into().ok()).expect("a nonce counts up by one")
            }
            OWNER_WORD => account.owner = address_from_field(value).expect("an owner is an address"),
            balance => {
                let token = (balance - FIRST_BALANCE_WORD) as u8;
                let new = u128_from_field(value).expect("a balance is below 2^128");
                let old =
                    if new == 0 { account.balances.remove(&token) } else { account.balances.insert(token, new) }.unwrap_or(0);
                let supply = &mut self.supply[token as usize];
                *supply = (*supply - old).checked_add(new).expect("deposits beyond 2^128 are refunded");
            }
        }
    }

    fn forget(&mut self, index: u32) {
        let account = &self.accounts[index as usize];
        if account.exists() {
            self.pairs.remove(&Pair { owner: account.owner, key_hash: account.key_hash }, index);
        }
    }

    fn learn(&mut self, index: u32) {
        let account = &self.accounts[index as usize];
        if account.exists() {
            self.pairs.insert(Pair { owner: account.owner, key_hash: account.key_hash }, index);
        }
    }

    /// The words of one account, for loading and for checks against a tree.
    pub(crate) fn put_account(&mut self, index: AccountId, account: Account) {
        let address = |word| self.geometry.address(index.get(), word);
        let mut writes = vec![
            (address(KEY_HASH_WORD), account.key_hash),
            (address(NONCE_WORD), F::from(account.nonce)),
            (address(OWNER_WORD), field_from_address(account.owner)),
        ];
        writes.extend(account.balances.iter().map(|(t, v)| (address(FIRST_BALANCE_WORD + u32::from(*t)), F::from(*v))));
        let writes: Vec<_> = writes.into_iter().map(|(address, new)| Write { address, old: F::zero(), new }).collect();
        self.commit(&writes);
    }
}

/// The state with one slot's writes on top.
struct SlotMemory<'a> {
    state: &'a State,
    words: Vec<(u32, F)>,
}

impl Memory for SlotMemory<'_> {
    fn read(&self, address: u32) -> F {
        self.words.iter().find(|(a, _)| *a == address).map_or_else(|| self.state.word(address), |(_, value)| *value)
    }

    fn write(&mut self, address: u32, value: F) {
        match self.words.iter_mut().find(|(a, _)| *a == address) {
            Some((_, old)) => *old = value,
            None => self.words.push((address, value)),
        }
    }
}
