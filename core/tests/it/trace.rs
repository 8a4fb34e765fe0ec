//! The trace is a function of the public data and the old state, and its tree is the tree.

use crate::world::{NOW, context, deposit, id, key, payload};
use proptest::prelude::*;
use sheaf_core::F;
use sheaf_core::batch::commitment;
use sheaf_core::geometry::{Geometry, parent};
use sheaf_core::operation::Operation;
use sheaf_core::shape::{RowCounter, Shape};
use sheaf_core::slot::SlotError;
use sheaf_core::trace::{BatchHeader, BatchWitness, BuildError, SlotInput, Trace, advance, build, draft};
use sheaf_core::transaction::{Resolution, Target};
use sheaf_core::tree::Tree;
use sheaf_core::types::TokenId;
use std::collections::BTreeSet;

const SHAPE: Shape = Shape { id: 0, slots: 6, leaf_rows: 24, node_rows: 80 };

/// Room for 16 deposits anywhere.
const ROOMY: Shape = Shape { id: 0, slots: 16, leaf_rows: 64, node_rows: 260 };

fn header() -> BatchHeader {
    BatchHeader { domain: context().domain, timestamp: NOW, fee_account: id(1) }
}

fn unsigned(operation: Operation) -> SlotInput {
    SlotInput { operation, signature: None }
}

fn inputs() -> Vec<SlotInput> {
    let pay = payload(2, 0, 100, Target::Account(crate::world::pair(9))).sign(context().domain, &key(2));
    let mut all: Vec<_> = (1..=3u8).map(|i| unsigned(deposit(i.into(), i, TokenId::ETH, 1000))).collect();
    all.push(SlotInput { operation: pay.payload.operation(Resolution::Create(id(40))), signature: Some(pay.slot_signature()) });
    all
}

#[test]
fn a_batch_moves_the_tree_to_its_new_root_and_is_deterministic() {
    let mut tree = Tree::new(Geometry::new(6));
    let genesis = tree.root();
    let batch = build(&mut tree, SHAPE, header(), &inputs()).unwrap();
    assert_eq!((batch.public.old_root, batch.public.new_root), (genesis, tree.root()));
    assert_eq!(Tree::from_words(tree.geometry(), tree.words()).root(), tree.root());
    let again = build(&mut Tree::new(Geometry::new(6)), SHAPE, header(), &inputs()).unwrap();
    assert_eq!(again, batch);
    assert_eq!(again.to_bytes(), batch.to_bytes());
}

#[test]
fn the_commitment_is_over_the_words_of_the_stored_trace() {
    let mut tree = Tree::new(Geometry::new(6));
    let mut old_root = tree.root();
    for inputs in [inputs(), Vec::new()] {
        let batch = build(&mut tree, SHAPE, header(), &inputs).unwrap();
        let stored = BatchWitness::from_bytes(&batch.to_bytes()).unwrap();
        // Building hashes each row once while the tree moves; these words hash the rows themselves.
        let words = stored.trace.words(stored.geometry, &SHAPE);
        assert_eq!(commitment(&stored.public.words(SHAPE.slots), &words), batch.c);
        let by_row = stored.trace.leaves.iter().map(|row| row.words(stored.geometry, SHAPE.time_bits()));
        let by_row = by_row.chain(stored.trace.nodes.iter().map(|row| row.words(stored.geometry)));
        assert_eq!(by_row.flatten().collect::<Vec<_>>(), words[8 * SHAPE.slots..]);
        let root = stored.trace.nodes[0].words(stored.geometry);
        assert_eq!((root[1], root[2]), (old_root, tree.root()));
        old_root = tree.root();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn rows_are_what_the_trees_before_and_after_hold(accounts in prop::collection::btree_set(2u32..1 << 24, 0..=16)) {
        let mut tree = Tree::new(Geometry::PROTOCOL);
        let made = |a: &u32| unsigned(deposit(*a, 7, TokenId::ETH, u128::from(*a)));
        let (first, rest): (Vec<_>, Vec<_>) = accounts.iter().partition(|a| *a % 3 == 0);
        // Accounts that exist already, so that rows have something before.
        build(&mut tree, ROOMY, header(), &first.into_iter().map(made).collect::<Vec<_>>()).unwrap();
        let old = tree.clone();
        let again = rest.into_iter().map(made).chain(accounts.iter().filter(|a| *a % 3 == 0).map(made));
        let Trace { leaves, nodes, .. } = build(&mut tree, ROOMY, header(), &again.collect::<Vec<_>>()).unwrap().trace;
        let (leaves, nodes) = (leaves.iter().filter(|l| l.live).collect::<Vec<_>>(), nodes.iter().filter(|n| n.live).collect::<Vec<_>>());
        prop_assert!(leaves.is_sorted_by(|a, b| a.quad < b.quad) && nodes.is_sorted_by(|a, b| a.id < b.id));
        let first_leaf = tree.geometry().first_leaf_id();
        let live: BTreeSet<u32> = leaves.iter().map(|l| first_leaf + l.quad).chain(nodes.iter().map(|n| n.id)).collect();
        let above: BTreeSet<u32> = live.iter().filter(|id| **id > 0).map(|id| parent(*id)).collect();
        prop_assert_eq!(&above, &nodes.iter().map(|n| n.id).collect());
        for row in leaves {
            prop_assert_eq!((row.old, row.new), (old.quad(row.quad), tree.quad(row.quad)));
        }
        for row in nodes {
            prop_assert_eq!((row.old, row.new), (old.children(row.id), tree.children(row.id)));
            prop_assert_eq!(row.active, std::array::from_fn(|k| live.contains(&(4 * row.id + k as u32 + 1))));
        }
    }
}

#[test]
fn a_tree_that_follows_goes_where_the_built_one_went() {
    let (mut tree, mut follower) = (Tree::new(Geometry::new(6)), Tree::new(Geometry::new(6)));
    for inputs in [inputs(), vec![unsigned(deposit(2, 2, TokenId::ETH, 5))]] {
        let draft = draft(&mut tree, SHAPE, header(), &inputs).unwrap();
        let root = advance(&mut follower, header(), &draft.public().operations).unwrap();
        assert_eq!((root, draft.public().new_root), (tree.root(), tree.root()));
        assert_eq!(follower.words().collect::<Vec<_>>(), tree.words().collect::<Vec<_>>());
    }
    let late: Vec<_> = inputs().iter().rev().map(|i| i.operation).collect();
    assert_eq!(advance(&mut follower, header(), &late), Err(BuildError::Order));
    assert_eq!(follower.root(), tree.root());
}

#[test]
fn the_stored_form_round_trips_and_refuses_damage() {
    let mut tree = Tree::new(Geometry::new(6));
    let batch = build(&mut tree, SHAPE, header(), &inputs()).unwrap();
    let bytes = batch.to_bytes();
    assert_eq!(BatchWitness::from_bytes(&bytes).unwrap(), batch);
    assert!(BatchWitness::from_bytes(&bytes[..bytes.len() - 1]).is_err());
    assert!(BatchWitness::from_bytes(&[bytes.as_slice(), &[0]].concat()).is_err());
    let mut other_version = bytes;
    other_version[0] = 9;
    assert!(BatchWitness::from_bytes(&other_version).unwrap_err().to_string().contains("format 9"));
}

#[test]
fn what_does_not_fit_or_is_refused_leaves_the_tree_alone() {
    let mut tree = Tree::new(Geometry::new(6));
    let root = tree.root();
    let mut build = |shape, inputs: &[SlotInput]| build(&mut tree, shape, header(), inputs).unwrap_err();
    assert_eq!(build(Shape { slots: 3, ..SHAPE }, &inputs()), BuildError::Overflow("slots"));
    assert_eq!(build(Shape { leaf_rows: 3, ..SHAPE }, &inputs()), BuildError::Overflow("leaf rows"));
    assert_eq!(build(Shape { node_rows: 9, ..SHAPE }, &inputs()), BuildError::Overflow("node rows"));
    let twice = [inputs()[0], unsigned(deposit(1, 2, TokenId::ETH, 1))];
    assert_eq!(build(SHAPE, &twice), BuildError::Slot { index: 1, source: SlotError::DepositTarget });
    let mut late = inputs();
    late.push(unsigned(deposit(5, 5, TokenId::ETH, 1)));
    assert_eq!(build(SHAPE, &late), BuildError::Order);
    assert_eq!(tree.root(), root);
}

#[test]
fn the_row_counter_counts_what_the_trace_uses() {
    let mut tree = Tree::new(Geometry::new(6));
    let batch = build(&mut tree.clone(), SHAPE, header(), &inputs()).unwrap();
    let mut counter = RowCounter::new(tree.geometry(), SHAPE, id(1));
    let mut memory = sheaf_core::tree::Overlay::new(&tree);
    for input in inputs() {
        let ports = sheaf_core::slot::evaluate(&context(), &input.operation, &mut memory);
        assert!(counter.try_add(&ports.map(|p| p.address)));
    }
    let live = (batch.trace.leaves.iter().filter(|l| l.live).count(), batch.trace.nodes.iter().filter(|n| n.live).count());
    assert_eq!(counter.rows(), live);
    // An empty batch still reads the fee account's header.
    let empty = build(&mut tree, SHAPE, header(), &[]).unwrap();
    let live = (empty.trace.leaves.iter().filter(|l| l.live).count(), empty.trace.nodes.iter().filter(|n| n.live).count());
    assert_eq!(RowCounter::new(Geometry::new(6), SHAPE, id(1)).rows(), live);
    assert_eq!(empty.public.old_root, empty.public.new_root);
}

#[test]
fn the_development_shape_holds_any_operation() {
    assert!(Shape::DEVELOPMENT.holds_any_operation(Geometry::PROTOCOL));
    assert!(!Shape { leaf_rows: 5, ..Shape::DEVELOPMENT }.holds_any_operation(Geometry::PROTOCOL));
    assert!(!Shape { node_rows: 70, ..Shape::DEVELOPMENT }.holds_any_operation(Geometry::PROTOCOL));
    assert!(Shape { node_rows: 71, ..Shape::DEVELOPMENT }.holds_any_operation(Geometry::PROTOCOL));
    assert_eq!(Shape::DEVELOPMENT.time_bits(), 7);
    // The worst slot there is, found by trying: three far accounts and a token outside of the dense words.
    let mut counter = RowCounter::new(Geometry::PROTOCOL, Shape::DEVELOPMENT, id(1));
    let g = Geometry::PROTOCOL;
    let (from, to) = ((1 << 24) - 1, 1 << 23);
    assert!(counter.try_add(&[
        g.address(from, 0),
        g.address(from, 1),
        g.address(from, 63),
        g.address(to, 0),
        g.address(to, 2),
        g.address(to, 63),
        g.address(1, 63)
    ]));
    assert_eq!(counter.rows(), (6, 71));
}

#[test]
fn a_merkle_path_leads_to_the_root() {
    use sheaf_core::hash::h4;
    let tree = Tree::from_words(Geometry::new(6), (0..50u32).map(|i| (i * 83, F::from(u64::from(i) + 1))));
    for address in [0, 83, 84, 830, 4095] {
        let mut hash = tree.word(address);
        let mut place = address;
        for siblings in tree.path(address) {
            let mut all = siblings.to_vec();
            all.insert(place as usize % 4, hash);
            hash = h4(all.try_into().unwrap());
            place /= 4;
        }
        assert_eq!(hash, tree.root());
    }
}
