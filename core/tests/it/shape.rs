//! The row counter against counting with sets.

use crate::world::id;
use proptest::prelude::*;
use sheaf_core::geometry::{Geometry, parent};
use sheaf_core::shape::{RowCounter, Shape};
use sheaf_core::slot::PORTS;
use std::collections::BTreeSet;

/// The same count, with nothing kept but the addresses.
struct Naive {
    geometry: Geometry,
    shape: Shape,
    operations: Vec<[u32; PORTS]>,
    padding: u32,
}

impl Naive {
    fn rows(&self, more: Option<&[u32; PORTS]>) -> (usize, usize) {
        let first_leaf = self.geometry.first_leaf_id();
        let addresses = self.operations.iter().chain(more).flatten().chain([&self.padding]);
        let quads: BTreeSet<u32> = addresses.map(|a| first_leaf + a / 4).collect();
        let mut nodes = BTreeSet::new();
        for mut id in quads.iter().copied() {
            while id > 0 {
                id = parent(id);
                nodes.insert(id);
            }
        }
        (quads.len(), nodes.len())
    }

    fn try_add(&mut self, addresses: &[u32; PORTS]) -> bool {
        let (quads, nodes) = self.rows(Some(addresses));
        let fits = self.operations.len() < self.shape.slots && quads <= self.shape.leaf_rows && nodes <= self.shape.node_rows;
        self.operations.extend(fits.then_some(*addresses));
        fits
    }
}

fn arb_addresses(geometry: Geometry) -> impl Strategy<Value = [u32; PORTS]> {
    // Near addresses share quads and nodes, far ones don't.
    let near = 0..400.min(geometry.word_count() as u32);
    let far = 0..geometry.word_count() as u32;
    proptest::array::uniform7(prop_oneof![near, far])
}

fn arb_case() -> impl Strategy<Value = (Geometry, Shape, Vec<Vec<[u32; PORTS]>>)> {
    (4u32..=15, 1usize..40, 1usize..120, 1usize..900).prop_flat_map(|(depth, slots, leaf_rows, node_rows)| {
        let geometry = Geometry::new(depth);
        let batch = prop::collection::vec(arb_addresses(geometry), 0..45);
        let batches = prop::collection::vec(batch, 1..4);
        (Just(geometry), Just(Shape { id: 0, slots, leaf_rows, node_rows }), batches)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_row_counter_counts_as_sets_do((geometry, shape, batches) in arb_case()) {
        let padding = geometry.address(1, 0);
        let mut counter = RowCounter::new(geometry, shape, id(1));
        for batch in batches {
            let mut naive = Naive { geometry, shape, operations: Vec::new(), padding };
            prop_assert_eq!(counter.rows(), naive.rows(None));
            for addresses in batch {
                prop_assert_eq!(counter.try_add(&addresses), naive.try_add(&addresses));
                prop_assert_eq!((counter.slots(), counter.rows()), (naive.operations.len(), naive.rows(None)));
            }
            counter.clear();
        }
    }
}
