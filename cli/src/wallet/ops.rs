//! What a person does: deposits, transfers, withdrawals, claims, key changes and exits. No terminal here.

use super::WalletError;
use super::address;
use super::amounts::fee_at_least;
use super::identity::Identity;
use super::l1::L1;
use super::receipts::Operator;
use alloy::primitives::{Address, B256};
use sheaf_api::client::{Client, ClientError};
use sheaf_api::model::{Account, Info, L1Operation, MinimumFee, Status, Submitted, Token, Transaction};
use sheaf_core::F;
use sheaf_core::amount::{PackedAmount, PackedFee};
use sheaf_core::json::{TransactionJson, field, field_to_hex};
use sheaf_core::transaction::{Payload, Target};
use sheaf_core::types::{AccountId, TokenId, field_to_bytes};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long a signed transaction stays valid, in seconds.
const VALIDITY_SECONDS: u32 = 3600;
/// How often the API is asked how far something has come.
const FOLLOW_POLL: Duration = Duration::from_millis(500);

/// A person with an API to talk to.
#[derive(Clone, Debug)]
pub struct Wallet {
    /// The person's keys.
    pub identity: Identity,
    /// The API.
    pub api: Client,
    /// What the API said of itself when the wallet was opened.
    pub info: Info,
    /// Whose signature receipts must have.
    pub operator: Operator,
    domain: F,
}

/// What the sender of a transaction decides.
#[derive(Clone, Copy, Debug)]
pub struct Payment {
    /// The sending account; by default the first of the wallet's that can pay.
    pub from: Option<u32>,
    /// The token of amount and fee.
    pub token: u8,
    /// In the token's smallest unit.
    pub amount: u128,
    /// In the token's smallest unit; by default the least that is taken.
    pub fee: Option<u128>,
    /// Who gets the amount.
    pub target: Target,
}

impl Wallet {
    /// Opens the wallet on an API.
    ///
    /// # Errors
    /// [`WalletError::Api`].
    pub async fn open(identity: Identity, api: Client) -> Result<Self, WalletError> {
        let info = api.info().await?;
        let domain = field(&info.domain, "domain").map_err(|error| WalletError::Address(error.to_string()))?;
        let operator = Operator::of(&info)?;
        Ok(Self { identity, api, info, operator, domain })
    }

    /// Connects the wallet's L1 key to the contract, through a node.
    ///
    /// # Errors
    /// [`WalletError`].
    pub async fn l1(&self, url: &str) -> Result<L1, WalletError> {
        let contract = parse_address(&self.info.contract)?;
        L1::connect(url, self.info.chain_id, contract, self.identity.signer.clone()).await
    }

    /// Finds a token by number, symbol (in any case) or address.
    ///
    /// # Errors
    /// [`WalletError::Token`].
    pub fn token(&self, name: &str) -> Result<&Token, WalletError> {
        let named =
            |t: &&Token| t.symbol.eq_ignore_ascii_case(name) || t.address.eq_ignore_ascii_case(name) || t.id.to_string() == name;
        let mut found = self.info.tokens.iter().filter(named);
        match (found.next(), found.next()) {
            (Some(token), None) => Ok(token),
            (Some(_), Some(_)) => Err(WalletError::Token(format!("{name} (several are: use its number)"))),
            _ => Err(WalletError::Token(name.to_owned())),
        }
    }

    /// All accounts of the wallet's pair: several can be one person's, and their balances add up.
    ///
    /// # Errors
    /// [`WalletError::Api`].
    pub async fn accounts(&self) -> Result<Vec<Account>, WalletError> {
        let pair = self.identity.pair();
        Ok(self.api.accounts(Some(pair.owner), Some(pair.key_hash)).await?)
    }

    /// All accounts that the wallet's L1 key owns, whatever their L2 key.
    ///
    /// # Errors
    /// [`WalletError::Api`].
    pub async fn owned_accounts(&self) -> Result<Vec<Account>, WalletError> {
        Ok(self.api.accounts(Some(self.identity.pair().owner), None).await?)
    }

    /// Signs a payment and submits it; returns when its block is durable, which the operator's receipt proves.
    ///
    /// # Errors
    /// [`WalletError`].
    pub async fn pay(&self, payment: Payment) -> Result<Submitted, WalletError> {
        let transaction = self.sign(payment).await?;
        let submitted = self.api.submit(&transaction).await?;
        self.verify(&transaction, submitted)
    }

    /// Makes sure that what is said to be executed is what was sent, and is promised where it is said to be.
    fn verify(&self, sent: &TransactionJson, submitted: Submitted) -> Result<Submitted, WalletError> {
        if submitted.status < Status::Executed {
            return Ok(submitted);
        }
        let sent = sent.to_transaction(self.domain).map_err(|error| WalletError::Address(error.to_string()))?;
        let hash = B256::new(field_to_bytes(sent.payload.message(self.domain)));
        let receipt = submitted.receipt.as_ref().ok_or_else(|| WalletError::NoReceipt(hash.to_string()))?;
        self.operator.check(hash, receipt)?;
        let said = (submitted.hash == hash.to_string(), submitted.block, submitted.batch, submitted.position);
        if said != (true, Some(receipt.block), Some(receipt.batch), Some(receipt.position)) {
            return Err(WalletError::NoReceipt(format!("{hash} for the place that the API names")));
        }
        Ok(submitted)
    }

    /// Signs a payment with the account's next nonce.
    ///
    /// # Errors
    /// [`WalletError`].
    pub async fn sign(&self, payment: Payment) -> Result<TransactionJson, WalletError> {
        let fee = match payment.fee {
            Some(fee) => fee,
            None => self.least_fee(payment.token, payment.target).await?,
        };
        let account = self.sender(&payment, fee).await?;
        let not_representable = |what, error| WalletError::NotRepresentable(format!("{what} {error}"));
        let token = TokenId::new(payment.token).ok_or_else(|| WalletError::Token(payment.token.to_string()))?;
        let payload = Payload {
            from: AccountId::new(account.id).ok_or_else(|| WalletError::Address(format!("account {}", account.id)))?,
            nonce: account.nonce,
            expires: self.expires().await?,
            token,
            amount: PackedAmount::encode(payment.amount).map_err(|error| not_representable("amount", error))?,
            fee: PackedFee::encode(fee).map_err(|error| not_representable("fee", error))?,
            target: payment.target,
        };
        let mut json = TransactionJson::from(&payload.sign(self.domain, &self.identity.key));
        json.domain = Some(field_to_hex(self.domain));
        Ok(json)
    }

    /// The least fee that is taken for a payment, rounded up to one that has an encoding.
    ///
    /// # Errors
    /// [`WalletError::Api`].
    pub async fn least_fee(&self, token: u8, target: Target) -> Result<u128, WalletError> {
        let Some(fees) = self.info.minimum_fees.iter().find(|fees| fees.token == token) else { return Ok(0) };
        let MinimumFee { transfer, transfer_new, withdraw, .. } = fees;
        let least = match target {
            Target::L1(_) => withdraw,
            Target::Account(pair) if self.api.accounts(Some(pair.owner), Some(pair.key_hash)).await?.is_empty() => transfer_new,
            Target::Account(_) => transfer,
        };
        least.parse().map(fee_at_least).map_err(|_| WalletError::Amount(format!("the API names the fee {least:?}")))
    }

    /// The account that pays: the one that was asked for, or the first that can.
    async fn sender(&self, payment: &Payment, fee: u128) -> Result<Account, WalletError> {
        let accounts = self.accounts().await?;
        let largest = accounts.iter().map(|account| account.balance(payment.token)).max();
        let Some(largest) = largest else { return Err(WalletError::NoAccount(address::format(&self.identity.pair()))) };
        let due = payment.amount.saturating_add(fee);
        let pays = |account: &Account| match payment.from {
            Some(id) => account.id == id,
            None => account.balance(payment.token) >= due,
        };
        let text = |units| self.show(payment.token, units);
        accounts.into_iter().find(pays).ok_or_else(|| match payment.from {
            Some(id) => WalletError::Balance(format!("account {id} is not this wallet's")),
            None => WalletError::Balance(format!("no account has {}: the largest balance is {}", text(due), text(largest))),
        })
    }

    /// An amount of a token as people write it, with its symbol.
    pub fn show(&self, token: u8, units: u128) -> String {
        match self.info.tokens.iter().find(|t| t.id == token) {
            Some(token) => format!("{} {}", super::amounts::format(units, token.decimals), token.symbol),
            None => format!("{units} units of token {token}"),
        }
    }

    /// An hour from now, by whichever clock is ahead: ours, or the open batch's.
    async fn expires(&self) -> Result<u32, WalletError> {
        let batch = self.api.info().await?.batch.timestamp;
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        let now = u32::try_from(clock).unwrap_or(u32::MAX).max(batch);
        // Never later than the API takes, however far our clock is ahead.
        Ok(now.saturating_add(VALIDITY_SECONDS).min(batch.saturating_add(self.info.limits.max_expiry_seconds)))
    }

    /// Waits until a transaction has come at least as far as `status`, or was refused.
    ///
    /// # Errors
    /// [`WalletError::Timeout`] after `timeout`.
    pub async fn follow(&self, hash: B256, status: Status, timeout: Duration) -> Result<Transaction, WalletError> {
        let since = Instant::now();
        loop {
            let found = known(self.api.transaction(hash).await, "unknown_transaction")?;
            if let Some(found) = found.filter(|t| t.status >= status || t.status <= Status::Reverted) {
                return Ok(found);
            }
            wait(since, timeout, || format!("transaction {hash} is not {} yet", status.as_str())).await?;
        }
    }

    /// Waits until the queue entry that an L1 transaction made has come at least as far as `status`.
    ///
    /// # Errors
    /// [`WalletError::Timeout`] after `timeout`.
    pub async fn follow_l1(&self, tx_hash: B256, status: Status, timeout: Duration) -> Result<L1Operation, WalletError> {
        let since = Instant::now();
        loop {
            let found = known(self.api.l1_operations(tx_hash).await, "unknown_l1_transaction")?;
            let operation = found.and_then(|found| found.operations.into_iter().next());
            if let Some(operation) = operation.filter(|operation| operation.status >= status) {
                return Ok(operation);
            }
            wait(since, timeout, || format!("L1 transaction {tx_hash} is not {} yet", status.as_str())).await?;
        }
    }
}

/// The key hash that the wallet would have under another key number.
///
/// # Errors
/// [`WalletError::Keystore`].
pub fn key_hash_of(identity: &Identity, key_number: u32) -> Result<F, WalletError> {
    Ok(Identity::new(identity.signer.clone(), key_number)?.pair().key_hash)
}

/// Reads an L1 address.
///
/// # Errors
/// [`WalletError::Address`].
pub fn parse_address(text: &str) -> Result<Address, WalletError> {
    sheaf_core::json::address(text, "the address").map_err(|error| WalletError::Address(error.to_string()))
}

/// `None` while the API does not know it yet.
fn known<T>(answer: Result<T, ClientError>, unknown: &str) -> Result<Option<T>, WalletError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.code() == unknown => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn wait(since: Instant, timeout: Duration, what: impl FnOnce() -> String) -> Result<(), WalletError> {
    if since.elapsed() >= timeout {
        return Err(WalletError::Timeout(format!("{} after {} s", what(), timeout.as_secs())));
    }
    tokio::time::sleep(FOLLOW_POLL).await;
    Ok(())
}
