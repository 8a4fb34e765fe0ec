//! The attacks that the design closes, each built out in full: everything but the one rule that stops it holds, so the
//! one group that fails is that rule. Numbers are those of `docs/protocol.md`.

use crate::harness::Circuit;
use crate::world::{GEOMETRY, Map, NOW, SHAPE, context, deposit, header, id, key, pair, payload, people, signed, unsigned};
use ark_ff::{BigInteger, Field, One, PrimeField, Zero};
use sheaf_circuits::witness::{LeafAdvice, NodeAdvice, Private};
use sheaf_core::F;
use sheaf_core::eddsa::SignatureWitness;
use sheaf_core::geometry::{child_number, parent};
use sheaf_core::hash::h4;
use sheaf_core::operation::Operation;
use sheaf_core::shape::Shape;
use sheaf_core::slot::evaluate;
use sheaf_core::trace::{SlotInput, build, build_unchecked};
use sheaf_core::transaction::{Resolution, Target};
use sheaf_core::tree::Tree;
use sheaf_core::types::TokenId;
use std::collections::{BTreeMap, BTreeSet};

const RICH: u64 = 1_000_000;

#[track_caller]
fn only(circuit: &Circuit, private: &Private, group: &'static str) {
    assert_eq!(circuit.failures(private), BTreeSet::from([group]));
}

/// The address of account 2's ETH.
fn balance_address() -> u32 {
    GEOMETRY.address(2, 3)
}

fn withdraw(value: u128) -> SlotInput {
    signed(payload(2, 0, value, Target::L1(pair(5).owner)), 2, Resolution::Create(id(0)))
}

/// The node rows that lead from leaf rows of these quads to the root, before and after.
fn node_rows(before: &Tree, after: &Tree, quads: &[u32], count: usize) -> Vec<NodeAdvice> {
    let mut active: BTreeMap<u32, [F; 4]> = BTreeMap::new();
    let mut pending: Vec<u32> = quads.iter().map(|q| GEOMETRY.first_leaf_id() + q).collect();
    while let Some(node) = pending.pop() {
        if node > 0 {
            active.entry(parent(node)).or_default()[child_number(node)] = F::one();
            pending.push(parent(node));
        }
    }
    let row = |(id, active): (u32, [F; 4])| NodeAdvice {
        live: F::one(),
        id: F::from(id),
        old: before.children(id),
        new: after.children(id),
        active,
    };
    let mut rows: Vec<_> = active.into_iter().map(row).collect();
    rows.resize(count, NodeAdvice::default());
    rows
}

/// The batch in which account 2 withdraws money that it only has in `RICH`'s world, told as if it were the poor one's: the
/// slots and the leaf row of account 2 are the rich world's, all else is the poor world's.
struct Theft {
    private: Private,
    /// Number of account 2's leaf row.
    row: usize,
    poor: Tree,
    poor_after: Tree,
    fee_quad: u32,
}

fn theft(shape: Shape) -> Theft {
    let poor = people();
    let mut rich = poor.clone();
    rich.update([(balance_address(), F::from(RICH))]);
    let batch = build(&mut rich, shape, header(), &[withdraw(5000)]).unwrap();
    let mut private = Private::from(&batch);
    let quad = F::from(balance_address() / 4);
    let row = private.leaves.iter().position(|leaf| leaf.quad == quad && leaf.live == F::one()).unwrap();
    let fee_quad = GEOMETRY.address(1, 3) / 4;
    let mut poor_after = poor.clone();
    poor_after.update([(GEOMETRY.address(1, 3), rich.word(GEOMETRY.address(1, 3)))]);
    private.words[1] = poor.root();
    private.words[2] = poor_after.root();
    private.nodes = node_rows(&poor, &poor_after, &[fee_quad], shape.node_rows);
    Theft { private, row, poor, poor_after, fee_quad }
}

/// A8: a dead row that still emits is a second root.
#[test]
fn a_dead_row_that_emits() {
    let mut theft = theft(SHAPE);
    theft.private.leaves[theft.row].live = F::zero();
    only(Circuit::small(), &theft.private, "leaf_row");
    // Without its flags the row is harmless, and the memory has no such money.
    theft.private.leaves[theft.row].touched = [F::zero(); 4];
    theft.private.leaves[theft.row].new = theft.private.leaves[theft.row].old;
    only(Circuit::small(), &theft.private, "memory");
}

/// A dead node row that emits children: the same on the next level.
#[test]
fn a_dead_node_row_that_emits() {
    let mut theft = theft(SHAPE);
    let leaf = theft.private.leaves[theft.row];
    let node = GEOMETRY.first_leaf_id() + balance_address() / 4;
    let free = theft.private.nodes.iter().rposition(|row| row.live.is_zero()).unwrap();
    let mut row = NodeAdvice { id: F::from(parent(node)), ..NodeAdvice::default() };
    let k = child_number(node);
    (row.old[k], row.new[k], row.active[k]) = (h4(leaf.old), h4(leaf.new), F::one());
    theft.private.nodes[free] = row;
    only(Circuit::small(), &theft.private, "node_row");
}

/// A live leaf row that no node claims.
#[test]
fn a_leaf_row_that_hangs_from_nothing() {
    only(Circuit::small(), &theft(SHAPE).private, "tree");
}

/// Two live rows for one quad: the true one, and one with money. Every account would have two memories.
#[test]
fn a_second_leaf_row_of_a_quad() {
    let mut theft = theft(SHAPE);
    let quad = balance_address() / 4;
    let free = theft.private.leaves.iter().rposition(|row| row.live.is_zero()).unwrap();
    let words = theft.poor.quad(quad);
    let honest = LeafAdvice { live: F::one(), quad: F::from(quad), old: words, new: words, ..LeafAdvice::default() };
    theft.private.leaves[free] = honest;
    theft.private.nodes = node_rows(&theft.poor, &theft.poor_after, &[theft.fee_quad, quad], SHAPE.node_rows);
    only(Circuit::small(), &theft.private, "tree");
    // With all its ancestors a second time, a second root included.
    let second: Vec<NodeAdvice> = {
        let mut rich = theft.poor.clone();
        rich.update([(balance_address(), F::from(RICH))]);
        let mut rich_after = rich.clone();
        let leaf = theft.private.leaves[theft.row];
        rich_after.update((0..4).map(|k| (4 * quad + k, leaf.new[k as usize])));
        node_rows(&rich, &rich_after, &[quad], 4)
    };
    let free = theft.private.nodes.iter().position(|row| row.live.is_zero()).unwrap();
    theft.private.nodes[free..free + 4].copy_from_slice(&second);
    only(Circuit::small(), &theft.private, "tree");
}

/// A9: ids that wrap. A word that its owner chose (a key hash) is taken for the hash of a node below the quads, and a path
/// from there leads, modulo `p`, to the id of another quad.
#[test]
fn a_path_of_wrapped_ids() {
    const STEPS: usize = 140;
    let shape = Shape { id: 5, slots: 1, leaf_rows: 4, node_rows: 160 };
    let circuit = Circuit::new(GEOMETRY, shape);
    let mut theft = theft(shape);
    let leaf = theft.private.leaves[theft.row];
    // From the node that the key hash of account 3 would be, down to the id of the stolen row's quad.
    let key_address = GEOMETRY.address(3, 0);
    let key_node = GEOMETRY.first_leaf_id() + GEOMETRY.first_leaf_id() * 3 + 1 + key_address;
    let quad_node = GEOMETRY.first_leaf_id() + key_address / 4;
    assert_eq!(key_node, 4 * quad_node + 1);
    let target = F::from(GEOMETRY.first_leaf_id()) + leaf.quad;
    let digits = wrapped_path(F::from(key_node), target, STEPS);
    let mut ids = vec![F::from(key_node)];
    digits.iter().for_each(|k| ids.push(F::from(4u64) * ids[ids.len() - 1] + F::from(u64::from(*k) + 1)));
    assert_eq!(ids[STEPS], target);
    // The rows of the path, from below.
    let (mut old, mut new) = (h4(leaf.old), h4(leaf.new));
    let mut path = Vec::new();
    for (id, k) in ids.iter().zip(&digits).rev() {
        let mut row = NodeAdvice { live: F::one(), id: *id, ..NodeAdvice::default() };
        let k = usize::from(*k);
        (row.old[k], row.new[k], row.active[k]) = (old, new, F::one());
        (old, new) = (h4(row.old), h4(row.new));
        path.push(row);
    }
    // Account 3's key hash is the path's top before the batch and after it, so the state has it as a word; its quad is a node row.
    for (tree, hash) in [(&mut theft.poor, old), (&mut theft.poor_after, new)] {
        tree.update([(key_address, hash)]);
    }
    let key_quad = key_address / 4;
    let mut rows = node_rows(&theft.poor, &theft.poor_after, &[theft.fee_quad, key_quad], shape.node_rows);
    let free = rows.iter().position(|row| row.live.is_zero()).unwrap();
    rows[free] = NodeAdvice {
        live: F::one(),
        id: F::from(quad_node),
        old: theft.poor.quad(key_quad),
        new: theft.poor_after.quad(key_quad),
        active: [F::one(), F::zero(), F::zero(), F::zero()],
    };
    rows[free + 1..free + 1 + STEPS].copy_from_slice(&path);
    theft.private.nodes = rows;
    theft.private.words[1] = theft.poor.root();
    theft.private.words[2] = theft.poor_after.root();
    // Ids of the path do not fit their width; every other row of the circuit holds.
    only(&circuit, &theft.private, "node_row");
}

/// Child numbers that lead from id `from` to id `to` modulo `p` in so many steps.
fn wrapped_path(from: F, to: F, steps: usize) -> Vec<u8> {
    // id' = 4·id + 1 + k: after n steps 4^n·from + (4^n - 1)/3 + Σ k_i·4^(n-1-i), and the sum is any integer below 4^n.
    let four_n = F::from(4u64).pow([steps as u64]);
    let rest = to - four_n * from - (four_n - F::one()) * F::from(3u64).inverse().unwrap();
    let bits = rest.into_bigint();
    (0..steps).rev().map(|i| u8::from(bits.get_bit(2 * i)) + 2 * u8::from(bits.get_bit(2 * i + 1))).collect()
}

/// A node row at the quads' own level, with an active child: the words of a quad taken for hashes.
#[test]
fn a_node_row_at_the_quads_level_with_an_active_child() {
    let mut theft = theft(SHAPE);
    let leaf = theft.private.leaves[theft.row];
    // Quad 0's node has the smallest id of its level, and its children's are the first past the last leaf's.
    let quad_node = GEOMETRY.first_leaf_id();
    theft.poor.update([(0, h4(leaf.old))]);
    theft.poor_after.update([(0, h4(leaf.new))]);
    let mut rows = node_rows(&theft.poor, &theft.poor_after, &[theft.fee_quad, 0], SHAPE.node_rows);
    let free = rows.iter().position(|row| row.live.is_zero()).unwrap();
    rows[free] = NodeAdvice {
        live: F::one(),
        id: F::from(quad_node),
        old: theft.poor.quad(0),
        new: theft.poor_after.quad(0),
        active: [F::one(), F::zero(), F::zero(), F::zero()],
    };
    theft.private.nodes = rows;
    theft.private.words[1] = theft.poor.root();
    theft.private.words[2] = theft.poor_after.root();
    only(Circuit::small(), &theft.private, "tree");
    // To be that child the leaf row would need a quad index past the last one, and then it is not account 2's.
    theft.private.leaves[theft.row].quad = F::from(4 * quad_node + 1 - GEOMETRY.first_leaf_id());
    assert_eq!(Circuit::small().failures(&theft.private), BTreeSet::from(["leaf_row", "memory"]));
}

/// A word that changes without being touched.
#[test]
fn a_word_that_nobody_wrote() {
    let mut tree = people();
    let batch = build(&mut tree, SHAPE, header(), &[withdraw(5)]).unwrap();
    let mut private = Private::from(&batch);
    let quad = balance_address() / 4;
    let row = private.leaves.iter().position(|leaf| leaf.quad == F::from(quad) && leaf.live == F::one()).unwrap();
    // The owner of account 2 is read by nobody in a withdrawal.
    assert!(private.leaves[row].touched[2].is_zero());
    private.leaves[row].new[2] = F::from(666u64);
    let before = people();
    tree.update([(GEOMETRY.address(2, 2), F::from(666u64))]);
    let quads: Vec<u32> = batch.trace.leaves.iter().filter(|leaf| leaf.live).map(|leaf| leaf.quad).collect();
    private.nodes = node_rows(&before, &tree, &quads, SHAPE.node_rows);
    private.words[2] = tree.root();
    only(Circuit::small(), &private, "leaf_row");
}

/// A subtree that changes without having a row.
#[test]
fn a_subtree_that_nobody_opened() {
    let mut tree = people();
    let batch = build(&mut tree, SHAPE, header(), &[withdraw(5)]).unwrap();
    let mut private = Private::from(&batch);
    tree.update([(GEOMETRY.address(9, 3), F::from(RICH))]);
    let quads: Vec<u32> = batch.trace.leaves.iter().filter(|leaf| leaf.live).map(|leaf| leaf.quad).collect();
    private.nodes = node_rows(&people(), &tree, &quads, SHAPE.node_rows);
    private.words[2] = tree.root();
    only(Circuit::small(), &private, "node_row");
}

/// Two ports read the same write: the money is spent twice.
#[test]
fn a_balance_that_is_read_twice() {
    let second = signed(payload(2, 1, 900, Target::L1(pair(5).owner)), 2, Resolution::Create(id(0)));
    let batch = build_unchecked(&mut people(), SHAPE, header(), &[withdraw(900), second]).unwrap();
    let mut private = Private::from(&batch);
    assert_eq!(Circuit::small().failures(&private), BTreeSet::from(["balance"]));
    // The second withdrawal reads the balance from before the batch, too.
    private.slots[1].old[2] = F::from(1000u64);
    private.slots[1].gaps[2] = F::from(9u64);
    let mut after = people();
    build_unchecked(&mut after, SHAPE, header(), &[withdraw(900), second]).unwrap();
    after.update([(balance_address(), F::from(97u64))]);
    let row = private.leaves.iter().position(|leaf| leaf.quad == F::from(balance_address() / 4)).unwrap();
    private.leaves[row].new[3] = F::from(97u64);
    let quads: Vec<u32> = batch.trace.leaves.iter().filter(|leaf| leaf.live).map(|leaf| leaf.quad).collect();
    private.nodes = node_rows(&people(), &after, &quads, SHAPE.node_rows);
    private.words[2] = after.root();
    only(Circuit::small(), &private, "memory");
}

/// A port reads what is written later: money is spent before it arrives.
#[test]
fn a_read_from_the_future() {
    let inputs = [withdraw(1500), unsigned(deposit(2, 2, TokenId::ETH, 1000))];
    let batch = build_unchecked(&mut people(), SHAPE, header(), &inputs).unwrap();
    let mut private = Private::from(&batch);
    assert_eq!(Circuit::small().failures(&private), BTreeSet::from(["balance"]));
    // The withdrawal (time 3) reads what the deposit (time 13) writes, and the deposit what was there before the batch.
    private.slots[0].old[2] = F::from(2000u64);
    private.slots[0].gaps[2] = F::from(-11i64);
    private.slots[1].old[5] = F::from(1000u64);
    private.slots[1].gaps[5] = F::from(12u64);
    let row = private.leaves.iter().position(|leaf| leaf.quad == F::from(balance_address() / 4)).unwrap();
    assert_eq!((private.leaves[row].new[3], private.leaves[row].times[3]), (F::from(497u64), F::from(13u64)));
    private.leaves[row].times[3] = F::from(3u64);
    only(Circuit::small(), &private, "gap_width");
}

/// An expiry of more than 32 bits runs into the nonce: what was signed with nonce 1 would be taken with nonce 0.
#[test]
fn an_expiry_that_runs_into_the_nonce() {
    let early = signed(payload(2, 1, 100, Target::L1(pair(5).owner)), 2, Resolution::Create(id(0)));
    let batch = build_unchecked(&mut people(), SHAPE, header(), &[early]).unwrap();
    let mut private = Private::from(&batch);
    assert!(Circuit::small().failures(&private).contains("signature_equation"));
    private.slots[0].expires += F::from(1u64 << 32);
    only(Circuit::small(), &private, "expired");
}

/// A1: a key of small order verifies anything. Here with the identity as the key.
#[test]
fn a_key_of_small_order() {
    let tree = {
        // Somebody's key hash is that of the point (0, 1).
        let mut tree = people();
        tree.update([(GEOMETRY.address(2, 0), sheaf_core::hash::poseidon(&[F::zero(), F::one()]))]);
        tree
    };
    let batch = build_unchecked(&mut tree.clone(), SHAPE, header(), &[withdraw(5)]).unwrap();
    let mut private = Private::from(&batch);
    // S = 0, R8 = identity: 0·B8 = O + 8·h·O whatever the message is.
    private.slots[0].signature = SignatureWitness {
        ax: F::zero(),
        ay: F::one(),
        r8_x: F::zero(),
        r8_y: F::one(),
        s: sheaf_core::eddsa::Scalar::from(0u64),
    };
    let failures = Circuit::small().failures(&private);
    assert!(failures.contains("key_small_order"), "{failures:?}");
    assert!(!failures.contains("key_hash") && !failures.contains("memory"), "{failures:?}");
}

/// A6: what a prover may choose in a slot selects nothing. The ports' new values follow from words and old values alone.
#[test]
fn signature_and_expiry_change_no_port() {
    let batch = build(&mut people(), SHAPE, header(), &[withdraw(5)]).unwrap();
    let honest = Private::from(&batch);
    let mut forged = honest.clone();
    let other = key(9).sign(F::from(5u64));
    forged.slots[0].signature = SignatureWitness::new(&key(9).public_key(), &other);
    forged.slots[0].expires = F::from(NOW) + F::from(77u64);
    let failures = Circuit::small().failures(&forged);
    assert!(failures.contains("key_hash") && failures.contains("signature_equation"), "{failures:?}");
    assert!(!failures.contains("memory") && !failures.contains("tree"), "{failures:?}");
}

/// L1 operations go by their account field: `to` is a part of their amount.
#[test]
fn an_amount_that_names_an_account() {
    // The low 24 bits of the amount stand where a Transfer has `to`: account 3.
    let batch = build(&mut people(), SHAPE, header(), &[unsigned(deposit(2, 2, TokenId::ETH, 3))]).unwrap();
    let ports = evaluate(&context(), &batch.public.operations[0], &mut Map::of(&people()));
    assert_eq!(ports[5].address, balance_address());
    assert_eq!(Circuit::small().failures(&Private::from(&batch)), BTreeSet::new());
    // Credited to account 3 instead.
    let elsewhere = build_unchecked(&mut people(), SHAPE, header(), &[unsigned(deposit(3, 2, TokenId::ETH, 3))]).unwrap();
    let mut private = Private::from(&elsewhere);
    private.words[4] = batch.public.operations[0].words()[0];
    let failures = Circuit::small().failures(&private);
    assert!(failures.contains("memory"), "{failures:?}");
}

/// A deposit is never "without effect": it lands, or its batch is refused.
#[test]
fn a_deposit_that_is_swallowed() {
    let honest = build(&mut people(), SHAPE, header(), &[unsigned(deposit(2, 2, TokenId::ETH, 7))]).unwrap();
    let nothing = build(&mut people(), SHAPE, header(), &[]).unwrap();
    let mut private = Private::from(&nothing);
    private.words[4..7].copy_from_slice(&honest.public.operations[0].words());
    let failures = Circuit::small().failures(&private);
    assert!(failures.contains("memory"), "{failures:?}");
}

/// A stranger's forced exit takes nothing, and his SetKey changes nothing, whatever he writes into the trace.
#[test]
fn a_stranger_with_a_forged_owner() {
    let exit = |caller: u8, amount| Operation::ForcedExit {
        account: id(2),
        token: TokenId::ETH.word(),
        amount,
        caller: pair(caller).owner,
    };
    let batch = build_unchecked(&mut people(), SHAPE, header(), &[unsigned(exit(3, 1000))]).unwrap();
    let mut private = Private::from(&batch);
    only(Circuit::small(), &private, "exit_amount");
    private.slots[0].old[4] = private.words[5];
    only(Circuit::small(), &private, "memory");
    let set = |caller: u8| Operation::SetKey { account: id(2), caller: pair(caller).owner, key_hash: pair(9).key_hash };
    let owners = build(&mut people(), SHAPE, header(), &[unsigned(set(2))]).unwrap();
    let mut private = Private::from(&owners);
    private.words[5] = Operation::words(&set(3))[1];
    let failures = Circuit::small().failures(&private);
    assert!(failures.contains("memory"), "{failures:?}");
}
