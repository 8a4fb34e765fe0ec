//! Sends transactions from one key, one at a time, and sees each through.
//!
//! The nonce is the fence: a transaction takes the first nonce that no block has used, so of all that are ever sent for it,
//! by this process or one before it, at most one gets into the chain. So nothing that was forgotten in a crash is repeated.

use crate::Result;
use crate::error::Error;
use crate::l1::L1;
use crate::store::sent::{self, End};
use alloy::eips::BlockId;
use alloy::eips::eip2718::Encodable2718;
use alloy::network::{EthereumWallet, NetworkTransactionBuilder, TransactionBuilder};
use alloy::primitives::{Address, B256, Bytes};
use alloy::providers::Provider;
use alloy::rpc::types::TransactionRequest;
use alloy::signers::local::PrivateKeySigner;
use sqlx::postgres::PgPool;
use std::time::{Duration, Instant};

/// The most gas that a transaction may have (EIP-7825).
const GAS_MAX: u64 = 16_777_216;
/// How long a node is asked for the receipt of a transaction whose nonce is used: nodes tell of the state a moment before
/// they tell of the block.
const RECEIPT_WAIT: Duration = Duration::from_secs(2);
/// How often.
const RECEIPT_POLL: Duration = Duration::from_millis(20);

/// What a key pays for gas, in wei a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fee {
    max: u128,
    tip: u128,
}

impl Fee {
    /// The least that replaces a transaction which offers this: nodes ask for a tenth more.
    fn raised(self) -> Self {
        Self { max: self.max + self.max / 8 + 1, tip: self.tip + self.tip / 8 + 1 }
    }

    fn at_least(self, other: Self) -> Self {
        Self { max: self.max.max(other.max), tip: self.tip.max(other.tip) }
    }

    fn capped(self, cap: u128) -> Self {
        let max = self.max.min(cap);
        Self { max, tip: self.tip.min(max) }
    }
}

/// When to send again, and for how much.
#[derive(Clone, Copy, Debug)]
pub struct SendPolicy {
    /// The most that is offered, wei a unit of gas.
    pub fee_cap_wei: u128,
    /// How long a transaction waits before it is replaced by one with a higher fee.
    pub stuck_after: Duration,
    /// How often the chain is asked meanwhile.
    pub poll: Duration,
}

/// A key that sends transactions to the contract.
pub struct Sender {
    pool: PgPool,
    l1: L1,
    wallet: EthereumWallet,
    address: Address,
    policy: SendPolicy,
    kind: &'static str,
}

/// What a node says to a transaction.
enum Answer {
    Taken,
    /// A transaction of the same nonce waits with a fee not far enough below.
    Underpriced,
    /// The chain asks for more at the moment than is offered, and the node does not keep it until that changes.
    TooCheap,
    /// The nonce is used up.
    TooLate,
}

impl Sender {
    /// Sets a key up for transactions of one kind.
    pub fn new(pool: PgPool, l1: L1, signer: PrivateKeySigner, policy: SendPolicy, kind: &'static str) -> Self {
        let address = signer.address();
        Self { pool, l1, wallet: EthereumWallet::from(signer), address, policy, kind }
    }

    /// The key's address.
    pub const fn address(&self) -> Address {
        self.address
    }

    /// What its transactions are for.
    pub const fn kind(&self) -> &'static str {
        self.kind
    }

    /// How long a transaction waits before it is replaced.
    pub const fn stuck_after(&self) -> Duration {
        self.policy.stuck_after
    }

    /// Sends a call of the contract for a batch and waits until its nonce is used: then this call, or another one from this
    /// key, is in a block, and the caller looks at the contract to see where it stands.
    ///
    /// # Errors
    /// [`Error::Refused`] if it would revert; [`Error::Failed`] if it did; [`Error::L1`] or [`Error::Database`].
    pub async fn send(&self, batch: u64, call: Bytes) -> Result<()> {
        self.send_within(batch, &format!("to {} batch {batch}", self.kind), call, GAS_MAX).await
    }

    /// [`send`](Self::send) for a purpose of one's own, unless that takes more than `gas_max`.
    ///
    /// # Errors
    /// As [`send`](Self::send); [`Error::Refused`] also if it would take more gas.
    pub async fn send_within(&self, batch: u64, what: &str, call: Bytes, gas_max: u64) -> Result<()> {
        self.close_open().await?;
        let nonce = self.nonce().await?;
        let request = TransactionRequest::default().with_from(self.address).with_to(self.l1.contract).with_input(call);
        let gas = self.gas(&request, what, gas_max).await?;
        let request = request.with_chain_id(self.l1.chain_id).with_nonce(nonce).with_gas_limit(gas);
        let mut fee = self.fee().await?;
        let mut offered = Vec::new();
        let mut warned = false;
        loop {
            let (hash, answer) = self.offer(batch, &request, fee).await?;
            offered.push(hash);
            let wait = match answer {
                Answer::Taken | Answer::TooCheap => self.policy.stuck_after,
                Answer::Underpriced => Duration::ZERO,
                Answer::TooLate => break,
            };
            if self.is_used(nonce, wait).await? {
                break;
            }
            let higher = fee.raised().at_least(self.fee().await?).capped(self.policy.fee_cap_wei);
            if higher.max >= fee.raised().max {
                tracing::info!(kind = self.kind, batch, nonce, max_fee_wei = higher.max, "sending again with a higher fee");
                fee = higher;
                continue;
            }
            if !warned {
                let cap_wei = fee.max;
                tracing::warn!(kind = self.kind, batch, nonce, cap_wei, "a transaction waits at the highest fee that is allowed");
                warned = true;
            }
            // The same one again: the node may have dropped it meanwhile. One that an older one of this key keeps out was not waited
            // for yet.
            let wait = if matches!(answer, Answer::Underpriced) { self.policy.stuck_after } else { self.policy.poll };
            if self.is_used(nonce, wait.max(self.policy.poll)).await? {
                break;
            }
        }
        self.wait_for_receipt(&offered).await?;
        self.close_open().await
    }

    /// Waits until the node tells of a block with one of these, but not for long: one that an earlier process sent may have
    /// used their nonce.
    async fn wait_for_receipt(&self, hashes: &[B256]) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < RECEIPT_WAIT {
            for hash in hashes {
                if self.l1.provider.get_transaction_receipt(*hash).await?.is_some() {
                    return Ok(());
                }
            }
            tokio::time::sleep(RECEIPT_POLL).await;
        }
        Ok(())
    }

    /// Finds out how the transactions ended that this or an earlier process sent.
    ///
    /// # Errors
    /// [`Error::Failed`] if the latest of them reverted; [`Error::L1`] or [`Error::Database`].
    async fn close_open(&self) -> Result<()> {
        let mut failed = None;
        for hash in sent::open(&self.pool, self.kind).await? {
            if let Some(receipt) = self.l1.provider.get_transaction_receipt(hash).await? {
                let (gas, gas_price_wei, succeeded) = (receipt.gas_used, receipt.effective_gas_price, receipt.status());
                sent::close(&self.pool, hash, End { gas, gas_price_wei, succeeded }).await?;
                tracing::info!(kind = self.kind, %hash, gas, succeeded, "in a block");
                failed = (!succeeded).then_some(hash);
            } else if self.l1.provider.get_transaction_by_hash(hash).await?.is_none() {
                sent::forget(&self.pool, hash).await?;
            }
        }
        failed.map_or(Ok(()), |hash| Err(Error::Failed { hash }))
    }

    async fn nonce(&self) -> Result<u64> {
        Ok(self.l1.provider.get_transaction_count(self.address).latest().await?)
    }

    /// Tries the call on the latest state, which tells why the contract would refuse it.
    async fn gas(&self, request: &TransactionRequest, what: &str, gas_max: u64) -> Result<u64> {
        let estimate = self.l1.provider.estimate_gas(request.clone()).block(BlockId::latest()).await;
        let gas = estimate.map_err(|error| Error::from_call(what, &error))?;
        if gas > gas_max {
            return Err(Error::Refused { what: what.to_owned(), name: format!("it takes {gas} gas, more than {gas_max}") });
        }
        Ok((gas + gas / 5).min(gas_max))
    }

    async fn fee(&self) -> Result<Fee> {
        let estimate = self.l1.provider.estimate_eip1559_fees().await?;
        Ok(Fee { max: estimate.max_fee_per_gas, tip: estimate.max_priority_fee_per_gas }.capped(self.policy.fee_cap_wei))
    }

    /// Signs, writes down, sends.
    async fn offer(&self, batch: u64, request: &TransactionRequest, fee: Fee) -> Result<(B256, Answer)> {
        let request = request.clone().with_max_fee_per_gas(fee.max).with_max_priority_fee_per_gas(fee.tip);
        let envelope = request.build(&self.wallet).await.map_err(|error| Error::L1(format!("signing: {error}")))?;
        let hash = *envelope.tx_hash();
        sent::record(&self.pool, hash, self.kind, batch).await?;
        match self.l1.provider.send_raw_transaction(&envelope.encoded_2718()).await {
            Ok(_) => {
                tracing::info!(kind = self.kind, batch, %hash, "sent");
                Ok((hash, Answer::Taken))
            }
            Err(error) => {
                tracing::debug!(kind = self.kind, batch, %hash, %error, "the node does not take it");
                Ok((hash, refusal(&error).ok_or(error)?))
            }
        }
    }

    /// Waits until a block has used the nonce, at most for `limit`.
    async fn is_used(&self, nonce: u64, limit: Duration) -> Result<bool> {
        let start = Instant::now();
        loop {
            if self.nonce().await? > nonce {
                return Ok(true);
            }
            if start.elapsed() >= limit {
                return Ok(false);
            }
            tokio::time::sleep(self.policy.poll.min(limit)).await;
        }
    }
}

/// Reads what a node has against a transaction; `None` when it is nothing that can be dealt with. Nodes have no codes for these.
fn refusal(error: &alloy::transports::TransportError) -> Option<Answer> {
    let text = error.as_error_resp()?.message.to_lowercase();
    if text.contains("underpriced") {
        return Some(Answer::Underpriced);
    }
    if text.contains("less than block base fee") {
        return Some(Answer::TooCheap);
    }
    if text.contains("already known") || text.contains("already imported") {
        return Some(Answer::Taken);
    }
    text.contains("nonce too low").then_some(Answer::TooLate)
}
