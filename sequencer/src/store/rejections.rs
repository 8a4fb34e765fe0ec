//! Refused transactions, for whoever asks what became of them.

use super::StoreError;
use crate::block::TransactionHash;
use sqlx::PgPool;
use std::collections::BTreeMap;

/// Keeps the reasons of these, and of `max` in all.
///
/// # Errors
/// [`StoreError::Sql`].
pub(crate) async fn write_rejections(
    pool: &PgPool,
    rejections: &BTreeMap<TransactionHash, (&'static str, String)>,
    max: u32,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO rejections (hash, code, message)
         SELECT h, c, m FROM unnest($1::bytea[], $2::text[], $3::text[]) AS u (h, c, m)
         ON CONFLICT (hash) DO UPDATE SET code = excluded.code, message = excluded.message, at = now()",
    )
    .bind(rejections.keys().map(|hash| hash.to_vec()).collect::<Vec<_>>())
    .bind(rejections.values().map(|(code, _)| (*code).to_owned()).collect::<Vec<_>>())
    .bind(rejections.values().map(|(_, message)| message.clone()).collect::<Vec<_>>())
    .execute(pool)
    .await?;
    sqlx::query("DELETE FROM rejections WHERE hash IN (SELECT hash FROM rejections ORDER BY at DESC, hash OFFSET $1)")
        .bind(i64::from(max))
        .execute(pool)
        .await?;
    Ok(())
}
