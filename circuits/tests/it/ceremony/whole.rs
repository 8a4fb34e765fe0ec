//! From phase 1 to an accepted proof.

use super::support::*;
use crate::proofs::{Fixed, tiny_batch, tiny_rows};
use crate::world::GEOMETRY;
use ark_bn254::{Bn254, G1Projective, G2Projective};
use ark_ec::PrimeGroup;
use ark_groth16::Groth16;
use sheaf_circuits::ceremony::{Phase1, beacon, import, verify};
use sheaf_circuits::groth16;
use sheaf_circuits::keys::{KeyInfo, KeySet, Kind, Origin, StoredKeys};
use sheaf_circuits::matrices::{Matrices, Replay};
use sheaf_circuits::prove::{Blinding, prove};
use sheaf_core::F;

#[test]
fn snarkjs_accepts_a_proof_with_keys_from_its_own_phase_1() {
    use sheaf_circuits::snarkjs as json;
    let (success, text) = snarkjs(&["powersoftau", "verify", prepared().to_str().unwrap()]);
    assert!(success && text.contains("Powers of Tau Ok!"), "{text}");

    let keys = with_circuit(finished().clone());
    verify(&keys, phase1(), [3; 32]).unwrap();
    let (circuit, public) = small_circuit(2);
    let (proof, _) = groth16::prove(
        &keys.proving_key,
        (&keys.matrices, &keys.quotient),
        &circuit.assignment(),
        Blinding::from_seed([1; 32]),
        &mut |_| {},
    );
    let verifies = |public| sheaf_circuits::prove::verify(keys.verifying_key(), &public, &proof);
    let mut changed = public;
    changed.y += F::from(1u64);
    assert!(verifies(public) && !verifies(changed));

    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, value: serde_json::Value| {
        let path = directory.path().join(name);
        std::fs::write(&path, value.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let key = write("key.json", json::verifying_key(keys.verifying_key()));
    let proof = write("proof.json", json::proof(&proof));
    let accepts = |public: &str| snarkjs(&["groth16", "verify", &key, public, &proof]);
    let (accepted, text) = accepts(&write("public.json", json::public(&public)));
    assert!(accepted && text.contains("OK!"), "{text}");
    assert!(!accepts(&write("changed.json", json::public(&changed))).0);
}

/// A whole batch circuit: the import is the stock setup with the same secrets, to the bit, and after a ceremony a batch is
/// proven.
#[test]
fn a_batch_is_proven_with_keys_from_a_ceremony() {
    let directory = tempfile::tempdir().unwrap();
    let ptau = directory.path().join("known.ptau");
    let matrices = Matrices::from(tiny_rows());
    let secrets = secrets();
    // One power more than is needed.
    write_ptau(&ptau, matrices.domain_size().ilog2() + 1, secrets);
    let phase1 = Phase1::read(&ptau, &matrices, [1; 32]).unwrap();
    let mut last = 0.0;
    let keys = import(&phase1, (GEOMETRY, crate::proofs::TINY), matrices, &mut |done| {
        assert!(done >= last && done <= 1.0, "progress went from {last} to {done}");
        last = done;
    });
    assert_eq!(last, 1.0);

    let tau = Fixed(secrets.tau.0.0.iter().flat_map(|limb| limb.to_le_bytes()).collect());
    let (one, g1, g2) = (F::from(1u64), G1Projective::generator(), G2Projective::generator());
    let circuit = Replay(tiny_rows());
    let stock =
        Groth16::<Bn254>::generate_parameters_with_qap(circuit, secrets.alpha, secrets.beta, one, one, g1, g2, &mut { tau });
    assert!(stock.unwrap() == keys.proving_key, "the import is the setup with the same secrets");

    let mut stored = stored(keys);
    add(&mut stored, "Ada", 1);
    beacon(&mut stored, "a block's hash", &[7; 32], 10).unwrap();
    let file = directory.path().join("tiny.keys");
    stored.write(&file).unwrap();
    let info = KeyInfo::read(&file).unwrap();
    assert_eq!((info.kind, info.geometry, info.shape), (Kind::Ceremony, GEOMETRY, crate::proofs::TINY));
    assert_eq!(info.transcript, stored.origin.transcript_hash());
    let loaded = KeySet::load(&file, GEOMETRY, crate::proofs::TINY, &mut |_, _| ()).unwrap();
    assert_eq!((info, loaded.info()), (stored.info(), info));
    verify(&loaded, &phase1, [4; 32]).unwrap();
    let batch = tiny_batch();
    let proven = prove(&loaded, &batch, Blinding::from_seed([1; 32])).unwrap();
    assert!(sheaf_circuits::prove::verify(loaded.verifying_key(), &batch.public_inputs(), &proven.proof));
}

#[test]
fn a_ceremonys_file_is_read_back_and_damage_is_seen() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("small.keys");
    let keys = finished();
    keys.write(&file).unwrap();
    let read = StoredKeys::read(&file).unwrap();
    assert!(read.proving_key == keys.proving_key && read.origin == keys.origin && read.info() == keys.info());
    let Origin::Ceremony(transcript) = &read.origin else { panic!("a ceremony's keys") };
    assert_eq!(transcript.contributions.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["Ada", "Bob", "a block's hash"]);
    let bytes = std::fs::read(&file).unwrap();
    let refused = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        std::fs::write(&file, bytes).unwrap();
        StoredKeys::read(&file).unwrap_err().code()
    };
    assert_eq!(refused(70), "key_file_transcript", "its hash in the header");
    // Two digests, then the first contribution's tag, and the length of its name.
    assert_eq!(refused(124 + 66), "key_file_damaged", "the first letter of a name");
    assert_eq!(refused(124 + 64), "key_file_damaged", "a tag");
    assert_eq!(refused(107), "key_file_truncated", "the transcript's length");
}

#[test]
fn a_ceremonys_keys_are_not_written_over_by_development_keys() {
    let directory = tempfile::tempdir().unwrap();
    let (geometry, shape) = SIZE;
    let path = KeySet::development_path(directory.path(), geometry, &shape);
    finished().write(&path).unwrap();
    let before = std::fs::read(&path).unwrap();
    let refused = KeySet::development(directory.path(), geometry, shape, &mut |_, _| ()).unwrap_err();
    assert_eq!(refused.code(), "key_file_not_development");
    assert!(std::fs::read(&path).unwrap() == before);
}
