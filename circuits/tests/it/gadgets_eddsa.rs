//! The signature gadget against the native verifier.

use crate::gadgets_hash::elements;
use crate::mutation::{NONE, survivors};
use ark_bn254::Fr as F;
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{One, PrimeField, Zero};
use sheaf_circuits::gadgets::eddsa::{Edwards, key_multiple, verify};
use sheaf_circuits::r1cs::{Builder, Mode};
use sheaf_core::eddsa::{Point, Scalar, SecretKey, Signature, SignatureWitness, base8, challenge};
use std::collections::BTreeMap;
use std::str::FromStr;

/// Rows of one verification; the design's target was 2,924.
const ROWS: usize = 2_490;

/// Builds one verification. `enable` is private variable 0 and the message 1.
fn build(mode: Mode, enable: bool, witness: &SignatureWitness, message: F) -> Builder {
    let mut b = Builder::new(mode);
    let enable = b.witness(F::from(enable));
    let message = b.witness(message);
    let key = verify(&mut b, &enable, witness, &message);
    assert_eq!((key.x.value(), key.y.value()), (witness.ax, witness.ay));
    b
}

fn signed(seed: u8, message: F) -> SignatureWitness {
    let key = SecretKey::from_seed(&[seed; 32]);
    SignatureWitness::new(&key.public_key(), &key.sign(message))
}

#[test]
fn signatures_verify_in_the_pinned_number_of_rows() {
    for (i, message) in elements(21, 16).into_iter().enumerate() {
        let witness = signed(i as u8, message);
        let b = build(Mode::Check, true, &witness, message);
        assert_eq!(b.first_failure(), None);
        assert_eq!(b.row_count(), ROWS);
        let light = build(Mode::Witness, true, &witness, message);
        assert_eq!(b.private(), light.private());
        assert_eq!(light.row_count(), ROWS);
        if i == 0 {
            let mut groups: BTreeMap<&str, usize> = BTreeMap::new();
            b.rows().iter().for_each(|r| *groups.entry(b.group_names()[r.group as usize]).or_default() += 1);
            let terms: usize = b.rows().iter().map(|r| r.a.len() + r.b.len() + r.c.len()).sum();
            println!("{groups:?}, {terms} non-zeros");
        }
    }
    const { assert!(ROWS <= 2_924) };
}

#[test]
fn rows_do_not_depend_on_values() {
    let shape = |b: &Builder| -> Vec<_> { b.rows().iter().map(|r| format!("{:?}", (&r.a, &r.b, &r.c))).collect() };
    let message = F::from(3u64);
    let zeros = SignatureWitness { ax: F::zero(), ay: F::zero(), r8_x: F::zero(), r8_y: F::zero(), s: Scalar::zero() };
    let blank = build(Mode::Setup, false, &zeros, F::zero());
    assert_eq!(shape(&blank), shape(&build(Mode::Check, true, &signed(1, message), message)));
}

#[test]
fn a_slot_without_signature_takes_the_placeholder_whatever_its_message() {
    for message in [F::zero(), F::from(99u64)] {
        let b = build(Mode::Check, false, &SignatureWitness::placeholder(), message);
        assert_eq!(b.first_failure(), None);
    }
}

#[test]
fn the_placeholder_signs_nothing_when_enabled() {
    let placeholder = SignatureWitness::placeholder();
    let message = F::from(99u64);
    assert!(placeholder.verify(message).is_err());
    let mut b = build(Mode::Check, true, &placeholder, message);
    assert_eq!(b.first_failure(), Some("signature_equation"));
    // Switching a finished slot on breaks the row that masks the message.
    b = build(Mode::Check, false, &placeholder, message);
    b.private_mut()[0] = F::one();
    assert_eq!(b.first_failure(), Some("challenge"));
}

#[test]
fn switching_a_signature_off_breaks_it() {
    let message = F::from(99u64);
    let witness = signed(5, message);
    assert_eq!(build(Mode::Check, false, &witness, message).first_failure(), Some("signature_equation"));
    let mut b = build(Mode::Check, true, &witness, message);
    b.private_mut()[0] = F::zero();
    assert_eq!(b.first_failure(), Some("challenge"));
}

#[test]
fn every_variable_is_bound() {
    let message = F::from(0xdead_beefu64);
    let mut b = build(Mode::Check, true, &signed(7, message), message);
    assert_eq!(survivors(&mut b, 0), NONE);
    // A slot without signature leaves its message alone, and nothing else.
    let mut b = build(Mode::Check, false, &SignatureWitness::placeholder(), message);
    assert_eq!(survivors(&mut b, 0), [1]);
}

/// Runs both verifiers on a forgery, which both must refuse, and returns the circuit's reason.
fn refused(witness: &SignatureWitness, message: F) -> &'static str {
    assert!(witness.verify(message).is_err(), "the native verifier takes the forgery");
    build(Mode::Check, true, witness, message).first_failure().expect("the circuit takes the forgery")
}

#[test]
fn forgeries_are_refused_by_both() {
    let message = F::from(1234u64);
    let good = signed(3, message);
    let other = signed(4, message);
    assert_eq!(good.verify(message), Ok(()));
    let forgeries = [
        (SignatureWitness { s: good.s + Scalar::one(), ..good }, "signature_equation"),
        (SignatureWitness { s: -good.s, ..good }, "signature_equation"),
        (SignatureWitness { s: Scalar::zero(), ..good }, "signature_equation"),
        (SignatureWitness { r8_x: other.r8_x, r8_y: other.r8_y, ..good }, "signature_equation"),
        (SignatureWitness { r8_x: -good.r8_x, ..good }, "signature_equation"),
        (SignatureWitness { r8_y: good.r8_y + F::one(), ..good }, "nonce_point_on_curve"),
        (SignatureWitness { ax: other.ax, ay: other.ay, ..good }, "signature_equation"),
        (SignatureWitness { ax: -good.ax, ..good }, "signature_equation"),
        (SignatureWitness { ax: good.ax + F::one(), ..good }, "key_on_curve"),
        (SignatureWitness { ax: F::zero(), ay: F::zero(), ..good }, "key_on_curve"),
        (SignatureWitness { ax: F::zero(), ay: F::one(), ..good }, "key_small_order"),
    ];
    for (i, (forgery, group)) in forgeries.iter().enumerate() {
        assert_eq!(refused(forgery, message), *group, "forgery {i}");
    }
    assert_eq!(refused(&good, message + F::one()), "signature_equation");
}

#[test]
fn refused_vectors_of_the_packages_are_refused_for_their_cause() {
    let text = include_str!("../../../core/tests/vectors/vectors.json");
    let vectors: serde_json::Value = serde_json::from_str(text).unwrap();
    let mut judged = 0;
    for vector in vectors["refused"].as_array().unwrap() {
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let field = |value: &serde_json::Value| F::from_str(&text(value)).unwrap();
        let group = match vector["code"].as_str().unwrap() {
            "signature_mismatch" => "signature_equation",
            "nonce_point_not_on_curve" => "nonce_point_on_curve",
            "key_not_on_curve" => "key_on_curve",
            "key_small_order" => "key_small_order",
            // No such S reaches the circuit, and none is needed: it stands for S mod l there.
            "signature_scalar_out_of_range" => continue,
            code => panic!("unknown code {code}"),
        };
        let (key, r8) = (&vector["public_key"], &vector["r8"]);
        let witness = SignatureWitness {
            ax: field(&key[0]),
            ay: field(&key[1]),
            r8_x: field(&r8[0]),
            r8_y: field(&r8[1]),
            s: Scalar::from_bigint(field(&vector["s"]).into_bigint()).unwrap(),
        };
        assert_eq!(refused(&witness, field(&vector["message"])), group, "{}", vector["name"]);
        judged += 1;
    }
    assert_eq!(judged, 17);
}

#[test]
fn multiples_of_a_key_equal_native_ones_for_every_kind_of_challenge() {
    let key = SecretKey::from_seed(&[8; 32]).public_key();
    for h in edge_challenges() {
        multiple_equals_native(key.point(), h);
    }
}

/// Challenges where the digits' forms change, and where the multiple is the identity or next to it.
fn edge_challenges() -> Vec<F> {
    let l = F::from(Scalar::MODULUS);
    let mut list: Vec<F> = (0..8u64).map(|n| l * F::from(n)).collect();
    list.extend([l / F::from(2u64), F::one() / F::from(2u64)]);
    list.extend(elements(31, 24));
    list.iter().flat_map(|h| [*h, *h + F::one(), *h - F::one()]).collect()
}

fn multiple_equals_native(key: Point, h: F) {
    let mut b = Builder::new(Mode::Check);
    let point = Edwards { x: b.witness(key.x), y: b.witness(key.y) };
    let h_num = b.witness(h);
    let product = key_multiple(&mut b, &point, &h_num);
    let native = key.mul_by_cofactor().mul_bigint(h.into_bigint()).into_affine();
    assert_eq!((product.x.value(), product.y.value()), (native.x, native.y), "h = {h}");
    assert_eq!(b.first_failure(), None, "h = {h}");
}

#[test]
fn a_key_with_a_part_of_small_order_is_judged_by_eight_times_it() {
    // A signature made for A + T, with T of order 8: 8·(A + T) = 8·A.
    let secret = Scalar::from(987_654_321u64);
    let nonce = Scalar::from(123_456_789u64);
    let generator = Point::new_unchecked(
        F::from_str("995203441582195749578291179787384436505546430278305826713579947235728471134").unwrap(),
        F::from_str("5472060717959818805561601436314318772137091100104008585924551046643952123905").unwrap(),
    );
    let torsion = generator.mul_bigint(Scalar::MODULUS);
    let key = (base8() * secret + torsion).into_affine();
    let r8 = (base8() * nonce).into_affine();
    let message = F::from(5u64);
    let h = challenge(r8, key, message).into_bigint();
    let h: Scalar = num_mod_order(h);
    let s = nonce + h * Scalar::from(8u64) * secret;
    let signature = Signature { r8_x: r8.x, r8_y: r8.y, s };
    let witness = SignatureWitness { ax: key.x, ay: key.y, r8_x: signature.r8_x, r8_y: signature.r8_y, s };
    assert_eq!(witness.verify(message), Ok(()));
    assert_eq!(build(Mode::Check, true, &witness, message).first_failure(), None);
}

fn num_mod_order(integer: ark_ff::BigInt<4>) -> Scalar {
    use ark_ff::BigInteger;
    Scalar::from_le_bytes_mod_order(&integer.to_bytes_le())
}
