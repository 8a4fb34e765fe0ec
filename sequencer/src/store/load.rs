//! The state as it was left: for the engine that resumes, and for the builder behind it.

use super::{StoreError, decode};
use crate::batcher::{BatchRules, OpenBatch};
use crate::engine::Resume;
use crate::state::{Account, State};
use crate::types::{BatchNumber, BlockNumber};
use sheaf_core::F;
use sheaf_core::geometry::Geometry;
use sheaf_core::operation::Operation;
use sheaf_core::transaction::Pair;
use sheaf_core::types::{AccountId, FIRST_BALANCE_WORD, KEY_HASH_WORD, NONCE_WORD, OWNER_WORD, TokenId, field_from_address};
use sqlx::{PgConnection, Row};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

/// Reads everything that the engine needs to go on.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn load_resume(tx: &mut PgConnection, rules: BatchRules, operator: Pair) -> Result<Resume, StoreError> {
    let mut state = State::new(rules.geometry, operator, rules.fee_account);
    for (id, account) in load_accounts(tx).await? {
        let (Account { key_hash, owner, nonce }, balances) = account;
        state.put_account(id, key_hash, owner, nonce);
        for (token, amount) in balances {
            state.put_balance(id, token, amount);
        }
    }
    for row in sqlx::query("SELECT owner, key_hash FROM retired_pairs").fetch_all(&mut *tx).await? {
        state.retire(Pair { owner: decode::address(&row, "owner")?, key_hash: decode::field(&row, "key_hash")? });
    }
    let last_block: i64 = sqlx::query_scalar("SELECT COALESCE(max(number), 0) FROM blocks").fetch_one(&mut *tx).await?;
    let next_l1: i64 = sqlx::query_scalar("SELECT COALESCE(max(index) + 1, 0) FROM l1_operations WHERE batch IS NOT NULL")
        .fetch_one(&mut *tx)
        .await?;
    let open = sqlx::query("SELECT number, timestamp FROM batches WHERE status = 'open'").fetch_optional(&mut *tx).await?;
    let (open, batch_is_stored) = match open {
        None => (OpenBatch::new(rules, BatchNumber::FIRST, 0), false),
        Some(row) => {
            let number = BatchNumber(decode::unsigned(&row, "number")?);
            let operations: Vec<_> = load_operations(tx, number).await?;
            let open = OpenBatch::new(rules, number, decode::seconds(&row, "timestamp")?);
            (open.restore(&operations, undo_addresses(tx, number).await?), true)
        }
    };
    let tokens = super::listed_tokens(tx).await?;
    let last_block = BlockNumber(last_block.cast_unsigned());
    Ok(Resume { state, open, last_block, next_l1: next_l1.cast_unsigned(), tokens, batch_is_stored, replays: VecDeque::new() })
}

/// All accounts with their balances, also those that nobody has but that hold fees.
async fn load_accounts(tx: &mut PgConnection) -> Result<BTreeMap<AccountId, (Account, BTreeMap<TokenId, u128>)>, StoreError> {
    let mut accounts: BTreeMap<AccountId, (Account, BTreeMap<TokenId, u128>)> = BTreeMap::new();
    for row in sqlx::query("SELECT id, key_hash, owner, nonce FROM accounts").fetch_all(&mut *tx).await? {
        let account = Account {
            key_hash: decode::field(&row, "key_hash")?,
            owner: decode::address(&row, "owner")?,
            nonce: decode::unsigned(&row, "nonce")?,
        };
        accounts.insert(decode::account(&row, "id")?, (account, BTreeMap::new()));
    }
    let balances = "SELECT account, token, amount::text AS amount FROM balances WHERE amount > 0";
    for row in sqlx::query(balances).fetch_all(&mut *tx).await? {
        let account = accounts.entry(decode::account(&row, "account")?).or_default();
        account.1.insert(decode::token(&row, "token")?, decode::amount(&row, "amount")?);
    }
    Ok(accounts)
}

/// Every word of the state after the last block that is not zero, from SQL alone.
///
/// # Errors
/// [`StoreError`].
pub async fn load_words(tx: &mut PgConnection, geometry: Geometry) -> Result<HashMap<u32, F>, StoreError> {
    let mut words = HashMap::new();
    for (id, (account, balances)) in load_accounts(tx).await? {
        let mut put = |word, value: F| words.insert(geometry.address(id.get(), word), value);
        put(KEY_HASH_WORD, account.key_hash);
        put(NONCE_WORD, F::from(account.nonce));
        put(OWNER_WORD, field_from_address(account.owner));
        for (token, amount) in balances {
            put(FIRST_BALANCE_WORD + u32::from(token.get()), F::from(amount));
        }
    }
    words.retain(|_, value| *value != F::from(0u64));
    Ok(words)
}

/// The last batch that is built; 0 before the first.
pub(crate) async fn last_built(tx: &mut PgConnection) -> Result<BatchNumber, StoreError> {
    let number: i64 =
        sqlx::query_scalar("SELECT COALESCE(max(number), 0) FROM batches WHERE commitment IS NOT NULL").fetch_one(tx).await?;
    Ok(BatchNumber(number.cast_unsigned()))
}

/// The words of the state after the last built batch: the current ones, with what later batches changed put back.
pub(crate) async fn load_base_words(
    tx: &mut PgConnection,
    geometry: Geometry,
    built: BatchNumber,
) -> Result<HashMap<u32, F>, StoreError> {
    let mut words = load_words(tx, geometry).await?;
    // Of several later batches that changed a word, the earliest knows what it was before all of them.
    let earliest = "SELECT DISTINCT ON (address) address, old FROM batch_undo WHERE batch > $1 ORDER BY address, batch";
    for row in sqlx::query(earliest).bind(built.sql()).fetch_all(tx).await? {
        let address: i32 = row.try_get("address")?;
        words.insert(address.cast_unsigned(), decode::field(&row, "old")?);
    }
    Ok(words)
}

/// A batch's operations in order.
async fn load_operations(tx: &mut PgConnection, batch: BatchNumber) -> Result<Vec<Operation>, StoreError> {
    Ok(super::build::load_slots(tx, batch).await?.into_iter().map(|slot| slot.operation).collect())
}

async fn undo_addresses(tx: &mut PgConnection, batch: BatchNumber) -> Result<HashSet<u32>, StoreError> {
    let addresses: Vec<i32> =
        sqlx::query_scalar("SELECT address FROM batch_undo WHERE batch = $1").bind(batch.sql()).fetch_all(tx).await?;
    Ok(addresses.into_iter().map(i32::cast_unsigned).collect())
}
