//! How the tree is stored: branches with the hashes of their children, down to the quads of words.

use super::EmptyHashes;
use super::update::{Change, Visitor};
use crate::F;
use crate::geometry::ARITY;
use crate::hash::h4;
use ark_ff::Zero;
use rayon::prelude::*;

/// A subtree with fewer changed words than this is rehashed by one thread: handing over a smaller one costs more than it saves.
const FORK_WORDS_MIN: usize = 16;

/// An inner node. What is below a child that is empty is not stored.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    /// The children's hashes.
    pub(super) hashes: [F; ARITY],
    pub(super) below: Below,
}

/// The children of a branch.
#[derive(Clone, Debug)]
pub(super) enum Below {
    /// Inner nodes.
    Branches([Option<Box<Branch>>; ARITY]),
    /// Quads of words, under the lowest inner nodes.
    Quads([Option<Box<[F; ARITY]>>; ARITY]),
}

/// Where a branch stands.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// 0 for the root.
    pub(super) level: usize,
    /// The node's id.
    pub(super) id: u32,
    /// Address of the first word below it.
    pub(super) base: u32,
}

impl Place {
    pub(super) const ROOT: Self = Self { level: 0, id: 0, base: 0 };

    /// Words below each child.
    pub(super) const fn child_words(self, empty: &EmptyHashes) -> u32 {
        1 << (2 * (empty.depth() - self.level - 1))
    }

    /// The place of child `k`.
    pub(super) const fn child(self, k: usize, empty: &EmptyHashes) -> Self {
        let base = self.base + k as u32 * self.child_words(empty);
        Self { level: self.level + 1, id: ARITY as u32 * self.id + k as u32 + 1, base }
    }
}

impl Branch {
    /// A branch of zero words at `level`.
    pub(super) fn new(level: usize, empty: &EmptyHashes) -> Self {
        let quads = level + 2 == empty.depth();
        let below = if quads { Below::Quads(Default::default()) } else { Below::Branches(Default::default()) };
        Self { hashes: [empty.at(level + 1); ARITY], below }
    }

    /// Whether every word below is zero.
    pub(super) fn is_empty(&self) -> bool {
        match &self.below {
            Below::Branches(children) => children.iter().all(Option::is_none),
            Below::Quads(quads) => quads.iter().all(Option::is_none),
        }
    }

    /// Sets the words of `changes`, which are sorted by address and all below `place`, and rehashes what they changed.
    /// Gives the hash of this branch, which was `hash` before.
    pub(super) fn update<V: Visitor>(
        &mut self,
        place: Place,
        hash: F,
        changes: &[(u32, F)],
        empty: &EmptyHashes,
        visitor: &mut V,
    ) -> F {
        let old = self.hashes;
        let parts = split(place, changes, empty);
        match &mut self.below {
            Below::Branches(children) => update_children(place, children, &mut self.hashes, &parts, empty, visitor),
            Below::Quads(quads) => {
                for (k, (quad, part)) in quads.iter_mut().zip(parts).enumerate().filter(|(_, (_, part))| !part.is_empty()) {
                    let id = place.child(k, empty).base / ARITY as u32;
                    self.hashes[k] = update_quad(id, quad, old[k], part, empty, visitor);
                }
            }
        }
        let new_hash = match () {
            () if self.hashes == old => hash,
            () if self.is_empty() => empty.at(place.level),
            () => h4(self.hashes),
        };
        let active = parts.map(|part| !part.is_empty());
        visitor.node(place.level, active, Change { id: place.id, old, new: self.hashes, hashes: [hash, new_hash] });
        new_hash
    }
}

/// The changes below each child.
fn split<'a>(place: Place, mut changes: &'a [(u32, F)], empty: &EmptyHashes) -> [&'a [(u32, F)]; ARITY] {
    std::array::from_fn(|k| {
        let last = place.child(k, empty).base + (place.child_words(empty) - 1);
        let (part, rest) = changes.split_at(changes.partition_point(|(address, _)| *address <= last));
        changes = rest;
        part
    })
}

fn update_children<V: Visitor>(
    place: Place,
    children: &mut [Option<Box<Branch>>; ARITY],
    hashes: &mut [F; ARITY],
    parts: &[&[(u32, F)]; ARITY],
    empty: &EmptyHashes,
    visitor: &mut V,
) {
    let update = |k: usize, child: &mut Option<Box<Branch>>, hash: &mut F, visitor: &mut V| {
        let branch = child.get_or_insert_with(|| Box::new(Branch::new(place.level + 1, empty)));
        *hash = branch.update(place.child(k, empty), *hash, parts[k], empty, visitor);
        if branch.is_empty() {
            *child = None;
        }
    };
    let mut work: Vec<_> =
        children.iter_mut().zip(hashes).enumerate().filter(|(k, _)| !parts[*k].is_empty()).map(|(k, (c, h))| (k, c, h)).collect();
    let words: usize = parts.iter().map(|part| part.len()).sum();
    if work.len() < 2 || words < FORK_WORDS_MIN {
        work.into_iter().for_each(|(k, child, hash)| update(k, child, hash, visitor));
        return;
    }
    let visitors: Vec<V> = work
        .par_iter_mut()
        .map(|(k, child, hash)| {
            let mut own = visitor.fork();
            update(*k, child, hash, &mut own);
            own
        })
        .collect();
    visitors.into_iter().for_each(|own| visitor.join(own));
}

/// Sets words of one quad, and gives its hash, which was `hash` before.
fn update_quad<V: Visitor>(
    quad: u32,
    words: &mut Option<Box<[F; ARITY]>>,
    hash: F,
    changes: &[(u32, F)],
    empty: &EmptyHashes,
    visitor: &mut V,
) -> F {
    let old = words.as_deref().copied().unwrap_or_default();
    let mut new = old;
    for (address, value) in changes {
        new[*address as usize % ARITY] = *value;
    }
    let mut new_hash = hash;
    if new != old {
        let zero = new.iter().all(Zero::is_zero);
        new_hash = if zero { empty.quad() } else { h4(new) };
        match words {
            _ if zero => *words = None,
            Some(words) => **words = new,
            None => *words = Some(Box::new(new)),
        }
    }
    visitor.quad(changes.len(), Change { id: quad, old, new, hashes: [hash, new_hash] });
    new_hash
}
