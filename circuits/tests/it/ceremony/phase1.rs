//! Phase 1 files that are refused, each by name.

use super::support::*;
use proptest::prelude::*;
use sheaf_circuits::ceremony::{CeremonyError, Phase1};

fn read(bytes: &[u8]) -> Result<Phase1, CeremonyError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.ptau");
    std::fs::write(&path, bytes).unwrap();
    Phase1::read(&path, &small_matrices(), [1; 32])
}

fn known(power: u32) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.ptau");
    write_ptau(&path, power, secrets());
    std::fs::read(&path).unwrap()
}

#[test]
fn a_file_that_is_no_prepared_phase_1_is_refused() {
    let good = std::fs::read(prepared()).unwrap();
    assert_eq!(read(&good).unwrap().digest(), phase1().digest());
    let code = |bytes: &[u8]| read(bytes).unwrap_err().code();
    let changed = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    assert_eq!(code(&[]), "ptau_format");
    assert_eq!(code(&changed(0)), "ptau_format");
    assert_eq!(code(&good[..good.len() - 1]), "ptau_format");
    assert_eq!(code(&changed(12)), "ptau_format", "a section of another number");
    assert_eq!(code(&changed(section(&good, 1) + 4)), "ptau_curve");
    assert_eq!(code(&std::fs::read(snarkjs_phase1().path().join("raw.ptau")).unwrap()), "ptau_not_prepared");
    assert_eq!(code(&known(POWER - 1)), "ptau_too_small");
    assert!(read(&known(POWER)).is_ok() && read(&known(POWER + 2)).is_ok());
}

/// Any change of any point that is used is found: most are no points any more.
#[test]
fn a_changed_coordinate_is_refused() {
    let good = std::fs::read(prepared()).unwrap();
    let n = 1 << POWER;
    for (number, at) in [(2, 64 * 100), (12, 64 * (n - 1 + 5)), (13, 128 * (n - 1 + 5)), (14, 64 * (2 * n - 2)), (6, 40)] {
        let mut bytes = good.clone();
        bytes[section(&good, number) + at] ^= 1;
        assert_eq!(read(&bytes).unwrap_err().code(), "ptau_point", "section {number}");
    }
}

/// Points of another place, or of another secret, are points: only the sections' relations tell.
#[test]
fn a_section_of_other_points_is_refused_by_name() {
    let good = known(POWER);
    let n = 1usize << POWER;
    let copied = |number: u32, size: usize, from: usize, to: usize| {
        let mut bytes = good.clone();
        let start = section(&good, number);
        bytes.copy_within(start + from * size..start + (from + 1) * size, start + to * size);
        read(&bytes).unwrap_err().to_string()
    };
    let smaller = n - 1;
    for (number, size, from, to, name) in [
        (2, 64, 5, 6, "2 (tauG1)"),
        (2, 64, 1, 0, "2 (tauG1)"),
        (2, 64, 0, 2 * n - 2, "2 (tauG1)"),
        (3, 128, 0, 1, "2 (tauG1)"),
        (12, 64, smaller + 3, smaller + 4, "12 (tauG1, Lagrange)"),
        (13, 128, smaller + 3, smaller + 4, "13 (tauG2, Lagrange)"),
        (14, 64, smaller + 3, smaller + 4, "14 (alphaTauG1, Lagrange)"),
        (15, 64, smaller, 2 * n - 2, "15 (betaTauG1, Lagrange)"),
        (4, 64, 1, 0, "14 (alphaTauG1, Lagrange)"),
        (5, 64, 1, 0, "6 (betaG2)"),
    ] {
        let text = copied(number, size, from, to);
        assert!(text.contains("contradicts itself") && text.contains(name), "section {number}, {from} to {to}: {text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a file has, it is read or refused: nothing panics, and nothing that was changed where it counts is taken.
    #[test]
    fn no_file_makes_the_reader_panic(at in 0usize..2_000, value: u8) {
        let mut bytes = std::fs::read(prepared()).unwrap();
        bytes[at] = value;
        let _ = read(&bytes);
    }
}
