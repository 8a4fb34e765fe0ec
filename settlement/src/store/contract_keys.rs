//! Which verifying keys the contract has, for the provers.

use crate::Result;
use alloy::primitives::B256;
use sqlx::postgres::PgPool;

/// Writes down the hashes of the contract's verifying keys, in the order of the shapes.
///
/// # Errors
/// [`crate::Error::Database`].
pub async fn write(pool: &PgPool, hashes: &[B256]) -> Result<()> {
    let shapes: Vec<i16> = (0..).take(hashes.len()).collect();
    let hashes: Vec<&[u8]> = hashes.iter().map(|hash| hash.as_slice()).collect();
    const WRITE: &str = "
        INSERT INTO contract_keys (shape, vk_hash) SELECT * FROM unnest($1::smallint[], $2::bytea[])
        ON CONFLICT (shape) DO UPDATE SET vk_hash = excluded.vk_hash";
    sqlx::query(WRITE).bind(shapes).bind(hashes).execute(pool).await?;
    Ok(())
}
