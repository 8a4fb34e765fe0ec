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
    pub(crate) slots: Vec<SlotInput>,
}

/// The batch after `built`, once it is sealed.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn next_unbuilt(pool: &PgPool, built: BatchNumber) -> Result<Option<BuildInput>, StoreError> {
    let mut connection = pool.acquire().await?;
    let number = built.next();
    let query =
        "SELECT timestamp, l1_count, op_count FROM batches WHERE number = $1 AND status = 'sealed' AND commitment IS NULL";
    let Some(row) = sqlx::query(query).bind(number.sql()).fetch_optional(&mut *connection).await? else { return Ok(None) };
    let slots = load_slots(&mut connection, number).await?;
    let l1_count = slots.iter().filter(|s| s.signature.is_none()).count();
    let stored: (i32, i32) = (row.try_get("l1_count")?, row.try_get("op_count")?);
    if stored != (l1_count as i32, slots.len() as i32) {
        return Err(StoreError::Damaged(format!("batch {number} has {} operations, its row says {stored:?}", slots.len())));
    }
    Ok(Some(BuildInput { number, timestamp: decode::seconds(&row, "timestamp")?, slots }))
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

/// Stores a built batch, what leaves with it and its proving job, all or nothing.
///
/// # Errors
/// [`StoreError`]. After a transient one, whether it is stored is unknown: call again.
pub(crate) async fn store_built(
    pool: &PgPool,
    number: BatchNumber,
    built: &BatchWitness,
    epoch: i64,
    environment: &Environment,
) -> Result<(), StoreError> {
    let mut connection = pool.acquire().await?;
    let mut tx = connection.begin().await?;
    if super::current_epoch(&mut tx).await? != epoch {
        return Err(StoreError::Fenced);
    }
    let stored: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT commitment FROM batches WHERE number = $1").bind(number.sql()).fetch_one(&mut *tx).await?;
    let commitment = field_to_bytes(built.c);
    if let Some(stored) = stored {
        // An earlier attempt, whose commit was in doubt.
        let same = stored == commitment;
        return if same { Ok(()) } else { Err(StoreError::Damaged(format!("batch {number} was built differently before"))) };
    }
    let done = sqlx::query(
        "UPDATE batches SET old_root = $2, new_root = $3, ops = $4, commitment = $5, witness = $6
         WHERE number = $1 AND status = 'sealed'",
    )
    .bind(number.sql())
    .bind(&field_to_bytes(built.public.old_root)[..])
    .bind(&field_to_bytes(built.public.new_root)[..])
    .bind(posted(&built.public.operations))
    .bind(&commitment[..])
    .bind(built.to_bytes())
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() != 1 {
        return Err(StoreError::Damaged(format!("batch {number} is not sealed")));
    }
    write_withdrawals(&mut tx, number, &leaving(&built.public.operations)).await?;
    sqlx::query("INSERT INTO proof_jobs (batch) VALUES ($1)").bind(number.sql()).execute(&mut *tx).await?;
    sqlx::query("DELETE FROM batch_undo WHERE batch <= $1").bind(number.sql()).execute(&mut *tx).await?;
    sqlx::query("SELECT pg_notify('proof_jobs', $1)").bind(number.to_string()).execute(&mut *tx).await?;
    environment.reached(Step::BatchWritten);
    tx.commit().await?;
    environment.reached(Step::BatchCommitted);
    Ok(())
}

async fn write_withdrawals(tx: &mut PgConnection, batch: BatchNumber, leaving: &[(i32, Withdrawal)]) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO withdrawals (batch, index, position, recipient, token, amount)
         SELECT $1, i, p, r, t, v::numeric
         FROM unnest($2::int[], $3::int[], $4::bytea[], $5::smallint[], $6::text[]) AS u (i, p, r, t, v)",
    )
    .bind(batch.sql())
    .bind((0..leaving.len() as i32).collect::<Vec<_>>())
    .bind(leaving.iter().map(|(position, _)| *position).collect::<Vec<_>>())
    .bind(leaving.iter().map(|(_, w)| w.recipient.to_vec()).collect::<Vec<_>>())
    .bind(leaving.iter().map(|(_, w)| i16::from(w.token.get())).collect::<Vec<_>>())
    .bind(leaving.iter().map(|(_, w)| w.amount.to_string()).collect::<Vec<_>>())
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
