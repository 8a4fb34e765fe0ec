//! The typed client of this API, for the wallet and other programs in Rust.

use crate::error::ErrorBody;
use crate::model::{
    Account, Accounts, Batch, Batches, Health, Info, L1Operations, SubmitResults, Submitted, Tokens, Transaction, Withdrawal,
    Withdrawals,
};
use alloy_primitives::{Address, B256};
use reqwest::{RequestBuilder, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sheaf_core::F;
use sheaf_core::json::{TransactionJson, address_to_hex, field_to_hex};
use std::time::Duration;

/// How long a request may take. A submission waits for its block, which takes milliseconds.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Talks to one API.
#[derive(Clone, Debug)]
pub struct Client {
    base: String,
    http: reqwest::Client,
}

/// Why a request did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The API refused it.
    #[error("{} ({})", body.message, body.code)]
    Refused {
        /// HTTP status.
        status: u16,
        /// Code and message.
        body: ErrorBody,
    },
    /// The API can't be reached, or what answers is not the API.
    #[error("the API at {base} can't be reached: {cause}")]
    Unreachable {
        /// Its URL.
        base: String,
        /// What happened.
        cause: String,
    },
}

impl ClientError {
    /// The stable code: the API's, or `unreachable`.
    pub fn code(&self) -> &str {
        match self {
            Self::Refused { body, .. } => &body.code,
            Self::Unreachable { .. } => "unreachable",
        }
    }
}

type Result<T> = std::result::Result<T, ClientError>;

impl Client {
    /// A client of the API at a base URL such as `http://127.0.0.1:8080`.
    ///
    /// # Panics
    /// If the system allows no HTTP client.
    pub fn new(base: &str) -> Self {
        // What runs on this machine is never behind a proxy.
        let local = ["//127.", "//localhost", "//[::1]"].iter().any(|host| base.contains(host));
        let builder = reqwest::Client::builder().timeout(TIMEOUT);
        let builder = if local { builder.no_proxy() } else { builder };
        let http = builder.build().expect("a client without TLS can be built");
        Self { base: base.trim_end_matches('/').to_owned(), http }
    }

    /// What a wallet needs to sign.
    ///
    /// # Errors
    /// [`ClientError`], as of every method here.
    pub async fn info(&self) -> Result<Info> {
        self.get("info").await
    }

    /// Whether all is well. An answer of 503 is read too: it says what is not.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn health(&self) -> Result<Health> {
        let response = self.http.get(self.url("health")).send().await.map_err(|e| self.unreachable(e))?;
        response.json().await.map_err(|e| self.unreachable(e))
    }

    /// The listed tokens.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn tokens(&self) -> Result<Tokens> {
        self.get("tokens").await
    }

    /// Submits a transaction; returns when its block is durable.
    ///
    /// # Errors
    /// [`ClientError`]: a refusal of the transaction is one.
    pub async fn submit(&self, transaction: &TransactionJson) -> Result<Submitted> {
        self.post("transactions", transaction).await
    }

    /// Submits a transaction without waiting. The answer `pending` promises nothing; sending again is safe.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn submit_without_waiting(&self, transaction: &TransactionJson) -> Result<Submitted> {
        self.post("transactions?wait=none", transaction).await
    }

    /// Submits many transactions, in order; returns when all that were taken are durable.
    ///
    /// # Errors
    /// [`ClientError`] if the request as a whole is refused; refusals of single ones are in the results.
    pub async fn submit_many(&self, transactions: &[TransactionJson]) -> Result<SubmitResults> {
        #[derive(Serialize)]
        struct Many<'a> {
            transactions: &'a [TransactionJson],
        }
        self.post("transactions", &Many { transactions }).await
    }

    /// A transaction by its hash.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn transaction(&self, hash: B256) -> Result<Transaction> {
        self.get(&format!("transactions/{hash}")).await
    }

    /// The queue entries of an L1 transaction.
    ///
    /// # Errors
    /// [`ClientError`]; `unknown_l1_transaction` until it was seen.
    pub async fn l1_operations(&self, tx_hash: B256) -> Result<L1Operations> {
        self.get(&format!("l1-operations/{tx_hash}")).await
    }

    /// An account by its index.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn account(&self, id: u32) -> Result<Account> {
        self.get(&format!("accounts/{id}")).await
    }

    /// All accounts of an owner, of a key, or of both together.
    ///
    /// # Errors
    /// [`ClientError`]; one of the two must be given.
    pub async fn accounts(&self, owner: Option<Address>, key_hash: Option<F>) -> Result<Vec<Account>> {
        let mut query = String::from("accounts?limit=1000");
        if let Some(owner) = owner {
            query += &format!("&owner={}", address_to_hex(owner));
        }
        if let Some(key_hash) = key_hash {
            query += &format!("&key_hash={}", field_to_hex(key_hash));
        }
        let mut all = Vec::new();
        let mut after = 0;
        loop {
            let page: Accounts = self.get(&format!("{query}&after={after}")).await?;
            all.extend(page.accounts);
            match page.next {
                Some(next) => after = next,
                None => return Ok(all),
            }
        }
    }

    /// A batch with its data and proof.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn batch(&self, number: u64) -> Result<Batch> {
        self.get(&format!("batches/{number}")).await
    }

    /// Batches, latest first, those before `before` if it is given.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn batches(&self, before: Option<u64>) -> Result<Batches> {
        let query = before.map_or_else(String::new, |before| format!("?before={before}"));
        self.get(&format!("batches{query}")).await
    }

    /// A withdrawal.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn withdrawal(&self, batch: u64, index: u32) -> Result<Withdrawal> {
        self.get(&format!("withdrawals/{batch}/{index}")).await
    }

    /// All withdrawals to an L1 address, latest first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn withdrawals(&self, recipient: Address) -> Result<Vec<Withdrawal>> {
        let query = format!("withdrawals?limit=1000&recipient={}", address_to_hex(recipient));
        let mut all = Vec::new();
        let mut page: Withdrawals = self.get(&query).await?;
        loop {
            all.append(&mut page.withdrawals);
            match page.next {
                Some(next) => page = self.get(&format!("{query}&before={next}")).await?,
                None => return Ok(all),
            }
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}/v1/{path}", self.base)
    }

    fn unreachable(&self, cause: impl std::fmt::Display) -> ClientError {
        ClientError::Unreachable { base: self.base.clone(), cause: cause.to_string() }
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.send(self.http.get(self.url(path))).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        self.send(self.http.post(self.url(path)).json(body)).await
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T> {
        let response = request.send().await.map_err(|e| self.unreachable(e))?;
        let status = response.status();
        if status == StatusCode::OK {
            return response.json().await.map_err(|e| self.unreachable(e));
        }
        let body = response.json().await.map_err(|e| self.unreachable(format_args!("HTTP status {status}, {e}")))?;
        Err(ClientError::Refused { status: status.as_u16(), body })
    }
}
