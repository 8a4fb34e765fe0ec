//! What is stored of a batch to be proven, checked against what L1 will be told.

use crate::Result;
use crate::error::Error;
use alloy_primitives::Address;
use sheaf_core::types::field_to_bytes;
use sheaf_core::{l1, trace::BatchWitness};
use sqlx::Row;
use sqlx::postgres::{PgPool, PgRow};

const LOAD: &str = "
    SELECT batches.shape, batches.timestamp, batches.fee_account, l1_count, op_count, old_root, new_root, ops, commitment,
        witness, chain.chain_id, chain.contract
    FROM batches LEFT JOIN chain ON true WHERE number = $1";

/// Reads the witness of a batch, and makes sure that a proof of it is a proof of the batch's columns, which are what
/// settlement submits.
///
/// # Errors
/// [`Error::BadWitness`] or [`Error::Database`].
pub async fn load(pool: &PgPool, batch: i64) -> Result<BatchWitness> {
    let bad = |reason: String| Error::BadWitness { batch, reason };
    let row = sqlx::query(LOAD).bind(batch).fetch_optional(pool).await?;
    let row = row.ok_or_else(|| bad("there is no such batch".to_owned()))?;
    let bytes: Option<Vec<u8>> = row.try_get("witness")?;
    let bytes = bytes.ok_or_else(|| bad("it has no witness".to_owned()))?;
    let witness = BatchWitness::from_bytes(&bytes).map_err(|error| bad(error.to_string()))?;
    match difference(&row, &witness)? {
        None => Ok(witness),
        Some(what) => Err(bad(format!("the stored {what} is not the witness's"))),
    }
}

/// Names the first column that says something else than the witness.
fn difference(row: &PgRow, witness: &BatchWitness) -> Result<Option<&'static str>> {
    let public = &witness.public;
    let word = |column: &str, value| {
        Ok::<_, sqlx::Error>(row.try_get::<Option<Vec<u8>>, _>(column)?.as_deref() == Some(&field_to_bytes(value)))
    };
    let checks = [
        ("shape", row.try_get::<i16, _>("shape")? == i16::from(witness.shape.id)),
        ("timestamp", row.try_get::<i64, _>("timestamp")? == i64::from(public.timestamp)),
        ("fee account", i64::from(row.try_get::<i32, _>("fee_account")?) == i64::from(public.fee_account.get())),
        ("number of L1 operations", row.try_get::<i32, _>("l1_count")? as usize == l1::l1_count(&public.operations)),
        ("number of operations", row.try_get::<i32, _>("op_count")? as usize == public.operations.len()),
        ("old root", word("old_root", public.old_root)?),
        ("new root", word("new_root", public.new_root)?),
        ("commitment", word("commitment", witness.c)?),
        ("operations", row.try_get::<Option<Vec<u8>>, _>("ops")?.as_deref() == Some(&l1::posted(&public.operations)[..])),
        ("domain", domain(row)?.is_none_or(|domain| domain == public.domain)),
    ];
    Ok(checks.into_iter().find_map(|(what, same)| (!same).then_some(what)))
}

/// The domain of the chain that the database belongs to, if that is written down already.
fn domain(row: &PgRow) -> Result<Option<sheaf_core::F>> {
    let chain_id: Option<i64> = row.try_get("chain_id")?;
    let contract: Option<Vec<u8>> = row.try_get("contract")?;
    let (Some(chain_id), Some(contract)) = (chain_id, contract) else { return Ok(None) };
    Ok(Some(l1::domain(chain_id as u64, Address::from_slice(&contract))))
}
