//! Contributions and beacons that are refused before anything is computed, and what they are bound to.

use super::support::*;
use crate::proofs::tiny_keys;
use sheaf_circuits::ceremony::{beacon, contribute, verify};
use zeroize::Zeroizing;

#[test]
fn contributions_are_refused_by_name() {
    let code = |keys: &mut _, name: &str| contribute(keys, name, Zeroizing::new([1; 32])).unwrap_err().code();
    assert_eq!(code(&mut stored(tiny_keys().clone()), "Ada"), "ceremony_kind");
    assert_eq!(code(&mut finished().clone(), "Ada"), "ceremony_finished");
    let mut keys = stored(initial(phase1()));
    assert_eq!(code(&mut keys, &"x".repeat(256)), "ceremony_text");
    let mut beacon = |value: &[u8], exponent| beacon(&mut keys, "", value, exponent).unwrap_err().code();
    assert_eq!(beacon(&[], 10), "ceremony_text");
    assert_eq!(beacon(&[0; 256], 10), "ceremony_text");
    assert_eq!(beacon(&[1], 9), "ceremony_iterations");
    assert_eq!(beacon(&[1], 33), "ceremony_iterations");
}

/// A beacon alone is no secret: everybody can compute it.
#[test]
fn keys_without_a_secret_are_refused() {
    let mut keys = stored(initial(phase1()));
    let code = |keys: &_| verify(&with_circuit(Clone::clone(keys)), phase1(), [1; 32]).unwrap_err().code();
    assert_eq!(code(&keys), "ceremony_without_contribution");
    beacon(&mut keys, "", &[7; 32], 10).unwrap();
    assert_eq!(code(&keys), "ceremony_without_contribution");
}

/// The same value after another contribution is another number, and so is another exponent.
#[test]
fn a_beacon_is_bound_to_what_was_before() {
    let with = |secret: u8, exponent: u8| {
        let mut keys = stored(initial(phase1()));
        add(&mut keys, "Ada", secret);
        let before = keys.proving_key.clone();
        beacon(&mut keys, "", &[7; 32], exponent).unwrap();
        assert!(keys.proving_key.delta_g1 != before.delta_g1 && keys.proving_key.a_query == before.a_query);
        verify(&with_circuit(keys.clone()), phase1(), [1; 32]).unwrap();
        keys.proving_key.vk.delta_g2
    };
    assert_eq!(with(1, 10), with(1, 10));
    assert_ne!(with(1, 10), with(1, 11));
    assert_ne!(with(1, 10), with(2, 10));
}
