//! The row counter against counting with sets, and the shape that is chosen by it.

use crate::world::id;
use proptest::prelude::*;
use sheaf_core::geometry::{Geometry, parent};
use sheaf_core::shape::{RowCounter, Shape};
use sheaf_core::shapes::Shapes;
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

/// The shape that is `steps` larger than a shape.
fn larger(shape: Shape, [slots, leaf_rows, node_rows]: [usize; 3]) -> Shape {
    let Shape { id, .. } = shape;
    Shape {
        id: id + 1,
        slots: shape.slots + slots + 1,
        leaf_rows: shape.leaf_rows + leaf_rows,
        node_rows: shape.node_rows + node_rows,
    }
}

fn arb_shapes() -> impl Strategy<Value = Shapes> {
    let steps = prop::collection::vec([0usize..20, 0usize..40, 0usize..300], 0..4);
    (1usize..20, 1usize..60, 1usize..400, steps).prop_map(|(slots, leaf_rows, node_rows, steps)| {
        let mut shapes = vec![Shape { id: 0, slots, leaf_rows, node_rows }];
        for step in steps {
            shapes.push(larger(*shapes.last().expect("one"), step));
        }
        Shapes::new(shapes).expect("they grow")
    })
}

fn arb_choice() -> impl Strategy<Value = (Geometry, Shapes, Vec<[u32; PORTS]>)> {
    (4u32..=15, arb_shapes()).prop_flat_map(|(depth, shapes)| {
        let geometry = Geometry::new(depth);
        (Just(geometry), Just(shapes), prop::collection::vec(arb_addresses(geometry), 0..70))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// At each point of a batch's life, the shape is the first that would have taken all of its operations itself, and the
    /// largest takes no more than it has room for.
    #[test]
    fn the_chosen_shape_is_the_smallest_that_fits((geometry, shapes, operations) in arb_choice()) {
        let padding = geometry.address(1, 0);
        let mut counter = RowCounter::new(geometry, shapes.largest(), id(1));
        let mut taken: Vec<[u32; PORTS]> = Vec::new();
        for addresses in operations {
            if counter.try_add(&addresses) {
                taken.push(addresses);
            }
            let fits = |shape: &&Shape| {
                let naive = Naive { geometry, shape: **shape, operations: taken.clone(), padding };
                let (quads, nodes) = naive.rows(None);
                taken.len() <= shape.slots && quads <= shape.leaf_rows && nodes <= shape.node_rows
            };
            let chosen = shapes.choose(&counter);
            prop_assert_eq!(chosen, shapes.as_slice().iter().find(fits).copied());
            prop_assert!(chosen.is_some() || taken.is_empty(), "what the largest took, the largest holds");
        }
    }
}
