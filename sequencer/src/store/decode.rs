//! Columns into values: what was checked when it was written is checked again.

use super::StoreError;
use alloy_primitives::Address;
use sheaf_core::F;
use sheaf_core::eddsa::{PublicKey, Signature};
use sheaf_core::operation::Operation;
use sheaf_core::slot::SlotSignature;
use sheaf_core::types::{AccountId, TokenId, field_from_bytes};
use sqlx::Row;
use sqlx::postgres::PgRow;

fn damaged(column: &str) -> StoreError {
    StoreError::Damaged(format!("column {column} holds a value out of range"))
}

pub(super) fn bytes<const N: usize>(row: &PgRow, column: &str) -> Result<[u8; N], StoreError> {
    row.try_get::<Vec<u8>, _>(column)?.try_into().map_err(|_| damaged(column))
}

pub(super) fn field(row: &PgRow, column: &str) -> Result<F, StoreError> {
    field_from_bytes(&bytes(row, column)?).ok_or_else(|| damaged(column))
}

pub(super) fn address(row: &PgRow, column: &str) -> Result<Address, StoreError> {
    Ok(Address::new(bytes(row, column)?))
}

pub(super) fn account(row: &PgRow, column: &str) -> Result<AccountId, StoreError> {
    let index = u32::try_from(row.try_get::<i32, _>(column)?).ok().and_then(AccountId::new);
    index.ok_or_else(|| damaged(column))
}

pub(super) fn token(row: &PgRow, column: &str) -> Result<TokenId, StoreError> {
    let number = u8::try_from(row.try_get::<i16, _>(column)?).ok().and_then(TokenId::new);
    number.ok_or_else(|| damaged(column))
}

/// A shape's number.
pub(super) fn shape(row: &PgRow, column: &str) -> Result<u8, StoreError> {
    u8::try_from(row.try_get::<i16, _>(column)?).map_err(|_| damaged(column))
}

/// A column selected as `::text`.
pub(super) fn amount(row: &PgRow, column: &str) -> Result<u128, StoreError> {
    row.try_get::<String, _>(column)?.parse().map_err(|_| damaged(column))
}

pub(super) fn unsigned(row: &PgRow, column: &str) -> Result<u64, StoreError> {
    row.try_get::<i64, _>(column)?.try_into().map_err(|_| damaged(column))
}

pub(super) fn seconds(row: &PgRow, column: &str) -> Result<u32, StoreError> {
    unsigned(row, column)?.try_into().map_err(|_| damaged(column))
}

/// An operation as posted on L1.
pub(super) fn operation(row: &PgRow, column: &str, l1: bool) -> Result<Operation, StoreError> {
    let posted: Vec<u8> = row.try_get(column)?;
    let mut rest = &posted[..];
    let operation = Operation::decode_as(&mut rest, l1).map_err(|_| damaged(column))?;
    if rest.is_empty() { Ok(operation) } else { Err(damaged(column)) }
}

/// The columns `public_key`, `signature`, `expires`.
pub(super) fn signature(row: &PgRow) -> Result<SlotSignature, StoreError> {
    let public_key = PublicKey::from_bytes(&bytes(row, "public_key")?).map_err(|_| damaged("public_key"))?;
    let signature = Signature::from_bytes(&bytes(row, "signature")?).map_err(|_| damaged("signature"))?;
    Ok(SlotSignature { public_key, signature, expires: seconds(row, "expires")? })
}
