//! A batch and its contract's keys, read from L1 alone; and what L1 says around a batch that it has not accepted yet.

use super::case::{Case, Deployment, FIRST_BATCH, Previous};
use super::keys::Keys;
use super::logs::{Logs, filter};
use super::operations::QueueEntry;
use alloy::eips::BlockId;
use alloy::primitives::{Address, B256, U256};
use alloy::providers::Provider as _;
use alloy::sol_types::SolEvent as _;
use anyhow::{Context as _, Result, ensure};
use sheaf_contracts::{Sheaf, StoredKeys};
use sheaf_core::l1::domain;
use sheaf_core::types::u256_from_field;
use sheaf_settlement::l1::{L1, connect};
use std::time::{SystemTime, UNIX_EPOCH};

/// Reads from one contract.
#[derive(Clone, Debug)]
pub struct Reader {
    l1: L1,
    /// No event of the contract is in an earlier block.
    first_block: u64,
}

/// Why L1's word on a batch is not at hand. It says nothing about the batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The batch is not settled.
    #[error("batch_not_settled: L1 has accepted no batch {0}")]
    NotSettled(u64),
    /// An event is in none of the blocks that were searched.
    #[error("batch_event_missing: no block from {first_block} on has the event of batch {number}: is --from-block too late?")]
    BatchEvent {
        /// The batch's number.
        number: u64,
        /// The first block that was searched.
        first_block: u64,
    },
    /// Entries that the queue has had, but whose events are in none of the blocks that were searched.
    #[error(
        "queue_events_missing: the blocks from {first_block} on have only {found} of the {wanted} entries of the queue from number \
         {first} on: is --from-block too late?"
    )]
    QueueEvents {
        /// The first entry's index.
        first: u64,
        /// How many there must be.
        wanted: u64,
        /// How many were found.
        found: usize,
        /// The first block that was searched.
        first_block: u64,
    },
}

/// The contract at one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// The block's number.
    pub block: u64,
    /// Number of the last accepted batch.
    pub batch: u64,
    /// The root after it.
    pub root: U256,
    /// Its timestamp, unix seconds.
    pub timestamp: u32,
    /// The block's time, or this machine's if that is later, for a node may make blocks only now and then; unix seconds.
    pub now: u64,
    /// The first entry of the queue that no accepted batch took.
    pub queue_head: u64,
    /// The index that the next entry will get.
    pub queue_tail: u64,
}

impl State {
    /// What the next batch has to follow.
    pub const fn previous(&self) -> Previous {
        Previous { number: Some(self.batch), root: self.root, timestamp: self.timestamp }
    }
}

/// The event that says that a batch was accepted.
#[derive(Clone, Debug)]
struct Accepted {
    block: u64,
    transaction: B256,
    event: Sheaf::BatchSubmitted,
}

impl Reader {
    /// Connects to a node, and makes sure that it knows the contract.
    ///
    /// # Errors
    /// If it does not answer, or there is no contract.
    pub async fn connect(url: &str, contract: Address, first_block: u64) -> Result<Self> {
        let provider = connect(url)?;
        let chain_id = provider.get_chain_id().await.context("the L1 node does not answer")?;
        let l1 = L1 { provider, chain_id, contract };
        l1.check().await?;
        Ok(Self { l1, first_block })
    }

    /// The contract with its keys, from where its constructor put them.
    ///
    /// # Errors
    /// If the node does not answer, or the contract is not Sheaf's.
    pub async fn deployment(&self) -> Result<Deployment> {
        let L1 { ref provider, chain_id, contract } = self.l1;
        let code = provider.get_code_at(StoredKeys::address(contract)).await?;
        let keys = Keys::from_storage(&code)?;
        let sheaf = Sheaf::new(contract, provider);
        let shapes = sheaf.shapeCount().call().await.context("the contract is not Sheaf's")?;
        ensure!(shapes == U256::from(keys.shapes()), "the contract has {shapes} shapes and keys for {}", keys.shapes());
        let own = sheaf.domain().call().await.context("the contract is not Sheaf's")?;
        let expected = u256_from_field(domain(chain_id, contract));
        ensure!(own == expected, "the contract has the domain {own:#066x}, of chain and address it would be {expected:#066x}");
        Ok(Deployment { chain_id, contract, keys })
    }

    /// The contract at the latest block.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn state(&self) -> Result<State> {
        let head = self.l1.head().await?.number;
        let time = self.l1.header(head).await?.context("L1 does not know its latest block")?.timestamp;
        let here = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let sheaf = Sheaf::new(self.l1.contract, &self.l1.provider);
        // All from one block, else a batch accepted in between makes them disagree.
        let at = BlockId::from(head);
        Ok(State {
            block: head,
            batch: sheaf.batchNumber().block(at).call().await?,
            root: sheaf.root().block(at).call().await?,
            timestamp: sheaf.lastTimestamp().block(at).call().await?,
            now: time.max(here),
            queue_head: sheaf.queueHead().block(at).call().await?,
            queue_tail: sheaf.queueTail().block(at).call().await?,
        })
    }

    /// A settled batch with all that the contract held it against.
    ///
    /// # Errors
    /// If the node does not answer; [`ReadError`].
    pub async fn case(&self, number: u64) -> Result<Case> {
        let state = self.state().await?;
        if !(FIRST_BATCH..=state.batch).contains(&number) {
            return Err(ReadError::NotSettled(number).into());
        }
        let accepted = self.accepted(number, state.block).await?;
        let batch = self.batch(&accepted).await?;
        let previous = match number {
            FIRST_BATCH => Previous::genesis(),
            _ => {
                let before = self.accepted(number - 1, accepted.block).await?;
                Previous::of(Some(number - 1), &self.batch(&before).await?)
            }
        };
        let block = self.l1.header(accepted.block).await?.context("L1 does not know the batch's block")?;
        // What the event says: all of these entries were in the queue.
        let (tail, count) = (accepted.event.queueHead, batch.l1Count);
        let queue = self.queue(tail.saturating_sub(count.into())..tail, accepted.block).await?;
        Ok(Case {
            number: Some(accepted.event.number),
            asked: Some(number),
            queue: Some(queue),
            previous: Some(previous),
            block_timestamp: Some(block.timestamp),
            withdrawals_hash: Some(accepted.event.withdrawalsHash),
            settled: Some(batch.clone()),
            ..Case::of(batch)
        })
    }

    /// The entries of the queue that the contract would hold a batch against: `count`, after the `taken` ones that the batches
    /// before it take. Fewer, if the queue ends before.
    ///
    /// # Errors
    /// If the node does not answer; [`ReadError::QueueEvents`].
    pub async fn waiting(&self, state: &State, taken: u64, count: u16) -> Result<Vec<QueueEntry>> {
        let first = state.queue_head.saturating_add(taken).min(state.queue_tail);
        let end = first.saturating_add(count.into()).min(state.queue_tail);
        self.queue(first..end, state.block).await
    }

    const fn logs(&self) -> Logs<'_> {
        Logs { l1: &self.l1, first_block: self.first_block }
    }

    /// The event of a batch that was accepted in block `last` or before.
    async fn accepted(&self, number: u64, last: u64) -> Result<Accepted> {
        let filter = filter::<Sheaf::BatchSubmitted>(&self.l1).topic1(U256::from(number));
        let found = self.logs().find(&filter, last, 1).await?.into_iter().next();
        let log = found.ok_or(ReadError::BatchEvent { number, first_block: self.first_block })?;
        let (block, transaction) = log.block_number.zip(log.transaction_hash).context("L1 sent an event without its place")?;
        Ok(Accepted { block, transaction, event: Sheaf::BatchSubmitted::decode_log(&log.inner)?.data })
    }

    /// The batch of an event: the transaction's n-th event is about its n-th batch.
    async fn batch(&self, accepted: &Accepted) -> Result<Sheaf::Batch> {
        let Accepted { block, transaction, ref event } = *accepted;
        let logs = self.logs().of_block(&filter::<Sheaf::BatchSubmitted>(&self.l1), block).await?;
        let events = logs.iter().filter(|log| log.transaction_hash == Some(transaction));
        let numbers = events.map(|log| Ok(Sheaf::BatchSubmitted::decode_log(&log.inner)?.number)).collect::<Result<Vec<_>>>()?;
        let batches = self.l1.submission(transaction).await?;
        ensure!(
            batches.len() == numbers.len(),
            "transaction {transaction} has {} batches and {} events",
            batches.len(),
            numbers.len()
        );
        let place = numbers.iter().position(|number| *number == event.number).context("the event is not in its block")?;
        let batch = batches.into_iter().nth(place).context("as many batches as events")?;
        let same = (batch.oldRoot, batch.newRoot) == (event.oldRoot, event.newRoot);
        ensure!(same, "batch {} of transaction {transaction} has other roots than its event", event.number);
        Ok(batch)
    }

    /// These entries of the queue, from their events in block `last` or before. All of them must be there.
    async fn queue(&self, indices: std::ops::Range<u64>, last: u64) -> Result<Vec<QueueEntry>> {
        let (first, wanted) = (indices.start, indices.end.saturating_sub(indices.start));
        if wanted == 0 {
            return Ok(Vec::new());
        }
        let topics: Vec<B256> = indices.map(|index| U256::from(index).into()).collect();
        let filter = filter::<Sheaf::OperationQueued>(&self.l1).topic1(topics);
        let logs = self.logs().find(&filter, last, wanted as usize).await?;
        let events =
            logs.iter().map(|log| Ok(Sheaf::OperationQueued::decode_log(&log.inner)?.data)).collect::<Result<Vec<_>>>()?;
        if events.len() as u64 != wanted || !events.iter().zip(first..).all(|(event, index)| event.index == index) {
            let found = events.len();
            return Err(ReadError::QueueEvents { first, wanted, found, first_block: self.first_block }.into());
        }
        Ok(events.iter().map(entry).collect())
    }
}

fn entry(event: &Sheaf::OperationQueued) -> QueueEntry {
    let core = event.core.to_be_bytes::<21>();
    let bytes = [&core[..], event.aux1.as_slice(), &event.aux2.to_be_bytes::<32>()].concat();
    bytes.try_into().expect("21, 20 and 32 bytes")
}
