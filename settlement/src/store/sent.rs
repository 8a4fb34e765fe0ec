//! The transactions that settlement sent, for the figures and for finding them after a crash.

use crate::Result;
use alloy::primitives::B256;
use sqlx::postgres::PgPool;

/// Writes a transaction down; done before it is sent.
///
/// # Errors
/// [`crate::Error::Database`].
pub async fn record(pool: &PgPool, hash: B256, kind: &str, batch: u64) -> Result<()> {
    const WRITE: &str = "INSERT INTO l1_transactions (hash, kind, batch) VALUES ($1, $2, $3) ON CONFLICT (hash) DO NOTHING";
    sqlx::query(WRITE).bind(hash.as_slice()).bind(kind).bind(batch as i64).execute(pool).await?;
    Ok(())
}

/// The transactions of a kind whose end is not known.
///
/// # Errors
/// [`crate::Error::Database`].
pub async fn open(pool: &PgPool, kind: &str) -> Result<Vec<B256>> {
    const READ: &str = "SELECT hash FROM l1_transactions WHERE kind = $1 AND succeeded IS NULL ORDER BY sent_at LIMIT 100";
    let hashes: Vec<Vec<u8>> = sqlx::query_scalar(READ).bind(kind).fetch_all(pool).await?;
    Ok(hashes.iter().map(|hash| B256::from_slice(hash)).collect())
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// What it used.
    pub gas: u64,
    /// What it paid for each unit of that, wei.
    pub gas_price_wei: u128,
    /// Whether it did what it was to do; what it paid for is gone in any case.
    pub succeeded: bool,
}

/// Writes down how a transaction ended.
///
/// # Errors
/// [`crate::Error::Database`].
pub async fn close(pool: &PgPool, hash: B256, end: End) -> Result<()> {
    const WRITE: &str =
        "UPDATE l1_transactions SET gas_used = $2, succeeded = $3, fee_wei = $2::numeric * $4::numeric WHERE hash = $1";
    let write = sqlx::query(WRITE).bind(hash.as_slice()).bind(end.gas as i64).bind(end.succeeded);
    write.bind(end.gas_price_wei.to_string()).execute(pool).await?;
    Ok(())
}

/// Forgets a transaction that never was in a block and can't be any more.
///
/// # Errors
/// [`crate::Error::Database`].
pub async fn forget(pool: &PgPool, hash: B256) -> Result<()> {
    sqlx::query("DELETE FROM l1_transactions WHERE hash = $1 AND succeeded IS NULL").bind(hash.as_slice()).execute(pool).await?;
    Ok(())
}
