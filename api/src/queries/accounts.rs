//! Accounts with their balances, each read in one statement, so that they fit together.

use super::{to_hex, unsigned};
use crate::error::ApiError;
use crate::model::{Account, Balance};
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
    nonce: i64,
    tokens: Vec<i16>,
    amounts: Vec<String>,
}

pub(crate) async fn account(pool: &PgPool, id: i32) -> Result<Option<Account>, ApiError> {
    let row: Option<Row> = sqlx::query_as(
        "SELECT id, owner, key_hash, nonce,
                ARRAY(SELECT token FROM balances WHERE account = id AND amount > 0 ORDER BY token) AS tokens,
                ARRAY(SELECT amount::text FROM balances WHERE account = id AND amount > 0 ORDER BY token) AS amounts
         FROM accounts WHERE id = $1",
    )
    .bind(id)
    .fetch_optional(pool)
    .await?;
    row.map(Row::into_account).transpose()
}

pub(crate) async fn accounts(pool: &PgPool, filter: &AccountFilter) -> Result<Vec<Account>, ApiError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, owner, key_hash, nonce,
                ARRAY(SELECT token FROM balances WHERE account = id AND amount > 0 ORDER BY token) AS tokens,
                ARRAY(SELECT amount::text FROM balances WHERE account = id AND amount > 0 ORDER BY token) AS amounts
         FROM accounts
         WHERE ($1::bytea IS NULL OR owner = $1) AND ($2::bytea IS NULL OR key_hash = $2) AND id > $3
         ORDER BY id LIMIT $4",
    )
    .bind(filter.owner.map(Vec::from))
    .bind(filter.key_hash.map(Vec::from))
    .bind(filter.after)
    .bind(filter.limit)
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(Row::into_account).collect()
}

impl Row {
    fn into_account(self) -> Result<Account, ApiError> {
        let balances = self.tokens.into_iter().zip(self.amounts);
        let balances = balances.map(|(token, amount)| Ok(Balance { token: unsigned(token)?, amount }));
        Ok(Account {
            id: unsigned(self.id)?,
            owner: to_hex(self.owner),
            key_hash: to_hex(self.key_hash),
            nonce: unsigned(self.nonce)?,
            balances: balances.collect::<Result<_, ApiError>>()?,
        })
    }
}
