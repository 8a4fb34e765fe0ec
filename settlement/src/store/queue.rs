//! The entries of the contract's queue.

use crate::Result;
use crate::error::Error;
use crate::l1::Event;
use alloy::primitives::{Address, B256};
use sheaf_contracts::Sheaf;
use sheaf_core::l1::QUEUE_PREIMAGE_BYTES;
use sqlx::{Postgres, Row, Transaction};

/// An entry as its event tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its index.
    pub index: u64,
    /// Its operation's code.
    pub op: u8,
    /// Who called.
    pub sender: Address,
    /// What its hash is made of.
    pub preimage: [u8; QUEUE_PREIMAGE_BYTES],
    /// Until when it must be processed, unix seconds.
    pub deadline: u32,
    /// Its transaction.
    pub transaction: B256,
    /// Its block.
    pub block: u64,
}

impl Entry {
    /// The entry that an event tells of, if it is that event.
    pub fn from_event(event: &Event) -> Option<Self> {
        let Sheaf::SheafEvents::OperationQueued(queued) = &event.what else { return None };
        let mut preimage = [0; QUEUE_PREIMAGE_BYTES];
        preimage[..21].copy_from_slice(&queued.core.to_be_bytes::<21>());
        preimage[21..41].copy_from_slice(queued.aux1.as_slice());
        preimage[41..].copy_from_slice(&queued.aux2.to_be_bytes::<32>());
        Some(Self {
            index: queued.index,
            op: queued.op,
            sender: queued.sender,
            preimage,
            deadline: queued.deadline,
            transaction: event.transaction,
            block: event.block,
        })
    }
}

const WRITE: &str = "
    INSERT INTO l1_operations (index, op, sender, preimage, deadline, tx_hash, l1_block, confirmed)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (index) DO UPDATE SET op = $2, sender = $3, preimage = $4, deadline = $5, tx_hash = $6, l1_block = $7, confirmed = $8
    WHERE NOT l1_operations.confirmed";

/// Replaces the entries that are not confirmed by these.
///
/// # Errors
/// [`Error::Database`].
pub async fn replace_unconfirmed(transaction: &mut Transaction<'_, Postgres>, entries: &[Entry]) -> Result<()> {
    let kept: Vec<i64> = entries.iter().map(|e| e.index as i64).collect();
    let remove = "DELETE FROM l1_operations WHERE NOT confirmed AND index <> ALL ($1)";
    sqlx::query(remove).bind(kept).execute(&mut **transaction).await?;
    for entry in entries {
        write(transaction, entry, false).await?;
    }
    Ok(())
}

/// Fixes an entry.
///
/// # Errors
/// [`Error::QueueDiffers`] unless it is the one after the last confirmed one, or [`Error::Database`].
pub async fn confirm(transaction: &mut Transaction<'_, Postgres>, entry: &Entry) -> Result<()> {
    let next = "SELECT coalesce(max(index) + 1, 0) AS next FROM l1_operations WHERE confirmed";
    let next: i64 = sqlx::query(next).fetch_one(&mut **transaction).await?.try_get("next")?;
    if entry.index != next as u64 {
        let reason = format!("entry {next} is expected; check start_block");
        return Err(Error::QueueDiffers { index: entry.index, reason });
    }
    let written = write(transaction, entry, true).await?;
    assert_eq!(written, 1, "an entry that is not confirmed can be written");
    Ok(())
}

async fn write(transaction: &mut Transaction<'_, Postgres>, entry: &Entry, confirmed: bool) -> Result<u64> {
    let done = sqlx::query(WRITE)
        .bind(entry.index as i64)
        .bind(i16::from(entry.op))
        .bind(entry.sender.as_slice())
        .bind(entry.preimage.as_slice())
        .bind(i64::from(entry.deadline))
        .bind(entry.transaction.as_slice())
        .bind(entry.block as i64)
        .bind(confirmed)
        .execute(&mut **transaction)
        .await?;
    Ok(done.rows_affected())
}
