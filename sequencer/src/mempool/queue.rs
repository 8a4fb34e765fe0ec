//! What waits of one account.

use super::Entry;
use std::collections::BTreeMap;

/// The transactions of one account by nonce.
#[derive(Debug)]
pub(super) struct Queue<W> {
    entries: BTreeMap<u64, Entry<W>>,
    /// The account's next nonce.
    next: u64,
    /// How many there are from `next` on, without a gap.
    ready: usize,
    /// Its place in the ring, if it is there.
    pub(super) turn: Option<u64>,
}

impl<W> Queue<W> {
    pub(super) const fn new(next: u64) -> Self {
        Self { entries: BTreeMap::new(), next, ready: 0, turn: None }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) const fn ready(&self) -> usize {
        self.ready
    }

    pub(super) fn get_mut(&mut self, nonce: u64) -> Option<&mut Entry<W>> {
        self.entries.get_mut(&nonce)
    }

    /// The nonce of the last one.
    ///
    /// # Panics
    /// If it is empty.
    pub(super) fn last(&self) -> u64 {
        *self.entries.last_key_value().expect("no queue is empty").0
    }

    /// # Panics
    /// If there is one with its nonce.
    pub(super) fn insert(&mut self, entry: Entry<W>) {
        let nonce = entry.nonce();
        assert!(self.entries.insert(nonce, entry).is_none(), "two transactions with one nonce");
        if nonce == self.end() {
            self.count_on();
        }
    }

    /// # Panics
    /// If there is no such one.
    pub(super) fn remove(&mut self, nonce: u64) -> Entry<W> {
        let entry = self.entries.remove(&nonce).expect("what is removed is there");
        if (self.next..self.end()).contains(&nonce) {
            self.ready = (nonce - self.next) as usize;
        }
        entry
    }

    /// Takes out the first `count` that are ready, or as many as there are.
    pub(super) fn take(&mut self, count: usize) -> impl Iterator<Item = Entry<W>> {
        let count = count.min(self.ready);
        self.ready -= count;
        self.next += count as u64;
        (0..count).map(|_| self.entries.pop_first().expect("what is ready is there").1)
    }

    /// Makes `next` the next nonce, and takes out what is before it.
    pub(super) fn advance(&mut self, next: u64) -> Vec<Entry<W>> {
        let kept = self.entries.split_off(&next);
        let outdated = std::mem::replace(&mut self.entries, kept);
        (self.next, self.ready) = (next, 0);
        self.count_on();
        outdated.into_values().collect()
    }

    /// The first nonce after those that are ready.
    const fn end(&self) -> u64 {
        self.next + self.ready as u64
    }

    fn count_on(&mut self) {
        let end = self.end();
        self.ready += self.entries.range(end..).zip(end..).take_while(|((nonce, _), expected)| **nonce == *expected).count();
    }
}
