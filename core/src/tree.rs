//! The state's Merkle tree: 4-ary, sparse, hashed with [`h4`].

use crate::F;
use crate::geometry::{ARITY, Geometry, parent};
use crate::hash::h4;
use crate::slot::Memory;
use ark_ff::Zero;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// All words of the state that are not zero, and the hashes above them.
///
/// Nodes are numbered as a heap: the root is 0, child `k` of `n` is `4n + k + 1`; the node of quad `q` is
/// `first_leaf_id + q`. A subtree of zero words is not stored.
#[derive(Clone, Debug)]
pub struct Tree {
    geometry: Geometry,
    words: HashMap<u32, F>,
    nodes: HashMap<u32, F>,
    /// Hash of an empty subtree by level: 0 is the root, `depth - 1` a quad.
    empty: Vec<F>,
}

impl Tree {
    /// The tree of an all-zero memory.
    pub fn new(geometry: Geometry) -> Self {
        let mut empty = vec![h4([F::zero(); ARITY])];
        for _ in 1..geometry.depth() {
            empty.push(h4([empty[empty.len() - 1]; ARITY]));
        }
        empty.reverse();
        Self { geometry, words: HashMap::new(), nodes: HashMap::new(), empty }
    }

    /// The tree of a memory with these words.
    pub fn from_words(geometry: Geometry, words: impl IntoIterator<Item = (u32, F)>) -> Self {
        let mut tree = Self::new(geometry);
        tree.update(words);
        tree
    }

    /// The geometry.
    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// The state root.
    pub fn root(&self) -> F {
        self.node(0, 0)
    }

    /// The word at `address`.
    pub fn word(&self, address: u32) -> F {
        self.words.get(&address).copied().unwrap_or_default()
    }

    /// Every word that is not zero, in no order.
    pub fn words(&self) -> impl Iterator<Item = (u32, F)> + '_ {
        self.words.iter().map(|(a, v)| (*a, *v))
    }

    /// The four words of quad `q`.
    pub fn quad(&self, q: u32) -> [F; ARITY] {
        std::array::from_fn(|k| self.word(ARITY as u32 * q + k as u32))
    }

    /// The hashes of the four children of inner node `id`.
    pub fn children(&self, id: u32) -> [F; ARITY] {
        let level = level_of(id) + 1;
        std::array::from_fn(|k| self.node(ARITY as u32 * id + k as u32 + 1, level))
    }

    fn node(&self, id: u32, level: usize) -> F {
        self.nodes.get(&id).copied().unwrap_or(self.empty[level])
    }

    /// Replaces words, and rehashes every node above them once.
    pub fn update(&mut self, words: impl IntoIterator<Item = (u32, F)>) {
        let first_leaf = self.geometry.first_leaf_id();
        let mut dirty = BTreeSet::new();
        for (address, value) in words {
            if value.is_zero() {
                self.words.remove(&address);
            } else {
                self.words.insert(address, value);
            }
            dirty.insert(first_leaf + address / ARITY as u32);
        }
        for level in (0..self.geometry.depth() as usize).rev() {
            for id in &dirty {
                let hash = if *id >= first_leaf { h4(self.quad(id - first_leaf)) } else { h4(self.children(*id)) };
                if hash == self.empty[level] {
                    self.nodes.remove(id);
                } else {
                    self.nodes.insert(*id, hash);
                }
            }
            if level > 0 {
                dirty = dirty.iter().map(|id| parent(*id)).collect();
            }
        }
    }

    /// The siblings on the path from the word at `address` up to the root: three a level, from the quad up.
    pub fn path(&self, address: u32) -> Vec<[F; ARITY - 1]> {
        let without = |all: [F; ARITY], own: usize| {
            let mut rest = all.into_iter().enumerate().filter(|(k, _)| *k != own).map(|(_, v)| v);
            std::array::from_fn(|_| rest.next().expect("three siblings"))
        };
        let mut id = self.geometry.first_leaf_id() + address / ARITY as u32;
        let mut path = vec![without(self.quad(address / ARITY as u32), address as usize % ARITY)];
        while id > 0 {
            path.push(without(self.children(parent(id)), crate::geometry::child_number(id)));
            id = parent(id);
        }
        path
    }
}

/// Level of inner node `id`: 0 for the root.
fn level_of(mut id: u32) -> usize {
    let mut level = 0;
    while id > 0 {
        id = parent(id);
        level += 1;
    }
    level
}

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
