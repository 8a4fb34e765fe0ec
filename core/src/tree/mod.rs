//! The state's Merkle tree: 4-ary, sparse, hashed with [`h4`].
//!
//! ```text
//!  Tree ──▶ Branch (4 hashes) ──▶ … ──▶ Branch (4 hashes) ──▶ quad (4 words)
//!             └─ a child of zero words is not stored; its hash is known by level
//! ```
//!
//! An update goes down once over the changed words, in parallel by subtree, and hashes on its way up each node whose children
//! changed, once. Hashing is nearly all that it costs.

mod branch;
mod overlay;
mod update;

use crate::F;
use crate::geometry::{ARITY, DEPTH, Geometry, child_number, parent};
use crate::hash::h4;
use ark_ff::Zero;
use branch::{Below, Branch, Place};
pub use overlay::Overlay;
use rayon::prelude::*;
pub(crate) use update::{Change, Visitor};
use update::{Progress, Shared};

/// All words of the state that are not zero, and the hashes above them.
///
/// Nodes are numbered as a heap: the root is 0, child `k` of `n` is `4n + k + 1`; the node of quad `q` is
/// `first_leaf_id + q`. A subtree of zero words is not stored.
#[derive(Clone, Debug)]
pub struct Tree {
    geometry: Geometry,
    empty: EmptyHashes,
    root: F,
    top: Branch,
}

/// Hashes of subtrees of zero words.
#[derive(Clone, Debug)]
struct EmptyHashes {
    /// By level: 0 is the root, `depth - 1` a quad.
    by_level: Vec<F>,
}

impl EmptyHashes {
    fn new(depth: u32) -> Self {
        let mut by_level = vec![h4([F::zero(); ARITY])];
        for _ in 1..depth {
            by_level.push(h4([by_level[by_level.len() - 1]; ARITY]));
        }
        by_level.reverse();
        Self { by_level }
    }

    const fn depth(&self) -> usize {
        self.by_level.len()
    }

    fn at(&self, level: usize) -> F {
        self.by_level[level]
    }

    fn quad(&self) -> F {
        self.by_level[self.depth() - 1]
    }
}

impl Tree {
    /// The tree of an all-zero memory.
    pub fn new(geometry: Geometry) -> Self {
        let empty = EmptyHashes::new(geometry.depth());
        let top = Branch::new(0, &empty);
        Self { geometry, root: empty.at(0), empty, top }
    }

    /// The tree of a memory with these words, made on all threads of rayon's pool.
    ///
    /// # Panics
    /// If an address is outside of the geometry.
    pub fn from_words(geometry: Geometry, words: impl IntoIterator<Item = (u32, F)>) -> Self {
        Self::from_words_with(geometry, words, &|_, _| ())
    }

    /// [`Tree::from_words`] that tells how far it is: `progress` gets the words in place and the words in all, every few
    /// thousand words, from any thread and not always in order; the last call has them all.
    ///
    /// # Panics
    /// If an address is outside of the geometry.
    pub fn from_words_with(
        geometry: Geometry,
        words: impl IntoIterator<Item = (u32, F)>,
        progress: &(dyn Fn(u64, u64) + Sync),
    ) -> Self {
        let mut tree = Self::new(geometry);
        let words = sorted(words.into_iter().collect());
        let shared = Shared::new(words.len() as u64, progress);
        let mut visitor = Progress::new(&shared);
        tree.update_with(&words, &mut visitor);
        visitor.flush();
        tree
    }

    /// The geometry.
    pub const fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// The state root.
    pub const fn root(&self) -> F {
        self.root
    }

    /// The word at `address`.
    pub fn word(&self, address: u32) -> F {
        self.quad(address / ARITY as u32)[address as usize % ARITY]
    }

    /// Every word that is not zero, by address.
    pub fn words(&self) -> impl Iterator<Item = (u32, F)> + '_ {
        let mut stack = vec![(Place::ROOT, &self.top)];
        let next_quads = move || {
            let (place, branch) = stack.pop()?;
            let mut quads = Vec::new();
            match &branch.below {
                Below::Branches(children) => {
                    let there = children.iter().enumerate().rev();
                    stack.extend(there.filter_map(|(k, child)| Some((place.child(k, &self.empty), child.as_deref()?))));
                }
                Below::Quads(children) => {
                    let there = children.iter().enumerate();
                    quads.extend(there.filter_map(|(k, quad)| Some((place.child(k, &self.empty).base, **quad.as_ref()?))));
                }
            }
            Some(quads)
        };
        let words = |(base, words): (u32, [F; ARITY])| (base..).zip(words);
        std::iter::from_fn(next_quads).flatten().flat_map(words).filter(|(_, value)| !value.is_zero())
    }

    /// The four words of quad `q`.
    ///
    /// # Panics
    /// If there is no such quad.
    pub fn quad(&self, q: u32) -> [F; ARITY] {
        let first_leaf = self.geometry.first_leaf_id();
        let id = first_leaf + q;
        match self.branch(parent(id)).map(|branch| &branch.below) {
            Some(Below::Quads(quads)) => quads[child_number(id)].as_deref().copied().unwrap_or_default(),
            Some(Below::Branches(_)) => unreachable!("quads are below the lowest branches"),
            None => [F::zero(); ARITY],
        }
    }

    /// The hashes of the four children of inner node `id`.
    ///
    /// # Panics
    /// If there is no such node.
    pub fn children(&self, id: u32) -> [F; ARITY] {
        self.branch(id).map_or_else(|| [self.empty.at(level_of(id) + 1); ARITY], |branch| branch.hashes)
    }

    /// The branch of inner node `id`, if a word below it is not zero.
    fn branch(&self, id: u32) -> Option<&Branch> {
        assert!(id < self.geometry.first_leaf_id(), "an inner node of the tree");
        let (mut turns, mut above, mut node) = ([0; DEPTH as usize], 0, id);
        while node > 0 {
            turns[above] = child_number(node);
            above += 1;
            node = parent(node);
        }
        turns[..above].iter().rev().try_fold(&self.top, |branch, k| match &branch.below {
            Below::Branches(children) => children[*k].as_deref(),
            Below::Quads(_) => unreachable!("no inner node is below the quads"),
        })
    }

    /// Replaces words, and rehashes every node above them once. Of two words for one address the later counts.
    ///
    /// # Panics
    /// If an address is outside of the geometry; the tree is then unchanged.
    pub fn update(&mut self, words: impl IntoIterator<Item = (u32, F)>) {
        self.update_with(&sorted(words.into_iter().collect()), &mut ());
    }

    /// Replaces words, sorted by address without repetition, and shows every quad and node above them to `visitor`.
    pub(crate) fn update_with<V: Visitor>(&mut self, words: &[(u32, F)], visitor: &mut V) {
        debug_assert!(words.is_sorted_by(|a, b| a.0 < b.0), "sorted by address, no address twice");
        if let Some((last, _)) = words.last() {
            assert!(u64::from(*last) < self.geometry.word_count(), "address out of range");
            self.root = self.top.update(Place::ROOT, self.root, words, &self.empty, visitor);
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
            path.push(without(self.children(parent(id)), child_number(id)));
            id = parent(id);
        }
        path
    }
}

/// Words by address, the later of two for one address.
fn sorted(mut words: Vec<(u32, F)>) -> Vec<(u32, F)> {
    if !words.is_sorted_by(|a, b| a.0 < b.0) {
        words.par_sort_by_key(|(address, _)| *address);
        words.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                kept.1 = later.1;
            }
            same
        });
    }
    words
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
