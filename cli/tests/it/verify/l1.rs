//! On a chain: what the contract refuses is refused under the same name, and settled batches are verified from L1 alone.

use super::world::{
    CHAIN_ID, DEPOSITED, FIELDS, GENESIS, KEY_HASH, LEAVER, USER, case, changed, data, deployment, keys, operations, prove, width,
};
use alloy::network::EthereumWallet;
use alloy::primitives::{Address, B256, U256};
use alloy::providers::{DynProvider, Provider as _, ProviderBuilder};
use alloy::signers::local::PrivateKeySigner;
use sheaf_cli::verify::case::Case;
use sheaf_cli::verify::check::{Line, check};
use sheaf_cli::verify::l1::Reader;
use sheaf_contracts::{Sheaf, decode_revert, owner_word};
use sheaf_core::operation::Operation;
use sheaf_devkit::anvil::{Anvil, AnvilOptions};
use sheaf_settlement::deploy::{Request, ShapeWords, VerifyingKeyWords, deploy};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Keys of accounts that the node funds.
const OPERATOR: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const USER_KEY: &str = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
/// What an entry of the queue costs, in wei.
const FEE: u128 = 1_000;

struct Chain {
    dir: TempDir,
    anvil: Anvil,
    contract: Address,
    operator: Sheaf::SheafInstance<DynProvider>,
    timestamp: u32,
    block_timestamp: u64,
}

impl Chain {
    /// A chain whose contract has the user's deposit and exit in its queue.
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let anvil = Anvil::start(dir.path(), &AnvilOptions::default()).unwrap();
        let contract = deploy(&request(&anvil.url())).await.unwrap().contract;
        let as_who = |key: &str| {
            let signer: PrivateKeySigner = key.parse().unwrap();
            let provider = ProviderBuilder::new().wallet(EthereumWallet::from(signer)).connect_http(anvil.url().parse().unwrap());
            Sheaf::new(contract, provider.erased())
        };
        let (user, operator) = (as_who(USER_KEY), as_who(OPERATOR));
        let deposit = user.deposit(0, DEPOSITED, owner_word(USER), U256::from(KEY_HASH)).value(U256::from(FEE + DEPOSITED));
        deposit.send().await.unwrap().watch().await.unwrap();
        user.requestExit(LEAVER.try_into().unwrap(), 0).value(U256::from(FEE)).send().await.unwrap().watch().await.unwrap();
        let latest = operator.provider().get_block(alloy::eips::BlockId::latest()).await.unwrap().unwrap();
        let block_timestamp = latest.header.timestamp;
        Self { dir, anvil, contract, operator, timestamp: block_timestamp as u32, block_timestamp }
    }

    /// The contract's first batch.
    fn first(&self) -> Case {
        let mut case = case(self.contract, self.timestamp, self.block_timestamp);
        // What the contract had before: nothing of a batch.
        case.previous.as_mut().unwrap().timestamp = 0;
        // The contract does not see these.
        (case.decoded, case.withdrawals_hash) = (None, None);
        case
    }

    /// The contract's name for why it refuses a batch, in snake case.
    async fn refusal(&self, batch: &Sheaf::Batch) -> String {
        let from: PrivateKeySigner = OPERATOR.parse().unwrap();
        let answer = self.operator.submit(vec![batch.clone()]).from(from.address()).call().await;
        let Err(error) = answer else { return "accepted".to_owned() };
        let data = error.as_revert_data().unwrap_or_else(|| panic!("no revert: {error}"));
        let name = format!("{:?}", decode_revert(&data).unwrap_or_else(|| panic!("no error of the contract: {data}")));
        snake_case(name.split(['(', ' ', '{']).next().unwrap())
    }

    /// Runs the command; answers its exit status and what it prints.
    async fn verify(&self, arguments: &[&str]) -> (i32, String) {
        let mut process = Command::new(env!("CARGO_BIN_EXE_sheaf"));
        process.env_clear().arg("verify").args(["--contract", &self.contract.to_string()]).args(arguments);
        let output = tokio::task::spawn_blocking(move || process.output().unwrap()).await.unwrap();
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        (output.status.code().unwrap(), text)
    }
}

fn request(rpc_url: &str) -> Request {
    let admin: PrivateKeySigner = OPERATOR.parse().unwrap();
    let keys = keys();
    let words = keys.words();
    Request {
        rpc_url: rpc_url.to_owned(),
        chain_id: CHAIN_ID,
        operator: admin.address(),
        admin,
        genesis_root: U256::from(GENESIS),
        base_fee_wei: FEE,
        transcript: B256::ZERO,
        key: VerifyingKeyWords { alpha: words.alpha, beta: words.beta, gamma: words.gamma },
        shapes: words.shapes.iter().map(|s| ShapeWords { slots: s.slots, delta: s.delta, ic: s.ic }).collect(),
        tokens: Vec::new(),
        test_tokens: Vec::new(),
    }
}

/// `PointNotOnCurve` as `point_not_on_curve`, `L1OperationAmongL2` as `l1_operation_among_l2`.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_refuses_every_change_under_the_same_name() {
    let chain = Chain::new().await;
    let (honest, deployment) = (chain.first(), deployment(chain.contract));
    check(&honest, &deployment, &mut Vec::new()).unwrap();
    assert_eq!(chain.refusal(&honest.batch).await, "accepted");
    let mut names = std::collections::BTreeSet::new();
    for field in FIELDS {
        // Of the long words of one kind every 8th byte, else all of them.
        let step = if width(&honest.batch, field) == 32 || field == "proof" { 8 } else { 1 };
        for (at, mask) in (0..width(&honest.batch, field)).step_by(step).flat_map(|at| [(at, 1), (at, 0x84)]) {
            let mut case = honest.clone();
            case.batch = changed(&honest.batch, field, at, mask);
            let found = check(&case, &deployment, &mut Vec::new()).map_or_else(|refusal| refusal.code(), |_| "accepted");
            // The contract leaves such bits to the proof.
            let expected = if found == "unused_bits" { "invalid_proof" } else { found };
            assert_eq!(expected, chain.refusal(&case.batch).await, "{field}, byte {at}, {mask:#x}");
            names.insert(found);
        }
    }
    assert!(!names.contains("accepted") && names.len() >= 12, "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settled_batches_are_verified_from_l1_alone_and_again_from_files() {
    let chain = Chain::new().await;
    let second: Vec<Operation> = operations().into_iter().filter(|o| o.code().is_l2()).collect();
    let batches = [([GENESIS, 8], operations()), ([8, 9], second)];
    let batches = batches.map(|(roots, operations)| prove(&data(chain.contract, roots, chain.timestamp, operations)));
    chain.operator.submit(batches.to_vec()).send().await.unwrap().watch().await.unwrap();

    let reader = Reader::connect(&chain.anvil.url(), chain.contract, 0).await.unwrap();
    let deployment = reader.deployment().await.unwrap();
    for (number, batch) in [1, 2].into_iter().zip(&batches) {
        let case = reader.case(number).await.unwrap();
        assert_eq!(case.batch, *batch);
        assert_eq!(case.previous.is_some(), number == 2);
        let mut lines = Vec::new();
        check(&case, &deployment, &mut lines).unwrap();
        let unknown = lines.iter().filter(|line| matches!(line, Line::Unknown(_))).count();
        assert_eq!(unknown, usize::from(number == 1), "batch {number}: {lines:#?}");
    }
    assert!(reader.case(3).await.unwrap_err().to_string().contains("no batch 3"));

    let (url, dir) = (chain.anvil.url(), chain.dir.path().join("export"));
    let (status, text) = chain.verify(&["--l1", &url, "--batch", "2", "--export", dir.to_str().unwrap()]).await;
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("ok           the proof holds"), "{text}");
    files(&chain, &dir).await;
    let (status, text) = chain.verify(&["--l1", &url, "--batch", "3"]).await;
    assert_eq!(status, 1, "{text}");
}

/// The exported batch holds without a network, and with a byte changed it does not.
async fn files(chain: &Chain, dir: &Path) {
    let path = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let (batch, keys) = (path("batch.json"), path("keys.json"));
    let arguments = ["--file", &batch, "--keys", &keys, "--chain-id", "31337"];
    let (status, text) = chain.verify(&arguments).await;
    assert_eq!(status, 0, "{text}");
    let script = sheaf_devkit::paths::repository().join("scripts/verify-snarkjs.mjs");
    let snarkjs = ["verification_key.json", "public.json", "proof.json"].map(path);
    assert!(Command::new("node").arg(script).args(snarkjs).status().unwrap().success());
    let (status, text) = chain.verify(&[&arguments[..4], &["--chain-id", "1337"]].concat()).await;
    assert!(status == 1 && text.contains("invalid_proof"), "{text}");
    let mut json: serde_json::Value = serde_json::from_slice(&std::fs::read(&batch).unwrap()).unwrap();
    json["fee_account"] = 0x0100_0001.into();
    std::fs::write(&batch, json.to_string()).unwrap();
    let (status, text) = chain.verify(&arguments).await;
    assert!(status == 1 && text.contains("refused      header_out_of_range"), "{text}");
}
