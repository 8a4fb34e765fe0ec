//! How far the other processes have come.

use super::unsigned;
use crate::error::ApiError;
use crate::model::{KeyHealth, L1Health, Waiting};
use alloy_primitives::Address;
use sheaf_core::json::address_to_hex;
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row};

pub(crate) async fn l1_health(pool: &PgPool) -> Result<Option<L1Health>, ApiError> {
    let query = "SELECT head, confirmed, greatest(extract(epoch FROM now() - head_at), 0)::bigint FROM l1_cursor";
    let row: Option<(i64, i64, i64)> = sqlx::query_as(query).fetch_optional(pool).await?;
    let health = |(head, confirmed, age): (i64, i64, i64)| {
        Ok(L1Health { head: unsigned(head)?, confirmed: unsigned(confirmed)?, head_age_seconds: unsigned(age)? })
    };
    row.map(health).transpose()
}

pub(crate) async fn waiting(pool: &PgPool) -> Result<Waiting, ApiError> {
    let row: (i64, i64, i64, Vec<i16>, Option<i64>, Option<i64>, i64) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE b.status = 'sealed'), count(*) FILTER (WHERE b.status = 'proven'),
                (SELECT count(*) FROM proof_jobs WHERE status = 'parked'),
                ARRAY(SELECT shape FROM shapes_without_prover ORDER BY shape),
                extract(epoch FROM now() - min(b.sealed_at))::bigint,
                (SELECT min(to_batch) FROM unwindings WHERE done_at IS NULL), (SELECT count(*) FROM replays)
         FROM batches b WHERE b.status IN ('sealed', 'proven')",
    )
    .fetch_one(pool)
    .await?;
    let (sealed, proven, parked, unattended, oldest, unwinding_to, reverting) = row;
    Ok(Waiting {
        sealed: unsigned(sealed)?,
        proven: unsigned(proven)?,
        parked: unsigned(parked)?,
        shapes_without_prover: unattended.into_iter().map(unsigned).collect::<Result<_, _>>()?,
        oldest_seconds: oldest.map(unsigned).transpose()?,
        unwinding_to: unwinding_to.map(unsigned).transpose()?,
        reverting: unsigned(reverting)?,
    })
}

pub(crate) async fn key_health(pool: &PgPool) -> Result<Vec<KeyHealth>, ApiError> {
    let query = "SELECT kind, address, balance_wei::text, days_left, greatest(extract(epoch FROM now() - at), 0)::bigint AS age
        FROM l1_keys ORDER BY kind";
    let key = |row: PgRow| -> Result<KeyHealth, ApiError> {
        let address = Address::try_from(row.try_get::<&[u8], _>("address")?).map_err(ApiError::internal)?;
        Ok(KeyHealth {
            kind: row.try_get("kind")?,
            address: address_to_hex(address),
            balance_wei: row.try_get("balance_wei")?,
            days_left: row.try_get("days_left")?,
            age_seconds: unsigned(row.try_get::<i64, _>("age")?)?,
        })
    };
    let rows = sqlx::query(query).fetch_all(pool).await?;
    rows.into_iter().map(key).collect()
}
