//! Whether a worker's keys are the contract's, as far as settlement has written down which those are.
//!
//! A proof under other keys verifies here and is refused by the contract, for ever. Until settlement has run nothing is known, and
//! proofs are made all the same: settlement holds each against the contract's key before it sends it.

use crate::Result;
use crate::error::Error;
use crate::keyring::Keyring;
use alloy_primitives::B256;
use sqlx::Row as _;
use sqlx::postgres::{PgPool, PgRow};
use std::collections::BTreeMap;

/// Holds all keys of a worker against the contract's.
///
/// # Errors
/// [`Error::OtherKeys`], for the first shape whose keys are others; [`Error::Database`].
pub(crate) async fn check(pool: &PgPool, keys: &Keyring) -> Result<()> {
    let rows = sqlx::query("SELECT shape, vk_hash FROM contract_keys").fetch_all(pool).await?;
    if rows.is_empty() {
        return Ok(());
    }
    let one = |row: &PgRow| Ok((row.try_get::<i16, _>("shape")?, B256::from_slice(row.try_get("vk_hash")?)));
    let contract = rows.iter().map(one).collect::<Result<BTreeMap<i16, B256>>>()?;
    for shape in keys.shapes() {
        let ours = keys.get(shape).expect("one of its shapes").vk_hash();
        let theirs = contract.get(&i16::from(shape)).copied();
        if theirs != Some(ours) {
            return Err(Error::OtherKeys { shape, ours, theirs });
        }
    }
    Ok(())
}
