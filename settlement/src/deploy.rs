//! Deploys the contract from the committed artifacts.

use crate::l1::{L1, connect};
use alloy::network::{EthereumWallet, TransactionBuilder};
use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::providers::{Provider, ProviderBuilder};
use alloy::rpc::types::{TransactionReceipt, TransactionRequest};
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::{SolCall, SolConstructor};
use anyhow::{Context as _, Result, ensure};
use sheaf_contracts::{Deployment, Sheaf, TestToken};

/// Chains on which development keys may be used: local test chains.
pub const LOCAL_CHAINS: [u64; 2] = [31_337, 1_337];

/// What is to be deployed.
#[derive(Clone, Debug)]
pub struct Request {
    /// JSON-RPC of an L1 node.
    pub rpc_url: String,
    /// The chain that the node must be on.
    pub chain_id: u64,
    /// Pays for the deployment and becomes the contract's admin.
    pub admin: PrivateKeySigner,
    /// Submits batches.
    pub operator: Address,
    /// The root of the state before the first batch.
    pub genesis_root: U256,
    /// What an entry of the queue costs, in wei.
    pub base_fee_wei: u128,
    /// The hash of the keys' ceremony transcript; zero for development keys.
    pub transcript: B256,
    /// What all shapes' keys share.
    pub key: VerifyingKeyWords,
    /// The shapes, the index in this list being a shape's id.
    pub shapes: Vec<ShapeWords>,
    /// ERC-20s to list, in this order.
    pub tokens: Vec<Address>,
    /// Names and symbols of test tokens to deploy and list after those; for local chains only.
    pub test_tokens: Vec<(String, String)>,
}

/// The shared part of the verifying keys; points of G2 in EIP-197's order (x1, x0, y1, y0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyingKeyWords {
    /// A point of G1.
    pub alpha: [U256; 2],
    /// A point of G2.
    pub beta: [U256; 4],
    /// A point of G2.
    pub gamma: [U256; 4],
}

/// A shape's own part of its verifying key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShapeWords {
    /// Operations that a batch of this shape can have.
    pub slots: u16,
    /// A point of G2, in EIP-197's order.
    pub delta: [U256; 4],
    /// Four points of G1, IC0 to IC3.
    pub ic: [U256; 8],
}

/// What was deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployed {
    /// The contract.
    pub contract: Address,
    /// The block in which it was deployed: settlement's `start_block`.
    pub block: u64,
    /// Gas that deploying it used.
    pub gas_used: u64,
    /// The tokens listed, their numbers counting from 1.
    pub tokens: Vec<Address>,
}

/// Deploys the contract, and lists tokens.
///
/// # Errors
/// If the node is on another chain, if development keys or test tokens are not for this chain, or if a transaction fails.
pub async fn deploy(request: &Request) -> Result<Deployed> {
    let local = LOCAL_CHAINS.contains(&request.chain_id);
    ensure!(
        local || !request.transcript.is_zero(),
        "development keys can't be deployed on chain {}: it is no local test chain",
        request.chain_id
    );
    ensure!(local || request.test_tokens.is_empty(), "test tokens can be deployed on local test chains only");
    let chain_id = connect(&request.rpc_url)?.get_chain_id().await.context("the L1 node does not answer")?;
    ensure!(chain_id == request.chain_id, "the L1 node is on chain {chain_id}, not on chain {}", request.chain_id);

    let admin = Admin::new(request)?;
    let receipt = admin.create("the contract", deployment(request).init_code()).await?;
    let contract = receipt.contract_address.context("a deployment has an address")?;
    let mut tokens = request.tokens.clone();
    for (name, symbol) in &request.test_tokens {
        let arguments = TestToken::constructorCall { name: name.clone(), symbol: symbol.clone() }.abi_encode();
        let code = [&TestToken::BYTECODE[..], &arguments].concat();
        let receipt = admin.create("a test token", code.into()).await?;
        tokens.push(receipt.contract_address.context("a deployment has an address")?);
    }
    for erc20 in &tokens {
        let call = Sheaf::listTokenCall { erc20: *erc20 }.abi_encode();
        admin.call("listing a token", contract, call.into()).await?;
    }
    L1 { provider: connect(&request.rpc_url)?, chain_id, contract }.check().await?;
    let block = receipt.block_number.context("a receipt has a block")?;
    Ok(Deployed { contract, block, gas_used: receipt.gas_used, tokens })
}

fn deployment(request: &Request) -> Deployment {
    let VerifyingKeyWords { alpha, beta, gamma } = request.key;
    let shape = |s: &ShapeWords| Sheaf::Shape { slots: s.slots, delta: s.delta, ic: s.ic };
    Deployment {
        admin: request.admin.address(),
        operator: request.operator,
        genesis_root: request.genesis_root,
        base_fee_wei: request.base_fee_wei,
        transcript: request.transcript,
        key: Sheaf::VerifyingKey { alpha, beta, gamma },
        shapes: request.shapes.iter().map(shape).collect(),
    }
}

/// The admin's hand on L1.
struct Admin<P> {
    provider: P,
}

impl Admin<()> {
    fn new(request: &Request) -> Result<Admin<impl Provider>> {
        let wallet = EthereumWallet::from(request.admin.clone());
        let provider = ProviderBuilder::new().wallet(wallet).connect_http(request.rpc_url.parse()?);
        Ok(Admin { provider })
    }
}

impl<P: Provider> Admin<P> {
    async fn create(&self, what: &str, code: Bytes) -> Result<TransactionReceipt> {
        self.send(what, TransactionRequest::default().with_deploy_code(code)).await
    }

    async fn call(&self, what: &str, to: Address, input: Bytes) -> Result<TransactionReceipt> {
        self.send(what, TransactionRequest::default().with_to(to).with_input(input)).await
    }

    async fn send(&self, what: &str, request: TransactionRequest) -> Result<TransactionReceipt> {
        let sent = self.provider.send_transaction(request).await;
        let pending = sent.map_err(|error| crate::Error::from_call(what, &error)).with_context(|| what.to_owned())?;
        let receipt = pending.get_receipt().await.with_context(|| format!("waiting for {what}"))?;
        ensure!(receipt.status(), "{what} failed in transaction {}", receipt.transaction_hash);
        Ok(receipt)
    }
}
