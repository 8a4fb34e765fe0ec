//! Keys that a ceremony did not make: each change of the key or the transcript is refused, by name.

use super::support::*;
use crate::proofs::tiny_keys;
use ark_bn254::{G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use sheaf_circuits::ceremony::{Phase1, Share, Transcript, beacon, check_secret, check_transcript, contribute, verify};
use sheaf_circuits::keys::{Origin, StoredKeys};
use sheaf_core::F;
use zeroize::Zeroizing;

fn transcript(keys: &mut StoredKeys) -> &mut Transcript {
    match &mut keys.origin {
        Origin::Ceremony(transcript) => transcript,
        Origin::Development => panic!("a ceremony's keys"),
    }
}

/// The code of the refusal after a change.
fn refused(change: impl FnOnce(&mut StoredKeys)) -> &'static str {
    let mut keys = finished().clone();
    change(&mut keys);
    verify(&with_circuit(keys), phase1(), [9; 32]).unwrap_err().code()
}

#[test]
fn honest_keys_pass() {
    verify(&with_circuit(finished().clone()), phase1(), [9; 32]).unwrap();
}

#[test]
fn a_changed_history_is_refused() {
    let knowledge = "ceremony_knowledge";
    assert_eq!(refused(|keys| drop(transcript(keys).contributions.remove(0))), knowledge, "the first left out");
    assert_eq!(refused(|keys| drop(transcript(keys).contributions.remove(1))), "ceremony_delta", "the second left out");
    assert_eq!(refused(|keys| drop(transcript(keys).contributions.pop())), "ceremony_last_delta", "the beacon left out");
    assert_eq!(refused(|keys| transcript(keys).contributions.swap(0, 1)), knowledge, "another order");
    assert_eq!(refused(|keys| transcript(keys).contributions.swap(1, 2)), "ceremony_finished", "the beacon in between");
    assert_eq!(refused(|keys| transcript(keys).contributions[0].name.push('x')), knowledge, "another name");
    let twice = |keys: &mut StoredKeys| {
        let again = transcript(keys).contributions[1].clone();
        transcript(keys).contributions.insert(2, again);
    };
    assert_eq!(refused(twice), knowledge, "one of them twice");
    assert_eq!(refused(|keys| transcript(keys).contributions.clear()), "ceremony_without_contribution");
    assert_eq!(refused(|keys| transcript(keys).phase1.0[0] ^= 1), "ceremony_phase1");
    assert_eq!(refused(|keys| transcript(keys).initial.0[0] ^= 1), "ceremony_initial");
}

/// The secret is the same, what was before is not.
#[test]
fn a_proof_of_knowledge_from_another_transcript_is_refused() {
    let mut other = stored(initial(phase1()));
    add(&mut other, "Eve", 3);
    add(&mut other, "Bob", 2);
    let proof = transcript(&mut other).contributions[1].share.clone();
    assert_eq!(refused(|keys| transcript(keys).contributions[1].share = proof), "ceremony_knowledge");
}

#[test]
fn a_number_that_nobody_knew_is_refused() {
    let two = F::from(2u64);
    let share = |change: fn(&mut sheaf_circuits::ceremony::Knowledge)| {
        refused(|keys| match &mut transcript(keys).contributions[0].share {
            Share::Secret(knowledge) => change(knowledge),
            Share::Beacon { .. } => panic!("the first is no beacon"),
        })
    };
    assert_eq!(share(|k| k.r_x = (k.r_x + k.r_x).into_affine()), "ceremony_knowledge");
    assert_eq!(share(|k| k.s = (k.s + k.s).into_affine()), "ceremony_knowledge");
    assert_eq!(share(|k| k.s_x = k.s), "ceremony_knowledge");
    assert_eq!(share(|k| k.r_x = G2Affine::zero()), "ceremony_transcript");
    let doubled = |keys: &mut StoredKeys| {
        let last = &mut transcript(keys).contributions[2];
        (last.delta_g1, last.delta_g2) = ((last.delta_g1 * two).into_affine(), (last.delta_g2 * two).into_affine());
    };
    assert_eq!(refused(doubled), "ceremony_delta", "a beacon's delta");
    let value = |keys: &mut StoredKeys| match &mut transcript(keys).contributions[2].share {
        Share::Beacon { value, .. } => value[0] ^= 1,
        Share::Secret(_) => panic!("the last is the beacon"),
    };
    assert_eq!(refused(value), "ceremony_delta", "a beacon's value");
}

/// A contribution whose δ in G1 and in G2 differ, with a proof that is right for each.
#[test]
fn deltas_that_differ_are_refused() {
    let code = refused(|keys| {
        let last = &mut transcript(keys).contributions[2];
        last.delta_g2 = (last.delta_g2 * F::from(2u64)).into_affine();
    });
    assert_eq!(code, "ceremony_delta");
    let code = refused(|keys| {
        let first = &mut transcript(keys).contributions[0];
        first.delta_g1 = (first.delta_g1 * F::from(2u64)).into_affine();
    });
    assert_eq!(code, "ceremony_knowledge", "the proof is bound to delta");
}

#[test]
fn a_changed_key_is_refused() {
    let query = "ceremony_query";
    assert_eq!(refused(|keys| twice(&mut keys.proving_key.l_query[3])), query);
    assert_eq!(refused(|keys| twice(keys.proving_key.l_query.last_mut().unwrap())), query);
    assert_eq!(refused(|keys| keys.proving_key.l_query.swap(3, 4)), query);
    assert_eq!(refused(|keys| twice(&mut keys.proving_key.h_query[0])), query);
    assert_eq!(refused(|keys| twice(keys.proving_key.h_query.last_mut().unwrap())), query);
    assert_eq!(refused(|keys| twice(&mut keys.proving_key.delta_g1)), "ceremony_last_delta");
    assert_eq!(refused(|keys| keys.proving_key.vk.delta_g2 = G2Affine::generator()), "ceremony_last_delta");
    assert_eq!(refused(|keys| keys.proving_key.vk.delta_g2 = G2Affine::zero()), "key_point");
    assert_eq!(refused(|keys| keys.proving_key.l_query[3].x.0.0[0] ^= 1), "key_point");
    assert_eq!(refused(|keys| twice(&mut keys.proving_key.a_query[1])), "ceremony_initial");
    assert_eq!(refused(|keys| twice(&mut keys.proving_key.vk.gamma_abc_g1[1])), "ceremony_initial");
}

/// The point (1, 1) is on y² = x³, whose points add up as numbers do: a multiple of it would tell its factor. So whoever
/// contributes looks first at what he is given.
#[test]
fn a_contribution_refuses_what_could_tell_its_secret() {
    let mut honest = stored(initial(phase1()));
    add(&mut honest, "Ada", 1);
    let refused = |change: &dyn Fn(&mut StoredKeys)| {
        let mut keys = honest.clone();
        change(&mut keys);
        let before = keys.clone();
        let code = contribute(&mut keys, "Bob", Zeroizing::new([2; 32])).unwrap_err().code();
        assert_eq!(keys.proving_key, before.proving_key, "a refusal changes nothing");
        assert_eq!(beacon(&mut keys, "", &[7; 32], 10).unwrap_err().code(), code);
        code
    };
    let cusp = G1Affine::new_unchecked(1.into(), 1.into());
    assert_eq!(refused(&|keys| keys.proving_key.l_query[0] = cusp), "key_point");
    assert_eq!(refused(&|keys| keys.proving_key.h_query[0] = cusp), "key_point");
    assert_eq!(refused(&|keys| keys.proving_key.delta_g1 = cusp), "key_point");
    assert_eq!(refused(&|keys| keys.proving_key.vk.delta_g2.x.c0 += ark_bn254::Fq::from(1u64)), "key_point");
    assert_eq!(refused(&|keys| twice(&mut keys.proving_key.delta_g1)), "ceremony_last_delta");
    assert_eq!(refused(&|keys| drop(transcript(keys).contributions.pop())), "ceremony_last_delta");
    assert_eq!(refused(&|keys| transcript(keys).contributions[0].name.push('x')), "ceremony_knowledge");
    assert_eq!(refused(&|keys| twice(&mut keys.proving_key.vk.gamma_abc_g1[0])), "ceremony_initial");
}

/// What a contract keeps of a ceremony stands for the verifying key that it gets.
#[test]
fn a_transcript_is_that_of_its_verifying_key() {
    let check = |change: fn(&mut StoredKeys)| {
        let mut keys = finished().clone();
        change(&mut keys);
        let Origin::Ceremony(transcript) = &keys.origin else { panic!("a ceremony's keys") };
        check_transcript((keys.geometry, &keys.shape), keys.fingerprint, &keys.proving_key, transcript)
    };
    check(|_| ()).unwrap();
    let code = |change| check(change).unwrap_err().code();
    assert_eq!(code(|keys| twice(&mut keys.proving_key.vk.alpha_g1)), "ceremony_initial");
    assert_eq!(code(|keys| keys.proving_key.vk.beta_g2 = G2Affine::generator()), "ceremony_initial");
    assert_eq!(code(|keys| twice_gamma(&mut keys.proving_key)), "ceremony_initial");
    assert_eq!(code(|keys| twice_ic(&mut keys.proving_key)), "ceremony_initial");
    assert_eq!(code(|keys| keys.proving_key.vk.delta_g2 = G2Affine::generator()), "ceremony_last_delta");
    assert_eq!(code(|keys| keys.fingerprint ^= 1), "ceremony_initial");
}

/// Secrets that cancel leave the δ that everybody knows.
#[test]
fn a_delta_of_1_is_no_secret() {
    let mut keys = finished().clone();
    let transcript = transcript(&mut keys);
    check_secret(transcript).unwrap();
    transcript.contributions.last_mut().unwrap().delta_g1 = G1Affine::generator();
    assert_eq!(check_secret(transcript).unwrap_err().code(), "ceremony_without_contribution");
}

/// Who makes the initial key himself, and binds the transcript to it, is found out by phase 1.
#[test]
fn an_initial_key_of_another_circuit_is_refused() {
    let begun = |change: fn(&mut Key)| {
        let mut keys = initial(phase1());
        change(&mut keys.proving_key);
        let initial = sheaf_circuits::ceremony::initial_digest(
            (keys.geometry, &keys.shape),
            keys.matrices.fingerprint(),
            &keys.proving_key,
        );
        let mut keys = stored(keys);
        transcript(&mut keys).initial = initial;
        keys
    };
    let forged = |change| {
        let mut keys = begun(change);
        add(&mut keys, "Mallory", 1);
        beacon(&mut keys, "", &[7; 32], 10).unwrap();
        verify(&with_circuit(keys), phase1(), [9; 32]).unwrap_err().to_string()
    };
    for (change, name) in [
        (twice_a as fn(&mut _), "a query"),
        (twice_b1, "b query in G1"),
        (twice_b2, "b query in G2"),
        (twice_ic, "IC"),
        (twice_l, "l query"),
        (twice_h, "h query"),
        (twice_alpha, "alpha"),
    ] {
        let text = forged(change);
        assert!(text.contains(&format!("the key's {name} does not follow")), "{name}: {text}");
    }
    // This one is seen without phase 1, so nobody contributes to it.
    let refusal = contribute(&mut begun(twice_gamma), "Ada", Zeroizing::new([1; 32])).unwrap_err();
    assert!(refusal.to_string().contains("the key's gamma does not follow"), "{refusal}");
}

type Key = sheaf_circuits::prove::ProvingKey;

fn twice(point: &mut G1Affine) {
    *point = (*point * F::from(2u64)).into_affine();
}

fn twice_a(key: &mut Key) {
    twice(&mut key.a_query[5]);
}

fn twice_b1(key: &mut Key) {
    twice(&mut key.b_g1_query[5]);
}

fn twice_b2(key: &mut Key) {
    key.b_g2_query[5] = (key.b_g2_query[5] * F::from(2u64)).into_affine();
}

fn twice_ic(key: &mut Key) {
    twice(&mut key.vk.gamma_abc_g1[2]);
}

fn twice_l(key: &mut Key) {
    twice(&mut key.l_query[5]);
}

fn twice_h(key: &mut Key) {
    twice(&mut key.h_query[5]);
}

fn twice_gamma(key: &mut Key) {
    key.vk.gamma_g2 = (key.vk.gamma_g2 * F::from(2u64)).into_affine();
}

fn twice_alpha(key: &mut Key) {
    twice(&mut key.vk.alpha_g1);
}

#[test]
fn another_phase_1_and_development_keys_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("other.ptau");
    write_ptau(&path, POWER, secrets());
    let other = Phase1::read(&path, &small_matrices(), [1; 32]).unwrap();
    let keys = with_circuit(finished().clone());
    assert_eq!(verify(&keys, &other, [1; 32]).unwrap_err().code(), "ceremony_phase1");
    assert_eq!(verify(tiny_keys(), &other, [1; 32]).unwrap_err().code(), "ceremony_kind");
}

#[test]
fn development_keys_are_those_of_the_seed() {
    let keys = tiny_keys();
    keys.check_development([1; 32]).unwrap();
    let code = |change: fn(&mut Key)| {
        let mut keys = keys.clone();
        change(&mut keys.proving_key);
        keys.check_development([1; 32]).unwrap_err().code()
    };
    for change in [twice_a, twice_b1, twice_ic, twice_l, twice_h, twice_gamma, twice_alpha] {
        assert_eq!(code(change), "key_query");
    }
    assert_eq!(code(|key| key.delta_g1 = G1Affine::generator()), "key_query");
    assert_eq!(code(|key| key.h_query[7].x.0.0[0] ^= 1), "key_point");
    assert_eq!(code(|key| key.vk.delta_g2 = G2Affine::zero()), "key_point");
    let ceremony = with_circuit(finished().clone());
    assert_eq!(ceremony.check_development([1; 32]).unwrap_err().code(), "key_file_not_development");
}
