//! Attacker's traces: every advice value is changed *before* the commitment is computed, and all that follows from it
//! is made honestly. The circuit must still fail, and never in the commitment, the evaluation or the challenges
//! ([`Circuit::failures`] asserts that).

use crate::harness::Circuit;
use crate::world::{GEOMETRY, SHAPE, mixed, mixed_in};
use ark_ff::{Field, One, Zero};
use rayon::prelude::*;
use sheaf_circuits::witness::Private;
use sheaf_core::F;
use sheaf_core::eddsa::Scalar;
use sheaf_core::shape::Shape;
use std::collections::{BTreeMap, BTreeSet};

/// One advice value: what it is, where, and its place.
struct Place {
    kind: &'static str,
    row: usize,
    item: usize,
}

/// Every value of the advice, in a fixed order.
fn values(private: &mut Private) -> Vec<(Place, &mut F)> {
    let mut all = Vec::new();
    let mut push = |kind, row, item, value| all.push((Place { kind, row, item }, value));
    for (i, word) in private.words.iter_mut().enumerate() {
        push("word", 0, i, word);
    }
    for (row, slot) in private.slots.iter_mut().enumerate() {
        slot.old.iter_mut().enumerate().for_each(|(i, v)| push("old", row, i, v));
        slot.gaps.iter_mut().enumerate().for_each(|(i, v)| push("gap", row, i, v));
        push("expires", row, 0, &mut slot.expires);
        let s = &mut slot.signature;
        [&mut s.ax, &mut s.ay, &mut s.r8_x, &mut s.r8_y].into_iter().enumerate().for_each(|(i, v)| push("signature", row, i, v));
    }
    for (row, leaf) in private.leaves.iter_mut().enumerate() {
        push("leaf live", row, 0, &mut leaf.live);
        push("leaf quad", row, 0, &mut leaf.quad);
        leaf.old.iter_mut().enumerate().for_each(|(i, v)| push("leaf old", row, i, v));
        leaf.new.iter_mut().enumerate().for_each(|(i, v)| push("leaf new", row, i, v));
        leaf.touched.iter_mut().enumerate().for_each(|(i, v)| push("leaf touched", row, i, v));
        leaf.times.iter_mut().enumerate().for_each(|(i, v)| push("leaf time", row, i, v));
    }
    for (row, node) in private.nodes.iter_mut().enumerate() {
        push("node live", row, 0, &mut node.live);
        push("node id", row, 0, &mut node.id);
        node.old.iter_mut().enumerate().for_each(|(i, v)| push("node old", row, i, v));
        node.new.iter_mut().enumerate().for_each(|(i, v)| push("node new", row, i, v));
        node.active.iter_mut().enumerate().for_each(|(i, v)| push("node active", row, i, v));
    }
    all
}

/// Why a changed value may go unnoticed; `None` if it may not.
fn harmless(honest: &Private, place: &Place, changed: F) -> Option<&'static str> {
    let Place { kind, row, item } = *place;
    let dead = |live: F| live.is_zero();
    match kind {
        "node live" | "node id" if row == 0 => Some("row 0 is the root by constants: the advice is not read"),
        "node id" if dead(honest.nodes[row].live) => Some("a row that is not in use emits nothing"),
        "leaf quad" | "leaf time" if dead(honest.leaves[row].live) => Some("a row that is not in use emits nothing"),
        "leaf time" if honest.leaves[row].touched[item].is_zero() => {
            Some("the time of a word that no port accesses is in no factor")
        }
        "expires" if honest.words[4 + 3 * row] == F::zero() || row < 2 => Some("a slot without a signature does not expire"),
        // W itself is no advice, it is tied to what was posted; this makes another batch that the rules allow.
        "word" if item == 4 + 3 + 1 || item == 4 + 3 + 2 => Some("another SetKey by a stranger is another valid batch"),
        "leaf touched" if !dead(honest.leaves[row].live) && changed.is_one() => Some(
            "a word that no port accesses and that says so is its own first and last write: both products get the same factor",
        ),
        _ => None,
    }
}

/// [`mixed`] with one row of each kind to spare.
const TIGHT: Shape = Shape { id: 4, slots: 6, leaf_rows: 5, node_rows: 9 };

#[test]
fn every_forged_value_breaks_a_group_that_is_not_the_commitment() {
    let circuit = &Circuit::new(GEOMETRY, TIGHT);
    let honest = Private::from(&mixed_in(TIGHT));
    let spare =
        (honest.leaves.iter().filter(|l| l.live.is_zero()).count(), honest.nodes.iter().filter(|n| n.live.is_zero()).count());
    assert_eq!(spare, (1, 1));
    assert_eq!(circuit.failures(&honest), BTreeSet::new());
    let count = values(&mut honest.clone()).len();
    let forge = |index: usize| {
        let mut forged = honest.clone();
        let original = *values(&mut forged)[index].1;
        // The other boolean, the next number, and one that is far away.
        let changes = BTreeSet::from([F::one() - original, original + F::one(), original + F::from(2u64).pow([23])]);
        let mut outcomes = Vec::new();
        for changed in changes.into_iter().filter(|c| *c != original) {
            *values(&mut forged)[index].1 = changed;
            let place = values(&mut forged).swap_remove(index).0;
            let failures = circuit.failures(&forged);
            let reason = harmless(&honest, &place, changed);
            if failures.is_empty() {
                let name = format!("{} {}.{}", place.kind, place.row, place.item);
                assert!(reason.is_some(), "{name}: {original} became {changed}, and nothing failed");
            }
            outcomes.push((place.kind, failures, reason));
        }
        outcomes
    };
    let outcomes: Vec<_> = (0..count).into_par_iter().flat_map_iter(forge).collect();
    let mut table: BTreeMap<&str, (usize, BTreeSet<&str>, BTreeSet<&str>)> = BTreeMap::new();
    for (kind, failures, reason) in outcomes {
        let entry = table.entry(kind).or_default();
        entry.0 += 1;
        if failures.is_empty() {
            entry.2.extend(reason);
        }
        entry.1.extend(failures);
    }
    for (kind, (tried, groups, survivors)) in &table {
        println!("{kind}: {tried} forgeries, fail in {groups:?}; harmless: {survivors:?}");
    }
    // Every kind of advice has its guards; here they are by name.
    let guards: [(&str, &[&str]); 15] = [
        ("old", &["memory"]),
        ("gap", &["gap_width", "memory"]),
        ("expires", &["expired", "signature_equation"]),
        ("signature", &["key_hash", "key_on_curve", "nonce_point_on_curve", "signature_equation"]),
        ("leaf live", &["leaf_row", "tree"]),
        ("leaf quad", &["leaf_row", "memory", "tree"]),
        ("leaf old", &["leaf_row", "memory", "tree"]),
        ("leaf new", &["leaf_row", "memory", "tree"]),
        ("leaf touched", &["leaf_row", "memory"]),
        ("leaf time", &["leaf_row", "memory"]),
        ("node live", &["node_row", "tree"]),
        ("node id", &["node_row", "tree"]),
        ("node old", &["node_row", "root", "tree"]),
        ("node new", &["node_row", "root", "tree"]),
        ("node active", &["node_row", "tree"]),
    ];
    for (kind, expected) in guards {
        let (_, groups, _) = &table[kind];
        assert!(expected.iter().all(|group| groups.contains(group)), "{kind}: {groups:?}");
    }
    assert_eq!(table.len(), guards.len() + 1, "the public words, too");
}

#[test]
fn every_forged_signature_scalar_fails() {
    let honest = Private::from(&mixed());
    for row in 0..SHAPE.slots {
        for change in [Scalar::from(1u64), Scalar::from(8u64), -Scalar::from(1u64)] {
            let mut forged = honest.clone();
            forged.slots[row].signature.s += change;
            let failures = Circuit::small().failures(&forged);
            assert_eq!(failures, BTreeSet::from(["signature_equation"]), "slot {row}");
        }
    }
}

#[test]
fn a_trace_of_another_batch_fails() {
    let honest = Private::from(&mixed());
    let other = Private::from(&crate::world::Random::new(9).batch());
    let mut forged = honest;
    forged.leaves = other.leaves;
    forged.nodes = other.nodes;
    let failures = Circuit::small().failures(&forged);
    assert!(failures.contains("memory") && failures.contains("root"), "{failures:?}");
    assert_eq!(GEOMETRY.depth(), 5);
}
