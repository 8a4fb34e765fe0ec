//! What a batch and a large tree cost. Not run by default: `cargo test -p sheaf-core measure -- --ignored --nocapture`.

use crate::world::{NOW, context, id, key, pair, payload};
use sheaf_core::F;
use sheaf_core::batch::commitment;
use sheaf_core::eddsa::PublicKey;
use sheaf_core::geometry::Geometry;
use sheaf_core::hash::{SPONGE_RATE, h4, poseidon, sponge};
use sheaf_core::shape::{RowCounter, Shape};
use sheaf_core::slot::{Memory, evaluate};
use sheaf_core::trace::{BatchHeader, SlotInput, advance, build, draft};
use sheaf_core::transaction::{Pair, Resolution, Target};
use sheaf_core::tree::{Overlay, Tree};
use std::hint::black_box;
use std::time::Instant;

/// Four dense words for each of `accounts` accounts; the first 32 spread ones belong to people with keys.
fn words(accounts: u32) -> Vec<(u32, F)> {
    let g = Geometry::PROTOCOL;
    let number = |a: u32, w: u32| F::from(u64::from(a) << 8 | u64::from(w));
    let mut words: Vec<_> =
        (1..=accounts).flat_map(|a| (0..4).map(move |w| (g.address(a, w), number(a, w) + F::from(1u64 << 60)))).collect();
    for seed in 0..32u8 {
        let Pair { owner, key_hash } = pair(seed);
        let at = (account(seed) - 1) as usize * 4;
        words[at].1 = key_hash;
        words[at + 1].1 = F::from(0u64);
        words[at + 2].1 = sheaf_core::types::field_from_address(owner);
    }
    words
}

/// The account of person `seed`.
fn account(seed: u8) -> u32 {
    2 + u32::from(seed) * 31
}

/// Sixteen transfers between 32 accounts.
fn transfers() -> Vec<SlotInput> {
    let transfer = |i: u8| {
        let (from, to) = (account(2 * i), 2 * i + 1);
        let pay = payload(from, 0, 100, Target::Account(pair(to))).sign(context().domain, &key(2 * i));
        let operation = pay.payload.operation(Resolution::Existing(id(account(to))));
        SlotInput { operation, signature: Some(pay.slot_signature()) }
    };
    (0..16).map(transfer).collect()
}

/// Microseconds of one run of `f`, the least of `n`.
fn least_us<T>(n: usize, mut f: impl FnMut() -> T) -> f64 {
    let one = |_| {
        let start = Instant::now();
        black_box(f());
        start.elapsed().as_secs_f64() * 1e6
    };
    (0..n).map(one).fold(f64::MAX, f64::min)
}

/// A line of `/proc/self/status`, in MiB.
fn status_mib(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix(name)).unwrap_or("0 kB");
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) / 1024
}

#[test]
#[ignore = "a measurement"]
fn measure_a_batch() {
    let four = [1u64, 2, 3, 4].map(F::from);
    println!(
        "h4                        {:9.2} µs",
        least_us(20, || (0..100).fold(four, |s, _| [h4(s), s[0], s[1], s[2]])) / 100.0
    );
    let block = vec![F::from(7u64); SPONGE_RATE];
    println!("sponge, a block           {:9.2} µs", least_us(200, || sponge(&block)));
    let public_key = key(3).public_key();
    println!("key hash                  {:9.2} µs", least_us(200, || public_key.key_hash()));
    let (four, five) = ([F::from(7u64); 4], [F::from(7u64); 5]);
    println!("poseidon, 4 inputs        {:9.2} µs", least_us(500, || poseidon(&four)));
    println!("poseidon, 5 inputs        {:9.2} µs", least_us(500, || poseidon(&five)));
    let signature = key(3).sign(four[0]);
    println!("verify                    {:9.2} µs", least_us(500, || signature.verify(&public_key, four[0])));
    println!("key check                 {:9.2} µs", least_us(500, || PublicKey::new(public_key.x(), public_key.y())));
    let (shape, g) = (Shape::DEVELOPMENT, Geometry::PROTOCOL);
    let tree = Tree::from_words(g, words(1000));
    let header = BatchHeader { domain: context().domain, timestamp: NOW, fee_account: id(1) };
    let inputs = transfers();
    let batch = build(&mut tree.clone(), shape, header, &inputs).expect("builds");
    let rows = (batch.trace.leaves.iter().filter(|l| l.live).count(), batch.trace.nodes.iter().filter(|n| n.live).count());
    println!("rows                      {rows:?}");
    let ctx = batch.public.context(g);
    let run = |tree: &Tree| {
        let mut memory = Overlay::new(tree);
        for input in &inputs {
            evaluate(&ctx, &input.operation, &mut memory);
        }
        memory.into_changes()
    };
    println!("slots                     {:9.0} µs", least_us(20, || run(&tree)));
    let changes = run(&tree);
    let (mut there, mut turn) = (tree.clone(), 0u64);
    let update = least_us(40, || {
        turn += 1;
        there.update(changes.iter().map(|(a, v)| (*a, *v + F::from(turn))));
    });
    println!("tree update               {update:9.0} µs");
    println!("trace words, from scratch {:9.0} µs", least_us(20, || batch.trace.words(g, &shape)));
    let (w, t) = (batch.public.words(shape.slots), batch.trace.words(g, &shape));
    println!("c                         {:9.0} µs", least_us(20, || commitment(&w, &t)));
    let operations = &batch.public.operations;
    let moved = |what: &dyn Fn(&mut Tree)| {
        let fresh = || {
            let mut tree = tree.clone();
            let took = least_us(1, || what(&mut tree));
            assert_eq!(tree.root(), batch.public.new_root);
            took
        };
        (0..40).map(|_| fresh()).fold(f64::MAX, f64::min)
    };
    println!("advance                   {:9.0} µs", moved(&|tree| drop(advance(tree, header, operations))));
    println!("draft                     {:9.0} µs", moved(&|tree| drop(draft(tree, shape, header, &inputs))));
    println!("build                     {:9.0} µs", moved(&|tree| drop(build(tree, shape, header, &inputs))));
    let mut counter = RowCounter::new(g, shape, id(1));
    let ports: Vec<_> = {
        let mut memory = Overlay::new(&tree);
        inputs.iter().map(|i| evaluate(&ctx, &i.operation, &mut memory).map(|p| p.address)).collect()
    };
    let count = least_us(1000, || {
        counter.clear();
        assert!(ports.iter().all(|addresses| counter.try_add(addresses)));
    });
    println!("row counter               {:9.2} µs", count);
    println!("root {} c {}", batch.public.new_root, batch.c);
}

#[test]
#[ignore = "a measurement"]
fn measure_a_million_accounts() {
    let words = words(1_000_000);
    let before = status_mib("VmRSS");
    let start = Instant::now();
    let tree = Tree::from_words(Geometry::PROTOCOL, words);
    println!("from_words {:.1} s", start.elapsed().as_secs_f64());
    println!(
        "RSS with the words only {before} MiB, with the tree only {} MiB, peak {} MiB",
        status_mib("VmRSS"),
        status_mib("VmHWM")
    );
    let reads = least_us(3, || (1..=1000u32).map(|a| tree.read_of(a)).sum::<F>());
    println!("read of a word {:.2} µs", reads / 1000.0);
    println!("root {}", tree.root());
}

trait ReadOf {
    fn read_of(&self, a: u32) -> F;
}

impl ReadOf for Tree {
    fn read_of(&self, a: u32) -> F {
        Overlay::new(self).read(Geometry::PROTOCOL.address(a.wrapping_mul(7919) % 1_000_000 + 1, 3))
    }
}
