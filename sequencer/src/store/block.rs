//! A block in one database transaction.
//!
//! It costs five round trips: begin, look, one statement for all that has a row a block or a batch, a binary COPY of the
//! transactions, commit. L1 entries, new accounts and replays take their own statement, in blocks that have any.

use super::copy::CopyRows;
use super::words::{self, StateWord};
use super::{StoreError, undo};
use crate::block::{AccountRow, BlockRecord, DroppedRow, L1Row, RetiredRow, TransactionRow};
use crate::config::Config;
use crate::environment::{Environment, Step};
use crate::signer::SignedBlock;
use alloy_primitives::Address;
use sheaf_core::operation::Operation;
use sheaf_core::transaction::{Pair, Target};
use sheaf_core::types::field_to_bytes;
use sqlx::{Connection, PgConnection, Row};

/// Makes a block durable, if this is still the epoch of the latest sequencer. A block that is durable already is left alone.
///
/// # Errors
/// [`StoreError`]. After a transient one, whether the block is durable is unknown: call again on a new connection.
pub(crate) async fn commit_block(
    connection: &mut PgConnection,
    block: &BlockRecord,
    signed: &SignedBlock,
    epoch: i64,
    environment: &Environment,
) -> Result<(), StoreError> {
    let mut tx = connection.begin().await?;
    let look = "SELECT epoch, EXISTS (SELECT FROM blocks WHERE number = $1) AS exists FROM chain FOR SHARE";
    let row = sqlx::query(look).bind(block.number.sql()).fetch_one(&mut *tx).await?;
    let (current, exists): (i64, bool) = (row.try_get("epoch")?, row.try_get("exists")?);
    if current != epoch || exists {
        // Not left to the next use of the connection: until then the chain's row would be locked.
        tx.rollback().await?;
        // If it exists, it is from an earlier attempt: nobody else can have written under this epoch.
        return if current == epoch { Ok(()) } else { Err(StoreError::Fenced) };
    }
    environment.reached(Step::BlockBegun);
    write_block(&mut tx, block, signed).await?;
    copy_transactions(&mut tx, block.number.sql(), &block.transactions).await?;
    environment.reached(Step::BlockCopied);
    write_l1(&mut tx, block.number.sql(), &block.l1).await?;
    write_accounts(&mut tx, block).await?;
    write_retired(&mut tx, &block.retired).await?;
    settle_replays(&mut tx, block.replayed_to, &block.dropped).await?;
    environment.reached(Step::BlockWritten);
    tx.commit().await?;
    environment.reached(Step::BlockCommitted);
    Ok(())
}

fn column<R, T>(rows: &[R], value: impl Fn(&R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

/// Nonces and balances as the block leaves them, packed.
pub(super) fn changes(block: &BlockRecord) -> Vec<u8> {
    // A nonce takes about 8 bytes, a balance about 15.
    let mut bytes = Vec::with_capacity(16 * (block.accounts.len() + block.balances.len()));
    block.accounts.iter().for_each(|row| words::pack(&StateWord::from(row), &mut bytes));
    block.balances.iter().for_each(|row| words::pack(&StateWord::from(row), &mut bytes));
    bytes
}

/// The rows of the block itself, of what it changed, of its batches, and a proving job for each batch that it seals.
async fn write_block(tx: &mut PgConnection, block: &BlockRecord, signed: &SignedBlock) -> Result<(), StoreError> {
    let is_signed = !block.transactions.is_empty();
    let (undo_batches, undo_words): (Vec<_>, Vec<_>) = undo::pack(&block.undo).into_iter().map(|(b, w)| (b.sql(), w)).unzip();
    let rows = &block.batches;
    let done = sqlx::query(
        "WITH block AS (INSERT INTO blocks (number, operation_count, receipts_root, signature) VALUES ($1, $2, $3, $4)),
              changes AS (INSERT INTO state_changes (block, words) SELECT $1, $5::bytea WHERE length($5::bytea) > 0),
              undo AS (INSERT INTO batch_undo (batch, block, words) SELECT b, $1, w FROM unnest($6::bigint[], $7::bytea[]) AS u (b, w)),
              touched AS (SELECT * FROM unnest($8::bigint[], $9::bool[], $10::bigint[], $11::int[], $12::int[], $13::smallint[])
                                        AS u (n, sealed, t, l, o, s)),
              jobs AS (INSERT INTO proof_jobs (batch, shape, status) SELECT n, s, 'unbuilt' FROM touched WHERE sealed)
         INSERT INTO batches (number, status, timestamp, l1_count, op_count, fee_account, shape, sealed_at)
         SELECT n, CASE WHEN sealed THEN 'sealed' ELSE 'open' END, t, l, o, $14, s, CASE WHEN sealed THEN now() END
         FROM touched
         ON CONFLICT (number) DO UPDATE
         SET status = excluded.status, timestamp = excluded.timestamp, l1_count = excluded.l1_count,
             op_count = excluded.op_count, shape = excluded.shape, sealed_at = excluded.sealed_at
         WHERE batches.status = 'open'",
    )
    .bind(block.number.sql())
    .bind((block.transactions.len() + block.l1.len()) as i32)
    .bind(is_signed.then(|| signed.root().to_vec()))
    .bind(is_signed.then(|| signed.signature().to_vec()))
    .bind(changes(block))
    .bind(undo_batches)
    .bind(undo_words)
    .bind(column(rows, |r| r.number.sql()))
    .bind(column(rows, |r| r.sealed))
    .bind(column(rows, |r| i64::from(r.timestamp)))
    .bind(column(rows, |r| r.l1_count.cast_signed()))
    .bind(column(rows, |r| r.op_count.cast_signed()))
    .bind(column(rows, |r| i16::from(r.shape)))
    .bind(Config::FEE_ACCOUNT.get().cast_signed())
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

const COPY_TRANSACTIONS: &str = "COPY transactions (hash, batch, position, block, code, posted, sender, nonce, expires, token,
    amount, fee, receiver, target_owner, target_key, public_key, signature) FROM STDIN (FORMAT binary)";
/// Columns of [`COPY_TRANSACTIONS`], and the bytes that a transfer takes in them.
const TRANSACTION_COLUMNS: u16 = 17;
const TRANSACTION_BYTES: usize = 360;

fn transaction_rows(block: i64, rows: &[TransactionRow]) -> Vec<u8> {
    let mut copy = CopyRows::new(TRANSACTION_COLUMNS, rows.len(), TRANSACTION_BYTES);
    let mut posted = Vec::new();
    for row in rows {
        let payload = &row.transaction.payload;
        let (owner, pair) = target(&payload.target);
        posted.clear();
        row.operation.encode(&mut posted);
        let out = copy.row();
        out.bytea(&row.hash).i64(row.batch.sql()).i32(row.position.cast_signed()).i64(block);
        out.i16(row.operation.code() as i16).bytea(&posted);
        out.i32(payload.from.get().cast_signed()).i64(payload.nonce.cast_signed()).i64(payload.expires.into());
        out.i16(payload.token.get().into());
        out.numeric(payload.amount.value().expect("a balance paid it"));
        out.numeric(payload.fee.value().expect("a balance paid it"));
        match receiver(&row.operation) {
            Some(account) => out.i32(account),
            None => out.null(),
        };
        out.bytea(owner.as_slice());
        match pair {
            Some(pair) => out.bytea(&field_to_bytes(pair.key_hash)),
            None => out.null(),
        };
        out.bytea(&row.transaction.public_key.to_bytes()).bytea(&row.transaction.signature.to_bytes());
    }
    copy.finish()
}

async fn copy_transactions(tx: &mut PgConnection, block: i64, rows: &[TransactionRow]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut copy = tx.copy_in_raw(COPY_TRANSACTIONS).await?;
    copy.send(transaction_rows(block, rows)).await?;
    expect_rows(copy.finish().await?, rows.len(), "transactions copied")
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

fn posted(operation: &Operation) -> Vec<u8> {
    let mut bytes = Vec::new();
    operation.encode(&mut bytes);
    bytes
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

/// Writes who has the accounts that the block created, and those that got another key.
async fn write_accounts(tx: &mut PgConnection, block: &BlockRecord) -> Result<(), StoreError> {
    let renamed = |id| block.l1.iter().any(|row| matches!(row.operation, Operation::SetKey { account, .. } if account == id));
    let rows: Vec<&AccountRow> = block.accounts.iter().filter(|r| !r.existed || renamed(r.id)).collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO accounts (id, key_hash, owner) SELECT * FROM unnest($1::int[], $2::bytea[], $3::bytea[])
         ON CONFLICT (id) DO UPDATE SET key_hash = excluded.key_hash, owner = excluded.owner",
    )
    .bind(column(&rows, |r| r.id.get().cast_signed()))
    .bind(column(&rows, |r| field_to_bytes(r.key_hash).to_vec()))
    .bind(column(&rows, |r| r.owner.to_vec()))
    .execute(tx)
    .await?;
    Ok(())
}

async fn write_retired(tx: &mut PgConnection, rows: &[RetiredRow]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let query = "INSERT INTO retired_pairs (owner, key_hash, batch) SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bigint[])";
    sqlx::query(query)
        .bind(column(rows, |r| r.pair.owner.to_vec()))
        .bind(column(rows, |r| field_to_bytes(r.pair.key_hash).to_vec()))
        .bind(column(rows, |r| r.batch.sql()))
        .execute(tx)
        .await?;
    Ok(())
}

/// Deletes the replays whose fate the block settles, and keeps what became of those that no longer hold.
async fn settle_replays(tx: &mut PgConnection, up_to: Option<u64>, dropped: &[DroppedRow]) -> Result<(), StoreError> {
    let Some(up_to) = up_to else {
        return expect_rows(dropped.len() as u64, 0, "dropped transactions without a replay");
    };
    if !dropped.is_empty() {
        let done = sqlx::query(
            "INSERT INTO dropped_transactions (hash, code, message, unwinding, batch, position, block, posted)
             SELECT r.hash, u.code, u.message, r.unwinding, r.batch, r.position, r.block, r.posted
             FROM unnest($1::bigint[], $2::bytea[], $3::text[], $4::text[]) AS u (seq, hash, code, message)
             JOIN replays r ON r.seq = u.seq AND r.hash = u.hash
             ON CONFLICT (hash) DO UPDATE
             SET code = excluded.code, message = excluded.message, at = excluded.at, unwinding = excluded.unwinding,
                 batch = excluded.batch, position = excluded.position, block = excluded.block",
        )
        .bind(column(dropped, |r| r.seq.cast_signed()))
        .bind(column(dropped, |r| r.hash.to_vec()))
        .bind(column(dropped, |r| r.code.to_owned()))
        .bind(column(dropped, |r| r.message.clone()))
        .execute(&mut *tx)
        .await?;
        expect_rows(done.rows_affected(), dropped.len(), "dropped transactions among the replays")?;
    }
    sqlx::query("DELETE FROM replays WHERE seq <= $1").bind(up_to.cast_signed()).execute(tx).await?;
    Ok(())
}

fn expect_rows(found: u64, expected: usize, what: &str) -> Result<(), StoreError> {
    if found == expected as u64 {
        return Ok(());
    }
    Err(StoreError::Damaged(format!("{found} {what} where {expected} were expected")))
}
