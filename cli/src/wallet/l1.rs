//! The wallet's hand on L1: sends the contract's calls with the wallet's own key, and reads what is there.

use super::WalletError;
use alloy::contract::{CallBuilder, CallDecoder};
use alloy::network::EthereumWallet;
use alloy::primitives::{Address, B256, U256};
use alloy::providers::{DynProvider, PendingTransactionError, Provider, ProviderBuilder};
use alloy::signers::local::PrivateKeySigner;
use sheaf_contracts::Sheaf::{SheafErrors, SheafInstance};
use sheaf_contracts::{Sheaf, owner_word};
use sheaf_core::F;
use sheaf_core::transaction::Pair;
use sheaf_core::types::u256_from_field;
use std::time::{Duration, Instant};

/// How long a transaction may take to get into a block.
const RECEIPT_TIMEOUT: Duration = Duration::from_secs(600);
/// How often the node is asked for it.
const RECEIPT_POLL: Duration = Duration::from_millis(500);

alloy::sol! {
    /// What the wallet uses of a token's contract.
    #[sol(rpc)]
    interface Erc20 {
        function balanceOf(address owner) external view returns (uint256);
        function allowance(address owner, address spender) external view returns (uint256);
        function approve(address spender, uint256 amount) external returns (bool);
    }
}

/// An L1 node, the contract on it, and a key that pays.
#[derive(Clone, Debug)]
pub struct L1 {
    provider: DynProvider,
    sheaf: SheafInstance<DynProvider>,
    sender: Address,
}

impl L1 {
    /// Connects to a node.
    ///
    /// # Errors
    /// [`WalletError::WrongChain`], or [`WalletError::L1`] if it does not answer.
    pub async fn connect(url: &str, chain_id: u64, contract: Address, signer: PrivateKeySigner) -> Result<Self, WalletError> {
        let parsed = url.parse().map_err(|error| WalletError::L1(format!("{url:?} is no URL: {error}")))?;
        let sender = signer.address();
        let provider = ProviderBuilder::new().wallet(EthereumWallet::from(signer)).connect_http(parsed).erased();
        let found = provider.get_chain_id().await.map_err(|_| WalletError::L1(format!("no node answers at {url}")))?;
        if found != chain_id {
            return Err(WalletError::WrongChain { expected: chain_id, found });
        }
        Ok(Self { sheaf: Sheaf::new(contract, provider.clone()), provider, sender })
    }

    /// Puts an amount of a token, in its smallest unit, into the queue for a pair; lets the contract take an
    /// ERC-20 first if it may not yet. Returns the transaction's hash once it is in a block.
    ///
    /// # Errors
    /// [`WalletError`].
    pub async fn deposit(&self, token: u8, erc20: Address, amount: u128, to: Pair) -> Result<B256, WalletError> {
        let mut value = self.queue_fee().await?;
        if token == 0 {
            value += U256::from(amount);
        } else {
            self.approve(erc20, amount).await?;
        }
        let call = self.sheaf.deposit(token, amount, owner_word(to.owner), u256_from_field(to.key_hash)).value(value);
        self.send(call).await
    }

    /// Lets the contract take `amount` of an ERC-20, if it may not yet.
    async fn approve(&self, erc20: Address, amount: u128) -> Result<(), WalletError> {
        let token = Erc20::new(erc20, self.provider.clone());
        let (contract, amount) = (*self.sheaf.address(), U256::from(amount));
        if token.allowance(self.sender, contract).call().await.map_err(refused)? < amount {
            self.send(token.approve(contract, amount)).await?;
        }
        Ok(())
    }

    /// Asks for another key of an account that the wallet owns.
    ///
    /// # Errors
    /// [`WalletError`].
    pub async fn set_key(&self, account: u32, key_hash: F) -> Result<B256, WalletError> {
        let account = account.try_into().map_err(|_| WalletError::L1("an account's index is below 2^24".to_owned()))?;
        let fee = self.queue_fee().await?;
        self.send(self.sheaf.setKey(account, u256_from_field(key_hash)).value(fee)).await
    }

    /// Asks for the whole balance of a token of an account that the wallet owns.
    ///
    /// # Errors
    /// [`WalletError`].
    pub async fn request_exit(&self, account: u32, token: u8) -> Result<B256, WalletError> {
        let account = account.try_into().map_err(|_| WalletError::L1("an account's index is below 2^24".to_owned()))?;
        let fee = self.queue_fee().await?;
        self.send(self.sheaf.requestExit(account, token).value(fee)).await
    }

    /// Pays out what `owner` may claim; to another address only what is the wallet's own.
    ///
    /// # Errors
    /// [`WalletError`].
    pub async fn claim(&self, owner: Address, token: u8, to: Option<Address>) -> Result<B256, WalletError> {
        match to {
            Some(to) => self.send(self.sheaf.claimTo(token, to)).await,
            None => self.send(self.sheaf.claim(owner, token)).await,
        }
    }

    /// What `owner` may claim of a token.
    ///
    /// # Errors
    /// [`WalletError`].
    pub async fn claimable(&self, owner: Address, token: u8) -> Result<u128, WalletError> {
        self.sheaf.claimable(owner, token).call().await.map_err(refused)
    }

    /// What `owner` holds of a token on L1.
    ///
    /// # Errors
    /// [`WalletError`].
    pub async fn balance(&self, owner: Address, token: u8, erc20: Address) -> Result<U256, WalletError> {
        if token == 0 {
            return self.provider.get_balance(owner).await.map_err(|error| WalletError::L1(error.to_string()));
        }
        Erc20::new(erc20, self.provider.clone()).balanceOf(owner).call().await.map_err(refused)
    }

    /// What an entry of the queue costs now, in wei.
    ///
    /// # Errors
    /// [`WalletError`].
    pub async fn queue_fee(&self) -> Result<U256, WalletError> {
        self.sheaf.queueFee().call().await.map(U256::from).map_err(refused)
    }

    /// Sends a call, and waits until it is in a block and has succeeded.
    async fn send<D: CallDecoder>(&self, call: CallBuilder<&DynProvider, D>) -> Result<B256, WalletError> {
        let hash = *call.send().await.map_err(refused)?.tx_hash();
        let since = Instant::now();
        while since.elapsed() < RECEIPT_TIMEOUT {
            let receipt = self.provider.get_transaction_receipt(hash).await;
            match receipt.map_err(|error| WalletError::L1(error.to_string()))? {
                Some(receipt) if receipt.status() => return Ok(hash),
                Some(_) => return Err(WalletError::Reverted(format!("transaction {hash} failed"))),
                None => tokio::time::sleep(RECEIPT_POLL).await,
            }
        }
        Err(WalletError::Timeout(format!("L1 transaction {hash} is in no block after {} s", RECEIPT_TIMEOUT.as_secs())))
    }
}

/// Names the contract's error if it is one.
fn refused(error: alloy::contract::Error) -> WalletError {
    if let Some(named) = error.as_decoded_interface_error::<SheafErrors>() {
        return WalletError::Reverted(format!("{named:?}"));
    }
    match error {
        alloy::contract::Error::PendingTransactionError(PendingTransactionError::TransportError(error))
        | alloy::contract::Error::TransportError(error) => {
            let message = error.as_error_resp().map(|payload| payload.message.to_string());
            WalletError::L1(message.unwrap_or_else(|| error.to_string()))
        }
        other => WalletError::L1(other.to_string()),
    }
}
