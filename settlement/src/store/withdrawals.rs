//! What left the state, on its way to its owners.
//!
//! ```mermaid
//! stateDiagram-v2
//!     [*] --> pending: the batch is built
//!     pending --> settled: L1 accepted the batch
//!     settled --> claimable: credited on L1, the last of a batch first
//!     claimable --> claimed: paid out on L1
//! ```

use crate::Result;
use crate::error::Error;
use alloy::primitives::{Address, B256};
use sheaf_core::l1::{Withdrawal, withdrawals_hash};
use sheaf_core::types::TokenId;
use sqlx::postgres::{PgPool, PgRow};
use sqlx::{Executor, Postgres, Row, Transaction};
use std::collections::BTreeMap;
use std::time::Duration;

/// The withdrawals of a batch in its order, and how many of them, the first ones, are not credited yet.
#[derive(Clone, Debug)]
pub struct Leaving {
    /// All of them.
    pub all: Vec<Withdrawal>,
    /// How many are still to be credited.
    pub uncredited: usize,
}

/// Reads a batch's withdrawals.
///
/// # Errors
/// [`Error::Database`].
pub async fn leaving<'e>(executor: impl Executor<'e, Database = Postgres>, batch: u64) -> Result<Leaving> {
    const READ: &str = "SELECT recipient, token, amount::text AS amount, status FROM withdrawals WHERE batch = $1 ORDER BY index";
    let rows = sqlx::query(READ).bind(batch as i64).fetch_all(executor).await?;
    let uncredited = |row: &PgRow| Ok::<_, sqlx::Error>(matches!(row.try_get("status")?, "pending" | "settled"));
    let flags = rows.iter().map(uncredited).collect::<std::result::Result<Vec<_>, _>>()?;
    let uncredited = flags.iter().filter(|f| **f).count();
    assert!(flags[..uncredited].iter().all(|f| *f), "the last ones are credited first");
    Ok(Leaving { all: rows.iter().map(withdrawal).collect::<Result<_>>()?, uncredited })
}

fn withdrawal(row: &PgRow) -> Result<Withdrawal> {
    let token = row.try_get::<i16, _>("token")?;
    let amount: &str = row.try_get("amount")?;
    Ok(Withdrawal {
        recipient: Address::from_slice(row.try_get("recipient")?),
        token: u8::try_from(token).ok().and_then(TokenId::new).expect("the column holds token numbers"),
        amount: amount.parse().expect("the column holds 128-bit amounts"),
    })
}

/// Makes sure that L1 keeps the hash of what leaves with a batch according to the database.
///
/// # Errors
/// [`Error::WithdrawalsDiffer`] or [`Error::Database`].
pub async fn check_settled(transaction: &mut Transaction<'_, Postgres>, batch: u64, on_l1: B256) -> Result<()> {
    let ours = withdrawals_hash(&leaving(&mut **transaction, batch).await?.all);
    if ours == on_l1 {
        return Ok(());
    }
    Err(Error::WithdrawalsDiffer { batch, reason: format!("their hash is {on_l1} there, {ours} here") })
}

/// Marks the last `count` uncredited withdrawals of a batch as claimable; `remaining` is the hash over those before.
///
/// # Errors
/// [`Error::WithdrawalsDiffer`] or [`Error::Database`].
pub async fn credit(
    transaction: &mut Transaction<'_, Postgres>,
    batch: u64,
    count: u64,
    remaining: B256,
    hash: B256,
) -> Result<()> {
    let leaving = leaving(&mut **transaction, batch).await?;
    let first = usize::try_from(count).ok().and_then(|count| leaving.uncredited.checked_sub(count));
    let first = first.filter(|first| withdrawals_hash(&leaving.all[..*first]) == remaining);
    let reason = || format!("{count} were credited, of {} that wait here", leaving.uncredited);
    let first = first.ok_or_else(|| Error::WithdrawalsDiffer { batch, reason: reason() })?;
    const CREDIT: &str = "
        UPDATE withdrawals SET status = 'claimable', credit_tx = $3 WHERE batch = $1 AND index >= $2 AND status = 'settled'";
    let bound = sqlx::query(CREDIT).bind(batch as i64).bind(first as i32).bind(hash.as_slice());
    let done = bound.execute(&mut **transaction).await?;
    assert_eq!(done.rows_affected(), count, "exactly the credited ones move on");
    Ok(())
}

/// Marks as claimed what an owner could claim of a token.
///
/// # Errors
/// [`Error::Database`].
pub async fn claim(transaction: &mut Transaction<'_, Postgres>, owner: Address, token: u8, hash: B256) -> Result<()> {
    const CLAIM: &str = "
        UPDATE withdrawals SET status = 'claimed', claim_tx = $3 WHERE recipient = $1 AND token = $2 AND status = 'claimable'";
    let bound = sqlx::query(CLAIM).bind(owner.as_slice()).bind(i16::from(token)).bind(hash.as_slice());
    bound.execute(&mut **transaction).await?;
    Ok(())
}

/// The batches on L1 that have withdrawals to be credited, oldest first, and for how long they have been settled.
///
/// # Errors
/// [`Error::Database`].
pub async fn uncredited_batches(pool: &PgPool) -> Result<Vec<(u64, Duration)>> {
    const READ: &str = "
        SELECT number, EXTRACT(epoch FROM now() - settled_at)::float8 AS waited
        FROM (SELECT DISTINCT batch FROM withdrawals WHERE status = 'settled' ORDER BY batch LIMIT 100) AS leaving
        JOIN batches ON number = batch ORDER BY number";
    let rows = sqlx::query(READ).fetch_all(pool).await?;
    rows.iter().map(|row| Ok((row.try_get::<i64, _>("number")? as u64, waited(row)?))).collect()
}

/// What an owner can claim of a token, according to the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claimable {
    /// The owner.
    pub owner: Address,
    /// The token's number.
    pub token: u8,
    /// The oldest batch with which it left.
    pub batch: u64,
    /// For how long this batch has been settled.
    pub waited: Duration,
}

/// What owners can claim, oldest first, if it is at least the token's minimum and not one of those `left_out`.
///
/// # Errors
/// [`Error::Database`].
pub async fn claimable(pool: &PgPool, minimums: &BTreeMap<u8, u128>, left_out: &[(Address, u8)]) -> Result<Vec<Claimable>> {
    const READ: &str = "
        SELECT recipient, withdrawals.token, min(batch) AS batch, EXTRACT(epoch FROM now() - min(settled_at))::float8 AS waited
        FROM withdrawals JOIN batches ON number = batch
            LEFT JOIN unnest($1::smallint[], $2::text[]) AS minimum (token, amount) ON minimum.token = withdrawals.token
        WHERE withdrawals.status = 'claimable' AND NOT EXISTS (
            SELECT FROM unnest($3::bytea[], $4::smallint[]) AS skipped (owner, token)
            WHERE skipped.owner = recipient AND skipped.token = withdrawals.token)
        GROUP BY recipient, withdrawals.token
        HAVING sum(withdrawals.amount) >= coalesce(max(minimum.amount::numeric), 0)
        ORDER BY min(batch), recipient, withdrawals.token LIMIT 100";
    let (tokens, amounts): (Vec<i16>, Vec<String>) = minimums.iter().map(|(t, a)| (i16::from(*t), a.to_string())).unzip();
    let (owners, of): (Vec<&[u8]>, Vec<i16>) = left_out.iter().map(|(o, t)| (o.as_slice(), i16::from(*t))).unzip();
    let rows = sqlx::query(READ).bind(tokens).bind(amounts).bind(owners).bind(of).fetch_all(pool).await?;
    let claimable = |row: &PgRow| {
        Ok(Claimable {
            owner: Address::from_slice(row.try_get("recipient")?),
            token: u8::try_from(row.try_get::<i16, _>("token")?).expect("the column holds token numbers"),
            batch: row.try_get::<i64, _>("batch")? as u64,
            waited: waited(row)?,
        })
    };
    rows.iter().map(claimable).collect()
}

/// A clock that was set back makes it negative. A batch whose time is not known has waited for ever.
fn waited(row: &PgRow) -> Result<Duration> {
    let seconds = row.try_get::<Option<f64>, _>("waited")?;
    Ok(seconds.map_or(Duration::MAX, |seconds| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO)))
}
