//! How far L1 has been read.

use crate::Result;
use crate::l1::Block;
use alloy::primitives::B256;
use sqlx::postgres::PgPool;
use sqlx::{Postgres, Row, Transaction};

/// How far L1 has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The latest block seen.
    pub head: u64,
    /// The last block whose events are fixed.
    pub confirmed: Block,
}

/// Reads the cursor; `None` before the first look.
///
/// # Errors
/// [`crate::Error::Database`].
pub async fn read(pool: &PgPool) -> Result<Option<Cursor>> {
    let row = sqlx::query("SELECT head, confirmed, confirmed_hash FROM l1_cursor").fetch_optional(pool).await?;
    row.map(|row| {
        let hash = B256::from_slice(&row.try_get::<Vec<u8>, _>("confirmed_hash")?);
        let number = row.try_get::<i64, _>("confirmed")? as u64;
        Ok(Cursor { head: row.try_get::<i64, _>("head")? as u64, confirmed: Block { number, hash } })
    })
    .transpose()
}

/// Moves the cursor from where it was read; answers `false` if another process has moved it meanwhile.
///
/// # Errors
/// [`crate::Error::Database`].
pub async fn advance(transaction: &mut Transaction<'_, Postgres>, from: &Cursor, to: &Cursor) -> Result<bool> {
    const WRITE: &str = "
        INSERT INTO l1_cursor (head, confirmed, confirmed_hash) VALUES ($1, $2, $3)
        ON CONFLICT (singleton) DO UPDATE SET head = $1, confirmed = $2, confirmed_hash = $3,
            head_at = CASE WHEN l1_cursor.head = $1 THEN l1_cursor.head_at ELSE now() END
        WHERE l1_cursor.confirmed = $4 AND l1_cursor.confirmed_hash = $5";
    let done = sqlx::query(WRITE)
        .bind(to.head as i64)
        .bind(to.confirmed.number as i64)
        .bind(to.confirmed.hash.as_slice())
        .bind(from.confirmed.number as i64)
        .bind(from.confirmed.hash.as_slice())
        .execute(&mut **transaction)
        .await?;
    Ok(done.rows_affected() == 1)
}
