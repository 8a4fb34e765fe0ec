//! `sheaf deploy` as a process, on a chain of its own: with real key files, from a configuration, and what it refuses.

use super::ceremony_keys::{ceremony, development};
use alloy::primitives::{Address, B256};
use alloy::providers::Provider as _;
use serde_json::Value;
use sheaf_circuits::keys::{KeyInfo, Kind};
use sheaf_cli::config::Config;
use sheaf_cli::deployment::DeploymentFile;
use sheaf_cli::keys::{contract, transcript_of};
use sheaf_contracts::Sheaf;
use sheaf_core::shape::Shape;
use sheaf_devkit::anvil::{Anvil, AnvilOptions};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A key that the node funds.
const ADMIN: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const OPERATOR: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

struct World {
    dir: TempDir,
    anvil: Anvil,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let anvil = Anvil::start(&dir.path().join("anvil"), &AnvilOptions::default()).unwrap();
        let world = Self { dir, anvil };
        world.write_admin_key(ADMIN, 0o600);
        world
    }

    fn write_admin_key(&self, content: &str, mode: u32) {
        std::fs::write(self.path("admin.key"), content).unwrap();
        std::fs::set_permissions(self.path("admin.key"), Permissions::from_mode(mode)).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs `sheaf deploy` with these arguments; answers its exit status, what it prints, and what it says besides.
    fn deploy(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut process = Command::new(env!("CARGO_BIN_EXE_sheaf"));
        process.env_clear().current_dir(self.dir.path()).arg("deploy").args(arguments);
        let output = process.output().unwrap();
        let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (output.status.code().unwrap(), stdout, stderr)
    }

    /// The same with the chain, the admin and the operator.
    fn deploy_here(&self, arguments: &[&str]) -> (i32, String, String) {
        let url = self.anvil.url();
        self.deploy(&[&["--l1", &url, "--admin-key", "admin.key", "--operator", OPERATOR], arguments].concat())
    }

    /// The reason of a refusal, after which nothing was written.
    fn refused(&self, arguments: &[&str]) -> String {
        let (status, stdout, stderr) = self.deploy_here(arguments);
        assert_eq!(status, 1, "{arguments:?}: {stdout}{stderr}");
        assert!(!self.path("deployment.toml").exists(), "{stderr}");
        stderr
    }

    fn sheaf(&self, contract: Address) -> Sheaf::SheafInstance<alloy::providers::DynProvider> {
        Sheaf::new(contract, sheaf_settlement::l1::connect(&self.anvil.url()).unwrap())
    }

    /// How many transactions the chain has seen.
    async fn head(&self) -> u64 {
        sheaf_settlement::l1::connect(&self.anvil.url()).unwrap().get_block_number().await.unwrap()
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The documented example for this chain, with the addresses in a file.
fn configuration(world: &World, keys: &Path) -> String {
    let example = include_str!("../../../docs/sheaf.example.toml");
    let shapes = serde_json::json!([Shape::DEVELOPMENT, Shape::MEDIUM]).to_string().replace("\":", "\"=");
    let replaced = |line: &str| match line.split(' ').next().unwrap_or_default() {
        "rpc_url" => format!("rpc_url = \"{}\"", world.anvil.url()),
        "contract" => "deployment = \"addresses.toml\"".to_owned(),
        "start_block" => String::new(),
        "keys" => format!("keys = \"{}\"\nshapes = {shapes}", keys.display()),
        "operator" => format!("operator = \"{OPERATOR}\""),
        _ => line.to_owned(),
    };
    example.lines().map(replaced).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_shapes_are_deployed_from_the_services_configuration_which_then_configures_them() {
    let world = World::new();
    let keys = world.path("keys");
    let files = [Shape::DEVELOPMENT, Shape::MEDIUM].map(|shape| development(&keys, shape));
    std::fs::write(world.path("sheaf.toml"), configuration(&world, &keys)).unwrap();
    let config = || Config::load(&world.path("sheaf.toml")).unwrap();
    // The services' working directory is where the file is.
    let services = || {
        let mut config = config();
        config.l1.deployment = config.l1.deployment.map(|file| world.path(text(&file)));
        config.sequencer().and_then(|sequencer| Ok((sequencer, config.settlement()?)))
    };
    assert!(format!("{:#}", services().unwrap_err()).contains("which `sheaf deploy` writes"));

    let (status, stdout, stderr) = world.deploy(&["--config", "sheaf.toml", "--test-token", "Test Token:TST"]);
    assert_eq!(status, 0, "{stderr}");
    let file = DeploymentFile::read(&world.path("addresses.toml")).unwrap();
    let printed: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(printed["contract"], serde_json::to_value(file.contract).unwrap());
    let sheaf = world.sheaf(file.contract);
    assert_eq!(sheaf.shapeCount().call().await.unwrap(), alloy::primitives::U256::from(2));
    assert_eq!(sheaf.operator().call().await.unwrap(), OPERATOR.parse::<Address>().unwrap());
    assert_eq!((file.tokens.len(), sheaf.tokens(1).call().await.unwrap()), (1, file.tokens[0]));
    let (sequencer, settlement) = services().unwrap();
    assert_eq!(
        (sequencer.contract, settlement.contract, settlement.start_block),
        (file.contract, file.contract, file.start_block)
    );

    // Its addresses are not written over.
    let (status, _, stderr) = world.deploy(&["--config", "sheaf.toml"]);
    assert!(status == 1 && stderr.contains("is there already"), "{stderr}");
    assert_eq!(DeploymentFile::read(&world.path("addresses.toml")).unwrap(), file);
    // Keys of one shape are not those of two.
    let arguments = ["--config", "sheaf.toml", "--out", "others.toml", "--keys", text(&files[0])];
    let (status, _, stderr) = world.deploy(&arguments);
    assert!(status == 1 && stderr.contains("keys_shapes"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_as_expected_is_refused_before_anything_is_sent() {
    let world = World::new();
    let keys = development(&world.path("keys"), Shape::DEVELOPMENT);
    let keys = text(&keys);
    assert!(world.refused(&["--keys", keys, "--chain-id", "1337"]).contains("is on chain 31337, not on chain 1337"));
    assert!(world.refused(&["--keys", keys, "--chain-id", "1"]).contains("development_keys"));
    assert!(world.refused(&["--keys", keys, "--keys", keys]).contains("keys_shapes"));
    std::fs::write(world.path("no.keys"), "no keys").unwrap();
    let error = world.refused(&["--keys", "no.keys"]);
    assert!(error.contains("key_file_magic") && error.contains("no.keys"), "{error}");
    assert!(world.refused(&["--keys", "absent.keys"]).contains("key_file_io"));
    let other = B256::repeat_byte(1).to_string();
    assert!(world.refused(&["--keys", keys, "--transcript", &other]).contains("keys_transcript"));
    assert!(world.refused(&["--keys", keys, "--config", "absent.toml"]).contains("absent.toml"));
    assert!(world.refused(&["--keys", keys, "--resume"]).contains("deployment.toml"));
    world.write_admin_key(ADMIN, 0o644);
    assert!(world.refused(&["--keys", keys]).contains("key_readable_by_others"));
    world.write_admin_key("no key", 0o600);
    let error = world.refused(&["--keys", keys]);
    assert!(error.contains("admin.key is no private key"), "{error}");
    std::fs::remove_file(world.path("admin.key")).unwrap();
    assert!(world.refused(&["--keys", keys]).contains("reading the private key admin.key"));
    assert_eq!(world.head().await, 0, "nothing was sent");
}

/// A ceremony from its first key to the contract: `sheaf keys transcript` prints the one hash that is taken.
#[tokio::test(flavor = "multi_thread")]
async fn a_ceremonys_keys_are_deployed_with_the_hash_that_keys_transcript_prints() {
    let world = World::new();
    let keys = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_sheaf")).current_dir(world.dir.path()).arg("keys").args(arguments).output();
        let output = output.unwrap();
        let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (output.status.success(), stdout, stderr)
    };
    ceremony(&world.path("0.keys"), Shape::DEVELOPMENT);
    let (succeeded, _, stderr) = keys(&["transcript", "0.keys"]);
    assert!(!succeeded && stderr.contains("ceremony_without_contribution"), "{stderr}");
    assert!(keys(&["contribute", "0.keys", "1.keys", "--name", "Ada"]).0);
    let (succeeded, _, warning) = keys(&["transcript", "1.keys"]);
    assert!(succeeded && warning.contains("the ceremony of shape 0 is not finished"), "{warning}");
    assert!(keys(&["info", "1.keys"]).1.contains("not finished"));
    assert!(world.refused(&["--keys", "1.keys"]).contains("keys_unfinished"));

    assert!(keys(&["beacon", "1.keys", "2.keys", "--value", "0x0102", "--iterations-exp", "10"]).0);
    assert!(!keys(&["info", "2.keys"]).1.contains("not finished"));
    let (_, printed, warning) = keys(&["transcript", "2.keys"]);
    assert!(!warning.contains("not finished"), "{warning}");
    let hash: B256 = printed.trim().parse().unwrap();
    let own = KeyInfo::read(&world.path("2.keys")).unwrap().transcript;
    assert_eq!(hash, transcript_of(&[own]));
    let found = contract(&[world.path("2.keys")]).unwrap();
    assert_eq!((found.kind, found.transcript, found.sizes.get(0)), (Kind::Ceremony, hash, Some(Shape::DEVELOPMENT)));

    let error = world.refused(&["--keys", "2.keys", "--chain-id", "1"]);
    assert!(error.contains("keys_transcript") && error.contains("sheaf keys transcript"), "{error}");
    let error = world.refused(&["--keys", "2.keys", "--transcript", &own.to_string()]);
    assert!(error.contains("keys_transcript") && !error.contains(&hash.to_string()), "a file's own hash is another: {error}");
    let (status, _, stderr) = world.deploy_here(&["--keys", "2.keys", "--transcript", printed.trim()]);
    assert_eq!(status, 0, "{stderr}");
    let file = DeploymentFile::read(&world.path("deployment.toml")).unwrap();
    assert_eq!((file.transcript, world.sheaf(file.contract).transcript().call().await.unwrap()), (hash, hash));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_whose_tokens_could_not_be_listed_is_not_lost() {
    let world = World::new();
    let keys = development(&world.path("keys"), Shape::DEVELOPMENT);
    let nothing = Address::repeat_byte(0x77).to_string();
    let (status, _, stderr) = world.deploy_here(&["--keys", text(&keys), "--token", &nothing]);
    assert!(status == 1 && stderr.contains("TokenHasNoCode") && stderr.contains("--resume"), "{stderr}");
    let file = DeploymentFile::read(&world.path("deployment.toml")).unwrap();
    assert!(stderr.contains(&file.contract.to_string()) && file.tokens.is_empty(), "{stderr}");

    let again = ["--keys", text(&keys), "--resume", "--test-token", "One:ONE", "--test-token", "Two:TWO"];
    let (status, _, stderr) = world.deploy_here(&again[..5]);
    assert_eq!(status, 0, "{stderr}");
    let first = DeploymentFile::read(&world.path("deployment.toml")).unwrap();
    assert_eq!((first.contract, first.tokens.len()), (file.contract, 1));
    // What is listed is not listed again.
    let (status, _, stderr) = world.deploy_here(&again);
    assert_eq!(status, 0, "{stderr}");
    let second = DeploymentFile::read(&world.path("deployment.toml")).unwrap();
    assert_eq!((second.contract, &second.tokens[..1], second.tokens.len()), (file.contract, &first.tokens[..], 2));
    assert_eq!(world.sheaf(file.contract).tokenCount().call().await.unwrap(), 3);
}
