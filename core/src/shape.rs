//! How much a batch circuit holds, and how much of it an operation takes.

use crate::geometry::{ARITY, DEPTH, Geometry, parent};
use crate::slot::PORTS;
use serde::{Deserialize, Serialize};

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
    /// A batch of some 2^20 constraints.
    pub const MEDIUM: Self = Self { id: 1, slots: 64, leaf_rows: 160, node_rows: 952 };
    /// A batch of some 2^22 constraints.
    pub const LARGE: Self = Self { id: 2, slots: 256, leaf_rows: 640, node_rows: 3802 };

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

/// Counts the rows of a batch while operations are added to it. Adding allocates nothing.
#[derive(Clone, Debug)]
pub struct RowCounter {
    geometry: Geometry,
    shape: Shape,
    /// Address of the word that padding reads.
    padding: u32,
    slots: usize,
    quads: usize,
    nodes: usize,
    /// Nodes with a row, quads included.
    ids: IdSet,
}

/// Rows that one operation adds at most: for each port a quad and the nodes above it.
const ADDED_MAX: usize = PORTS * DEPTH as usize;

impl RowCounter {
    /// The rows of a batch without operations: the path to the fee account's header, which padding reads.
    pub fn new(geometry: Geometry, shape: Shape, fee_account: crate::types::AccountId) -> Self {
        let ids = IdSet::new(shape.leaf_rows + shape.node_rows + 2 * ADDED_MAX);
        let padding = geometry.address(fee_account.get(), 0);
        let mut counter = Self { geometry, shape, padding, slots: 0, quads: 0, nodes: 0, ids };
        counter.clear();
        counter
    }

    /// Starts over with no operation.
    pub fn clear(&mut self) {
        self.ids.clear();
        self.ids.insert(0);
        (self.slots, self.quads, self.nodes) = (0, 0, 1);
        self.mark(&[self.padding], &mut Added::default());
    }

    /// Adds an operation that makes these accesses, if it fits; says whether it did.
    pub fn try_add(&mut self, addresses: &[u32; PORTS]) -> bool {
        if self.slots == self.shape.slots {
            return false;
        }
        let before = (self.quads, self.nodes);
        let mut added = Added::default();
        self.mark(addresses, &mut added);
        let fits = self.quads <= self.shape.leaf_rows && self.nodes <= self.shape.node_rows;
        if fits {
            self.slots += 1;
        } else {
            (self.quads, self.nodes) = before;
            added.places[..added.count].iter().rev().for_each(|place| self.ids.take_back(*place));
        }
        fits
    }

    /// Operations added.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// Leaf and node rows in use.
    pub fn rows(&self) -> (usize, usize) {
        (self.quads, self.nodes)
    }

    /// Gives a row to the quads of these addresses and to all nodes above.
    fn mark(&mut self, addresses: &[u32], added: &mut Added) {
        for address in addresses {
            let mut id = self.geometry.first_leaf_id() + address / ARITY as u32;
            let Some(place) = self.ids.insert(id) else { continue };
            added.push(place);
            self.quads += 1;
            // Above a node with a row all nodes have one, the root at the latest.
            while let Some(place) = self.ids.insert(parent(id)) {
                added.push(place);
                self.nodes += 1;
                id = parent(id);
            }
        }
    }
}

/// Where the ids that an operation added stand, for taking them back.
struct Added {
    places: [u32; ADDED_MAX],
    count: usize,
}

impl Default for Added {
    fn default() -> Self {
        Self { places: [0; ADDED_MAX], count: 0 }
    }
}

impl Added {
    fn push(&mut self, place: u32) {
        self.places[self.count] = place;
        self.count += 1;
    }
}

/// A set of node ids of limited size: a table with linear probing, cleared by counting up.
#[derive(Clone, Debug)]
struct IdSet {
    /// (round, id); an entry counts in its own round only.
    table: Vec<(u32, u32)>,
    round: u32,
}

impl IdSet {
    /// A set for `capacity` ids.
    fn new(capacity: usize) -> Self {
        Self { table: vec![(0, 0); (2 * capacity).next_power_of_two()], round: 0 }
    }

    fn clear(&mut self) {
        self.round = self.round.wrapping_add(1);
        if self.round == 0 {
            self.table.fill((0, 0));
            self.round = 1;
        }
    }

    /// Inserts `id`; gives its place, or nothing if it was there. Half of the table is always free.
    fn insert(&mut self, id: u32) -> Option<u32> {
        let mask = self.table.len() - 1;
        // Fibonacci hashing: the high bits of the product are spread well, even for neighbours.
        let spread = id.wrapping_mul(0x9E37_79B9) >> (u32::BITS - self.table.len().trailing_zeros());
        let mut place = spread as usize;
        while self.table[place].0 == self.round {
            if self.table[place].1 == id {
                return None;
            }
            place = (place + 1) & mask;
        }
        self.table[place] = (self.round, id);
        Some(place as u32)
    }

    /// Frees the place of the id that was inserted last, of those that are left: no other one was placed behind it.
    fn take_back(&mut self, place: u32) {
        self.table[place as usize].0 = self.round.wrapping_sub(1);
    }
}
