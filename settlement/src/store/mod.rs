//! What settlement reads and writes in the database.

pub mod batches;
pub mod contract_keys;
pub mod cursor;
pub mod keys;
pub mod proofs;
pub mod queue;
pub mod sent;
pub mod unwindings;
pub mod withdrawals;

use crate::Result;
use crate::error::Error;
use alloy::primitives::Address;
use sqlx::postgres::PgPool;
use sqlx::{Postgres, Row, Transaction};

/// The channel on which confirmed entries of the queue are announced.
pub const OPERATIONS_CHANNEL: &str = "l1_operations";
/// The channel on which batches that have moved on are announced.
pub const BATCHES_CHANNEL: &str = "batches";

/// Makes sure that the database belongs to this deployment. Until the sequencer has written that down it answers `false`.
///
/// # Errors
/// [`Error::OtherDeployment`] or [`Error::Database`].
pub async fn check_deployment(pool: &PgPool, chain_id: u64, contract: Address) -> Result<bool> {
    let Some(row) = sqlx::query("SELECT chain_id, contract FROM chain").fetch_optional(pool).await? else { return Ok(false) };
    let stored_id = row.try_get::<i64, _>("chain_id")? as u64;
    let stored = Address::from_slice(&row.try_get::<Vec<u8>, _>("contract")?);
    if (stored_id, stored) != (chain_id, contract) {
        return Err(Error::OtherDeployment { chain_id: stored_id, contract: stored });
    }
    Ok(true)
}

/// Announces something when the transaction commits.
pub(crate) async fn notify(transaction: &mut Transaction<'_, Postgres>, channel: &str, payload: &str) -> Result<()> {
    sqlx::query("SELECT pg_notify($1, $2)").bind(channel).bind(payload).execute(&mut **transaction).await?;
    Ok(())
}
