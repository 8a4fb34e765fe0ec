//! What the keys that pay for gas have, and for how long that lasts.

use crate::Result;
use alloy::primitives::{Address, U256};
use sqlx::postgres::PgPool;

/// Writes down what a key has; answers for how many days that lasts at what its transactions cost in the last seven days, or
/// since the first that it ever sent, but at least an hour. `None` if it has sent none in that time.
///
/// # Errors
/// [`crate::Error::Database`].
pub async fn record(pool: &PgPool, kind: &str, address: Address, balance_wei: U256) -> Result<Option<f64>> {
    const WRITE: &str = "
        WITH spent AS (
            SELECT sum(fee_wei) FILTER (WHERE sent_at > now() - interval '7 days') AS wei,
                greatest(least(extract(epoch FROM now() - min(sent_at)) / 86400, 7), 1.0 / 24) AS days
            FROM l1_transactions WHERE kind = $1 AND fee_wei > 0
        )
        INSERT INTO l1_keys (kind, address, balance_wei, days_left) SELECT $1, $2, $3::numeric, $3::numeric * days / wei FROM spent
        ON CONFLICT (kind) DO UPDATE SET address = excluded.address, balance_wei = excluded.balance_wei,
            days_left = excluded.days_left, at = now()
        RETURNING days_left";
    let write = sqlx::query_scalar(WRITE).bind(kind).bind(address.as_slice()).bind(balance_wei.to_string());
    Ok(write.fetch_one(pool).await?)
}
