//! A circuit small enough for a phase 1 of 2^7, keys of it, and `.ptau` files: from snarkjs, and from known secrets.

use ark_bn254::{Fq, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::scalar_mul::BatchMulPreprocessing;
use ark_ec::{AffineRepr, CurveGroup, PrimeGroup};
use ark_ff::{Field, PrimeField};
use ark_poly::{EvaluationDomain, GeneralEvaluationDomain};
use sheaf_circuits::ceremony::{Phase1, beacon, contribute, import};
use sheaf_circuits::keys::{KeySet, StoredKeys};
use sheaf_circuits::matrices::Matrices;
use sheaf_circuits::r1cs::{Builder, Mode};
use sheaf_core::F;
use sheaf_core::batch::PublicInputs;
use sheaf_core::geometry::Geometry;
use sheaf_core::shape::Shape;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tempfile::TempDir;
use zeroize::Zeroizing;

/// No batch has this size: the keys are of the small circuit below.
pub(crate) const SIZE: (Geometry, Shape) = (Geometry::new(4), Shape { id: 7, slots: 0, leaf_rows: 0, node_rows: 0 });
/// What the small circuit needs.
pub(crate) const POWER: u32 = 7;

/// y is what 60 multiplications make of a private number and of x; c is anything.
pub(crate) fn small_circuit(start: u64) -> (Builder, PublicInputs) {
    let build = |y: F| {
        let mut b = Builder::new(Mode::Check);
        let (c, x) = (F::from(99u64), F::from(5u64));
        let (c_num, x_num, y_num) = (b.public_input(c), b.public_input(x), b.public_input(y));
        let mut value = b.witness(F::from(start));
        for i in 0..60u64 {
            let mut factor = value.clone();
            factor.add_scaled(F::from(i), &x_num);
            factor.add_scaled(-F::from(3u64).pow([100 + i]), &c_num);
            factor.add_scaled(-F::from(1u64), &b.one());
            value = b.mul(&value, &factor);
        }
        b.enforce_equal(&value, &y_num);
        (b, value.value(), PublicInputs { c, x, y })
    };
    let (_, y, _) = build(F::from(0u64));
    let (b, _, public) = build(y);
    assert_eq!(b.first_failure(), None);
    (b, public)
}

pub(crate) fn small_matrices() -> Matrices {
    let matrices = Matrices::from(&small_circuit(2).0);
    assert_eq!(matrices.domain_size(), 1 << POWER);
    matrices
}

/// snarkjs's command line.
pub(crate) fn snarkjs(arguments: &[&str]) -> (bool, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../node_modules/snarkjs/build/cli.cjs");
    assert!(script.exists(), "run `npm ci` in the repository's root first: {} is absent", script.display());
    let output = Command::new("node").arg(&script).args(arguments).output().expect("node runs");
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A folder with `raw.ptau` and `prepared.ptau`, made by snarkjs as anybody would make them.
pub(crate) fn snarkjs_phase1() -> &'static TempDir {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (new, second, raw, prepared) = (file("0.ptau"), file("1.ptau"), file("raw.ptau"), file("prepared.ptau"));
        let run = |arguments: &[&str]| {
            let (success, text) = snarkjs(arguments);
            assert!(success, "{text}");
        };
        run(&["powersoftau", "new", "bn128", &POWER.to_string(), &new]);
        run(&["powersoftau", "contribute", &new, &second, "--name=first", "-e=any text"]);
        run(&["powersoftau", "beacon", &second, &raw, "0102030405060708090a0b0c0d0e0f", "10"]);
        run(&["powersoftau", "prepare", "phase2", &raw, &prepared]);
        folder
    })
}

pub(crate) fn prepared() -> PathBuf {
    snarkjs_phase1().path().join("prepared.ptau")
}

pub(crate) fn phase1() -> &'static Phase1 {
    static PHASE1: OnceLock<Phase1> = OnceLock::new();
    PHASE1.get_or_init(|| Phase1::read(&prepared(), &small_matrices(), [1; 32]).unwrap())
}

pub(crate) fn initial(phase1: &Phase1) -> KeySet {
    import(phase1, SIZE, small_matrices(), &mut |_| ())
}

/// The same keys without their circuit.
pub(crate) fn stored(keys: KeySet) -> StoredKeys {
    let KeySet { shape, geometry, origin, proving_key, matrices, .. } = keys;
    StoredKeys { geometry, shape, fingerprint: matrices.fingerprint(), origin, proving_key }
}

pub(crate) fn with_circuit(stored: StoredKeys) -> KeySet {
    KeySet::of_circuit(stored, small_matrices()).unwrap()
}

/// Contributes with a secret that follows from a number.
pub(crate) fn add(keys: &mut StoredKeys, name: &str, secret: u8) {
    contribute(keys, name, Zeroizing::new([secret; 32])).unwrap();
}

/// Keys with two contributions and a beacon.
pub(crate) fn finished() -> &'static StoredKeys {
    static KEYS: OnceLock<StoredKeys> = OnceLock::new();
    KEYS.get_or_init(|| {
        let mut keys = stored(initial(phase1()));
        add(&mut keys, "Ada", 1);
        add(&mut keys, "Bob", 2);
        beacon(&mut keys, "a block's hash", &[7; 32], 10).unwrap();
        keys
    })
}

/// The secrets of a phase 1 that a test makes itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Secrets {
    pub(crate) tau: F,
    pub(crate) alpha: F,
    pub(crate) beta: F,
}

pub(crate) const fn secrets() -> Secrets {
    use ark_ff::MontFp;
    Secrets { tau: MontFp!("123456789"), alpha: MontFp!("987654321"), beta: MontFp!("192837465") }
}

fn limbs(values: &[Fq]) -> Vec<u8> {
    values.iter().flat_map(|value| value.0.0).flat_map(u64::to_le_bytes).collect()
}

fn g1_bytes(points: &[G1Affine]) -> Vec<u8> {
    points.iter().flat_map(|point| limbs(&[point.x, point.y])).collect()
}

fn g2_bytes(points: &[G2Affine]) -> Vec<u8> {
    points.iter().flat_map(|point| limbs(&[point.x.c0, point.x.c1, point.y.c0, point.y.c1])).collect()
}

/// A prepared `.ptau` file from known secrets, without contributions: much faster than snarkjs at larger powers.
pub(crate) fn write_ptau(path: &Path, power: u32, Secrets { tau, alpha, beta }: Secrets) {
    let n = 1usize << power;
    let powers: Vec<F> = std::iter::successors(Some(F::from(1u64)), |p| Some(*p * tau)).take(2 * n - 1).collect();
    let domain = |p: u32| GeneralEvaluationDomain::<F>::new(1 << p).unwrap();
    let lagrange: Vec<F> = (0..=power).flat_map(|p| domain(p).evaluate_all_lagrange_coefficients(tau)).collect();
    let table1 = BatchMulPreprocessing::new(G1Projective::generator(), powers.len());
    let table2 = BatchMulPreprocessing::new(G2Projective::generator(), powers.len());
    let g1 = |scalars: &[F], factor: F| g1_bytes(&table1.batch_mul(&scalars.iter().map(|s| *s * factor).collect::<Vec<_>>()));
    let g2 = |scalars: &[F]| g2_bytes(&table2.batch_mul(scalars));
    let one = F::from(1u64);
    let modulus: Vec<u8> = Fq::MODULUS.0.iter().flat_map(|limb| limb.to_le_bytes()).collect();
    let header = [&32u32.to_le_bytes()[..], &modulus, &power.to_le_bytes(), &power.to_le_bytes()].concat();
    let sections = [
        (1u32, header),
        (2, g1(&powers, one)),
        (3, g2(&powers[..n])),
        (4, g1(&powers[..n], alpha)),
        (5, g1(&powers[..n], beta)),
        (6, g2_bytes(&[(G2Affine::generator() * beta).into_affine()])),
        (7, vec![0; 4]),
        (12, g1(&lagrange, one)),
        (13, g2(&lagrange)),
        (14, g1(&lagrange, alpha)),
        (15, g1(&lagrange, beta)),
    ];
    let mut bytes = b"ptau\x01\0\0\0\x0b\0\0\0".to_vec();
    for (number, content) in sections {
        bytes.extend(number.to_le_bytes());
        bytes.extend((content.len() as u64).to_le_bytes());
        bytes.extend(content);
    }
    std::fs::write(path, bytes).unwrap();
}

/// Where a section of a `.ptau` file begins.
pub(crate) fn section(bytes: &[u8], wanted: u32) -> usize {
    let mut at = 12;
    loop {
        let number = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let length = u64::from_le_bytes(bytes[at + 4..at + 12].try_into().unwrap());
        if number == wanted {
            return at + 12;
        }
        at += 12 + length as usize;
    }
}
