//! `sheaf wallet`, as a process of its own, against an L1 node, settlement that reads it, a sequencer and the API.

use super::ceremony_keys::G2;
use alloy::network::EthereumWallet;
use alloy::primitives::{Address, B256, U256, address};
use alloy::providers::ProviderBuilder;
use alloy::signers::local::PrivateKeySigner;
use serde_json::{Value, json};
use sheaf_contracts::{Sheaf, TestToken, owner_word};
use sheaf_devkit::anvil::{Anvil, AnvilOptions, CHAIN_ID};
use sheaf_devkit::postgres::TestDatabase;
use sheaf_sequencer::{Environment, Sequencer};
use sheaf_settlement::deploy::{Deployed, Request, ShapeWords, VerifyingKeyWords, deploy};
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// Keys of accounts that the node funds.
const ADMIN: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const ALICE: &str = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
const ALICE_L1: Address = address!("70997970C51812dc3A010C7d01b50e0d17dc79C8");

/// All that a wallet talks to.
struct World {
    api: String,
    dir: TempDir,
    anvil: Anvil,
    deployed: Deployed,
    _database: TestDatabase,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let anvil = Anvil::start(dir.path(), &AnvilOptions::default()).unwrap();
        let database = TestDatabase::create();
        let deployed = deploy(&request(&anvil.url())).await.unwrap();
        let sequencer = json!({
            "database_url": database.url(), "listen": "127.0.0.1:0", "chain_id": CHAIN_ID, "contract": deployed.contract,
            "fee_owner": Address::repeat_byte(9), "fee_key_hash": B256::with_last_byte(9), "block_ms": 5, "l1_wait_ms": 0,
            "receipt_key_file": sheaf_devkit::keys::receipt_key(),
            "minimum_fees": [{ "token": 0, "transfer": "1000", "transfer_new": "5001", "withdraw": "3000" }],
            "allow_unsafe_durability": true,
        });
        let sequencer = Sequencer::start(serde_json::from_value(sequencer).unwrap(), Environment::system()).await.unwrap();
        let api = json!({
            "listen": "127.0.0.1:0", "database_url": database.url(), "sequencer_urls": [format!("http://{}", sequencer.address())],
        });
        let api = sheaf_api::Server::bind(serde_json::from_value(api).unwrap()).await.unwrap();
        let url = api.url().unwrap();
        let settlement = json!({
            "database_url": database.url(), "rpc_url": anvil.url(), "chain_id": CHAIN_ID, "contract": deployed.contract,
            "confirmations": 0, "poll_ms": 50, "watch_only": true,
        });
        let settlement = serde_json::from_value(settlement).unwrap();
        tokio::spawn(sequencer.run(std::future::pending()));
        tokio::spawn(api.serve(std::future::pending()));
        tokio::spawn(sheaf_settlement::run(settlement, std::future::pending()));
        std::fs::write(dir.path().join("password"), "correct horse battery staple\n").unwrap();
        std::fs::write(dir.path().join("alice.key"), ALICE).unwrap();
        Self { api: url, dir, anvil, deployed, _database: database }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs a command of the wallet in the keystore `who`; answers whether it succeeded, and its JSON.
    async fn run(&self, who: &str, command: &[&str]) -> (bool, Value) {
        let (succeeded, json, _) = self.output(who, &[command, &["--api", &self.api]].concat()).await;
        (succeeded, json)
    }

    /// The same, with an API of the command's own.
    async fn alone(&self, who: &str, command: &[&str]) -> (bool, Value) {
        let (succeeded, json, _) = self.output(who, command).await;
        (succeeded, json)
    }

    /// What a command that succeeds writes beside its JSON.
    async fn warning(&self, who: &str, command: &[&str]) -> String {
        let (succeeded, json, warning) = self.output(who, &[command, &["--api", &self.api]].concat()).await;
        assert!(succeeded, "{command:?}: {json}");
        warning
    }

    async fn output(&self, who: &str, command: &[&str]) -> (bool, Value, String) {
        let mut process = Command::new(env!("CARGO_BIN_EXE_sheaf"));
        process.env_clear().arg("wallet").args(command).arg("--json").args(["--timeout", "60"]);
        process.arg("--keystore").arg(self.file(who)).arg("--password-file").arg(self.file("password"));
        process.args(["--l1", &self.anvil.url()]);
        let output = tokio::task::spawn_blocking(move || process.output().unwrap()).await.unwrap();
        let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        let json = serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{command:?} printed {stdout:?}, {stderr:?}"));
        (output.status.success(), json, stderr)
    }

    async fn done(&self, who: &str, command: &[&str]) -> Value {
        let (succeeded, json) = self.run(who, command).await;
        assert!(succeeded, "{command:?}: {json}");
        json
    }

    async fn refused(&self, who: &str, command: &[&str], code: &str) -> String {
        let (succeeded, json) = self.run(who, command).await;
        assert!(!succeeded, "{command:?}: {json}");
        assert_eq!(json["code"], code, "{command:?}: {json}");
        json["message"].as_str().unwrap().to_owned()
    }

    /// Gives alice 100 test tokens on L1, and one gwei that she may claim: the surplus of a deposit.
    async fn endow_alice(&self) {
        let signer: PrivateKeySigner = ADMIN.parse().unwrap();
        let admin = ProviderBuilder::new().wallet(EthereumWallet::from(signer)).connect_http(self.anvil.url().parse().unwrap());
        let token = TestToken::new(self.deployed.tokens[0], &admin);
        let amount = U256::from(100) * U256::from(10).pow(U256::from(18));
        token.mint(ALICE_L1, amount).send().await.unwrap().watch().await.unwrap();
        let signer: PrivateKeySigner = ALICE.parse().unwrap();
        let alice = ProviderBuilder::new().wallet(EthereumWallet::from(signer)).connect_http(self.anvil.url().parse().unwrap());
        let sheaf = Sheaf::new(self.deployed.contract, &alice);
        let deposit = sheaf.deposit(0, 1, owner_word(Address::repeat_byte(9)), U256::from(9)).value(U256::from(1_000_001_001u64));
        deposit.send().await.unwrap().watch().await.unwrap();
    }
}

fn request(rpc_url: &str) -> Request {
    let admin: PrivateKeySigner = ADMIN.parse().unwrap();
    let point = [U256::from(1), U256::from(2)];
    let ic = [point; 4].concat().try_into().unwrap();
    Request {
        rpc_url: rpc_url.to_owned(),
        chain_id: CHAIN_ID,
        operator: admin.address(),
        admin,
        genesis_root: U256::from(1),
        base_fee_wei: 1_000,
        transcript: B256::ZERO,
        // No batch is proven here.
        key: VerifyingKeyWords { alpha: point, beta: G2, gamma: G2 },
        shapes: vec![ShapeWords { slots: 16, delta: G2, ic }],
        tokens: vec![],
        test_tokens: vec![("Test token".to_owned(), "TST".to_owned())],
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn money_goes_through_wallets_from_l1_and_back() {
    let world = World::new().await;
    world.endow_alice().await;
    let key_file = world.file("alice.key");
    let alice = world.done("alice", &["new", "--import", key_file.to_str().unwrap()]).await;
    assert_eq!(alice["owner"], ALICE_L1.to_string().to_lowercase());
    assert_eq!(world.done("alice", &["address"]).await, alice);
    let bob = world.done("bob", &["new"]).await["address"].as_str().unwrap().to_owned();
    world.refused("alice", &["transfer", "1", "--to", &bob], "no_account").await;

    let deposit = world.done("alice", &["deposit", "1.5"]).await;
    assert_eq!(deposit["operation"]["status"], "executed", "{deposit}");
    assert_eq!(deposit["operation"]["account"], 2);
    assert_eq!(deposit["operation"]["amount"], "1500000000000000000");
    let token = world.done("alice", &["deposit", "25.25", "--token", "tst"]).await;
    assert_eq!((&token["operation"]["account"], &token["operation"]["token"]), (&json!(2), &json!(1)));

    let paid = world.done("alice", &["transfer", "0.25", "--to", &bob]).await;
    assert_eq!(paid["status"], "executed");
    let status = world.done("alice", &["status", paid["hash"].as_str().unwrap()]).await;
    // The least fee of a transfer that creates an account, rounded up to one that can be signed.
    assert_eq!((&status["kind"], &status["fee"]), (&json!("transfer_new"), &json!("5010")));
    world.done("alice", &["transfer", "5", "--to", &bob, "--token", "1"]).await;
    let has = world.done("bob", &["balance"]).await;
    assert_eq!((&has["l2"][0]["amount"], &has["l2"][1]["amount"]), (&json!("250000000000000000"), &json!("5000000000000000000")));

    receipts_are_verified_and_kept(&world, paid["hash"].as_str().unwrap()).await;

    let left = world.done("bob", &["withdraw", "0.1", "--to", &ALICE_L1.to_string()]).await;
    let left = world.done("bob", &["status", left["hash"].as_str().unwrap()]).await;
    assert_eq!((&left["kind"], &left["recipient"], &left["fee"]), (&json!("withdraw"), &alice["owner"], &json!("3000")));

    let claimed = world.done("alice", &["claim"]).await;
    assert_eq!((&claimed["claims"][0]["amount"], &claimed["claims"][1]), (&json!("1000000000"), &Value::Null));
    world.refused("alice", &["claim"], "nothing_to_claim").await;
    let has = world.done("alice", &["balance"]).await;
    assert_eq!(has["l1"][0]["claimable"], "0");
    assert_eq!(has["l1"][1]["balance"], "74750000000000000000");
}

/// Of a transaction that alice sent.
async fn receipts_are_verified_and_kept(world: &World, hash: &str) {
    let (operators, receipts) = (world.file("alice.operators"), world.file("alice.receipts"));
    let verified = world.done("alice", &["receipt", "verify", hash]).await;
    let receipt = &verified["receipts"][0];
    assert_eq!((&receipt["known"], &receipt["operator"]["signer"]), (&json!(true), &json!(sheaf_devkit::keys::RECEIPT_SIGNER)));
    // What was kept is verified without anybody.
    let offline = ["receipt", "verify", hash, "--api", "http://127.0.0.1:1"];
    assert_eq!(world.alone("alice", &offline).await, (true, verified.clone()));

    // A changed promise is none.
    let kept = std::fs::read_to_string(&receipts).unwrap();
    let batch = receipt["receipt"]["batch"].as_u64().unwrap();
    let changed = kept.replace(&format!("\"batch\":{batch}"), &format!("\"batch\":{}", batch + 1));
    assert_ne!(changed, kept);
    std::fs::write(&receipts, &changed).unwrap();
    world.refused("alice", &["receipt", "verify", hash], "receipt_wrong_signer").await;
    let status = world.done("alice", &["status", hash]).await;
    assert_eq!(status["broken_promise"]["batch"], batch + 1, "what was promised and what there is differ: {status}");
    std::fs::write(&receipts, &kept).unwrap();
    assert_eq!(world.done("alice", &["status", hash]).await["broken_promise"], Value::Null);
    assert_eq!(std::fs::read_to_string(&receipts).unwrap(), kept, "a receipt is kept once");

    // Another operator than the one that was seen first is pointed out, until it is accepted.
    let known = std::fs::read_to_string(&operators).unwrap();
    let stranger = format!("0x{}", "77".repeat(20));
    std::fs::write(&operators, known.replace(sheaf_devkit::keys::RECEIPT_SIGNER, &stranger)).unwrap();
    assert!(world.warning("alice", &["status", hash]).await.contains("receipt trust"));
    assert_eq!(world.done("alice", &["receipt", "verify", hash]).await["receipts"][0]["known"], false);
    let trusted = world.done("alice", &["receipt", "trust"]).await;
    assert_eq!(
        (&trusted["before"], &trusted["operator"]["signer"]),
        (&json!(stranger), &json!(sheaf_devkit::keys::RECEIPT_SIGNER))
    );
    assert_eq!(world.warning("alice", &["status", hash]).await, "");
    assert_eq!(world.done("alice", &["receipt", "verify", hash]).await["receipts"][0]["known"], true);
    // What was not kept is fetched.
    std::fs::remove_file(&receipts).unwrap();
    assert_eq!(world.done("alice", &["receipt", "verify", hash]).await, verified);
    assert_eq!(std::fs::read_to_string(&receipts).unwrap().lines().count(), 1);
    let unknown = format!("0x{}", "ab".repeat(32));
    world.refused("alice", &["receipt", "verify", &unknown], "unknown_transaction").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn key_changes_and_exits_go_through_l1() {
    let world = World::new().await;
    let key_file = world.file("alice.key");
    let address = world.done("alice", &["new", "--import", key_file.to_str().unwrap()]).await["address"].clone();
    let address = address.as_str().unwrap();
    let deposit = world.done("alice", &["deposit", "2", "--no-wait"]).await;
    let hash = deposit["l1_transaction"].as_str().unwrap().to_owned();
    world.done("alice", &["set-key", "--account", "2", "--new-key-number", "1"]).await;
    // The queue is in order, so the deposit came before.
    let deposit = world.done("alice", &["status", &hash]).await;
    assert_eq!((&deposit["operations"][0]["account"], &deposit["operations"][0]["kind"]), (&json!(2), &json!("deposit")));
    world.refused("alice", &["transfer", "1", "--to", address], "no_account").await;
    let message = world.refused("alice", &["transfer", "1", "--to", address, "--key-number", "1"], "receiver_retired").await;
    assert!(message.contains("new one"), "{message}");
    let own = world.done("alice", &["address", "--key-number", "1"]).await["address"].clone();
    world.done("alice", &["transfer", "1", "--to", own.as_str().unwrap(), "--key-number", "1"]).await;
    let exit = world.done("alice", &["exit", "--account", "2"]).await;
    assert_eq!((&exit["operation"]["kind"], &exit["operation"]["account"]), (&json!("forced_exit"), &json!(2)));
    let left: u128 = exit["operation"]["amount"].as_str().unwrap().parse().unwrap();
    assert_eq!(left, 2_000_000_000_000_000_000 - 1_000, "all but the transfer's fee");
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_named_and_change_nothing() {
    let world = World::new().await;
    world.done("alice", &["new"]).await;
    let before = std::fs::read(world.file("alice")).unwrap();
    world.refused("alice", &["new"], "keystore_exists").await;
    assert_eq!(std::fs::read(world.file("alice")).unwrap(), before);
    world.refused("nobody", &["address"], "keystore").await;
    let unknown = format!("0x{}", "ab".repeat(32));
    for (command, code) in [
        (&["transfer", "1", "--to", "bob"][..], "malformed_address"),
        (&["deposit", "1", "--to", "0x12:0x34"], "malformed_address"),
        (&["withdraw", "1", "--to", "0x12"], "malformed_address"),
        (&["deposit", "1,5"], "malformed_amount"),
        (&["deposit", "1", "--token", "GOLD"], "unknown_token"),
        (&["status", "0x12"], "malformed_address"),
        (&["status", &unknown], "unknown_transaction"),
        (&["withdraw", "1"], "no_account"),
        (&["claim"], "nothing_to_claim"),
        (&["set-key", "--account", "16777216", "--new-key-number", "1"], "l1"),
    ] {
        world.refused("alice", command, code).await;
    }
    // A key without ETH can't pay on L1.
    world.refused("alice", &["deposit", "1"], "l1").await;
    std::fs::write(world.file("password"), "something else").unwrap();
    world.refused("alice", &["address"], "wrong_password").await;
    std::fs::write(world.file("password"), "\n").unwrap();
    world.refused("carol", &["new"], "no_password").await;
    assert!(!world.file("carol").exists());
}
