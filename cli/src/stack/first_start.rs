//! What happens once in a data directory's life: the contract is deployed.

use super::keys::{BANK_KEY, KeyFiles, write_private};
use crate::deploy;
use crate::keys::Development;
use alloy::network::{EthereumWallet, TransactionBuilder};
use alloy::primitives::{Address, B256, U256};
use alloy::providers::{Provider, ProviderBuilder};
use alloy::rpc::types::TransactionRequest;
use alloy::signers::local::PrivateKeySigner;
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use sheaf_devkit::anvil::CHAIN_ID;
use std::path::Path;

/// What each of the stack's L1 keys gets to pay its gas with, in wei.
const GAS_MONEY_WEI: u128 = 100_000_000_000_000_000_000;
/// What an entry of the queue costs, in wei.
const QUEUE_FEE_WEI: u128 = 10_000_000_000_000;
/// The test token.
const TOKEN: (&str, &str) = ("Test Token", "TST");

/// What was deployed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deployment {
    /// Sheaf's contract.
    pub contract: Address,
    /// The block in which it was deployed.
    pub block: u64,
    /// The transaction that deployed it.
    pub creation_tx: B256,
    /// Gas of that.
    pub gas: u64,
    /// The ERC-20 test token, number 1 on L2.
    pub erc20: Address,
}

impl Deployment {
    /// Reads what was deployed before, and makes sure that L1 still has it; or deploys.
    ///
    /// # Errors
    /// If L1 refuses, or has lost the contract.
    pub(super) async fn load_or_make(dir: &Path, rpc_url: &str, keys: &Development, files: &KeyFiles) -> Result<Self> {
        let path = dir.join("deployment.json");
        let l1 = ProviderBuilder::new().connect_http(rpc_url.parse()?);
        if !path.exists() {
            let made = Self::make(rpc_url, keys, files).await?;
            write_private(&path, &serde_json::to_vec_pretty(&made)?)?;
            return Ok(made);
        }
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let made: Self = serde_json::from_str(&text).with_context(|| format!("in {}", path.display()))?;
        if l1.get_code_at(made.contract).await?.is_empty() {
            bail!("L1 has lost the contract (it was not stopped cleanly): remove {} to begin anew", dir.display());
        }
        Ok(made)
    }

    async fn make(rpc_url: &str, keys: &Development, files: &KeyFiles) -> Result<Self> {
        let signers = [&files.admin, &files.operator, &files.creditor].map(|file| sheaf_settlement::read_key(file));
        let [admin, operator, creditor] = signers;
        let (admin, operator, creditor) = (admin?, operator?, creditor?);
        fund(rpc_url, [&admin, &operator, &creditor].map(PrivateKeySigner::address)).await?;
        let mut request = deploy::request(rpc_url, CHAIN_ID, admin, operator.address(), QUEUE_FEE_WEI, keys.words);
        request.test_tokens = vec![(TOKEN.0.to_owned(), TOKEN.1.to_owned())];
        let deployed = sheaf_settlement::deploy::deploy(&request).await?;
        let erc20 = *deployed.tokens.first().context("the test token was not deployed")?;
        let creation_tx = creation(rpc_url, deployed.block, deployed.contract).await?;
        Ok(Self { contract: deployed.contract, block: deployed.block, creation_tx, gas: deployed.gas_used, erc20 })
    }
}

/// Pays gas money from an account that the node funds.
async fn fund(rpc_url: &str, addresses: [Address; 3]) -> Result<()> {
    let bank: PrivateKeySigner = BANK_KEY.parse()?;
    let l1 = ProviderBuilder::new().wallet(EthereumWallet::from(bank)).connect_http(rpc_url.parse()?);
    let mut sent = Vec::new();
    for to in addresses {
        let request = TransactionRequest::default().with_to(to).with_value(U256::from(GAS_MONEY_WEI));
        sent.push(l1.send_transaction(request).await?);
    }
    for pending in sent {
        ensure!(pending.get_receipt().await?.status(), "L1 refused a payment of gas money");
    }
    Ok(())
}

/// Finds the transaction that deployed the contract.
async fn creation(rpc_url: &str, block: u64, contract: Address) -> Result<B256> {
    let l1 = ProviderBuilder::new().connect_http(rpc_url.parse()?);
    let receipts = l1.get_block_receipts(block.into()).await?.context("the contract's block is missing")?;
    let found = receipts.iter().find(|r| r.contract_address == Some(contract));
    Ok(found.context("the contract's transaction is missing")?.transaction_hash)
}
