//! Entries of the contract's queue, by the L1 transaction that made them.

use super::{batch_status, leaving_status, to_hex, unsigned};
use crate::error::ApiError;
use crate::model::{L1Operation, Status, WithdrawalRef};
use sheaf_core::json::{PairJson, address_to_hex, field_to_hex};
use sheaf_core::operation::Operation;
use sqlx::{FromRow, PgPool};

#[derive(FromRow)]
struct Row {
    index: i64,
    sender: Vec<u8>,
    preimage: Vec<u8>,
    deadline: i64,
    l1_block: i64,
    confirmed: bool,
    batch: Option<i64>,
    position: Option<i32>,
    posted: Option<Vec<u8>>,
    account: Option<i32>,
    refunded: bool,
    batch_status: Option<String>,
    cursor_confirmed: Option<i64>,
    withdrawal_index: Option<i32>,
    withdrawal_status: Option<String>,
}

pub(crate) async fn l1_operations(pool: &PgPool, tx_hash: [u8; 32]) -> Result<Vec<L1Operation>, ApiError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT o.index, o.sender, o.preimage, o.deadline, o.l1_block, o.confirmed, o.batch, o.position, o.posted,
                o.account, o.refunded, b.status AS batch_status, c.confirmed AS cursor_confirmed,
                w.index AS withdrawal_index, w.status AS withdrawal_status
         FROM l1_operations o LEFT JOIN batches b ON b.number = o.batch LEFT JOIN l1_cursor c ON TRUE
         LEFT JOIN withdrawals w ON w.batch = o.batch AND w.position = o.position
         WHERE o.tx_hash = $1 ORDER BY o.index",
    )
    .bind(&tx_hash[..])
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(Row::into_operation).collect()
}

/// The fields of an operation that people ask for.
struct Shown {
    kind: &'static str,
    token: Option<u8>,
    amount: Option<String>,
    to: Option<PairJson>,
    account: Option<u32>,
}

fn shown(operation: &Operation, executed: bool) -> Shown {
    match *operation {
        Operation::Deposit { token, amount, owner, key_hash, .. }
        | Operation::DepositRefund { token, amount, owner, key_hash } => Shown {
            kind: "deposit",
            token: token.token().map(|t| t.get()),
            amount: Some(amount.to_string()),
            to: Some(PairJson { owner: address_to_hex(owner), key_hash: field_to_hex(key_hash) }),
            account: None,
        },
        Operation::ForcedExit { account, token, amount, .. } => Shown {
            kind: "forced_exit",
            token: token.token().map(|t| t.get()),
            amount: executed.then(|| amount.to_string()),
            to: None,
            account: Some(account.get()),
        },
        Operation::SetKey { account, .. } => {
            Shown { kind: "set_key", token: None, amount: None, to: None, account: Some(account.get()) }
        }
        _ => Shown { kind: "unknown", token: None, amount: None, to: None, account: None },
    }
}

impl Row {
    fn into_operation(self) -> Result<L1Operation, ApiError> {
        // What was executed, once it is, with the fields that the operator filled in; until then the
        // preimage, of which the posted form is a prefix.
        let executed = self.posted.is_some();
        let bytes = self.posted.unwrap_or(self.preimage);
        let operation = Operation::decode_as(&mut &bytes[..], true).map_err(ApiError::internal)?;
        let Shown { kind, token, amount, to, account } = shown(&operation, executed);
        let status = match (self.batch_status.as_deref(), self.confirmed) {
            (Some(batch), _) => leaving_status(batch_status(batch)?, self.withdrawal_status.as_deref())?,
            (None, true) => Status::Queued,
            (None, false) => Status::Confirming,
        };
        let left = if self.confirmed { 0 } else { (self.l1_block - self.cursor_confirmed.unwrap_or(0)).max(1) };
        let (batch, index) = (self.batch.map(unsigned).transpose()?, self.withdrawal_index.map(unsigned).transpose()?);
        Ok(L1Operation {
            index: unsigned(self.index)?,
            kind: kind.to_owned(),
            status,
            confirmations_left: unsigned(left)?,
            sender: to_hex(self.sender),
            l1_block: unsigned(self.l1_block)?,
            deadline: unsigned(self.deadline)?,
            token,
            amount,
            to,
            account: self.account.map(unsigned).transpose()?.or(account),
            refunded: self.refunded,
            batch,
            position: self.position.map(unsigned).transpose()?,
            withdrawal: batch.zip(index).map(|(batch, index)| WithdrawalRef { batch, index }),
        })
    }
}
