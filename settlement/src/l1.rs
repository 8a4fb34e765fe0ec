//! What is read from L1.

use crate::Result;
use crate::error::Error;
use alloy::consensus::Transaction as _;
use alloy::eips::BlockNumberOrTag;
use alloy::primitives::{Address, B256, U256};
use alloy::providers::{DynProvider, Provider, ProviderBuilder};
use alloy::rpc::types::Filter;
use alloy::sol_types::{SolCall, SolEventInterface};
use alloy::transports::http::reqwest;
use anyhow::Context as _;
use sheaf_contracts::{Sheaf, TestToken};
use std::time::Duration;

/// How long a node may take for one answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);
/// Letters that are kept of a token's symbol.
const SYMBOL_LETTERS_MAX: usize = 32;

/// Connects to a node. Nothing is sent yet, so this works while the node is down.
///
/// # Errors
/// If the URL is none.
pub fn connect(rpc_url: &str) -> anyhow::Result<DynProvider> {
    let url = rpc_url.parse().with_context(|| format!("{rpc_url:?} is no URL"))?;
    let client = reqwest::Client::builder().timeout(ANSWER_LIMIT).build()?;
    Ok(ProviderBuilder::new().disable_recommended_fillers().connect_reqwest(client, url).erased())
}

/// A contract on a chain.
#[derive(Clone, Debug)]
pub struct L1 {
    /// The node.
    pub provider: DynProvider,
    /// The chain's id.
    pub chain_id: u64,
    /// The contract.
    pub contract: Address,
}

/// An event of the contract.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its block.
    pub block: u64,
    /// Its transaction.
    pub transaction: B256,
    /// What happened.
    pub what: Sheaf::SheafEvents,
}

/// A block's number and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
}

/// What is used of a block's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The block's hash.
    pub hash: B256,
    /// Its time, unix seconds.
    pub timestamp: u64,
}

/// How far the contract is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Number of the last accepted batch.
    pub batch: u64,
    /// The root after it.
    pub root: U256,
}

/// What an ERC-20 says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenInfo {
    /// Its short name.
    pub symbol: String,
    /// Digits after the point of one whole token.
    pub decimals: u8,
}

impl L1 {
    fn sheaf(&self) -> Sheaf::SheafInstance<DynProvider> {
        Sheaf::new(self.contract, self.provider.clone())
    }

    /// Makes sure that the node is on the right chain and that the contract is there.
    ///
    /// # Errors
    /// [`Error::WrongChain`], [`Error::NoContract`] or [`Error::L1`].
    pub async fn check(&self) -> Result<()> {
        let found = self.provider.get_chain_id().await?;
        if found != self.chain_id {
            return Err(Error::WrongChain { expected: self.chain_id, found });
        }
        if self.provider.get_code_at(self.contract).await?.is_empty() {
            return Err(Error::NoContract(self.contract));
        }
        Ok(())
    }

    /// The latest block.
    ///
    /// # Errors
    /// [`Error::L1`].
    pub async fn head(&self) -> Result<Block> {
        let block = self.provider.get_block_by_number(BlockNumberOrTag::Latest).await?;
        let header = block.ok_or_else(|| Error::L1("it has no latest block".to_owned()))?.header;
        Ok(Block { number: header.number, hash: header.hash })
    }

    /// The hash of a block, if the node has the block.
    ///
    /// # Errors
    /// [`Error::L1`].
    pub async fn block_hash(&self, number: u64) -> Result<Option<B256>> {
        Ok(self.header(number).await?.map(|header| header.hash))
    }

    /// The header of a block, if the node has the block.
    ///
    /// # Errors
    /// [`Error::L1`].
    pub async fn header(&self, number: u64) -> Result<Option<Header>> {
        let block = self.provider.get_block_by_number(number.into()).await?;
        Ok(block.map(|block| Header { hash: block.header.hash, timestamp: block.header.timestamp }))
    }

    /// The contract's events in these blocks, in their order.
    ///
    /// # Errors
    /// [`Error::L1`], also for an event that is none of the contract's.
    pub async fn events(&self, first: u64, last: u64) -> Result<Vec<Event>> {
        let filter = Filter::new().address(self.contract).from_block(first).to_block(last);
        let mut logs = self.provider.get_logs(&filter).await?;
        logs.retain(|log| !log.removed);
        logs.sort_by_key(|log| (log.block_number, log.log_index));
        let incomplete = || Error::L1("it sent an event without its place".to_owned());
        logs.iter()
            .map(|log| {
                let what =
                    Sheaf::SheafEvents::decode_log(&log.inner).map_err(|e| Error::L1(format!("an unknown event: {e}")))?.data;
                let (block, transaction) = log.block_number.zip(log.transaction_hash).ok_or_else(incomplete)?;
                Ok(Event { block, transaction, what })
            })
            .collect()
    }

    /// How far the contract is at the latest block.
    ///
    /// # Errors
    /// [`Error::L1`].
    pub async fn progress(&self) -> Result<Progress> {
        // Both from one block, else a batch accepted in between makes them disagree.
        let head = self.head().await?;
        let sheaf = self.sheaf();
        let batch = sheaf.batchNumber().block(head.number.into()).call().await?;
        let root = sheaf.root().block(head.number.into()).call().await?;
        Ok(Progress { batch, root })
    }

    /// What a unit of gas costs now, wei.
    ///
    /// # Errors
    /// [`Error::L1`].
    pub async fn gas_price(&self) -> Result<u128> {
        Ok(self.provider.get_gas_price().await?)
    }

    /// The hash over what a batch's withdrawals still have to be credited; zero when none has to.
    ///
    /// # Errors
    /// [`Error::L1`].
    pub async fn withdrawals_hash(&self, batch: u64) -> Result<B256> {
        Ok(self.sheaf().withdrawalsHash(batch).call().await?)
    }

    /// What the contract would pay out to an owner of a token, in its smallest unit.
    ///
    /// # Errors
    /// [`Error::L1`].
    pub async fn claimable(&self, owner: Address, token: u8) -> Result<u128> {
        Ok(self.sheaf().claimable(owner, token).call().await?)
    }

    /// The batches that a transaction submitted, in their order.
    ///
    /// # Errors
    /// [`Error::L1`], also if the transaction is no submission.
    pub async fn submission(&self, transaction: B256) -> Result<Vec<Sheaf::Batch>> {
        let found = self.provider.get_transaction_by_hash(transaction).await?;
        let found = found.ok_or_else(|| Error::L1(format!("it does not know transaction {transaction}")))?;
        let call = Sheaf::submitCall::abi_decode(found.input());
        Ok(call.map_err(|error| Error::L1(format!("transaction {transaction} submits no batch: {error}")))?.batches)
    }

    /// What a token says of itself. One that says nothing is shown by its address, in its smallest unit.
    ///
    /// # Errors
    /// [`Error::L1`].
    pub async fn token_info(&self, erc20: Address) -> Result<TokenInfo> {
        let token = TestToken::new(erc20, self.provider.clone());
        let symbol = answered(token.symbol().call().await)?;
        let symbol = symbol.map(|s| s.chars().filter(|c| !c.is_control()).take(SYMBOL_LETTERS_MAX).collect::<String>());
        let symbol = symbol.filter(|s| !s.is_empty()).unwrap_or_else(|| erc20.to_string());
        let decimals = answered(token.decimals().call().await)?.unwrap_or(0);
        Ok(TokenInfo { symbol, decimals })
    }
}

/// Tells a contract that has no good answer (`None`) from a node that fails.
fn answered<T>(answer: std::result::Result<T, alloy::contract::Error>) -> Result<Option<T>> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(alloy::contract::Error::TransportError(error)) if error.as_error_resp().is_none() => Err(error.into()),
        Err(_) => Ok(None),
    }
}
