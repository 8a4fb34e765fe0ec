//! The batch circuit: every slot follows the rules, their accesses are those of a memory, and the words that changed
//! lead from the old root to the new.
//!
//! ```text
//!  W ─┬─▶ slots ──▶ ports ─────────────┬─▶ memory check ─┐
//!     │     └─▶ old values, gaps ─▶ T  │                 ├─ with α, γ, made of x
//!     │   leaf rows, node rows ──▶ T ──┴─▶ tree check ───┘
//!     ├─▶ c = Sponge(W ‖ T)
//!     └─▶ y = Σ W_i·x^i
//! ```
//!
//! `c` stands before `x`, and `x` before the checks: nothing that enters a check may be free once `c` is fixed.

use crate::gadgets::{h4, sponge};
use crate::memory::{Challenges, Gaps, Memory};
use crate::r1cs::{Builder, Mode, Num, weighted_sum};
use crate::slot::{Context, Port, TIME_BITS, slot};
use crate::tree::{LeafNums, NodeNums, Tree, pack};
use crate::witness::{Private, Public};
use sheaf_core::F;
use sheaf_core::batch::{HEADER_WORDS, SLOT_WORDS};
use sheaf_core::geometry::{ACCOUNT_BITS, Geometry};
use sheaf_core::shape::Shape;
use sheaf_core::slot::PORTS;

/// The public inputs' number: `c`, `x`, `y`.
pub const PUBLIC_INPUTS: usize = 3;

/// Builds the batch circuit of a shape. Never checks a value.
///
/// # Panics
/// If the advice has not the shape's size.
pub fn batch(b: &mut Builder, geometry: Geometry, shape: &Shape, public: &Public, private: &Private) {
    assert_eq!(private.words.len(), HEADER_WORDS + SLOT_WORDS * shape.slots, "words");
    let sizes = (private.slots.len(), private.leaves.len(), private.nodes.len());
    assert_eq!(sizes, (shape.slots, shape.leaf_rows, shape.node_rows), "slots and rows");
    let [c, x, y] = public.to_array().map(|value| b.public_input(value));
    let words: Vec<Num> = private.words.iter().map(|w| b.witness(*w)).collect();
    let ctx = header(b, geometry, &words);
    let time_bits = shape.time_bits();
    let mut absorbed = words.clone();
    let mut slots: Vec<([Port; PORTS], Gaps)> = Vec::with_capacity(shape.slots);
    for (advice, words) in private.slots.iter().zip(words[HEADER_WORDS..].chunks_exact(SLOT_WORDS)) {
        let ports = slot(b, &ctx, [&words[0], &words[1], &words[2]], advice);
        let gaps = Gaps::new(b, &advice.gaps, time_bits);
        absorbed.extend(ports.iter().map(|port| port.old.clone()));
        absorbed.push(b.group("ports", |b| pack(b, gaps.bits())));
        slots.push((ports, gaps));
    }
    let leaves: Vec<_> = private.leaves.iter().map(|row| LeafNums::new(b, geometry, time_bits, row)).collect();
    let nodes: Vec<_> = private.nodes.iter().enumerate().map(|(i, row)| NodeNums::new(b, geometry, i, row)).collect();
    absorbed.extend(leaves.iter().flat_map(LeafNums::words));
    absorbed.extend(nodes.iter().flat_map(NodeNums::words));
    b.group("commitment", |b| {
        let sum = sponge(b, &absorbed);
        b.enforce_equal(&sum, &c);
    });
    b.group("evaluation", |b| enforce_evaluation(b, &words, &x, &y));
    b.group("root", |b| nodes[0].enforce_root(b, &words[1], &words[2]));
    let challenges = b.group("challenges", |b| challenges(b, &x));
    b.group("memory", |b| {
        let mut memory = Memory::new(b, &challenges);
        slots.iter().enumerate().for_each(|(i, (ports, gaps))| memory.slot(b, i, ports, gaps));
        leaves.iter().for_each(|row| memory.leaf(b, row));
        memory.finish(b);
    });
    b.group("tree", |b| {
        let mut tree = Tree::new(b, geometry, &challenges);
        leaves.iter().for_each(|row| tree.leaf(b, row));
        nodes.iter().enumerate().for_each(|(i, row)| tree.node(b, i, row));
        tree.finish(b);
    });
}

fn header(b: &mut Builder, geometry: Geometry, words: &[Num]) -> Context {
    let bits = b.group("header_width", |b| b.bits(&words[3], TIME_BITS + ACCOUNT_BITS as usize));
    let (timestamp, fee_account) = bits.split_at(TIME_BITS);
    let above = &fee_account[geometry.account_bits() as usize..];
    if !above.is_empty() {
        b.group("account_range", |b| b.enforce_equal(&weighted_sum(above), &Num::default()));
    }
    // Variables, because they stand in every slot.
    b.group("ports", |b| Context {
        geometry,
        domain: words[0].clone(),
        timestamp: b.alias(&weighted_sum(timestamp)),
        fee_account: b.alias(&weighted_sum(fee_account)),
    })
}

/// Adds `Σ words[i]·x^i = y`, from the last word down.
fn enforce_evaluation(b: &mut Builder, words: &[Num], x: &Num, y: &Num) {
    let (last, rest) = words.split_last().expect("the header has words");
    let sum = rest.iter().rev().fold(last.clone(), |sum, word| &b.mul(&sum, x) + word);
    b.enforce_equal(&sum, y);
}

/// `α = H4(x,1,0,0)`, `γ = H4(x,2,0,0)`.
fn challenges(b: &mut Builder, x: &Num) -> Challenges {
    let zero = Num::default();
    let mut challenge = |n: u64| {
        let number = b.constant(F::from(n));
        h4(b, [x, &number, &zero, &zero])
    };
    Challenges { alpha: challenge(1), gamma: challenge(2) }
}

/// The rows of a shape's circuit, without values that mean anything.
pub fn rows(geometry: Geometry, shape: &Shape) -> Builder {
    let mut b = Builder::new(Mode::Setup);
    let private = Private::blank(shape);
    let zero = F::from(0u64);
    batch(&mut b, geometry, shape, &Public { c: zero, x: zero, y: zero }, &private);
    b
}
