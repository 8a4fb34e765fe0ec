//! The scenario's hand on L1: signs transactions with keys of its own, and reads receipts and balances.

use alloy::eips::eip2718::Encodable2718;
use alloy::network::{EthereumWallet, NetworkTransactionBuilder, TransactionBuilder};
use alloy::primitives::{Address, B256, Bytes, TxKind, U256};
use alloy::providers::{DynProvider, Provider, ProviderBuilder};
use alloy::rpc::types::{TransactionInput, TransactionReceipt, TransactionRequest};
use alloy::signers::local::PrivateKeySigner;
use alloy::sol_types::SolCall;
use anyhow::{Context, Result, bail};
use sheaf_contracts::{Sheaf, TestToken};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long the scenario waits for one of its transactions.
const RECEIPT_TIMEOUT: Duration = Duration::from_secs(60);
/// How often it asks.
const RECEIPT_POLL: Duration = Duration::from_millis(200);
/// What the scenario offers for gas: far above a development chain's price, so that nothing waits.
const MAX_FEE_PER_GAS_WEI: u128 = 50_000_000_000;
/// Its tip.
const PRIORITY_FEE_PER_GAS_WEI: u128 = 1_000_000_000;

/// A development chain and the contracts on it.
#[derive(Clone, Debug)]
pub struct L1 {
    /// The node.
    pub provider: DynProvider,
    /// The chain's id.
    pub chain_id: u64,
    /// Sheaf's contract.
    pub contract: Address,
    /// The ERC-20 that the scenario uses, and its number on L2.
    pub erc20: Address,
}

/// An L1 key and the nonce of its next transaction.
#[derive(Debug)]
pub struct Key {
    signer: PrivateKeySigner,
    nonce: AtomicU64,
}

impl Key {
    /// A fresh key, that never sent anything.
    pub fn random() -> Self {
        Self { signer: PrivateKeySigner::random(), nonce: AtomicU64::new(0) }
    }

    /// A key that may have sent transactions before.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn existing(signer: PrivateKeySigner, l1: &L1) -> Result<Self> {
        let nonce = l1.provider.get_transaction_count(signer.address()).await?;
        Ok(Self { signer, nonce: AtomicU64::new(nonce) })
    }

    /// Asks L1 for the next nonce again: another process has sent from the same key.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn refresh(&self, l1: &L1) -> Result<()> {
        self.nonce.store(l1.provider.get_transaction_count(self.address()).await?, Ordering::SeqCst);
        Ok(())
    }

    /// Its address.
    pub fn address(&self) -> Address {
        self.signer.address()
    }
}

/// A transaction to be sent.
#[derive(Clone, Debug)]
pub struct Call {
    to: Address,
    input: Bytes,
    value_wei: u128,
    gas_limit: u64,
}

impl Call {
    /// A plain payment of ETH.
    pub fn pay(to: Address, value_wei: u128) -> Self {
        Self { to, input: Bytes::new(), value_wei, gas_limit: 21_000 }
    }

    /// A call of a contract.
    pub fn new(to: Address, call: &impl SolCall, value_wei: u128, gas_limit: u64) -> Self {
        Self { to, input: call.abi_encode().into(), value_wei, gas_limit }
    }

    /// The same, as a request that a node can simulate.
    pub fn request(&self, from: Address) -> TransactionRequest {
        TransactionRequest {
            from: Some(from),
            to: Some(TxKind::Call(self.to)),
            input: TransactionInput::new(self.input.clone()),
            value: Some(U256::from(self.value_wei)),
            gas: Some(self.gas_limit),
            ..Default::default()
        }
    }
}

impl L1 {
    /// Connects to the node at `url`.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn connect(url: &str, contract: Address, erc20: Address) -> Result<Self> {
        let provider = ProviderBuilder::new().disable_recommended_fillers().connect_http(url.parse()?).erased();
        let chain_id = provider.get_chain_id().await.context("the L1 node does not answer")?;
        Ok(Self { provider, chain_id, contract, erc20 })
    }

    /// The contract's typed view.
    pub fn sheaf(&self) -> Sheaf::SheafInstance<DynProvider> {
        Sheaf::new(self.contract, self.provider.clone())
    }

    /// The token's typed view.
    pub fn token(&self) -> TestToken::TestTokenInstance<DynProvider> {
        TestToken::new(self.erc20, self.provider.clone())
    }

    /// Signs and sends; answers the transaction's hash without waiting for a block.
    ///
    /// # Errors
    /// If the node refuses it.
    pub async fn send(&self, key: &Key, call: &Call) -> Result<B256> {
        let nonce = key.nonce.fetch_add(1, Ordering::SeqCst);
        let request = call
            .request(key.address())
            .with_chain_id(self.chain_id)
            .with_nonce(nonce)
            .with_max_fee_per_gas(MAX_FEE_PER_GAS_WEI)
            .with_max_priority_fee_per_gas(PRIORITY_FEE_PER_GAS_WEI);
        let envelope = request.build(&EthereumWallet::from(key.signer.clone())).await?;
        let pending = self.provider.send_raw_transaction(&envelope.encoded_2718()).await?;
        Ok(*pending.tx_hash())
    }

    /// Waits until a transaction is in a block, whether it succeeded or not.
    ///
    /// # Errors
    /// After a minute.
    pub async fn receipt(&self, hash: B256) -> Result<TransactionReceipt> {
        let since = Instant::now();
        while since.elapsed() < RECEIPT_TIMEOUT {
            if let Some(receipt) = self.provider.get_transaction_receipt(hash).await? {
                return Ok(receipt);
            }
            tokio::time::sleep(RECEIPT_POLL).await;
        }
        bail!("L1 transaction {hash} is in no block after {} s", RECEIPT_TIMEOUT.as_secs())
    }

    /// What an address holds of a token on L1.
    ///
    /// # Errors
    /// If the node does not answer, or the balance is no 128-bit number.
    pub async fn balance(&self, who: Address, token: super::tally::Token) -> Result<u128> {
        let balance = match token {
            super::tally::ETH => self.provider.get_balance(who).await?,
            _ => self.token().balanceOf(who).call().await?,
        };
        u128::try_from(balance).context("a balance above 128 bits")
    }

    /// What an address may claim of a token.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn claimable(&self, who: Address, token: super::tally::Token) -> Result<u128> {
        Ok(self.sheaf().claimable(who, token).call().await?)
    }

    /// Simulates a call, and names the contract's error if it reverts.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn refusal(&self, from: Address, call: &Call) -> Result<Option<String>> {
        match self.provider.call(call.request(from)).await {
            Ok(_) => Ok(None),
            Err(error) => {
                let Some(payload) = error.as_error_resp() else { bail!("the L1 node does not answer: {error}") };
                let data = payload.as_revert_data().unwrap_or_default();
                let named = sheaf_contracts::decode_revert(&data).map(|e| error_name(&format!("{e:?}")));
                Ok(Some(named.unwrap_or_else(|| payload.message.to_string())))
            }
        }
    }
}

/// The gas of a transaction in wei.
pub fn gas_wei(receipt: &TransactionReceipt) -> u128 {
    u128::from(receipt.gas_used) * receipt.effective_gas_price
}

/// `InvalidProof` out of `InvalidProof(InvalidProof)`: the name of the variant.
fn error_name(debug: &str) -> String {
    debug.split(['(', ' ', '{']).next().unwrap_or(debug).to_owned()
}
