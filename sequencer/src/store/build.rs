//! Sealed batches out, built ones in.

use super::{StoreError, decode};
use crate::environment::{Environment, Step};
use crate::types::BatchNumber;
use sheaf_core::l1::{Withdrawal, posted, withdrawals};
use sheaf_core::operation::Operation;
use sheaf_core::slot::SlotSignature;
use sheaf_core::trace::{BatchWitness, SlotInput};
use sheaf_core::types::field_to_bytes;
use sqlx::{Connection, PgConnection, PgPool, Row};

/// A sealed batch, as it waits to be built.
#[derive(Clone, Debug)]
pub(crate) struct BuildInput {
    pub(crate) number: BatchNumber,
    pub(crate) timestamp: u32,
    /// The number of its shape.
    pub(crate) shape: u8,
    pub(crate) slots: Vec<SlotInput>,
}

/// The batch after `built`, once it is sealed.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn next_unbuilt(pool: &PgPool, built: BatchNumber) -> Result<Option<BuildInput>, StoreError> {
    let mut connection = pool.acquire().await?;
    let number = built.next();
    let query = "SELECT timestamp, shape, l1_count, op_count FROM batches
        WHERE number = $1 AND status = 'sealed' AND commitment IS NULL";
    let Some(row) = sqlx::query(query).bind(number.sql()).fetch_optional(&mut *connection).await? else { return Ok(None) };
    let slots = load_slots(&mut connection, number).await?;
    let l1_count = slots.iter().filter(|s| s.signature.is_none()).count();
    let stored: (i32, i32) = (row.try_get("l1_count")?, row.try_get("op_count")?);
    if stored != (l1_count as i32, slots.len() as i32) {
        return Err(StoreError::Damaged(format!("batch {number} has {} operations, its row says {stored:?}", slots.len())));
    }
    Ok(Some(BuildInput { number, timestamp: decode::seconds(&row, "timestamp")?, shape: decode::shape(&row, "shape")?, slots }))
}

/// A batch's operations and signatures in order.
pub(super) async fn load_slots(connection: &mut PgConnection, batch: BatchNumber) -> Result<Vec<SlotInput>, StoreError> {
    let mut slots: Vec<(i32, SlotInput)> = Vec::new();
    let l1 = "SELECT position, posted FROM l1_operations WHERE batch = $1";
    for row in sqlx::query(l1).bind(batch.sql()).fetch_all(&mut *connection).await? {
        let operation = decode::operation(&row, "posted", true)?;
        slots.push((row.try_get("position")?, SlotInput { operation, signature: None }));
    }
    let l2 = "SELECT position, posted, public_key, signature, expires FROM transactions WHERE batch = $1";
    for row in sqlx::query(l2).bind(batch.sql()).fetch_all(&mut *connection).await? {
        let operation = decode::operation(&row, "posted", false)?;
        let signature: Option<SlotSignature> = Some(decode::signature(&row)?);
        slots.push((row.try_get("position")?, SlotInput { operation, signature }));
    }
    slots.sort_by_key(|(position, _)| *position);
    if slots.iter().enumerate().any(|(i, (position, _))| i as i32 != *position) {
        return Err(StoreError::Damaged(format!("batch {batch} has gaps")));
    }
    Ok(slots.into_iter().map(|(_, slot)| slot).collect())
}

/// What leaves with a batch, each with its operation's position, in the order of the contract's hash.
fn leaving(operations: &[Operation]) -> Vec<(i32, Withdrawal)> {
    let of = |l1: bool| {
        let own = operations.iter().enumerate().filter(move |(_, o)| o.code().is_l1() == l1);
        own.flat_map(|(i, o)| withdrawals(std::slice::from_ref(o)).into_iter().map(move |w| (i as i32, w)))
    };
    let all: Vec<_> = of(false).chain(of(true)).collect();
    assert!(all.iter().map(|(_, w)| *w).eq(withdrawals(operations)), "the contract's order");
    all
}

/// Stores built batches and what leaves with them, and queues their proving jobs, all or nothing; what was needed to take
/// settled batches back is forgotten.
///
/// # Errors
/// [`StoreError`]. After a transient one, whether they are stored is unknown: call again with the same.
pub(crate) async fn store_built(
    pool: &PgPool,
    built: &[(BatchNumber, BatchWitness)],
    epoch: i64,
    environment: &Environment,
) -> Result<(), StoreError> {
    let mut connection = pool.acquire().await?;
    let mut tx = connection.begin().await?;
    if super::current_epoch(&mut tx).await? != epoch {
        return Err(StoreError::Fenced);
    }
    if are_stored(&mut tx, built).await? {
        // An earlier attempt, whose commit was in doubt.
        return Ok(());
    }
    let numbers: Vec<i64> = built.iter().map(|(number, _)| number.sql()).collect();
    queue_jobs(&mut tx, &numbers).await?;
    let done = sqlx::query(
        "UPDATE batches b SET old_root = u.o, new_root = u.n, ops = u.p, commitment = u.c, witness = u.w
         FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bytea[], $5::bytea[], $6::bytea[]) AS u (number, o, n, p, c, w)
         WHERE b.number = u.number AND b.status = 'sealed'",
    )
    .bind(&numbers)
    .bind(column(built, |w| field_to_bytes(w.public.old_root).to_vec()))
    .bind(column(built, |w| field_to_bytes(w.public.new_root).to_vec()))
    .bind(column(built, |w| posted(&w.public.operations)))
    .bind(column(built, |w| field_to_bytes(w.c).to_vec()))
    .bind(column(built, BatchWitness::to_bytes))
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() != built.len() as u64 {
        return Err(StoreError::Damaged(format!("one of the batches {numbers:?} is not sealed")));
    }
    write_withdrawals(&mut tx, built).await?;
    let settled = "DELETE FROM batch_undo WHERE batch <= (SELECT max(number) FROM batches WHERE status = 'settled')";
    sqlx::query(settled).execute(&mut *tx).await?;
    environment.reached(Step::BatchWritten);
    tx.commit().await?;
    environment.reached(Step::BatchCommitted);
    Ok(())
}

/// Lets the provers have the jobs of batches that are built with this database transaction, and wakes them when it is durable.
async fn queue_jobs(tx: &mut PgConnection, numbers: &[i64]) -> Result<(), StoreError> {
    let query = "WITH jobs AS (UPDATE proof_jobs SET status = 'queued', not_before = now()
                               WHERE batch = ANY ($1) AND status = 'unbuilt' RETURNING batch)
                 SELECT count(pg_notify('proof_jobs', batch::text)) FROM jobs";
    let queued: i64 = sqlx::query_scalar(query).bind(numbers).fetch_one(tx).await?;
    if queued != numbers.len() as i64 {
        return Err(StoreError::Damaged(format!("{queued} of the batches {numbers:?} have a proving job that waits for them")));
    }
    Ok(())
}

fn column<T>(built: &[(BatchNumber, BatchWitness)], value: impl Fn(&BatchWitness) -> T) -> Vec<T> {
    built.iter().map(|(_, witness)| value(witness)).collect()
}

/// Whether an earlier attempt has stored these batches: all or none.
async fn are_stored(tx: &mut PgConnection, built: &[(BatchNumber, BatchWitness)]) -> Result<bool, StoreError> {
    let numbers: Vec<i64> = built.iter().map(|(number, _)| number.sql()).collect();
    let query = "SELECT commitment FROM batches WHERE number = ANY($1) AND commitment IS NOT NULL ORDER BY number";
    let stored: Vec<Vec<u8>> = sqlx::query_scalar(query).bind(&numbers).fetch_all(tx).await?;
    if stored.is_empty() {
        return Ok(false);
    }
    if stored == column(built, |w| field_to_bytes(w.c).to_vec()) {
        return Ok(true);
    }
    Err(StoreError::Damaged(format!("one of the batches {numbers:?} was built differently before")))
}

async fn write_withdrawals(tx: &mut PgConnection, built: &[(BatchNumber, BatchWitness)]) -> Result<(), StoreError> {
    let of_batch = |(number, witness): &(BatchNumber, BatchWitness)| {
        let (number, leaving) = (number.sql(), leaving(&witness.public.operations));
        (0i32..).zip(leaving).map(move |(index, (position, withdrawal))| (number, index, position, withdrawal))
    };
    let rows: Vec<_> = built.iter().flat_map(of_batch).collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO withdrawals (batch, index, position, recipient, token, amount)
         SELECT b, i, p, r, t, v::numeric
         FROM unnest($1::bigint[], $2::int[], $3::int[], $4::bytea[], $5::smallint[], $6::text[]) AS u (b, i, p, r, t, v)",
    )
    .bind(rows.iter().map(|row| row.0).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.1).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.2).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.3.recipient.to_vec()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| i16::from(row.3.token.get())).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.3.amount.to_string()).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// What the prover needs for a built batch.
///
/// # Errors
/// [`StoreError::Damaged`] if the stored bytes are no witness, [`StoreError::Sql`], also if the batch is not built.
pub async fn load_witness(pool: &PgPool, batch: BatchNumber) -> Result<BatchWitness, StoreError> {
    let bytes: Vec<u8> = sqlx::query_scalar("SELECT witness FROM batches WHERE number = $1 AND witness IS NOT NULL")
        .bind(batch.sql())
        .fetch_one(pool)
        .await?;
    BatchWitness::from_bytes(&bytes).map_err(|error| StoreError::Damaged(error.to_string()))
}
