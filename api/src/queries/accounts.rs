//! Accounts with what they have. Of the accounts of one answer, nonces and balances fit together.

use super::{to_hex, unsigned};
use crate::error::ApiError;
use crate::model::{Account, Balance};
use sheaf_core::types::{AccountId, TokenId};
use sheaf_sequencer::store::{Balances, Holdings};
use sqlx::{FromRow, PgPool};

/// Which accounts.
#[derive(Clone, Debug, Default)]
pub(crate) struct AccountFilter {
    pub(crate) owner: Option<[u8; 20]>,
    pub(crate) key_hash: Option<[u8; 32]>,
    /// Only indices above this one.
    pub(crate) after: i32,
    pub(crate) limit: i64,
}

#[derive(FromRow)]
struct Row {
    id: i32,
    owner: Vec<u8>,
    key_hash: Vec<u8>,
}

pub(crate) async fn account(pool: &PgPool, balances: &Balances, id: i32) -> Result<Option<Account>, ApiError> {
    let row = sqlx::query_as("SELECT id, owner, key_hash FROM accounts WHERE id = $1").bind(id).fetch_optional(pool).await?;
    Ok(with_holdings(pool, balances, row.into_iter().collect()).await?.pop())
}

pub(crate) async fn accounts(pool: &PgPool, balances: &Balances, filter: &AccountFilter) -> Result<Vec<Account>, ApiError> {
    let rows = sqlx::query_as(
        "SELECT id, owner, key_hash FROM accounts
         WHERE ($1::bytea IS NULL OR owner = $1) AND ($2::bytea IS NULL OR key_hash = $2) AND id > $3
         ORDER BY id LIMIT $4",
    )
    .bind(filter.owner.map(Vec::from))
    .bind(filter.key_hash.map(Vec::from))
    .bind(filter.after)
    .bind(filter.limit)
    .fetch_all(pool)
    .await?;
    with_holdings(pool, balances, rows).await
}

async fn with_holdings(pool: &PgPool, balances: &Balances, rows: Vec<Row>) -> Result<Vec<Account>, ApiError> {
    let outside = |row: &Row| ApiError::internal(format_args!("the stored account {} is out of range", row.id));
    let id = |row: &Row| u32::try_from(row.id).ok().and_then(AccountId::new).ok_or_else(|| outside(row));
    let ids = rows.iter().map(id).collect::<Result<Vec<_>, _>>()?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let holdings = balances.read(pool, &ids).await?;
    rows.into_iter().zip(holdings).map(|(row, holdings)| row.into_account(holdings)).collect()
}

impl Row {
    fn into_account(self, holdings: Holdings) -> Result<Account, ApiError> {
        let balance = |(token, amount): (TokenId, u128)| Balance { token: token.get(), amount: amount.to_string() };
        Ok(Account {
            id: unsigned(self.id)?,
            owner: to_hex(self.owner),
            key_hash: to_hex(self.key_hash),
            nonce: holdings.nonce,
            balances: holdings.balances.into_iter().map(balance).collect(),
        })
    }
}
