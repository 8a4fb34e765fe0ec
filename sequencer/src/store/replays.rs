//! What an unwinding took back and what waits to be executed again.

use super::{StoreError, decode};
use crate::engine::{BadEntry, L1Entry, ReplayItem, ReplayKind, Verified};
use sheaf_core::F;
use sheaf_core::amount::{PackedAmount, PackedFee};
use sheaf_core::geometry::Geometry;
use sheaf_core::operation::Operation;
use sheaf_core::slot::Signed;
use sheaf_core::transaction::{Pair, Payload, Target, Transaction};
use sheaf_core::types::{AccountId, field_to_bytes};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use std::collections::VecDeque;

/// Reads all that waits, in order.
///
/// # Errors
/// [`StoreError::Damaged`] also for a transaction that has not the hash under which it is stored.
pub(super) async fn load_replays(
    tx: &mut PgConnection,
    geometry: Geometry,
    domain: F,
) -> Result<VecDeque<ReplayItem>, StoreError> {
    let query =
        "SELECT r.seq, r.l1_index, r.created_at, o.preimage, r.hash, r.code, r.posted, r.sender, r.nonce, r.expires, r.token,
                        r.amount::text AS amount, r.fee::text AS fee, r.target_owner, r.target_key, r.public_key, r.signature
                 FROM replays r LEFT JOIN l1_operations o ON o.index = r.l1_index ORDER BY r.seq";
    let rows = sqlx::query(query).fetch_all(tx).await?;
    rows.iter().map(|row| read(row, geometry, domain)).collect()
}

fn read(row: &PgRow, geometry: Geometry, domain: F) -> Result<ReplayItem, StoreError> {
    let created_at = match row.try_get::<Option<i32>, _>("created_at")? {
        Some(_) => Some(decode::account(row, "created_at")?),
        None => None,
    };
    let kind = match row.try_get::<Option<i64>, _>("l1_index")? {
        Some(index) => ReplayKind::L1(entry(row, index.cast_unsigned(), created_at, geometry)?),
        None => ReplayKind::Transaction { verified: Box::new(verified(row, domain)?), created_at },
    };
    Ok(ReplayItem { seq: decode::unsigned(row, "seq")?, kind })
}

fn entry(row: &PgRow, index: u64, credited: Option<AccountId>, geometry: Geometry) -> Result<L1Entry, StoreError> {
    let entry = L1Entry::read(index, decode::bytes(row, "preimage")?, geometry);
    let mut entry = entry.map_err(|error: BadEntry| StoreError::Damaged(error.to_string()))?;
    if let (Operation::Deposit { account, .. }, Some(credited)) = (&mut entry.operation, credited) {
        *account = credited;
    }
    Ok(entry)
}

fn verified(row: &PgRow, domain: F) -> Result<Verified, StoreError> {
    let signature = decode::signature(row)?;
    let owner = decode::address(row, "target_owner")?;
    let target = match row.try_get::<Option<&[u8]>, _>("target_key")? {
        Some(_) => Target::Account(Pair { owner, key_hash: decode::field(row, "target_key")? }),
        None => Target::L1(owner),
    };
    let damaged = |column: &str| StoreError::Damaged(format!("column {column} of a replay holds a value out of range"));
    let payload = Payload {
        from: decode::account(row, "sender")?,
        nonce: decode::unsigned(row, "nonce")?,
        expires: signature.expires,
        token: decode::token(row, "token")?,
        amount: PackedAmount::encode(decode::amount(row, "amount")?).map_err(|_| damaged("amount"))?,
        fee: PackedFee::encode(decode::amount(row, "fee")?).map_err(|_| damaged("fee"))?,
        target,
    };
    let transaction = Transaction { payload, public_key: signature.public_key, signature: signature.signature };
    // Its signature was verified when it came in; the hash is over everything that was signed.
    let hash = field_to_bytes(transaction.payload.message(domain));
    if hash != decode::bytes(row, "hash")? {
        return Err(damaged("hash"));
    }
    let signed: Signed = transaction.signed();
    Ok(Verified { transaction, hash, signed })
}
