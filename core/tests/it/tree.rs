//! The tree against a plain map of words that is hashed from nothing.

use proptest::prelude::*;
use sheaf_core::F;
use sheaf_core::geometry::Geometry;
use sheaf_core::hash::h4;
use sheaf_core::tree::Tree;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// The root over all words of a small memory, hashed level by level.
fn root_of(geometry: Geometry, words: &BTreeMap<u32, F>) -> F {
    let mut level: Vec<F> = (0..geometry.word_count() as u32).map(|a| words.get(&a).copied().unwrap_or_default()).collect();
    while level.len() > 1 {
        level = level.chunks(4).map(|four| h4(four.try_into().unwrap())).collect();
    }
    level[0]
}

/// Updates of words of a small tree: few values, many of them zero, so that subtrees empty again.
fn arb_updates(words: u32) -> impl Strategy<Value = Vec<Vec<(u32, F)>>> {
    let address = prop_oneof![0..words, 0..16u32];
    let value = prop_oneof![Just(0u64), 0..3u64].prop_map(F::from);
    prop::collection::vec(prop::collection::vec((address, value), 0..60), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn updates_give_the_tree_of_the_words((depth, updates) in (4u32..=5).prop_flat_map(|d| (Just(d), arb_updates(1 << (2 * d))))) {
        let geometry = Geometry::new(depth);
        let (mut tree, mut words) = (Tree::new(geometry), BTreeMap::new());
        for update in updates {
            tree.update(update.iter().copied());
            words.extend(update);
            words.retain(|_, value| *value != F::from(0u64));
            prop_assert_eq!(tree.root(), root_of(geometry, &words));
            prop_assert_eq!(tree.words().collect::<Vec<_>>(), words.clone().into_iter().collect::<Vec<_>>());
        }
        let made = Tree::from_words(geometry, words.iter().rev().map(|(a, v)| (*a, *v)));
        prop_assert_eq!(made.root(), tree.root());
        for id in 0..geometry.first_leaf_id() {
            prop_assert_eq!(made.children(id), tree.children(id));
        }
        for quad in 0..geometry.word_count() as u32 / 4 {
            prop_assert_eq!(tree.quad(quad), std::array::from_fn(|k| words.get(&(4 * quad + k as u32)).copied().unwrap_or_default()));
        }
    }
}

#[test]
fn a_tree_that_was_emptied_is_the_empty_tree() {
    let geometry = Geometry::PROTOCOL;
    let addresses = [0u32, 5, 1 << 20, (1 << 30) - 1];
    let mut tree = Tree::from_words(geometry, addresses.map(|a| (a, F::from(9u64))));
    assert_ne!(tree.root(), Tree::new(geometry).root());
    tree.update(addresses.map(|a| (a, F::from(0u64))));
    assert_eq!(tree.root(), Tree::new(geometry).root());
    assert_eq!(tree.words().count(), 0);
}

#[test]
fn the_later_of_two_words_for_one_address_counts() {
    let geometry = Geometry::new(5);
    let word = |address: u32, value: u64| (address, F::from(value));
    let tree = Tree::from_words(geometry, [word(7, 1), word(3, 2), word(7, 0), word(3, 5), word(900, 1), word(3, 4)]);
    assert_eq!(tree.words().collect::<Vec<_>>(), [word(3, 4), word(900, 1)]);
}

#[test]
#[should_panic(expected = "address out of range")]
fn a_word_outside_of_the_geometry_has_no_place() {
    Tree::new(Geometry::new(4)).update([(256, F::from(1u64))]);
}

#[test]
fn making_a_tree_tells_how_far_it_is() {
    let (calls, most) = (AtomicU64::new(0), AtomicU64::new(0));
    let words = (0..20_000u32).map(|i| (i, F::from(u64::from(i) + 1)));
    Tree::from_words_with(Geometry::new(10), words, &|done, total| {
        assert!(done <= total && total == 20_000);
        calls.fetch_add(1, Ordering::Relaxed);
        most.fetch_max(done, Ordering::Relaxed);
    });
    assert_eq!(most.into_inner(), 20_000);
    assert!((2..=20).contains(&calls.into_inner()), "every few thousand words");
}
