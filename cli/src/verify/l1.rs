//! A batch and its contract's keys, read from L1 alone.

use super::case::{Case, Deployment, Previous};
use super::keys::Keys;
use super::operations::QueueEntry;
use alloy::primitives::{Address, B256, U256};
use alloy::providers::Provider as _;
use alloy::rpc::types::{Filter, Log};
use alloy::sol_types::SolEvent;
use anyhow::{Context as _, Result, ensure};
use sheaf_contracts::Sheaf;
use sheaf_core::l1::domain;
use sheaf_core::types::u256_from_field;
use sheaf_settlement::l1::{L1, connect};

/// The number that a contract's first creation gets (EIP-161). Sheaf's constructor creates one contract: its keys.
const FIRST_CREATION: u64 = 1;

/// Reads from one contract.
#[derive(Clone, Debug)]
pub struct Reader {
    l1: L1,
    /// No event of the contract is in an earlier block.
    first_block: u64,
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
        let code = provider.get_code_at(contract.create(FIRST_CREATION)).await?;
        let keys = Keys::from_storage(&code)?;
        let sheaf = Sheaf::new(contract, provider);
        let shapes = sheaf.shapeCount().call().await.context("the contract is not Sheaf's")?;
        ensure!(shapes == U256::from(keys.shapes()), "the contract has {shapes} shapes and keys for {}", keys.shapes());
        let own = sheaf.domain().call().await.context("the contract is not Sheaf's")?;
        let expected = u256_from_field(domain(chain_id, contract));
        ensure!(own == expected, "the contract has the domain {own:#066x}, of chain and address it would be {expected:#066x}");
        Ok(Deployment { chain_id, contract, keys })
    }

    /// A settled batch with all that the contract held it against. The root before the first batch is in no event, so
    /// that of batch 1 is not known.
    ///
    /// # Errors
    /// If the node does not answer, or the batch is not settled.
    pub async fn case(&self, number: u64) -> Result<Case> {
        let accepted = self.accepted(number).await?.with_context(|| format!("L1 has accepted no batch {number}"))?;
        let batch = self.batch(&accepted).await?;
        let previous = match number.checked_sub(1) {
            None | Some(0) => None,
            Some(before) => {
                let accepted = self.accepted(before).await?.with_context(|| format!("L1 does not know batch {before}"))?;
                Some(Previous::of(Some(before), &self.batch(&accepted).await?))
            }
        };
        let block = self.l1.header(accepted.block).await?.context("L1 does not know the batch's block")?;
        Ok(Case {
            number: Some(accepted.event.number),
            asked: Some(number),
            queue: Some(self.queue(accepted.event.queueHead, batch.l1Count).await?),
            previous,
            block_timestamp: Some(block.timestamp),
            withdrawals_hash: Some(accepted.event.withdrawalsHash),
            ..Case::of(batch)
        })
    }

    fn filter<E: SolEvent>(&self) -> Filter {
        Filter::new().address(self.l1.contract).event_signature(E::SIGNATURE_HASH)
    }

    /// The logs that a filter finds, in their order.
    async fn logs(&self, filter: &Filter) -> Result<Vec<Log>> {
        let answer = self.l1.provider.get_logs(filter).await;
        let mut logs = answer.context("L1 does not give the contract's events; a later --from-block may help")?;
        logs.retain(|log| !log.removed);
        logs.sort_by_key(|log| (log.block_number, log.log_index));
        Ok(logs)
    }

    async fn accepted(&self, number: u64) -> Result<Option<Accepted>> {
        let filter = self.filter::<Sheaf::BatchSubmitted>().from_block(self.first_block).topic1(U256::from(number));
        let Some(log) = self.logs(&filter).await?.into_iter().next() else { return Ok(None) };
        let (block, transaction) = log.block_number.zip(log.transaction_hash).context("L1 sent an event without its place")?;
        Ok(Some(Accepted { block, transaction, event: Sheaf::BatchSubmitted::decode_log(&log.inner)?.data }))
    }

    /// The batch of an event: the transaction's n-th event is about its n-th batch.
    async fn batch(&self, accepted: &Accepted) -> Result<Sheaf::Batch> {
        let Accepted { block, transaction, ref event } = *accepted;
        let filter = self.filter::<Sheaf::BatchSubmitted>().from_block(block).to_block(block);
        let logs = self.logs(&filter).await?;
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

    /// The entries that a batch took which left the queue's head at `head`; fewer, if L1 does not have them all.
    async fn queue(&self, head: u64, count: u16) -> Result<Vec<QueueEntry>> {
        let first = head.saturating_sub(count.into());
        if first == head {
            return Ok(Vec::new());
        }
        let indices: Vec<B256> = (first..head).map(|index| U256::from(index).into()).collect();
        let filter = self.filter::<Sheaf::OperationQueued>().from_block(self.first_block).topic1(indices);
        self.logs(&filter).await?.iter().map(|log| Ok(entry(&Sheaf::OperationQueued::decode_log(&log.inner)?.data))).collect()
    }
}

fn entry(event: &Sheaf::OperationQueued) -> QueueEntry {
    let core = event.core.to_be_bytes::<21>();
    let bytes = [&core[..], event.aux1.as_slice(), &event.aux2.to_be_bytes::<32>()].concat();
    bytes.try_into().expect("21, 20 and 32 bytes")
}
