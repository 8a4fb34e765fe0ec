//! `sheaf keys` as a process: a ceremony's file is worked on and refused by name; and, for the soak, a whole ceremony.

use sheaf_circuits::keys::KeyInfo;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn sheaf(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sheaf")).arg("keys").args(arguments).output().expect("sheaf runs")
}

fn succeeds(arguments: &[&str]) -> String {
    let output = sheaf(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn fails(arguments: &[&str]) -> String {
    let output = sheaf(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn files_that_are_no_keys_are_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let (file, out) = (directory.path().join("a.keys"), directory.path().join("b.keys"));
    std::fs::write(&file, "no keys").unwrap();
    for arguments in [&["info", text(&file)][..], &["verify", text(&file)], &["contribute", text(&file), text(&out)]] {
        let error = fails(arguments);
        assert!(error.contains("key_file_magic") && error.contains(text(&file)), "{arguments:?}: {error}");
    }
    let error = fails(&["import-ptau", text(&file), "--shape", "development", "--out", text(&out)]);
    assert!(error.contains("ptau_format"), "{error}");
    assert!(fails(&["contribute", text(&file), text(&file)]).contains("is there already"));
    assert!(!out.exists());
}

#[test]
fn every_code_is_documented() {
    let document = include_str!("../../../docs/keys.md");
    let sources = [
        include_str!("../../../circuits/src/ceremony/error.rs"),
        include_str!("../../../circuits/src/keys/error.rs"),
        include_str!("../../src/keys/contract.rs"),
    ];
    let codes = sources.iter().flat_map(|source| source.split(" => \"").skip(1)).map(|rest| rest.split_once('"').unwrap().0);
    let codes: Vec<_> = codes.collect();
    assert!(codes.len() > 35, "{codes:?}");
    for code in codes.iter().chain(&["keys_transcript", "keys_unfinished", "development_keys"]) {
        assert!(document.contains(&format!("`{code}`")), "{code} is not in docs/keys.md");
    }
}

/// Where phase 1 of 2^19 or more is, prepared; made by `snarkjs powersoftau`, which takes an hour.
fn phase1() -> PathBuf {
    std::env::var_os("SHEAF_PTAU").map(PathBuf::from).expect("SHEAF_PTAU names a prepared phase 1 of 2^19 or more")
}

/// The development shape's own circuit: several minutes and some 2 GB of memory.
#[test]
#[ignore = "takes minutes, and a phase 1 that takes an hour to make: SHEAF_PTAU=FILE"]
fn a_whole_ceremony() {
    let (directory, ptau) = (tempfile::tempdir().unwrap(), phase1());
    let [first, second, last] = ["0.keys", "1.keys", "2.keys"].map(|name| directory.path().join(name));
    succeeds(&["import-ptau", text(&ptau), "--shape", "development", "--out", text(&first)]);
    assert!(fails(&["verify", text(&first), "--ptau", text(&ptau)]).contains("ceremony_without_contribution"));
    succeeds(&["contribute", text(&first), text(&second), "--name", "Ada"]);
    succeeds(&["beacon", text(&second), text(&last), "--value", "0x0102", "--iterations-exp", "10"]);
    let said = succeeds(&["verify", text(&last), "--ptau", text(&ptau)]);
    let transcript = KeyInfo::read(&last).unwrap().transcript.to_string();
    assert!(said.contains("keys from a ceremony") && said.contains("\"Ada\"") && said.contains(&transcript), "{said}");
    assert!(fails(&["contribute", text(&last), text(&directory.path().join("3.keys"))]).contains("ceremony_finished"));
}
