//! Hex and decimal strings, read strictly and written in one form.

use super::JsonError;
use crate::F;
use crate::amount::{Decimal, NotRepresentable};
use crate::types::{field_from_bytes, field_to_bytes};
use alloy_primitives::{Address, hex};

/// Reads `0x` and exactly `2N` hex digits.
///
/// # Errors
/// `hex_digit` or `hex_length`, naming `field`.
pub fn hex_bytes<const N: usize>(text: &str, field: &'static str) -> Result<[u8; N], JsonError> {
    let digits = text.strip_prefix("0x").ok_or(JsonError::HexDigit { field })?;
    if digits.len() != 2 * N {
        return Err(JsonError::HexLength { field, expected: 2 * N, found: digits.chars().count() });
    }
    let mut bytes = [0; N];
    hex::decode_to_slice(digits, &mut bytes).map_err(|_| JsonError::HexDigit { field })?;
    Ok(bytes)
}

/// Reads a field element: `0x` and 64 hex digits, below the modulus.
///
/// # Errors
/// `hex_digit`, `hex_length` or `field_out_of_range`, naming `name`.
pub fn field(text: &str, name: &'static str) -> Result<F, JsonError> {
    let range = "it must be below the modulus of BN254's scalar field";
    field_from_bytes(&hex_bytes(text, name)?).ok_or(JsonError::OutOfRange { field: name, range })
}

/// Reads an L1 address: `0x` and 40 hex digits, in any case.
///
/// # Errors
/// `hex_digit` or `hex_length`, naming `field`.
pub fn address(text: &str, field: &'static str) -> Result<Address, JsonError> {
    hex_bytes(text, field).map(Address::new)
}

pub(super) fn nonzero_address(text: &str, field: &'static str) -> Result<Address, JsonError> {
    let address = address(text, field)?;
    if address.is_zero() { Err(JsonError::OutOfRange { field, range: "it must not be zero" }) } else { Ok(address) }
}

pub(super) fn packed<const M: u32>(
    text: &str,
    field: &'static str,
    refused: fn(NotRepresentable) -> JsonError,
) -> Result<Decimal<M>, JsonError> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(JsonError::NotDecimal { field });
    }
    let value = text.parse().map_err(|_| JsonError::OutOfRange { field, range: "it must be below 2^128" })?;
    Decimal::encode(value).map_err(refused)
}

/// A field element as 0x and 64 hex digits.
pub fn field_to_hex(value: F) -> String {
    hex::encode_prefixed(field_to_bytes(value))
}

/// An address as 0x and 40 lower-case hex digits.
pub fn address_to_hex(address: Address) -> String {
    hex::encode_prefixed(address)
}
