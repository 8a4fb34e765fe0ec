//! The chain that the database belongs to, and its tokens.

use super::{to_hex, unsigned};
use crate::error::ApiError;
use crate::model::Token;
use alloy_primitives::Address;
use sheaf_core::F;
use sheaf_core::shapes::Shapes;
use sqlx::PgPool;

#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) chain_id: u64,
    pub(crate) contract: Address,
    pub(crate) domain: F,
    pub(crate) shapes: Shapes,
    pub(crate) depth: u32,
    pub(crate) fee_account: u32,
}

/// Reads the one row of `chain`; until the sequencer has written it, nothing is ready.
pub(crate) async fn chain(pool: &PgPool) -> Result<Chain, ApiError> {
    let query = sqlx::query_as("SELECT chain_id, contract, shapes::text, depth, fee_account FROM chain");
    let row: Option<(i64, Vec<u8>, String, i32, i32)> = match query.fetch_optional(pool).await {
        // The sequencer has not made the tables yet, or not brought them up to date.
        Err(sqlx::Error::Database(error)) if matches!(error.code().as_deref(), Some("42P01" | "42703")) => None,
        other => other?,
    };
    let (chain_id, contract, shapes, depth, fee_account) =
        row.ok_or_else(|| ApiError::not_ready("the sequencer has not set up the database"))?;
    let (chain_id, contract) = (unsigned(chain_id)?, Address::try_from(&contract[..]).map_err(ApiError::internal)?);
    Ok(Chain {
        chain_id,
        contract,
        domain: sheaf_core::l1::domain(chain_id, contract),
        shapes: serde_json::from_str(&shapes).map_err(ApiError::internal)?,
        depth: unsigned(depth)?,
        fee_account: unsigned(fee_account)?,
    })
}

pub(crate) async fn tokens(pool: &PgPool) -> Result<Vec<Token>, ApiError> {
    let rows: Vec<(i16, Vec<u8>, String, i16)> =
        sqlx::query_as("SELECT id, address, symbol, decimals FROM tokens ORDER BY id").fetch_all(pool).await?;
    let token = |(id, address, symbol, decimals)| {
        let address: Vec<u8> = address;
        Ok(Token { id: unsigned(id)?, address: to_hex(address), symbol, decimals: unsigned(decimals)? })
    };
    rows.into_iter().map(|(id, address, symbol, decimals): (i16, _, _, i16)| token((id, address, symbol, decimals))).collect()
}
