//! The hash gadgets against the native hashes.

use crate::mutation::{NONE, survivors};
use ark_bn254::Fr as F;
use ark_ff::{Field, One};
use sheaf_circuits::gadgets::{h4, poseidon, sponge};
use sheaf_circuits::r1cs::{Builder, Mode, Num};
use sheaf_core::hash;

/// A fixed sequence of unrelated field elements.
pub(crate) fn elements(seed: u64, count: usize) -> Vec<F> {
    (0..count as u64).map(|i| F::from(seed + 2).pow([1_000_003 + 2 * i])).collect()
}

/// Builds `gadget` over inputs in all three modes, compares it with `native` and returns the builder for attacks.
fn twin(input: &[F], rows: usize, native: F, gadget: impl Fn(&mut Builder, &[Num]) -> Num) -> Builder {
    let build = |mode| {
        let mut b = Builder::new(mode);
        let inputs: Vec<Num> = input.iter().map(|value| b.witness(*value)).collect();
        let output = gadget(&mut b, &inputs);
        assert_eq!(output.value(), native);
        assert_eq!(b.row_count(), rows);
        // One row, so that the output is bound to something.
        let expected = b.constant(native);
        b.enforce_equal(&output, &expected);
        b
    };
    let (checked, light) = (build(Mode::Check), build(Mode::Witness));
    assert_eq!(checked.first_failure(), None);
    assert_eq!(checked.private(), light.private());
    let terms: usize = checked.rows().iter().map(|r| r.a.len() + r.b.len() + r.c.len()).sum();
    println!("{rows} rows, {terms} non-zeros");
    checked
}

#[test]
fn h4_equals_native_in_264_rows() {
    for seed in 0..4 {
        let words: [F; 4] = elements(seed, 4).try_into().unwrap();
        let mut b = twin(&words, 264, hash::h4(words), |b, w| h4(b, [&w[0], &w[1], &w[2], &w[3]]));
        assert_eq!(survivors(&mut b, 4), NONE);
        assert_eq!(survivors(&mut b, 0), NONE);
    }
    let zeros = [F::from(0u64); 4];
    twin(&zeros, 264, hash::h4(zeros), |b, w| h4(b, [&w[0], &w[1], &w[2], &w[3]]));
}

#[test]
fn h4_takes_forms() {
    let mut b = Builder::new(Mode::Check);
    let (x, two) = (b.witness(F::from(3u64)), b.constant(F::from(2u64)));
    let forms = [&x + &two, x.scaled(F::from(7u64)), Num::default(), two.clone()];
    let output = h4(&mut b, [&forms[0], &forms[1], &forms[2], &forms[3]]);
    assert_eq!(output.value(), hash::h4([5u64, 21, 0, 2].map(F::from)));
    assert_eq!(b.first_failure(), None);
}

#[test]
fn poseidon_equals_native_in_three_rows_an_sbox() {
    for (inputs, rows) in [(2, 243), (4, 300), (5, 324)] {
        let input = elements(5, inputs);
        let mut b = twin(&input, rows, hash::poseidon(&input), |b, w| poseidon(b, &w.iter().collect::<Vec<_>>()));
        assert_eq!(survivors(&mut b, 0), NONE);
    }
}

#[test]
fn sponge_equals_native_in_37_rows_an_element() {
    for (length, blocks) in [(0, 1), (1, 1), (14, 1), (15, 1), (16, 2), (30, 2), (31, 3), (45, 3)] {
        let input = elements(6, length);
        let mut b = twin(&input, 555 * blocks, hash::sponge(&input), sponge);
        assert_eq!(survivors(&mut b, 0), NONE, "{length} elements");
    }
}

#[test]
fn another_length_is_another_sponge() {
    // The tag is a constant of the circuit: a shorter input's digest does not satisfy the longer one's rows.
    let input = elements(7, 14);
    let mut b = Builder::new(Mode::Check);
    let mut inputs: Vec<Num> = input.iter().map(|value| b.witness(*value)).collect();
    inputs.push(Num::default());
    let output = sponge(&mut b, &inputs);
    let shorter = b.constant(hash::sponge(&input));
    b.group("digest", |b| b.enforce_equal(&output, &shorter));
    assert_eq!(b.first_failure(), Some("digest"));
}

#[test]
fn a_changed_input_breaks_the_digest() {
    let words: [F; 4] = elements(8, 4).try_into().unwrap();
    for i in 0..4 {
        let mut changed = words;
        changed[i] += F::one();
        let mut b = Builder::new(Mode::Check);
        let w = changed.map(|value| b.witness(value));
        let output = b.group("h4", |b| h4(b, [&w[0], &w[1], &w[2], &w[3]]));
        let digest = b.constant(hash::h4(words));
        b.group("digest", |b| b.enforce_equal(&output, &digest));
        assert_eq!(b.failures().collect::<Vec<_>>(), ["digest"]);
    }
}
