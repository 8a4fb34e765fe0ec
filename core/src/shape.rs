//! How much a batch circuit holds, and how much of it an operation takes.

use crate::geometry::{Geometry, parent};
use crate::slot::PORTS;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The size of a batch circuit. Each shape has its own keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shape {
    /// The shape's number in the contract.
    pub id: u8,
    /// Operations at most.
    pub slots: usize,
    /// Quads that may be touched.
    pub leaf_rows: usize,
    /// Inner nodes above them, the root included.
    pub node_rows: usize,
}

/// Leaf rows that any single slot needs at most, with the fee account's header quad that padding touches.
pub const WORST_LEAF_ROWS: usize = 6;

impl Shape {
    /// The shape of development and of the demo.
    pub const DEVELOPMENT: Self = Self { id: 0, slots: 16, leaf_rows: 64, node_rows: 380 };

    /// Bits of a time of write: times are 1 to `7 · slots`, and 0 is "before the batch".
    pub const fn time_bits(&self) -> u32 {
        usize::BITS - (PORTS * self.slots).leading_zeros()
    }

    /// Whether rows suffice for any one operation: otherwise an operation could block the chain.
    pub fn holds_any_operation(&self, geometry: Geometry) -> bool {
        // Three header quads, in the dense quarter of the memory, and three balance quads of one token above word 16: these
        // share their node down to the third level, which spans one word of all accounts.
        const BY_LEVEL: [usize; 4] = [1, 2, 4, 4];
        let levels = geometry.depth() as usize - 1;
        let worst_nodes: usize = (0..levels).map(|l| BY_LEVEL.get(l).copied().unwrap_or(WORST_LEAF_ROWS)).sum();
        self.slots >= 1 && self.leaf_rows >= WORST_LEAF_ROWS && self.node_rows >= worst_nodes
    }
}

/// Counts the rows of a batch while operations are added to it.
#[derive(Clone, Debug)]
pub struct RowCounter {
    geometry: Geometry,
    shape: Shape,
    slots: usize,
    quads: BTreeSet<u32>,
    nodes: BTreeSet<u32>,
}

impl RowCounter {
    /// The rows of a batch without operations: the path to the fee account's header, which padding reads.
    pub fn new(geometry: Geometry, shape: Shape, fee_account: crate::types::AccountId) -> Self {
        let mut counter = Self { geometry, shape, slots: 0, quads: BTreeSet::new(), nodes: BTreeSet::from([0]) };
        let (quads, nodes) = counter.missing(&[geometry.address(fee_account.get(), 0)]);
        counter.quads.extend(quads);
        counter.nodes.extend(nodes);
        counter
    }

    /// Adds an operation that makes these accesses, if it fits; says whether it did.
    pub fn try_add(&mut self, addresses: &[u32; PORTS]) -> bool {
        let (quads, nodes) = self.missing(addresses);
        let fits = self.slots < self.shape.slots
            && self.quads.len() + quads.len() <= self.shape.leaf_rows
            && self.nodes.len() + nodes.len() <= self.shape.node_rows;
        if fits {
            self.slots += 1;
            self.quads.extend(quads);
            self.nodes.extend(nodes);
        }
        fits
    }

    /// Operations added.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// Leaf and node rows in use.
    pub fn rows(&self) -> (usize, usize) {
        (self.quads.len(), self.nodes.len())
    }

    /// Quads and inner nodes of these accesses that have no row yet.
    fn missing(&self, addresses: &[u32]) -> (BTreeSet<u32>, BTreeSet<u32>) {
        let (mut quads, mut nodes) = (BTreeSet::new(), BTreeSet::new());
        for quad in addresses.iter().map(|a| a / 4) {
            if self.quads.contains(&quad) || !quads.insert(quad) {
                continue;
            }
            let mut id = parent(self.geometry.first_leaf_id() + quad);
            while !self.nodes.contains(&id) && nodes.insert(id) {
                id = parent(id);
            }
        }
        (quads, nodes)
    }
}
