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
use sheaf_core::l1::is_local_chain;

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
/// As [`create`] and [`list_tokens`].
pub async fn deploy(request: &Request) -> Result<Deployed> {
    let mut deployed = create(request).await?;
    deployed.tokens = list_tokens(request, deployed.contract, |_| Ok(())).await?;
    Ok(deployed)
}

/// Deploys the contract, without tokens.
///
/// # Errors
/// If the node is on another chain, if development keys or test tokens are not for this chain, or if the transaction fails.
pub async fn create(request: &Request) -> Result<Deployed> {
    let local = is_local_chain(request.chain_id);
    ensure!(
        local || !request.transcript.is_zero(),
        "development keys can't be deployed on chain {}: it is no local test chain",
        request.chain_id
    );
    ensure!(local || request.test_tokens.is_empty(), "test tokens can be deployed on local test chains only");
    check_chain(request).await?;
    let receipt = Admin::new(request)?.create("the contract", deployment(request).init_code()).await?;
    Ok(Deployed {
        contract: receipt.contract_address.context("a deployment has an address")?,
        block: receipt.block_number.context("a receipt has a block")?,
        gas_used: receipt.gas_used,
        tokens: Vec::new(),
    })
}

/// Lists the tokens that are not listed yet, and answers all that are, in order of their numbers from 1. After each one
/// `listed` is told all so far.
///
/// Test tokens have no address to be known by: as many are taken for listed as the contract has tokens beyond those of
/// `request.tokens`.
///
/// # Errors
/// If the node is on another chain or has not the contract, if a transaction fails, or if `listed` does.
pub async fn list_tokens(
    request: &Request,
    contract: Address,
    mut listed: impl FnMut(&[Address]) -> Result<()>,
) -> Result<Vec<Address>> {
    check_chain(request).await?;
    L1 { provider: connect(&request.rpc_url)?, chain_id: request.chain_id, contract }.check().await?;
    let admin = Admin::new(request)?;
    let sheaf = Sheaf::new(contract, &admin.provider);
    let mut tokens = Vec::new();
    for number in 1..sheaf.tokenCount().call().await? {
        tokens.push(sheaf.tokens(number).call().await?);
    }
    let test_tokens = tokens.iter().filter(|token| !request.tokens.contains(token)).count();
    for erc20 in &request.tokens {
        if !tokens.contains(erc20) {
            admin.list(contract, *erc20).await?;
            tokens.push(*erc20);
            listed(&tokens)?;
        }
    }
    for (name, symbol) in request.test_tokens.iter().skip(test_tokens) {
        let arguments = TestToken::constructorCall { name: name.clone(), symbol: symbol.clone() }.abi_encode();
        let code = [&TestToken::BYTECODE[..], &arguments].concat();
        let receipt = admin.create("a test token", code.into()).await?;
        let erc20 = receipt.contract_address.context("a deployment has an address")?;
        admin.list(contract, erc20).await?;
        tokens.push(erc20);
        listed(&tokens)?;
    }
    Ok(tokens)
}

async fn check_chain(request: &Request) -> Result<()> {
    let chain_id = connect(&request.rpc_url)?.get_chain_id().await.context("the L1 node does not answer")?;
    ensure!(chain_id == request.chain_id, "the L1 node is on chain {chain_id}, not on chain {}", request.chain_id);
    Ok(())
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

    async fn list(&self, contract: Address, erc20: Address) -> Result<TransactionReceipt> {
        let call = Sheaf::listTokenCall { erc20 }.abi_encode();
        self.send("listing a token", TransactionRequest::default().with_to(contract).with_input(call)).await
    }

    async fn send(&self, what: &str, request: TransactionRequest) -> Result<TransactionReceipt> {
        let sent = self.provider.send_transaction(request).await;
        let pending = sent.map_err(|error| crate::Error::from_call(what, &error)).with_context(|| what.to_owned())?;
        let hash = *pending.tx_hash();
        let receipt = pending.get_receipt().await.with_context(|| format!("waiting for {what} in transaction {hash}"))?;
        ensure!(receipt.status(), "{what} failed in transaction {}", receipt.transaction_hash);
        Ok(receipt)
    }
}
