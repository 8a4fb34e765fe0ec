//! Executed batches taken back, in one database transaction.
//!
//! The state becomes that after the last batch that stays. This is a block of its own, without operations, which names the
//! request: block numbers go on, and whoever follows the blocks sees that the state has changed. What was executed moves
//! to `replays` in its old order, and the batch after the last one that stays is opened anew.

use super::words::{StateWord, pack};
use super::{StoreError, undo};
use crate::config::Config;
use crate::environment::{Environment, Step};
use crate::types::{BatchNumber, BlockNumber};
use sheaf_core::F;
use sheaf_core::geometry::Geometry;
use sheaf_core::types::{AccountId, FIRST_BALANCE_WORD, NONCE_WORD};
use sheaf_core::types::{KEY_HASH_WORD, OWNER_WORD, address_from_field, field_to_bytes, u128_from_field};
use sqlx::{Connection, Executor, PgConnection, Postgres, Row};
use std::collections::{BTreeMap, HashMap};

/// A request to take executed batches back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnwindingRequest {
    /// Its number.
    pub(crate) number: i64,
    /// The last batch that stays.
    pub(crate) to_batch: BatchNumber,
    /// Why, for people.
    pub(crate) reason: String,
}

/// What an unwinding took back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unwound {
    /// The block that it is.
    pub(crate) block: BlockNumber,
    /// Operations that wait to be executed again.
    pub(crate) operations: u64,
    /// Words of the state that are as they were.
    pub(crate) words: usize,
}

/// The oldest request that is not carried out.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn requested_unwinding<'e>(
    executor: impl Executor<'e, Database = Postgres>,
) -> Result<Option<UnwindingRequest>, StoreError> {
    let query = "SELECT number, to_batch, reason FROM unwindings WHERE done_at IS NULL ORDER BY number LIMIT 1";
    let Some(row) = sqlx::query(query).fetch_optional(executor).await? else { return Ok(None) };
    let to_batch = BatchNumber(super::decode::unsigned(&row, "to_batch")?);
    Ok(Some(UnwindingRequest { number: row.try_get("number")?, to_batch, reason: row.try_get("reason")? }))
}

/// Carries a request out under this epoch, all or nothing. `None`: it asks to take back what L1 has, or a batch that does not
/// exist, and is closed without any effect.
///
/// # Errors
/// [`StoreError`]. After a transient one, whether it is carried out is unknown: look whether it is still requested.
pub(crate) async fn unwind(
    connection: &mut PgConnection,
    request: &UnwindingRequest,
    config: &Config,
    epoch: i64,
    environment: &Environment,
) -> Result<Option<Unwound>, StoreError> {
    let to = request.to_batch;
    let mut tx = connection.begin().await?;
    if super::current_epoch(&mut tx).await? != epoch {
        // Not left to the next use of the connection: until then the chain's row would be locked.
        tx.rollback().await?;
        return Err(StoreError::Fenced);
    }
    environment.reached(Step::UnwindingBegun);
    // Jobs before batches: a prover that stores a proof takes the rows in this order, too.
    delete_after(&mut tx, "DELETE FROM proof_jobs WHERE batch > $1", to).await?;
    let Some(timestamp) = last_timestamp(&mut tx, to).await? else {
        tx.rollback().await?;
        close(connection, request).await?;
        return Ok(None);
    };
    let block = begin_block(&mut tx, request).await?;
    let words = undo::words_after(&mut tx, to).await?;
    restore(&mut tx, &words, config.geometry(), block).await?;
    delete_after(&mut tx, "DELETE FROM retired_pairs WHERE batch > $1", to).await?;
    let operations = move_to_replays(&mut tx, request).await?;
    for query in [
        "DELETE FROM withdrawals WHERE batch > $1",
        "DELETE FROM batch_undo WHERE batch > $1",
        "DELETE FROM batches WHERE number > $1",
    ] {
        delete_after(&mut tx, query, to).await?;
    }
    open_batch(&mut tx, to.next(), timestamp).await?;
    close(&mut tx, request).await?;
    environment.reached(Step::UnwindingWritten);
    tx.commit().await?;
    environment.reached(Step::UnwindingCommitted);
    Ok(Some(Unwound { block, operations, words: words.len() }))
}

async fn delete_after(tx: &mut PgConnection, query: &'static str, to: BatchNumber) -> Result<u64, StoreError> {
    Ok(sqlx::query(query).bind(to.sql()).execute(tx).await?.rows_affected())
}

/// The timestamp of the last batch that stays, if there is this batch, none after it is settled, and settlement does not
/// change that meanwhile.
async fn last_timestamp(tx: &mut PgConnection, to: BatchNumber) -> Result<Option<i64>, StoreError> {
    let later = "SELECT status FROM batches WHERE number > $1 ORDER BY number FOR UPDATE";
    let statuses: Vec<String> = sqlx::query_scalar(later).bind(to.sql()).fetch_all(&mut *tx).await?;
    if statuses.iter().any(|status| status == "settled") {
        return Ok(None);
    }
    if to.0 == 0 {
        return Ok(Some(0));
    }
    let last = "SELECT timestamp FROM batches WHERE number = $1 AND status <> 'open'";
    Ok(sqlx::query_scalar(last).bind(to.sql()).fetch_optional(tx).await?)
}

/// Opens the block that the unwinding is.
async fn begin_block(tx: &mut PgConnection, request: &UnwindingRequest) -> Result<BlockNumber, StoreError> {
    let query = "INSERT INTO blocks (number, operation_count, unwinding)
                 SELECT COALESCE(max(number), 0) + 1, 0, $1 FROM blocks RETURNING number";
    let number: i64 = sqlx::query_scalar(query).bind(request.number).fetch_one(tx).await?;
    Ok(BlockNumber(number.cast_unsigned()))
}

/// What was changed of one account's identity.
#[derive(Default)]
struct Identity {
    key_hash: Option<F>,
    owner: Option<F>,
}

/// Gives these words their values.
async fn restore(
    tx: &mut PgConnection,
    words: &HashMap<u32, F>,
    geometry: Geometry,
    block: BlockNumber,
) -> Result<(), StoreError> {
    let mut identities = BTreeMap::<u32, Identity>::new();
    // Nonces and balances by account and word, as a block's changes are.
    let mut changes = BTreeMap::new();
    for (address, value) in words {
        let (account, word) = geometry.locate(*address);
        match word {
            KEY_HASH_WORD => identities.entry(account).or_default().key_hash = Some(*value),
            OWNER_WORD => identities.entry(account).or_default().owner = Some(*value),
            _ => drop(changes.insert((account, word), state_word(account, word, *value)?)),
        }
    }
    restore_identities(tx, &identities).await?;
    if !changes.is_empty() {
        let mut bytes = Vec::new();
        changes.values().for_each(|word| pack(word, &mut bytes));
        let query = "INSERT INTO state_changes (block, words) VALUES ($1, $2)";
        sqlx::query(query).bind(block.sql()).bind(bytes).execute(tx).await?;
    }
    Ok(())
}

fn damaged(account: u32, word: u32) -> StoreError {
    StoreError::Damaged(format!("word {word} of account {account} was something that it can't be"))
}

fn state_word(account: u32, word: u32, value: F) -> Result<StateWord, StoreError> {
    assert!(word == NONCE_WORD || word >= FIRST_BALANCE_WORD, "identities are restored apart");
    let known = || Some((AccountId::new(account)?, u8::try_from(word).ok()?, u128_from_field(value)?));
    let (account, word, value) = known().ok_or_else(|| damaged(account, word))?;
    Ok(StateWord { account, word, value })
}

/// Gives accounts the keys and owners that they had; those that there were not go away.
async fn restore_identities(tx: &mut PgConnection, identities: &BTreeMap<u32, Identity>) -> Result<(), StoreError> {
    if identities.is_empty() {
        return Ok(());
    }
    let key = |identity: &Identity| identity.key_hash.map(|hash| field_to_bytes(hash).to_vec());
    let owner = |(account, identity): (&u32, &Identity)| {
        let address = |word| address_from_field(word).map(|owner| owner.to_vec()).ok_or_else(|| damaged(*account, OWNER_WORD));
        identity.owner.map(address).transpose()
    };
    let ids: Vec<i32> = identities.keys().map(|id| id.cast_signed()).collect();
    let done = sqlx::query(
        "UPDATE accounts a SET key_hash = COALESCE(u.key_hash, a.key_hash), owner = COALESCE(u.owner, a.owner)
         FROM unnest($1::int[], $2::bytea[], $3::bytea[]) AS u (id, key_hash, owner) WHERE a.id = u.id",
    )
    .bind(&ids)
    .bind(identities.values().map(key).collect::<Vec<_>>())
    .bind(identities.iter().map(owner).collect::<Result<Vec<_>, _>>()?)
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() != ids.len() as u64 {
        return Err(StoreError::Damaged(format!("{} accounts were changed, {} are there", ids.len(), done.rows_affected())));
    }
    let nobody = "DELETE FROM accounts WHERE id = ANY ($1) AND key_hash = decode(repeat('00', 32), 'hex')";
    sqlx::query(nobody).bind(ids).execute(tx).await?;
    Ok(())
}

/// Moves what was executed after the last batch that stays to the front of what waits to be executed again, in its order.
///
/// The index of the receiving account goes along, of whoever created it: if that one is dropped, the next credit creates the
/// account where it was, and what its owner has signed since still holds.
async fn move_to_replays(tx: &mut PgConnection, request: &UnwindingRequest) -> Result<u64, StoreError> {
    let to = request.to_batch.sql();
    let count =
        "SELECT (SELECT count(*) FROM transactions WHERE batch > $1) + (SELECT count(*) FROM l1_operations WHERE batch > $1)";
    let count: i64 = sqlx::query_scalar(count).bind(to).fetch_one(&mut *tx).await?;
    // What an earlier unwinding left comes after all that was executed since. Twice, so that no two rows meet.
    sqlx::query("UPDATE replays SET seq = -seq").execute(&mut *tx).await?;
    sqlx::query("UPDATE replays SET seq = $1 - seq").bind(count).execute(&mut *tx).await?;
    let moved = sqlx::query(
        "INSERT INTO replays (seq, unwinding, l1_index, created_at, hash, batch, position, block, code, posted, sender, nonce,
                              expires, token, amount, fee, receiver, target_owner, target_key, public_key, signature)
         SELECT row_number() OVER (ORDER BY batch, position), $2, l1_index, created_at, hash, batch, position, block, code,
                posted, sender, nonce, expires, token, amount, fee, receiver, target_owner, target_key, public_key, signature
         FROM (SELECT NULL::bigint AS l1_index, receiver AS created_at, hash, batch, position, block, code, posted, sender,
                      nonce, expires, token, amount, fee, receiver, target_owner, target_key, public_key, signature
               FROM transactions WHERE batch > $1
               UNION ALL
               SELECT index, CASE WHEN op = 1 AND NOT refunded THEN account END, NULL, batch, position, block, op, NULL, NULL,
                      NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
               FROM l1_operations WHERE batch > $1) AS executed",
    )
    .bind(to)
    .bind(request.number)
    .execute(&mut *tx)
    .await?;
    if moved.rows_affected() != count.cast_unsigned() {
        return Err(StoreError::Damaged(format!("{} of {count} operations were moved", moved.rows_affected())));
    }
    let leaves = "INSERT INTO unwound_leaves (block, batch, position, hash, unwinding)
        SELECT block, batch, position, hash, $2 FROM transactions WHERE batch > $1";
    sqlx::query(leaves).bind(to).bind(request.number).execute(&mut *tx).await?;
    delete_after(tx, "DELETE FROM transactions WHERE batch > $1", request.to_batch).await?;
    let unassign = "UPDATE l1_operations
        SET batch = NULL, position = NULL, block = NULL, posted = NULL, account = NULL, refunded = FALSE WHERE batch > $1";
    delete_after(tx, unassign, request.to_batch).await?;
    Ok(count.cast_unsigned())
}

/// Opens a batch that is not earlier than the last one that stays.
async fn open_batch(tx: &mut PgConnection, number: BatchNumber, earliest: i64) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO batches (number, status, timestamp, fee_account, shape) VALUES ($1, 'open', $2, $3, 0)")
        .bind(number.sql())
        .bind(earliest)
        .bind(Config::FEE_ACCOUNT.get().cast_signed())
        .execute(tx)
        .await?;
    Ok(())
}

/// Marks a request as carried out, and tells whoever waits for it.
async fn close(connection: &mut PgConnection, request: &UnwindingRequest) -> Result<(), StoreError> {
    let query = "UPDATE unwindings SET done_at = now() WHERE number = $1 AND done_at IS NULL";
    sqlx::query(query).bind(request.number).execute(&mut *connection).await?;
    sqlx::query("SELECT pg_notify('batches', '')").execute(connection).await?;
    Ok(())
}
