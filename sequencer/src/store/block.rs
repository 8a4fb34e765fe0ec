//! A block in one database transaction.

use super::StoreError;
use crate::block::{AccountRow, BalanceRow, BatchRow, BlockRecord, L1Row, RetiredRow, TransactionRow, UndoRow};
use crate::config::Config;
use crate::environment::{Environment, Step};
use alloy_primitives::Address;
use sheaf_core::operation::Operation;
use sheaf_core::transaction::{Pair, Target};
use sheaf_core::types::field_to_bytes;
use sqlx::{Connection, PgConnection};

/// Makes a block durable, if this is still the epoch of the latest sequencer. A block that is durable already is left alone.
///
/// # Errors
/// [`StoreError`]. After a transient one, whether the block is durable is unknown: call again on a new connection.
pub(crate) async fn commit_block(
    connection: &mut PgConnection,
    block: &BlockRecord,
    shape: u8,
    epoch: i64,
    environment: &Environment,
) -> Result<(), StoreError> {
    let mut tx = connection.begin().await?;
    if super::current_epoch(&mut tx).await? != epoch {
        return Err(StoreError::Fenced);
    }
    let exists = "SELECT EXISTS (SELECT FROM blocks WHERE number = $1)";
    if sqlx::query_scalar(exists).bind(block.number.sql()).fetch_one(&mut *tx).await? {
        // An earlier attempt: nobody else can have written under this epoch.
        return Ok(());
    }
    environment.reached(Step::BlockBegun);
    let operations = block.transactions.len() + block.l1.len();
    sqlx::query("INSERT INTO blocks (number, operation_count) VALUES ($1, $2)")
        .bind(block.number.sql())
        .bind(operations as i32)
        .execute(&mut *tx)
        .await?;
    write_batches(&mut tx, &block.batches, shape).await?;
    write_transactions(&mut tx, block.number.sql(), &block.transactions).await?;
    write_l1(&mut tx, block.number.sql(), &block.l1).await?;
    write_accounts(&mut tx, &block.accounts).await?;
    write_balances(&mut tx, &block.balances).await?;
    write_retired(&mut tx, &block.retired).await?;
    write_undo(&mut tx, &block.undo).await?;
    environment.reached(Step::BlockWritten);
    tx.commit().await?;
    environment.reached(Step::BlockCommitted);
    Ok(())
}

fn column<R, T>(rows: &[R], value: impl Fn(&R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

async fn write_batches(tx: &mut PgConnection, rows: &[BatchRow], shape: u8) -> Result<(), StoreError> {
    let done = sqlx::query(
        "INSERT INTO batches (number, status, timestamp, l1_count, op_count, fee_account, shape, sealed_at)
         SELECT n, CASE WHEN sealed THEN 'sealed' ELSE 'open' END, t, l, o, $6, $7, CASE WHEN sealed THEN now() END
         FROM unnest($1::bigint[], $2::bool[], $3::bigint[], $4::int[], $5::int[]) AS u (n, sealed, t, l, o)
         ON CONFLICT (number) DO UPDATE
         SET status = excluded.status, timestamp = excluded.timestamp, l1_count = excluded.l1_count,
             op_count = excluded.op_count, sealed_at = excluded.sealed_at
         WHERE batches.status = 'open'",
    )
    .bind(column(rows, |r| r.number.sql()))
    .bind(column(rows, |r| r.sealed))
    .bind(column(rows, |r| i64::from(r.timestamp)))
    .bind(column(rows, |r| r.l1_count.cast_signed()))
    .bind(column(rows, |r| r.op_count.cast_signed()))
    .bind(Config::FEE_ACCOUNT.get().cast_signed())
    .bind(i16::from(shape))
    .execute(tx)
    .await?;
    expect_rows(done.rows_affected(), rows.len(), "batches that were open")
}

/// The receiving account of a transaction, if it has one.
const fn receiver(operation: &Operation) -> Option<i32> {
    match operation {
        Operation::Transfer { to, .. } | Operation::TransferNew { to, .. } => Some(to.get().cast_signed()),
        _ => None,
    }
}

const fn target(target: &Target) -> (Address, Option<&Pair>) {
    match target {
        Target::Account(pair) => (pair.owner, Some(pair)),
        Target::L1(recipient) => (*recipient, None),
    }
}

fn posted(operation: &Operation) -> Vec<u8> {
    let mut bytes = Vec::new();
    operation.encode(&mut bytes);
    bytes
}

async fn write_transactions(tx: &mut PgConnection, block: i64, rows: &[TransactionRow]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let payload = |r: &TransactionRow| r.transaction.payload;
    sqlx::query(
        "INSERT INTO transactions (hash, batch, position, block, code, posted, sender, nonce, expires, token, amount, fee,
                                   receiver, target_owner, target_key, public_key, signature)
         SELECT hash, batch, position, $1, code, posted, sender, nonce, expires, token, amount::numeric, fee::numeric,
                receiver, target_owner, target_key, public_key, signature
         FROM unnest($2::bytea[], $3::bigint[], $4::int[], $5::smallint[], $6::bytea[], $7::int[], $8::bigint[], $9::bigint[],
                     $10::smallint[], $11::text[], $12::text[], $13::int[], $14::bytea[], $15::bytea[], $16::bytea[], $17::bytea[])
              AS u (hash, batch, position, code, posted, sender, nonce, expires, token, amount, fee, receiver, target_owner,
                    target_key, public_key, signature)",
    )
    .bind(block)
    .bind(column(rows, |r| r.hash.to_vec()))
    .bind(column(rows, |r| r.batch.sql()))
    .bind(column(rows, |r| r.position.cast_signed()))
    .bind(column(rows, |r| r.operation.code() as i16))
    .bind(column(rows, |r| posted(&r.operation)))
    .bind(column(rows, |r| payload(r).from.get().cast_signed()))
    .bind(column(rows, |r| payload(r).nonce.cast_signed()))
    .bind(column(rows, |r| i64::from(payload(r).expires)))
    .bind(column(rows, |r| i16::from(payload(r).token.get())))
    .bind(column(rows, |r| payload(r).amount.value().expect("a balance paid it").to_string()))
    .bind(column(rows, |r| payload(r).fee.value().expect("a balance paid it").to_string()))
    .bind(column(rows, |r| receiver(&r.operation)))
    .bind(column(rows, |r| target(&payload(r).target).0.to_vec()))
    .bind(column(rows, |r| target(&payload(r).target).1.map(|p| field_to_bytes(p.key_hash).to_vec())))
    .bind(column(rows, |r| r.transaction.public_key.to_bytes().to_vec()))
    .bind(column(rows, |r| r.transaction.signature.to_bytes().to_vec()))
    .execute(tx)
    .await?;
    Ok(())
}

/// The account that an L1 operation is about, if it has one.
const fn l1_account(operation: &Operation) -> Option<i32> {
    match operation {
        Operation::Deposit { account, .. } | Operation::SetKey { account, .. } | Operation::ForcedExit { account, .. } => {
            Some(account.get().cast_signed())
        }
        _ => None,
    }
}

async fn write_l1(tx: &mut PgConnection, block: i64, rows: &[L1Row]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let done = sqlx::query(
        "UPDATE l1_operations o
         SET batch = u.batch, position = u.position, block = $1, posted = u.posted, account = u.account, refunded = u.refunded
         FROM unnest($2::bigint[], $3::bytea[], $4::bigint[], $5::int[], $6::bytea[], $7::int[], $8::bool[])
              AS u (index, preimage, batch, position, posted, account, refunded)
         WHERE o.index = u.index AND o.preimage = u.preimage AND o.confirmed AND o.batch IS NULL",
    )
    .bind(block)
    .bind(column(rows, |r| r.index.cast_signed()))
    .bind(column(rows, |r| r.preimage.to_vec()))
    .bind(column(rows, |r| r.batch.sql()))
    .bind(column(rows, |r| r.position.cast_signed()))
    .bind(column(rows, |r| posted(&r.operation)))
    .bind(column(rows, |r| l1_account(&r.operation)))
    .bind(column(rows, |r| matches!(r.operation, Operation::DepositRefund { .. })))
    .execute(tx)
    .await?;
    expect_rows(done.rows_affected(), rows.len(), "confirmed entries of the L1 queue")
}

async fn write_accounts(tx: &mut PgConnection, rows: &[AccountRow]) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO accounts (id, key_hash, owner, nonce)
         SELECT * FROM unnest($1::int[], $2::bytea[], $3::bytea[], $4::bigint[])
         ON CONFLICT (id) DO UPDATE SET key_hash = excluded.key_hash, owner = excluded.owner, nonce = excluded.nonce",
    )
    .bind(column(rows, |r| r.id.get().cast_signed()))
    .bind(column(rows, |r| field_to_bytes(r.key_hash).to_vec()))
    .bind(column(rows, |r| r.owner.to_vec()))
    .bind(column(rows, |r| r.nonce.cast_signed()))
    .execute(tx)
    .await?;
    Ok(())
}

async fn write_balances(tx: &mut PgConnection, rows: &[BalanceRow]) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO balances (account, token, amount)
         SELECT a, t, v::numeric FROM unnest($1::int[], $2::smallint[], $3::text[]) AS u (a, t, v)
         ON CONFLICT (account, token) DO UPDATE SET amount = excluded.amount",
    )
    .bind(column(rows, |r| r.account.get().cast_signed()))
    .bind(column(rows, |r| i16::from(r.token.get())))
    .bind(column(rows, |r| r.amount.to_string()))
    .execute(tx)
    .await?;
    Ok(())
}

async fn write_retired(tx: &mut PgConnection, rows: &[RetiredRow]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query("INSERT INTO retired_pairs (owner, key_hash) SELECT * FROM unnest($1::bytea[], $2::bytea[])")
        .bind(column(rows, |r| r.pair.owner.to_vec()))
        .bind(column(rows, |r| field_to_bytes(r.pair.key_hash).to_vec()))
        .execute(tx)
        .await?;
    Ok(())
}

async fn write_undo(tx: &mut PgConnection, rows: &[UndoRow]) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO batch_undo (batch, address, old) SELECT * FROM unnest($1::bigint[], $2::int[], $3::bytea[])")
        .bind(column(rows, |r| r.batch.sql()))
        .bind(column(rows, |r| r.address.cast_signed()))
        .bind(column(rows, |r| field_to_bytes(r.old).to_vec()))
        .execute(tx)
        .await?;
    Ok(())
}

fn expect_rows(found: u64, expected: usize, what: &str) -> Result<(), StoreError> {
    if found == expected as u64 {
        return Ok(());
    }
    Err(StoreError::Damaged(format!("{found} {what} where {expected} were expected")))
}
