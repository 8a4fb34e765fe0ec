//! The tree check: leaf rows and node rows are a piece of one tree, before and after the batch.
//!
//! A row shows the hashes of its node; a node row claims those of its children that have rows of their own. Rows and
//! claims are the same multiset, and ids say who is whose child.

use crate::gadgets::h4;
use crate::memory::{Challenges, Product};
use crate::r1cs::{Builder, Num, weighted_sum};
use crate::witness::{LeafAdvice, NodeAdvice};
use sheaf_core::F;
use sheaf_core::geometry::{ARITY, Geometry};

/// A leaf row: a quad before and after.
#[derive(Debug)]
pub(crate) struct LeafNums {
    pub(crate) quad: Num,
    pub(crate) old: [Num; ARITY],
    pub(crate) new: [Num; ARITY],
    pub(crate) touched: [Num; ARITY],
    pub(crate) times: [Num; ARITY],
    live: Num,
    /// `h_old`, `h_new`.
    hashes: [Num; 2],
    /// What the commitment absorbs of the numbers.
    packed: Num,
}

/// A node row: an inner node's children before and after.
#[derive(Debug)]
pub(crate) struct NodeNums {
    id: Num,
    old: [Num; ARITY],
    new: [Num; ARITY],
    active: [Num; ARITY],
    live: Num,
    hashes: [Num; 2],
    packed: Num,
}

/// The sum of parts that were range-checked, the first in the low bits, as one variable (one row).
///
/// # Panics
/// If the parts are wider than 253 bits: packing would not be injective.
pub(crate) fn pack<'a>(b: &mut Builder, bits: impl IntoIterator<Item = &'a Num>) -> Num {
    let bits: Vec<Num> = bits.into_iter().cloned().collect();
    assert!(bits.len() <= 253, "too many bits for one element");
    b.alias(&weighted_sum(&bits))
}

/// What rows of both kinds share: hashes, words that are not flagged stay, and a dead row has no flag (533 rows).
fn bind_row(b: &mut Builder, live: &Num, flags: &[Num; ARITY], old: &[Num; ARITY], new: &[Num; ARITY]) -> [Num; 2] {
    let (one, zero) = (b.one(), Num::default());
    // Flags are booleans, so their sum is 0 only if all are.
    b.enforce(&crate::operation::sum(flags), &(&one - live), &zero);
    for ((flag, old), new) in flags.iter().zip(old).zip(new) {
        b.enforce(&(&one - flag), &(old - new), &zero);
    }
    [h4(b, old.each_ref()), h4(b, new.each_ref())]
}

impl LeafNums {
    pub(crate) fn new(b: &mut Builder, geometry: Geometry, time_bits: u32, advice: &LeafAdvice) -> Self {
        b.group("leaf_row", |b| {
            let (old, new) = (advice.old.map(|w| b.witness(w)), advice.new.map(|w| b.witness(w)));
            let quad = b.digits(advice.quad, geometry.quad_bits() as usize);
            let live = b.flag(advice.live);
            let touched = advice.touched.map(|flag| b.flag(flag));
            let times = advice.times.map(|time| b.digits(time, time_bits as usize));
            let hashes = bind_row(b, &live, &touched, &old, &new);
            let bits = quad.iter().chain([&live]).chain(&touched).chain(times.iter().flatten());
            let packed = pack(b, bits);
            let times = times.each_ref().map(|bits| weighted_sum(bits));
            Self { quad: weighted_sum(&quad), old, new, touched, times, live, hashes, packed }
        })
    }

    /// The elements of `T` that fix this row.
    pub(crate) fn words(&self) -> [Num; 3] {
        [self.packed.clone(), self.hashes[0].clone(), self.hashes[1].clone()]
    }
}

impl NodeNums {
    /// Node row number `index`; row 0 is the root, whatever the advice says.
    pub(crate) fn new(b: &mut Builder, geometry: Geometry, index: usize, advice: &NodeAdvice) -> Self {
        b.group("node_row", |b| {
            let (old, new) = (advice.old.map(|w| b.witness(w)), advice.new.map(|w| b.witness(w)));
            let width = geometry.node_id_bits() as usize;
            let (id, live) = match index {
                0 => (vec![Num::default(); width], b.one()),
                _ => (b.digits(advice.id, width), b.flag(advice.live)),
            };
            let active = advice.active.map(|flag| b.flag(flag));
            let hashes = bind_row(b, &live, &active, &old, &new);
            let packed = pack(b, id.iter().chain([&live]).chain(&active));
            Self { id: weighted_sum(&id), old, new, active, live, hashes, packed }
        })
    }

    /// The elements of `T` that fix this row.
    pub(crate) fn words(&self) -> [Num; 3] {
        [self.packed.clone(), self.hashes[0].clone(), self.hashes[1].clone()]
    }

    /// Adds that this row's hashes are `old_root` and `new_root`.
    pub(crate) fn enforce_root(&self, b: &mut Builder, old_root: &Num, new_root: &Num) {
        b.enforce_equal(&self.hashes[0], old_root);
        b.enforce_equal(&self.hashes[1], new_root);
    }
}

/// Both sides of the tree check.
#[derive(Debug)]
pub(crate) struct Tree<'a> {
    geometry: Geometry,
    challenges: &'a Challenges,
    rows: Product,
    children: Product,
}

impl<'a> Tree<'a> {
    pub(crate) fn new(b: &Builder, geometry: Geometry, challenges: &'a Challenges) -> Self {
        Self { geometry, challenges, rows: Product::new(b), children: Product::new(b) }
    }

    /// A leaf row, at its own level (four rows).
    pub(crate) fn leaf(&mut self, b: &mut Builder, row: &LeafNums) {
        let id = &row.quad + &b.constant(F::from(self.geometry.first_leaf_id()));
        let factor = self.challenges.factor(b, &id, &row.hashes[0], &row.hashes[1]);
        self.rows.push_if(b, &row.live, &factor);
    }

    /// Node row number `index` and its children (20 rows; the root is nobody's child, 16).
    pub(crate) fn node(&mut self, b: &mut Builder, index: usize, row: &NodeNums) {
        if index > 0 {
            let factor = self.challenges.factor(b, &row.id, &row.hashes[0], &row.hashes[1]);
            self.rows.push_if(b, &row.live, &factor);
        }
        for k in 0..ARITY {
            let child = &(&row.id * F::from(ARITY as u64)) + &b.constant(F::from(k as u64 + 1));
            let factor = self.challenges.factor(b, &child, &row.old[k], &row.new[k]);
            self.children.push_if(b, &row.active[k], &factor);
        }
    }

    /// Closes the check.
    pub(crate) fn finish(self, b: &mut Builder) {
        self.rows.enforce_equal(b, &self.children);
    }
}
