//! Keys, proofs, their encodings and the simulator, on a small shape; and one proof of the development shape.

use crate::world::{GEOMETRY, header, people, unsigned};
use ark_bn254::{Bn254, G1Projective, G2Projective};
use ark_ec::PrimeGroup;
use ark_groth16::Groth16;
use ark_relations::gr1cs::{ConstraintSynthesizer, ConstraintSystem, R1CS_PREDICATE_LABEL, SynthesisMode};
use sheaf_circuits::batch::rows;
use sheaf_circuits::evm::{ProofError, proof_from_bytes, proof_to_bytes, proof_to_evm};
use sheaf_circuits::golden::Golden;
use sheaf_circuits::keys::{DevelopmentTrapdoor, KeyError, KeySet, Stage, development_verifying_key};
use sheaf_circuits::matrices::{Matrices, Replay};
use sheaf_circuits::prove::{Blinding, ProveError, prove, verify};
use sheaf_circuits::r1cs::Builder;
use sheaf_circuits::simulator::simulate;
use sheaf_core::F;
use sheaf_core::geometry::Geometry;
use sheaf_core::operation::Operation;
use sheaf_core::shape::Shape;
use sheaf_core::trace::{BatchWitness, build, build_unchecked};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// As small as a batch with one operation can be here.
pub(crate) const TINY: Shape = Shape { id: 9, slots: 1, leaf_rows: 3, node_rows: 9 };

pub(crate) fn tiny_rows() -> &'static Builder {
    static ROWS: OnceLock<Builder> = OnceLock::new();
    ROWS.get_or_init(|| rows(GEOMETRY, &TINY))
}

pub(crate) fn tiny_keys() -> &'static KeySet {
    static KEYS: OnceLock<KeySet> = OnceLock::new();
    KEYS.get_or_init(|| {
        let mut last = 0.0;
        let keys = KeySet::generate_development(GEOMETRY, TINY, &mut |_, fraction| {
            assert!(fraction >= last && fraction <= 1.0, "progress went from {last} to {fraction}");
            last = fraction;
        });
        assert!(last > 0.99, "progress ended at {last}");
        keys
    })
}

pub(crate) fn tiny_batch() -> BatchWitness {
    let operation = crate::world::deposit(2, 2, sheaf_core::types::TokenId::ETH, 5);
    build(&mut people(), TINY, header(), &[unsigned(operation)]).unwrap()
}

#[test]
fn the_matrices_are_those_of_ark_relations() {
    let cs = ConstraintSystem::<F>::new_ref();
    cs.set_mode(SynthesisMode::Setup);
    Replay(tiny_rows()).generate_constraints(cs.clone()).unwrap();
    cs.finalize();
    let theirs = &cs.to_matrices().unwrap()[R1CS_PREDICATE_LABEL];
    let ours = Matrices::from(tiny_rows());
    assert_eq!(theirs.as_slice(), ours.sides.as_slice());
    assert_eq!((cs.num_instance_variables(), cs.num_constraints()), (ours.input_count, ours.row_count()));
    assert_eq!(cs.num_variables(), ours.variable_count);
}

/// Gives the stock setup our secret point: it draws one number from its generator.
#[derive(Debug)]
pub(crate) struct Fixed(pub(crate) Vec<u8>);

impl ark_std::rand::RngCore for Fixed {
    fn next_u32(&mut self) -> u32 {
        unimplemented!("the setup draws a whole number")
    }
    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }
    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.0.drain(..bytes.len()).collect::<Vec<_>>());
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), ark_std::rand::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

#[test]
fn the_setup_gives_what_the_stock_one_gives() {
    let DevelopmentTrapdoor { alpha, beta, gamma, delta, tau } = DevelopmentTrapdoor::of(GEOMETRY, &TINY);
    let limbs: Vec<u8> = tau.0.0.iter().flat_map(|limb| limb.to_le_bytes()).collect();
    let (g1, g2) = (G1Projective::generator(), G2Projective::generator());
    let circuit = Replay(tiny_rows());
    let stock =
        Groth16::<Bn254>::generate_parameters_with_qap(circuit, alpha, beta, gamma, delta, g1, g2, &mut Fixed(limbs)).unwrap();
    assert!(stock == tiny_keys().proving_key);
    assert_eq!(development_verifying_key(GEOMETRY, &TINY), stock.vk);
}

#[test]
fn a_batch_is_proven_and_a_changed_input_is_refused() {
    let (keys, batch) = (tiny_keys(), tiny_batch());
    let proven = prove(keys, &batch, Blinding::from_seed([1; 32])).unwrap();
    assert_eq!(proven.public, batch.public_inputs());
    let verifies = |change: fn(&mut sheaf_core::batch::PublicInputs)| {
        let mut public = proven.public;
        change(&mut public);
        verify(keys.verifying_key(), &public, &proven.proof)
    };
    assert!(verifies(|_| ()));
    assert!(!verifies(|p| p.c += F::from(1u64)));
    assert!(!verifies(|p| p.x += F::from(1u64)));
    assert!(!verifies(|p| p.y += F::from(1u64)));
    let again = prove(keys, &batch, Blinding::from_seed([2; 32])).unwrap();
    assert!(again.proof != proven.proof, "another blinding, another proof");
    let other = build(&mut people(), Shape { id: 8, ..TINY }, header(), &[]).unwrap();
    assert_eq!(prove(keys, &other, Blinding::from_seed([1; 32])).unwrap_err(), ProveError::Shape);
    let mut cut = tiny_batch();
    cut.trace.leaves.pop();
    assert_eq!(prove(keys, &cut, Blinding::from_seed([1; 32])).unwrap_err(), ProveError::Shape);
    let mut changed = tiny_batch();
    changed.c += F::from(1u64);
    let refused = prove(keys, &changed, Blinding::from_seed([1; 32])).unwrap_err();
    assert_eq!(refused, ProveError::Unsatisfied { group: "commitment" });
}

#[test]
fn what_breaks_a_rule_is_not_proven() {
    let operation = Operation::ForcedExit {
        account: crate::world::id(2),
        token: sheaf_core::types::TokenId::ETH.word(),
        amount: 7,
        caller: crate::world::pair(2).owner,
    };
    let batch = build_unchecked(&mut people(), TINY, header(), &[unsigned(operation)]).unwrap();
    let refused = prove(tiny_keys(), &batch, Blinding::from_seed([1; 32])).unwrap_err();
    assert_eq!(refused, ProveError::Unsatisfied { group: "exit_amount" });
}

#[test]
fn a_proof_survives_its_bytes_and_damaged_bytes_are_refused() {
    let proof = prove(tiny_keys(), &tiny_batch(), Blinding::from_seed([1; 32])).unwrap().proof;
    let bytes = proof_to_bytes(&proof);
    assert_eq!(proof_from_bytes(&bytes).unwrap(), proof);
    assert_eq!(proof_to_evm(&proof)[7].to_be_bytes::<32>(), bytes[224..]);
    let mut off_curve = bytes;
    off_curve[63] ^= 1;
    assert_eq!(proof_from_bytes(&off_curve), Err(ProofError::NotOnCurve));
    let mut too_large = bytes;
    too_large[..32].fill(0xff);
    assert_eq!(proof_from_bytes(&too_large), Err(ProofError::NotCanonical));
}

#[test]
fn a_key_file_is_loaded_whole_or_refused_with_a_reason() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.keys");
    let keys = tiny_keys();
    keys.save(&path).unwrap();
    let load = |path: &Path, shape| KeySet::load(path, GEOMETRY, shape, &mut |_, _| ());
    let loaded = load(&path, TINY).unwrap();
    assert!(loaded.proving_key == keys.proving_key && loaded.vk_hash() == keys.vk_hash());
    let names: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["a.keys"], "no temporary file is left");

    let bytes = std::fs::read(&path).unwrap();
    let refused = |name: &str, bytes: &[u8], shape| {
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        load(&path, shape).unwrap_err().code()
    };
    let changed = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        bytes
    };
    assert_eq!(load(&directory.path().join("none"), TINY).unwrap_err().code(), "key_file_io");
    assert_eq!(refused("magic", &changed(0), TINY), "key_file_magic");
    assert_eq!(refused("empty", &[], TINY), "key_file_magic");
    assert_eq!(refused("version", &changed(9), TINY), "key_file_version");
    assert_eq!(refused("kind", &changed(10), TINY), "key_file_kind");
    assert_eq!(refused("shape", &bytes, Shape { slots: 2, ..TINY }), "key_file_shape");
    assert_eq!(refused("circuit", &changed(30), TINY), "key_file_circuit");
    assert_eq!(refused("hash", &changed(40), TINY), "key_file_hash");
    assert_eq!(refused("short", &bytes[..bytes.len() - 1], TINY), "key_file_truncated");
    assert_eq!(refused("header", &bytes[..50], TINY), "key_file_truncated");
    assert_eq!(refused("long", &[&bytes[..], &[0]].concat(), TINY), "key_file_truncated");
    assert_eq!(refused("points", &changed(bytes.len() - 40), TINY), "key_file_damaged");
}

#[test]
fn development_keys_are_made_once_and_made_again_when_damaged() {
    let directory = tempfile::tempdir().unwrap();
    let mut stages = Vec::new();
    let keys = |stages: &mut Vec<Stage>| {
        stages.clear();
        KeySet::development(directory.path(), GEOMETRY, TINY, &mut |stage, _| stages.push(stage)).unwrap()
    };
    let first = keys(&mut stages);
    assert!(stages.contains(&Stage::Points));
    let second = keys(&mut stages);
    assert!(!stages.contains(&Stage::Points));
    assert_eq!(first.vk_hash(), second.vk_hash());
    let path = KeySet::development_path(directory.path(), GEOMETRY, &TINY);
    std::fs::write(&path, b"SHEAFKEY").unwrap();
    assert!(matches!(KeySet::load(&path, GEOMETRY, TINY, &mut |_, _| ()), Err(KeyError::Truncated { .. })));
    keys(&mut stages);
    assert!(stages.contains(&Stage::Points));
}

#[test]
fn the_simulator_proves_anything_and_only_that() {
    let key = tiny_keys().verifying_key();
    let trapdoor = DevelopmentTrapdoor::of(GEOMETRY, &TINY);
    let mut public = tiny_batch().public_inputs();
    public.c = F::from(123u64);
    let proof = simulate(&trapdoor, key, &public, Blinding::from_seed([3; 32]));
    assert!(verify(key, &public, &proof));
    public.y += F::from(1u64);
    assert!(!verify(key, &public, &proof));
    let other = DevelopmentTrapdoor::of(GEOMETRY, &Shape { id: 8, ..TINY });
    assert_eq!((other.alpha, other.beta, other.gamma, other.tau), (trapdoor.alpha, trapdoor.beta, trapdoor.gamma, trapdoor.tau));
    let wrong = simulate(&other, key, &public, Blinding::from_seed([3; 32]));
    assert!(!verify(key, &public, &wrong), "shapes have their own delta");
}

/// Where development keys are kept between runs.
fn key_directory() -> PathBuf {
    std::env::var_os("SHEAF_KEYS").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../.sheaf/keys"), PathBuf::from)
}

#[test]
fn the_development_shape_is_proven() {
    let started = std::time::Instant::now();
    let keys = KeySet::development(&key_directory(), Geometry::PROTOCOL, Shape::DEVELOPMENT, &mut |_, _| ()).unwrap();
    println!("keys: {:?}, {} entries", started.elapsed(), keys.matrices.entry_count());
    assert_eq!(keys.vk_hash(), Golden::read().expect("golden/circuit.json is committed").vk_hash);
    let batch = crate::world::wide_batch();
    let proven = prove(&keys, &batch, Blinding::from_seed([1; 32])).unwrap();
    println!("{:?}", proven.timing);
    assert!(verify(keys.verifying_key(), &batch.public_inputs(), &proven.proof));
}

/// `snarkjs groth16 verify`, where the repository's node packages are installed.
#[test]
fn snarkjs_accepts_the_proof_and_refuses_a_changed_one() {
    use sheaf_circuits::snarkjs;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../node_modules/snarkjs/build/cli.cjs");
    assert!(script.exists(), "run `npm ci` in the repository's root first: {} is absent", script.display());
    let (keys, batch) = (tiny_keys(), tiny_batch());
    let proven = prove(keys, &batch, Blinding::from_seed([1; 32])).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, value: serde_json::Value| {
        let path = directory.path().join(name);
        std::fs::write(&path, value.to_string()).unwrap();
        path
    };
    let key = write("key.json", snarkjs::verifying_key(keys.verifying_key()));
    let proof = write("proof.json", snarkjs::proof(&proven.proof));
    let honest = write("public.json", snarkjs::public(&proven.public));
    let mut changed = proven.public;
    changed.y += F::from(1u64);
    let changed = write("changed.json", snarkjs::public(&changed));
    let accepts = |public: &Path| {
        let mut command = Command::new("node");
        command.arg(&script).args(["groth16", "verify"]).args([&key, &public.to_path_buf(), &proof]);
        let output = command.output().expect("node runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.success(), text.contains("OK!"), "{text}");
        output.status.success()
    };
    assert!(accepts(&honest));
    assert!(!accepts(&changed));
}
