//! A chain with a contract, and the command that verifies its batches.

use super::world::{CHAIN_ID, DEPOSITED, KEY_HASH, LEAVER, USER, case, genesis, keys};
use alloy::network::EthereumWallet;
use alloy::primitives::{Address, B256, U256};
use alloy::providers::{DynProvider, Provider as _, ProviderBuilder};
use alloy::signers::local::PrivateKeySigner;
use sheaf_cli::verify::case::Case;
use sheaf_contracts::{Sheaf, decode_revert, owner_word};
use sheaf_core::types::u256_from_field;
use sheaf_devkit::anvil::{Anvil, AnvilOptions};
use sheaf_settlement::deploy::{Request, ShapeWords, VerifyingKeyWords, deploy};
use std::process::Command;
use tempfile::TempDir;

/// Keys of accounts that the node funds.
const OPERATOR: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const USER_KEY: &str = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
/// What an entry of the queue costs, in wei.
const FEE: u128 = 1_000;

pub(super) struct Chain {
    pub(super) dir: TempDir,
    pub(super) anvil: Anvil,
    pub(super) contract: Address,
    pub(super) operator: Sheaf::SheafInstance<DynProvider>,
    pub(super) timestamp: u32,
    pub(super) block_timestamp: u64,
}

impl Chain {
    /// A chain whose contract has the user's deposit and exit in its queue.
    pub(super) async fn new() -> Self {
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
    pub(super) fn first(&self) -> Case {
        let mut case = case(self.contract, self.timestamp, self.block_timestamp);
        // What the contract had before: nothing of a batch.
        case.previous.as_mut().unwrap().timestamp = 0;
        // The contract does not see these.
        (case.decoded, case.withdrawals_hash) = (None, None);
        case
    }

    /// The contract's name for why it refuses a batch, in snake case.
    pub(super) async fn refusal(&self, batch: &Sheaf::Batch) -> String {
        let from: PrivateKeySigner = OPERATOR.parse().unwrap();
        let answer = self.operator.submit(vec![batch.clone()]).from(from.address()).call().await;
        let Err(error) = answer else { return "accepted".to_owned() };
        let data = error.as_revert_data().unwrap_or_else(|| panic!("no revert: {error}"));
        let name = format!("{:?}", decode_revert(&data).unwrap_or_else(|| panic!("no error of the contract: {data}")));
        snake_case(name.split(['(', ' ', '{']).next().unwrap())
    }

    /// The latest block's number.
    pub(super) async fn head(&self) -> u64 {
        self.operator.provider().get_block_number().await.unwrap()
    }

    /// Runs the command; answers its exit status and what it prints.
    pub(super) async fn verify(&self, arguments: &[&str]) -> (i32, String) {
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
        genesis_root: u256_from_field(genesis()),
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
