//! A tree's words with changes on top.

use super::Tree;
use crate::F;
use crate::slot::Memory;
use std::collections::BTreeMap;

/// The words of a tree with changes on top: what a batch sees while it runs.
#[derive(Debug)]
pub struct Overlay<'a> {
    base: &'a Tree,
    changes: BTreeMap<u32, F>,
}

impl<'a> Overlay<'a> {
    /// An overlay without changes.
    pub const fn new(base: &'a Tree) -> Self {
        Self { base, changes: BTreeMap::new() }
    }

    /// The words that were written, by address.
    pub fn into_changes(self) -> BTreeMap<u32, F> {
        self.changes
    }
}

impl Memory for Overlay<'_> {
    fn read(&self, address: u32) -> F {
        self.changes.get(&address).copied().unwrap_or_else(|| self.base.word(address))
    }
    fn write(&mut self, address: u32, value: F) {
        self.changes.insert(address, value);
    }
}
