//! Accounts.

use super::params;
use crate::error::ApiError;
use crate::extract::{Path, Query};
use crate::model::{Account, Accounts};
use crate::queries::{self, AccountFilter};
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use sheaf_core::json;
use sheaf_core::types::{AccountId, field_to_bytes};
use std::sync::Arc;

pub(super) async fn account(State(state): State<Arc<AppState>>, Path(id): Path<String>) -> Result<Json<Account>, ApiError> {
    let number: u64 = params::number(&id, "the account")?;
    let unknown = || ApiError::new("unknown_account", format!("account {number} does not exist"));
    let id = u32::try_from(number).ok().and_then(AccountId::new).ok_or_else(unknown)?;
    let index = i32::try_from(id.get()).expect("an index is below 2^24");
    queries::account(&state.pool, &state.balances, index).await?.map(Json).ok_or_else(unknown)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountsQuery {
    owner: Option<String>,
    key_hash: Option<String>,
    after: Option<u32>,
    limit: Option<u32>,
}

pub(super) async fn accounts(
    State(state): State<Arc<AppState>>,
    Query(query): Query<AccountsQuery>,
) -> Result<Json<Accounts>, ApiError> {
    if query.owner.is_none() && query.key_hash.is_none() {
        return Err(ApiError::new("malformed_request", "name an `owner`, a `key_hash` or both"));
    }
    let owner = query.owner.map(|owner| json::address(&owner, "owner")).transpose()?;
    let key_hash = query.key_hash.map(|key_hash| json::field(&key_hash, "key_hash")).transpose()?;
    let limit = params::limit(query.limit)?;
    let filter = AccountFilter {
        owner: owner.map(|owner| owner.into_array()),
        key_hash: key_hash.map(field_to_bytes),
        after: i32::try_from(query.after.unwrap_or(0)).unwrap_or(i32::MAX),
        limit: limit.into(),
    };
    let accounts = queries::accounts(&state.pool, &state.balances, &filter).await?;
    let next = (accounts.len() == limit as usize).then(|| accounts.last().map(|account| account.id)).flatten();
    Ok(Json(Accounts { accounts, next }))
}
