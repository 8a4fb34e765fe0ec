//! Transactions that wait to be executed, in the order of each account's nonces.
//!
//! ```text
//!  account 2 │ next 7 │ 7 8 9 · 11 │ ─┐             turns: an account that can go on stands in the ring once,
//!  account 5 │ next 0 │ 0          │ ─┼─▶ 2 5 8 ─▶  and gives a few transactions when it is its turn
//!  account 8 │ next 3 │ 3 4        │ ─┘
//!  account 9 │ next 1 │ · 2        │      waits for its nonce 1
//! ```
//!
//! Everything is bounded. In a full pool, whoever takes the most room gives way to those who take clearly less, so that
//! nobody can crowd out the others. Nothing here does IO or looks at a clock; `W` is whoever waits for a transaction's
//! fate. Each operation takes time logarithmic in what waits, for each transaction that it moves.

mod queue;
#[cfg(test)]
mod tests;

use crate::block::TransactionHash;
use crate::engine::Verified;
use crate::error::Refusal;
use queue::Queue;
use sheaf_core::types::AccountId;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Transactions that an account gives when it is its turn.
pub(crate) const TURN: usize = 4;
/// How many may wait for one transaction's fate.
pub(crate) const WAITERS_MAX: usize = 8;

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) total: usize,
    pub(crate) per_account: usize,
}

/// A transaction, and who waits for its fate.
#[derive(Clone, Debug)]
pub(crate) struct Entry<W> {
    pub(crate) verified: Verified,
    pub(crate) waiters: Vec<W>,
}

impl<W> Entry<W> {
    fn account(&self) -> AccountId {
        self.verified.transaction.payload.from
    }

    fn nonce(&self) -> u64 {
        self.verified.transaction.payload.nonce
    }

    fn expiry(&self) -> (u32, AccountId, u64) {
        (self.verified.transaction.payload.expires, self.account(), self.nonce())
    }
}

/// A transaction that waits no more, and why.
#[derive(Clone, Debug)]
pub(crate) struct Removed<W> {
    pub(crate) entry: Entry<W>,
    pub(crate) refusal: Refusal,
}

/// What became of a transaction that was put in.
#[derive(Clone, Debug)]
pub(crate) enum Inserted<W> {
    /// It waits, perhaps in the place of another one.
    New(Option<Box<Removed<W>>>),
    /// It waited already, and has one more who waits for its fate.
    Joined,
    /// It waited already, and as many wait for its fate as may.
    Crowded(W),
}

/// The pool.
#[derive(Debug)]
pub(crate) struct Mempool<W> {
    bounds: Bounds,
    /// None of them is empty.
    accounts: HashMap<AccountId, Queue<W>>,
    hashes: HashSet<TransactionHash>,
    /// Accounts by how much of theirs waits.
    sizes: BTreeSet<(usize, AccountId)>,
    /// Accounts that can go on, by their turn.
    turns: BTreeMap<u64, AccountId>,
    turns_given: u64,
    expiries: BTreeSet<(u32, AccountId, u64)>,
    ready: usize,
}

impl<W> Mempool<W> {
    /// An empty pool.
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            accounts: HashMap::new(),
            hashes: HashSet::new(),
            sizes: BTreeSet::new(),
            turns: BTreeMap::new(),
            turns_given: 0,
            expiries: BTreeSet::new(),
            ready: 0,
        }
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.hashes.len()
    }

    /// How many of them could be executed now: no nonce before theirs is missing.
    pub(crate) const fn ready(&self) -> usize {
        self.ready
    }

    /// Whether this one waits.
    pub(crate) fn contains(&self, hash: &TransactionHash) -> bool {
        self.hashes.contains(hash)
    }

    /// Puts in a transaction of an account whose next nonce is `next`.
    ///
    /// # Errors
    /// [`Refusal::ReplacementUnderpriced`] or [`Refusal::PoolFull`], with the waiter.
    ///
    /// # Panics
    /// If the nonce is before `next`: admission refuses that.
    pub(crate) fn insert(
        &mut self,
        verified: Verified,
        waiter: Option<W>,
        next: u64,
    ) -> Result<Inserted<W>, (Option<W>, Refusal)> {
        let (account, nonce) = (verified.transaction.payload.from, verified.transaction.payload.nonce);
        let queue = self.accounts.get_mut(&account);
        if let Some(waiting) = queue.and_then(|queue| queue.get_mut(nonce)) {
            if waiting.verified.hash == verified.hash {
                return Ok(join(waiting, waiter));
            }
            if let Some(minimum) = underpriced(&waiting.verified, &verified) {
                return Err((waiter, Refusal::ReplacementUnderpriced { minimum }));
            }
            let replaced = self.remove(account, nonce);
            self.place(Entry { verified, waiters: waiter.into_iter().collect() }, next);
            let removed = Removed { entry: replaced, refusal: Refusal::Replaced };
            return Ok(Inserted::New(Some(Box::new(removed))));
        }
        assert!(nonce >= next, "an old nonce is not put in");
        let displaced = match self.displaced(account, nonce) {
            Ok(displaced) => displaced.map(|(account, nonce)| self.remove(account, nonce)),
            Err(refusal) => return Err((waiter, refusal)),
        };
        self.place(Entry { verified, waiters: waiter.into_iter().collect() }, next);
        Ok(Inserted::New(displaced.map(|entry| Box::new(Removed { entry, refusal: Refusal::PoolFull }))))
    }

    /// Takes out at most `max` transactions in the order in which to execute them. Each account's are in the order of its
    /// nonces, without gaps from its next one on; afterwards its next one is taken to be the one after them.
    pub(crate) fn take(&mut self, max: usize) -> Vec<Entry<W>> {
        let mut taken = Vec::with_capacity(max.min(self.ready));
        while taken.len() < max {
            let Some((_, account)) = self.turns.pop_first() else { break };
            let count = TURN.min(max - taken.len());
            let before = taken.len();
            self.change(account, 0, |queue| {
                queue.turn = None;
                taken.extend(queue.take(count));
            });
            for entry in &taken[before..] {
                self.forget(entry);
            }
        }
        taken
    }

    /// Puts back a transaction that [`Mempool::take`] gave, before anything else is put in: one before it was refused, so
    /// that its account's next nonce is `next`.
    ///
    /// # Panics
    /// If another transaction with its nonce waits.
    pub(crate) fn put_back(&mut self, entry: Entry<W>, next: u64) {
        let account = entry.account();
        self.place(entry, next);
        assert!(self.advance(account, next).is_empty(), "what is put back is not outdated");
    }

    /// Says what an account's next nonce is, and removes what is before it.
    pub(crate) fn advance(&mut self, account: AccountId, next: u64) -> Vec<Removed<W>> {
        if !self.accounts.contains_key(&account) {
            return Vec::new();
        }
        let outdated = self.change(account, next, |queue| queue.advance(next));
        let removed = |entry: Entry<W>| {
            let refusal = Refusal::NonceTooOld { expected: next, found: entry.nonce() };
            Removed { entry, refusal }
        };
        outdated.iter().for_each(|entry| self.forget(entry));
        outdated.into_iter().map(removed).collect()
    }

    /// Removes what can't be executed at `timestamp` any more.
    pub(crate) fn expire(&mut self, timestamp: u32) -> Vec<Removed<W>> {
        let mut removed = Vec::new();
        while let Some((expires, account, nonce)) = self.expiries.first().copied().filter(|(at, ..)| *at < timestamp) {
            let entry = self.remove(account, nonce);
            removed.push(Removed { entry, refusal: Refusal::Expired { expires, timestamp } });
        }
        removed
    }

    /// Whether there is room for a transaction of this account, and whose has to go for it: the account's own last one if
    /// that comes after the newcomer, or the last one of the account with the most, if that has clearly more.
    fn displaced(&self, account: AccountId, nonce: u64) -> Result<Option<(AccountId, u64)>, Refusal> {
        let own = self.accounts.get(&account);
        let count = own.map_or(0, Queue::len);
        let full = self.len() >= self.bounds.total;
        if !full && count < self.bounds.per_account {
            return Ok(None);
        }
        if let Some(last) = own.map(Queue::last).filter(|last| *last > nonce) {
            return Ok(Some((account, last)));
        }
        let Some((most, biggest)) = self.sizes.last().copied() else { return Err(Refusal::PoolFull) };
        if count >= self.bounds.per_account || 2 * (count + 1) > most {
            return Err(Refusal::PoolFull);
        }
        Ok(Some((biggest, self.accounts[&biggest].last())))
    }

    /// # Panics
    /// If there is one with its nonce.
    fn place(&mut self, entry: Entry<W>, next: u64) {
        self.hashes.insert(entry.verified.hash);
        self.expiries.insert(entry.expiry());
        self.change(entry.account(), next, |queue| queue.insert(entry));
    }

    /// # Panics
    /// If there is no such one.
    fn remove(&mut self, account: AccountId, nonce: u64) -> Entry<W> {
        let entry = self.change(account, 0, |queue| queue.remove(nonce));
        self.forget(&entry);
        entry
    }

    fn forget(&mut self, entry: &Entry<W>) {
        self.hashes.remove(&entry.verified.hash);
        self.expiries.remove(&entry.expiry());
    }

    /// Changes an account's queue, which begins at `next` if there is none, and everything that depends on it.
    fn change<R>(&mut self, account: AccountId, next: u64, change: impl FnOnce(&mut Queue<W>) -> R) -> R {
        let queue = self.accounts.entry(account).or_insert_with(|| Queue::new(next));
        let (size, ready) = (queue.len(), queue.ready());
        let result = change(queue);
        let (new_size, new_ready) = (queue.len(), queue.ready());
        self.ready = self.ready - ready + new_ready;
        match queue.turn {
            None if new_ready > 0 => {
                self.turns.insert(self.turns_given, account);
                queue.turn = Some(self.turns_given);
                self.turns_given += 1;
            }
            Some(turn) if new_ready == 0 => {
                self.turns.remove(&turn);
                queue.turn = None;
            }
            _ => {}
        }
        if new_size == 0 {
            self.accounts.remove(&account);
        }
        if size != new_size {
            self.sizes.remove(&(size, account));
            if new_size > 0 {
                self.sizes.insert((new_size, account));
            }
        }
        result
    }
}

fn join<W>(waiting: &mut Entry<W>, waiter: Option<W>) -> Inserted<W> {
    match waiter {
        Some(waiter) if waiting.waiters.len() >= WAITERS_MAX => Inserted::Crowded(waiter),
        waiter => {
            waiting.waiters.extend(waiter);
            Inserted::Joined
        }
    }
}

/// The fee that it takes to replace `old`, if `new` has less: a tenth more, in the same token.
fn underpriced(old: &Verified, new: &Verified) -> Option<u128> {
    let (old, new) = (&old.transaction.payload, &new.transaction.payload);
    // A fee that has no value in 128 bits can't be paid, nor outbid.
    let fee = old.fee.value().unwrap_or(u128::MAX);
    let minimum = fee.saturating_add(fee.div_ceil(10).max(1));
    (new.token != old.token || new.fee.value().is_none_or(|fee| fee < minimum)).then_some(minimum)
}
