//! Executed and rejected transactions. Neither key nor signature is read.

use super::receipts::receipt;
use super::{batch_status, leaving_status, to_hex, unsigned};
use crate::error::{ApiError, ErrorBody};
use crate::model::{Executed, Status, TakenBack, WithdrawalRef};
use sheaf_core::json::PairJson;
use sheaf_core::operation::OpCode;
use sqlx::{FromRow, PgPool};

/// What the database knows of a transaction.
pub(crate) enum Found {
    Executed(Status, Box<Executed>),
    /// Taken back, and waits to be executed again.
    Reverting(TakenBack),
    /// Taken back, and no longer valid.
    Reverted(ErrorBody, TakenBack),
    Rejected(ErrorBody),
}

#[derive(FromRow)]
struct Row {
    batch: i64,
    position: i32,
    block: i64,
    code: i16,
    sender: i32,
    nonce: i64,
    expires: i64,
    token: i16,
    amount: String,
    fee: String,
    receiver: Option<i32>,
    target_owner: Vec<u8>,
    target_key: Option<Vec<u8>>,
    batch_status: String,
    settled_tx: Option<Vec<u8>>,
    withdrawal_index: Option<i32>,
    withdrawal_status: Option<String>,
}

pub(crate) async fn transaction(pool: &PgPool, hash: [u8; 32]) -> Result<Option<Found>, ApiError> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT t.batch, t.position, t.block, t.code, t.sender, t.nonce, t.expires, t.token, t.amount::text AS amount,
                t.fee::text AS fee, t.receiver, t.target_owner, t.target_key, b.status AS batch_status, b.settled_tx,
                w.index AS withdrawal_index, w.status AS withdrawal_status
         FROM transactions t JOIN batches b ON b.number = t.batch
         LEFT JOIN withdrawals w ON w.batch = t.batch AND w.position = t.position
         WHERE t.hash = $1",
    )
    .bind(&hash[..])
    .fetch_optional(pool)
    .await?;
    if let Some(row) = row {
        let mut executed = row.into_found()?;
        if let Found::Executed(_, executed) = &mut executed {
            executed.receipt = receipt(pool, executed.block, hash.into()).await?;
        }
        return Ok(Some(executed));
    }
    if let Some(found) = taken_back(pool, hash).await? {
        return Ok(Some(found));
    }
    let rejection: Option<(String, String)> =
        sqlx::query_as("SELECT code, message FROM rejections WHERE hash = $1").bind(&hash[..]).fetch_optional(pool).await?;
    Ok(rejection.map(|(code, message)| Found::Rejected(ErrorBody { code, message })))
}

#[derive(FromRow)]
struct TakenBackRow {
    block: i64,
    batch: i64,
    position: i32,
    reason: String,
    code: Option<String>,
    message: Option<String>,
}

/// What an unwinding took back: what still waits goes before what was given up, for it may yet hold.
async fn taken_back(pool: &PgPool, hash: [u8; 32]) -> Result<Option<Found>, ApiError> {
    let row: Option<TakenBackRow> = sqlx::query_as(
        "SELECT t.block, t.batch, t.position, COALESCE(u.reason, 'unknown') AS reason, t.code, t.message
         FROM (SELECT 0 AS rank, block, batch, position, unwinding, NULL AS code, NULL AS message FROM replays WHERE hash = $1
               UNION ALL
               SELECT 1, block, batch, position, unwinding, code, message FROM dropped_transactions WHERE hash = $1) t
         LEFT JOIN unwindings u ON u.number = t.unwinding ORDER BY t.rank LIMIT 1",
    )
    .bind(&hash[..])
    .fetch_optional(pool)
    .await?;
    let found = |row: TakenBackRow| {
        let TakenBackRow { block, batch, position, reason, code, message } = row;
        let place = TakenBack { reason, block: unsigned(block)?, batch: unsigned(batch)?, position: unsigned(position)? };
        Ok(match (code, message) {
            (Some(code), Some(message)) => Found::Reverted(ErrorBody { code, message }, place),
            _ => Found::Reverting(place),
        })
    };
    row.map(found).transpose()
}

impl Row {
    fn into_found(self) -> Result<Found, ApiError> {
        let kind = match OpCode::from_bits(unsigned(self.code)?) {
            Some(OpCode::Transfer) => "transfer",
            Some(OpCode::TransferNew) => "transfer_new",
            Some(OpCode::Withdraw) => "withdraw",
            _ => return Err(ApiError::internal(format_args!("the stored operation code {} is no transaction's", self.code))),
        };
        let status = leaving_status(batch_status(&self.batch_status)?, self.withdrawal_status.as_deref())?;
        let batch = unsigned(self.batch)?;
        let owner = to_hex(self.target_owner);
        let (to, recipient) = match (kind, self.target_key) {
            ("withdraw", _) => (None, Some(owner)),
            (_, key_hash) => (Some(PairJson { owner, key_hash: to_hex(key_hash.unwrap_or_default()) }), None),
        };
        let index = self.withdrawal_index.map(unsigned).transpose()?;
        let executed = Executed {
            kind: kind.to_owned(),
            batch,
            position: unsigned(self.position)?,
            block: unsigned(self.block)?,
            from: unsigned(self.sender)?,
            nonce: unsigned(self.nonce)?,
            expires: unsigned(self.expires)?,
            token: unsigned(self.token)?,
            amount: self.amount,
            fee: self.fee,
            to_account: self.receiver.map(unsigned).transpose()?,
            to,
            recipient,
            withdrawal: index.map(|index| WithdrawalRef { batch, index }),
            settled_tx: self.settled_tx.map(to_hex),
            receipt: None,
        };
        Ok(Found::Executed(status, Box::new(executed)))
    }
}
