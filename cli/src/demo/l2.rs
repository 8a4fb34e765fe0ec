//! The scenario's hand on L2: the HTTP API, and patience.

use super::tally::Token;
use crate::verify::case::BatchJson;
use alloy::primitives::B256;
use anyhow::{Context as _, Result, bail};
use sheaf_api::client::{Client, ClientError};
use sheaf_api::model::{Batch, Info, L1Operation, MinimumFee, Status};
use sheaf_contracts::Sheaf;
use sheaf_core::F;
use sheaf_core::json::{TransactionJson, field};
use sheaf_core::transaction::{Pair, Transaction};
use std::time::{Duration, Instant};

/// How often something that is awaited is looked at.
const POLL: Duration = Duration::from_millis(250);

/// The API, and what it said when the scenario began.
#[derive(Clone, Debug)]
pub struct L2 {
    /// The API.
    pub client: Client,
    /// What is signed for.
    pub domain: F,
    /// All that a wallet needs to know.
    pub info: Info,
}

impl L2 {
    /// Asks the API what a wallet has to know, once so many tokens are listed.
    ///
    /// # Errors
    /// If it does not answer, or they are not listed within `limit`.
    pub async fn connect(url: &str, tokens: usize, limit: Duration) -> Result<Self> {
        let client = Client::new(url);
        let info = wait_for("the tokens to be listed", limit, async || {
            let info = client.info().await?;
            Ok((info.tokens.len() >= tokens).then_some(info))
        })
        .await?;
        Ok(Self { client, domain: field(&info.domain, "domain")?, info })
    }

    /// The least fees in a token.
    ///
    /// # Errors
    /// If the API names none.
    pub fn minimum_fee(&self, token: Token) -> Result<&MinimumFee> {
        self.info.minimum_fees.iter().find(|f| f.token == token).context("no minimum fee for a listed token")
    }

    /// When a transaction that is signed now should expire, unix seconds.
    pub fn expires(&self) -> u32 {
        const HOUR_SECONDS: u32 = 3600;
        self.info.batch.timestamp + HOUR_SECONDS
    }

    /// Sends a transaction and waits until it is executed.
    ///
    /// # Errors
    /// If it is refused.
    pub async fn submit(&self, transaction: &Transaction) -> Result<()> {
        let answer = self.client.submit(&TransactionJson::from(transaction)).await?;
        anyhow::ensure!(answer.status == Status::Executed, "a transaction was answered {}", answer.status.as_str());
        Ok(())
    }

    /// Sends a transaction that must be refused; answers the code with which it is.
    ///
    /// # Errors
    /// If it is taken, or the API does not answer.
    pub async fn submit_refused(&self, transaction: &Transaction) -> Result<String> {
        match self.client.submit(&TransactionJson::from(transaction)).await {
            Err(ClientError::Refused { body, .. }) => Ok(body.code),
            Err(error) => Err(error.into()),
            Ok(answer) => bail!("the transaction was answered {}", answer.status.as_str()),
        }
    }

    /// What a pair holds of a token, over all of its accounts.
    ///
    /// # Errors
    /// If the API does not answer.
    pub async fn balance(&self, pair: Pair, token: Token) -> Result<u128> {
        let accounts = self.client.accounts(Some(pair.owner), Some(pair.key_hash)).await?;
        Ok(accounts.iter().map(|a| a.balance(token)).sum())
    }

    /// The queue entry of an L1 transaction, once it has been executed on L2.
    ///
    /// # Errors
    /// If that takes longer than `limit`.
    pub async fn executed_l1_operation(&self, hash: B256, limit: Duration) -> Result<L1Operation> {
        wait_for(&format!("L1 transaction {hash} to be executed"), limit, async || match self.client.l1_operations(hash).await {
            Ok(found) => Ok(found.operations.into_iter().find(|o| o.status >= Status::Executed)),
            Err(ClientError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error.into()),
        })
        .await
    }

    /// A batch with its proof, once that exists.
    ///
    /// # Errors
    /// If that takes longer than `limit`.
    pub async fn proven_batch(&self, number: u64, limit: Duration) -> Result<Batch> {
        wait_for(&format!("the proof of batch {number}"), limit, async || match self.client.batch(number).await {
            Ok(batch) => Ok(batch.proof.is_some().then_some(batch)),
            Err(ClientError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error.into()),
        })
        .await
    }
}

/// Asks until there is an answer.
///
/// # Errors
/// After `limit`, or when asking fails.
pub async fn wait_for<T>(what: &str, limit: Duration, ask: impl AsyncFn() -> Result<Option<T>>) -> Result<T> {
    let since = Instant::now();
    loop {
        if let Some(answer) = ask().await.with_context(|| format!("waiting for {what}"))? {
            return Ok(answer);
        }
        if since.elapsed() > limit {
            bail!("waited {} s for {what}", limit.as_secs());
        }
        tokio::time::sleep(POLL).await;
    }
}

/// A batch of the API as the contract takes it.
///
/// # Errors
/// If it lacks a part or has one of the wrong form.
pub fn contract_batch(batch: &Batch) -> Result<Sheaf::Batch> {
    BatchJson::of_api(batch)?.to_contract()
}
