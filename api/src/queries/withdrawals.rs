//! What leaves to L1.

use super::{batch_status, leaving_status, to_hex, unsigned};
use crate::error::ApiError;
use crate::model::Withdrawal;
use sqlx::{FromRow, PgPool};

/// Which withdrawals.
#[derive(Clone, Debug)]
pub(crate) struct WithdrawalFilter {
    pub(crate) recipient: Option<[u8; 20]>,
    /// Only those before this (batch, index).
    pub(crate) before: (i64, i32),
    pub(crate) limit: i64,
}

#[derive(FromRow)]
struct Row {
    batch: i64,
    index: i32,
    position: i32,
    recipient: Vec<u8>,
    token: i16,
    amount: String,
    status: String,
    batch_status: String,
    credit_tx: Option<Vec<u8>>,
    claim_tx: Option<Vec<u8>>,
}

pub(crate) async fn withdrawal(pool: &PgPool, batch: i64, index: i32) -> Result<Option<Withdrawal>, ApiError> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT w.batch, w.index, w.position, w.recipient, w.token, w.amount::text AS amount, w.status,
                b.status AS batch_status, w.credit_tx, w.claim_tx
         FROM withdrawals w JOIN batches b ON b.number = w.batch WHERE w.batch = $1 AND w.index = $2",
    )
    .bind(batch)
    .bind(index)
    .fetch_optional(pool)
    .await?;
    row.map(Row::into_withdrawal).transpose()
}

/// Latest first.
pub(crate) async fn withdrawals(pool: &PgPool, filter: &WithdrawalFilter) -> Result<Vec<Withdrawal>, ApiError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT w.batch, w.index, w.position, w.recipient, w.token, w.amount::text AS amount, w.status,
                b.status AS batch_status, w.credit_tx, w.claim_tx
         FROM withdrawals w JOIN batches b ON b.number = w.batch
         WHERE ($1::bytea IS NULL OR w.recipient = $1) AND (w.batch, w.index) < ($2, $3)
         ORDER BY w.batch DESC, w.index DESC LIMIT $4",
    )
    .bind(filter.recipient.map(Vec::from))
    .bind(filter.before.0)
    .bind(filter.before.1)
    .bind(filter.limit)
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(Row::into_withdrawal).collect()
}

impl Row {
    fn into_withdrawal(self) -> Result<Withdrawal, ApiError> {
        Ok(Withdrawal {
            batch: unsigned(self.batch)?,
            index: unsigned(self.index)?,
            position: unsigned(self.position)?,
            recipient: to_hex(self.recipient),
            token: unsigned(self.token)?,
            amount: self.amount,
            status: leaving_status(batch_status(&self.batch_status)?, Some(&self.status))?,
            credit_tx: self.credit_tx.map(to_hex),
            claim_tx: self.claim_tx.map(to_hex),
        })
    }
}
