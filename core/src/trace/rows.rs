//! Rows of the tree, taken down while the tree is updated.

use super::{BuildError, LeafRow, NodeRow};
use crate::F;
use crate::geometry::{ARITY, parent};
use crate::shape::Shape;
use crate::tree::{Change, Tree, Visitor};
use std::collections::BTreeMap;

/// Hashes before and after of the rows in use.
#[derive(Clone, Debug, Default)]
pub(super) struct RowHashes {
    /// Of leaf rows, in their order.
    pub(super) leaves: Vec<[F; 2]>,
    /// Of node rows, in their order.
    pub(super) nodes: Vec<[F; 2]>,
}

/// Takes down a row for each quad and node that an update passes.
#[derive(Default)]
pub(super) struct Rows {
    leaves: Vec<LeafRow>,
    leaf_hashes: Vec<[F; 2]>,
    /// By level, and in a level by id: together by id.
    levels: Vec<Level>,
}

#[derive(Default)]
struct Level {
    rows: Vec<NodeRow>,
    hashes: Vec<[F; 2]>,
}

impl Rows {
    /// Sets the words of `touched`, sorted by address, and gives the rows, padded to the shape, with their hashes.
    ///
    /// # Errors
    /// [`BuildError::Overflow`]; the tree is then unchanged.
    pub(super) fn of_update(
        tree: &mut Tree,
        shape: &Shape,
        touched: &[(u32, F)],
        last_write: &BTreeMap<u32, u32>,
    ) -> Result<(Vec<LeafRow>, Vec<NodeRow>, RowHashes), BuildError> {
        let (quads, nodes) = row_counts(tree.geometry().first_leaf_id(), touched);
        if quads > shape.leaf_rows {
            return Err(BuildError::Overflow("leaf rows"));
        }
        if nodes > shape.node_rows {
            return Err(BuildError::Overflow("node rows"));
        }
        let mut rows = Self::default();
        tree.update_with(touched, &mut rows);
        let Self { mut leaves, leaf_hashes, levels } = rows;
        for (address, time) in last_write {
            let at = leaves.binary_search_by_key(&(address / ARITY as u32), |row| row.quad).expect("a row a touched quad");
            leaves[at].touched[*address as usize % ARITY] = true;
            leaves[at].times[*address as usize % ARITY] = *time;
        }
        let (rows, hashes): (Vec<_>, Vec<_>) = levels.into_iter().map(|level| (level.rows, level.hashes)).unzip();
        let (mut node_rows, hashes) = (rows.concat(), RowHashes { leaves: leaf_hashes, nodes: hashes.concat() });
        assert_eq!((leaves.len(), node_rows.len()), (quads, nodes), "the update passes what was counted");
        leaves.resize(shape.leaf_rows, LeafRow::default());
        node_rows.resize(shape.node_rows, NodeRow::default());
        Ok((leaves, node_rows, hashes))
    }

    fn level(&mut self, level: usize) -> &mut Level {
        if self.levels.len() <= level {
            self.levels.resize_with(level + 1, Level::default);
        }
        &mut self.levels[level]
    }
}

/// Quads of these words, sorted by address, and nodes above them.
fn row_counts(first_leaf: u32, words: &[(u32, F)]) -> (usize, usize) {
    let mut ids: Vec<u32> = words.iter().map(|(address, _)| first_leaf + address / ARITY as u32).collect();
    ids.dedup();
    let (quads, mut nodes) = (ids.len(), 0);
    while ids.last().is_some_and(|id| *id > 0) {
        ids.iter_mut().for_each(|id| *id = parent(*id));
        ids.dedup();
        nodes += ids.len();
    }
    (quads, nodes)
}

impl Visitor for Rows {
    fn fork(&self) -> Self {
        Self::default()
    }

    fn join(&mut self, other: Self) {
        self.leaves.extend(other.leaves);
        self.leaf_hashes.extend(other.leaf_hashes);
        for (number, theirs) in other.levels.into_iter().enumerate() {
            let ours = self.level(number);
            ours.rows.extend(theirs.rows);
            ours.hashes.extend(theirs.hashes);
        }
    }

    fn quad(&mut self, _: usize, change: Change) {
        let Change { id: quad, old, new, hashes } = change;
        self.leaves.push(LeafRow { live: true, quad, old, new, ..LeafRow::default() });
        self.leaf_hashes.push(hashes);
    }

    fn node(&mut self, level: usize, active: [bool; ARITY], change: Change) {
        let Change { id, old, new, hashes } = change;
        let level = self.level(level);
        level.rows.push(NodeRow { live: true, id, old, new, active });
        level.hashes.push(hashes);
    }
}
