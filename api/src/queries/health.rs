//! How far the other processes have come.

use super::unsigned;
use crate::error::ApiError;
use crate::model::{L1Health, Waiting};
use sqlx::PgPool;

pub(crate) async fn l1_health(pool: &PgPool) -> Result<Option<L1Health>, ApiError> {
    let query = "SELECT head, confirmed, greatest(extract(epoch FROM now() - head_at), 0)::bigint FROM l1_cursor";
    let row: Option<(i64, i64, i64)> = sqlx::query_as(query).fetch_optional(pool).await?;
    let health = |(head, confirmed, age): (i64, i64, i64)| {
        Ok(L1Health { head: unsigned(head)?, confirmed: unsigned(confirmed)?, head_age_seconds: unsigned(age)? })
    };
    row.map(health).transpose()
}

pub(crate) async fn waiting(pool: &PgPool) -> Result<Waiting, ApiError> {
    let (sealed, proven, parked, oldest): (i64, i64, i64, Option<i64>) = sqlx::query_as(
        "SELECT count(*) FILTER (WHERE b.status = 'sealed'), count(*) FILTER (WHERE b.status = 'proven'),
                (SELECT count(*) FROM proof_jobs WHERE status = 'parked'),
                extract(epoch FROM now() - min(b.sealed_at))::bigint
         FROM batches b WHERE b.status IN ('sealed', 'proven')",
    )
    .fetch_one(pool)
    .await?;
    Ok(Waiting {
        sealed: unsigned(sealed)?,
        proven: unsigned(proven)?,
        parked: unsigned(parked)?,
        oldest_seconds: oldest.map(unsigned).transpose()?,
    })
}
