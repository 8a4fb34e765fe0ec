//! Reads the contract's events into the database.
//!
//! ```text
//!  start_block ─────────────▶ confirmed ──────────▶ head
//!   fixed, read once, in order      read anew at each look:
//!   (queue, batches, credits,       entries of the queue, shown as
//!    claims, tokens)                waiting for confirmations
//! ```
//!
//! The cursor moves in the same transaction as what it stands for, so a restart neither skips nor repeats an event.

use crate::Result;
use crate::error::Error;
use crate::keys::ContractKeys;
use crate::l1::{Block, Event, L1, TokenInfo};
use crate::repeat::{Next, Step};
use crate::store::cursor::{self, Cursor};
use crate::store::queue::{self, Entry};
use crate::store::{BATCHES_CHANNEL, OPERATIONS_CHANNEL, batches, check_deployment, contract_keys, notify, withdrawals};
use alloy::primitives::{Address, B256};
use sheaf_contracts::Sheaf::{Batch, SheafEvents};
use sqlx::postgres::PgPool;
use sqlx::{Postgres, Transaction};

/// Reads the contract's events into the database.
pub struct Watcher {
    pool: PgPool,
    l1: L1,
    start_block: u64,
    confirmations: u64,
    log_range: u64,
    checked: bool,
    /// The head at the last look that came to its end.
    last_head: Option<Block>,
    behind: bool,
}

/// An event with what had to be asked for besides, before the database transaction begins.
enum Confirmed {
    Queued(Box<Entry>),
    Batch { number: u64, withdrawals_hash: B256, content: Box<Batch>, event: Event },
    Token { number: u8, erc20: Address, info: TokenInfo },
    Other(Event),
}

impl Watcher {
    /// Sets a watcher up.
    pub fn new(config: &crate::Config, pool: PgPool, l1: L1) -> Self {
        // Block 0 has no events, and the block before the first one has to exist.
        let start_block = config.start_block.max(1);
        let (confirmations, log_range) = (config.confirmations, config.log_range);
        Self { pool, l1, start_block, confirmations, log_range, checked: false, last_head: None, behind: false }
    }

    /// Looks at L1 once: takes at most one range of newly confirmed blocks, or, when there is none, what is not confirmed.
    ///
    /// # Errors
    /// [`Error`]; those that [halt](Error::halts) must stop the process.
    pub async fn look(&mut self) -> Result<Next> {
        if !self.checked && check_deployment(&self.pool, self.l1.chain_id, self.l1.contract).await? {
            // Only now is it known that the database is this contract's.
            contract_keys::write(&self.pool, &ContractKeys::read(&self.l1).await?.hashes()).await?;
            self.checked = true;
        }
        let head = self.l1.head().await?;
        if self.last_head == Some(head) {
            return Ok(Next::Wait);
        }
        let cursor = self.cursor(head).await?;
        if !self.is_continued(&cursor, head).await? {
            return Ok(Next::Wait);
        }
        let confirmed = head.number.saturating_sub(self.confirmations);
        if confirmed > cursor.confirmed.number {
            let last = confirmed.min(cursor.confirmed.number + self.log_range);
            self.take_confirmed(&cursor, head, last).await?;
            return Ok(Next::Again);
        }
        self.show_unconfirmed(&cursor, head).await?;
        self.last_head = Some(head);
        Ok(Next::Wait)
    }

    async fn cursor(&self, head: Block) -> Result<Cursor> {
        if let Some(cursor) = cursor::read(&self.pool).await? {
            return Ok(cursor);
        }
        let before = self.start_block - 1;
        let hash = self.l1.block_hash(before).await?.ok_or_else(|| Error::L1(format!("it has no block {before} yet")))?;
        Ok(Cursor { head: head.number, confirmed: Block { number: before, hash } })
    }

    /// Checks that the last confirmed block is still there. A node that is behind is waited for.
    async fn is_continued(&mut self, cursor: &Cursor, head: Block) -> Result<bool> {
        let Block { number: block, hash: expected } = cursor.confirmed;
        match self.l1.block_hash(block).await? {
            Some(found) if found != expected => Err(Error::Reorg { block, expected, found, confirmations: self.confirmations }),
            Some(_) => {
                self.behind = false;
                Ok(true)
            }
            None => {
                if !self.behind {
                    tracing::warn!(
                        head = head.number,
                        confirmed = block,
                        "the L1 node is behind what was confirmed; waiting for it"
                    );
                }
                self.behind = true;
                Ok(false)
            }
        }
    }

    /// Takes the events up to block `last` for good.
    async fn take_confirmed(&self, cursor: &Cursor, head: Block, last: u64) -> Result<()> {
        // The hash is asked for before the events: if the chain changes in between, the next look sees another hash.
        let hash = self.l1.block_hash(last).await?.ok_or_else(|| Error::L1(format!("block {last} is gone")))?;
        let mut events = Vec::new();
        let mut call = Call::default();
        for event in self.l1.events(cursor.confirmed.number + 1, last).await? {
            events.push(self.complete(event, &mut call).await?);
        }
        let to = Cursor { head: head.number, confirmed: Block { number: last, hash } };
        let mut transaction = self.pool.begin().await?;
        if !cursor::advance(&mut transaction, cursor, &to).await? {
            // Another process was faster: go on from where it is.
            return Ok(());
        }
        let mut operations = false;
        for event in &events {
            operations |= matches!(event, Confirmed::Queued(_));
            apply(&mut transaction, event).await?;
        }
        if operations {
            notify(&mut transaction, OPERATIONS_CHANNEL, "").await?;
        }
        transaction.commit().await?;
        if !events.is_empty() {
            tracing::info!(last_block = last, events = events.len(), "read L1");
        }
        Ok(())
    }

    /// Asks L1 for what an event does not say itself.
    async fn complete(&self, event: Event, call: &mut Call) -> Result<Confirmed> {
        if let Some(entry) = Entry::from_event(&event) {
            return Ok(Confirmed::Queued(Box::new(entry)));
        }
        match &event.what {
            SheafEvents::BatchSubmitted(submitted) => {
                let content = Box::new(call.next_batch(&self.l1, event.transaction).await?);
                let (number, withdrawals_hash) = (submitted.number, submitted.withdrawalsHash);
                Ok(Confirmed::Batch { number, withdrawals_hash, content, event })
            }
            SheafEvents::TokenListed(listed) => {
                let info = self.l1.token_info(listed.erc20).await?;
                Ok(Confirmed::Token { number: listed.token, erc20: listed.erc20, info })
            }
            _ => Ok(Confirmed::Other(event)),
        }
    }

    /// Shows the entries that wait for confirmations, as the chain has them now.
    async fn show_unconfirmed(&self, cursor: &Cursor, head: Block) -> Result<()> {
        let mut entries = Vec::new();
        let mut first = cursor.confirmed.number + 1;
        while first <= head.number {
            let last = head.number.min(first + self.log_range - 1);
            entries.extend(self.l1.events(first, last).await?.iter().filter_map(Entry::from_event));
            first = last + 1;
        }
        let to = Cursor { head: head.number, ..*cursor };
        let mut transaction = self.pool.begin().await?;
        if cursor::advance(&mut transaction, cursor, &to).await? {
            queue::replace_unconfirmed(&mut transaction, &entries).await?;
            transaction.commit().await?;
        }
        Ok(())
    }
}

/// The transaction whose batches are being read: each has an event, in their order.
#[derive(Default)]
struct Call {
    transaction: B256,
    batches: std::vec::IntoIter<Batch>,
}

impl Call {
    async fn next_batch(&mut self, l1: &L1, transaction: B256) -> Result<Batch> {
        if self.transaction != transaction {
            *self = Self { transaction, batches: l1.submission(transaction).await?.into_iter() };
        }
        let next = self.batches.next();
        next.ok_or_else(|| Error::L1(format!("transaction {transaction} submits fewer batches than it has events")))
    }
}

impl Step for Watcher {
    const NAME: &'static str = "watcher";

    async fn step(&mut self) -> Result<Next> {
        self.look().await
    }
}

async fn apply(transaction: &mut Transaction<'_, Postgres>, confirmed: &Confirmed) -> Result<()> {
    match confirmed {
        Confirmed::Queued(entry) => queue::confirm(transaction, entry).await,
        Confirmed::Batch { number, withdrawals_hash, content, event } => {
            batches::settle(transaction, *number, content, event.transaction).await?;
            withdrawals::check_settled(transaction, *number, *withdrawals_hash).await?;
            tracing::info!(batch = number, transaction = %event.transaction, "settled");
            notify(transaction, BATCHES_CHANNEL, &number.to_string()).await
        }
        Confirmed::Token { number, erc20, info } => {
            const WRITE: &str =
                "INSERT INTO tokens (id, address, symbol, decimals) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
            let bound = sqlx::query(WRITE).bind(i16::from(*number)).bind(erc20.as_slice());
            bound.bind(&info.symbol).bind(i16::from(info.decimals)).execute(&mut **transaction).await?;
            tracing::info!(token = number, %erc20, symbol = info.symbol, "a token was listed");
            Ok(())
        }
        Confirmed::Other(event) => apply_other(transaction, event).await,
    }
}

async fn apply_other(transaction: &mut Transaction<'_, Postgres>, event: &Event) -> Result<()> {
    match &event.what {
        SheafEvents::WithdrawalsCredited(credited) => {
            let count = u64::try_from(credited.count).unwrap_or(u64::MAX);
            withdrawals::credit(transaction, credited.batch, count, credited.remaining, event.transaction).await?;
            tracing::info!(batch = credited.batch, count, "withdrawals are claimable");
            notify(transaction, BATCHES_CHANNEL, &credited.batch.to_string()).await
        }
        SheafEvents::Claimed(claimed) => withdrawals::claim(transaction, claimed.owner, claimed.token, event.transaction).await,
        SheafEvents::OperatorChanged(changed) => {
            tracing::info!(operator = %changed.operator, "the contract's operator");
            Ok(())
        }
        // Credits of withdrawals are told by WithdrawalsCredited; the others are no withdrawals.
        _ => Ok(()),
    }
}
