//! What the API reads from Postgres. Nothing here writes.

mod accounts;
mod batches;
mod chain;
mod health;
mod l1_operations;
mod receipts;
mod transactions;
mod withdrawals;

pub(crate) use accounts::{AccountFilter, account, accounts};
pub(crate) use batches::{batch, batches};
pub(crate) use chain::{Chain, chain, tokens};
pub(crate) use health::{key_health, l1_health, waiting};
pub(crate) use l1_operations::l1_operations;
pub(crate) use transactions::{Found, transaction};
pub(crate) use withdrawals::{WithdrawalFilter, withdrawal, withdrawals};

use crate::error::ApiError;
use crate::model::Status;
use alloy_primitives::hex;

/// A stored number as an unsigned one. What is out of range was never written by us.
fn unsigned<T: TryFrom<i64>>(value: impl Into<i64>) -> Result<T, ApiError> {
    let value = value.into();
    T::try_from(value).map_err(|_| ApiError::internal(format_args!("the stored number {value} is out of range")))
}

/// Stored bytes as hex.
fn to_hex(bytes: impl AsRef<[u8]>) -> String {
    hex::encode_prefixed(bytes)
}

/// The status that a batch's gives to what is in it.
fn batch_status(status: &str) -> Result<Status, ApiError> {
    match status {
        "open" => Ok(Status::Executed),
        "sealed" => Ok(Status::Sealed),
        "proven" => Ok(Status::Proven),
        "settled" => Ok(Status::Settled),
        other => Err(ApiError::internal(format_args!("the stored batch status {other} is unknown"))),
    }
}

/// The status of what leaves to L1: its withdrawal's, once its batch is settled.
fn leaving_status(batch: Status, withdrawal: Option<&str>) -> Result<Status, ApiError> {
    match withdrawal {
        None | Some("pending") => Ok(batch),
        Some("settled") => Ok(Status::Settled),
        Some("claimable") => Ok(Status::Claimable),
        Some("claimed") => Ok(Status::Claimed),
        Some(other) => Err(ApiError::internal(format_args!("the stored withdrawal status {other} is unknown"))),
    }
}
