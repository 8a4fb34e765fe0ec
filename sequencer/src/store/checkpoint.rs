//! Folds the changes of blocks into the chunks, so that neither the log of changes nor the time to load it grows.
//!
//! A chunk says after which block it is, so chunks may be written some at a time, in any order, while blocks are
//! committed: a reader puts only later changes on top. The log is cut when all of them are written.

use super::words::{self, StateWord};
use super::{StoreError, current_epoch, decode, state};
use crate::environment::{Environment, Step};
use sheaf_core::types::AccountId;
use sqlx::{Connection, PgConnection, PgPool, Row};
use std::collections::BTreeMap;

/// Chunks of one database transaction: about 3 MB.
const CHUNKS_MAX: usize = 256;

/// How much log there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogSize {
    pub(crate) blocks: u64,
    pub(crate) bytes: u64,
}

/// Looks how much log there is.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn log_size(pool: &PgPool) -> Result<LogSize, StoreError> {
    let query = "SELECT count(*) AS blocks, COALESCE(sum(length(words)), 0)::bigint AS bytes FROM state_changes";
    let row = sqlx::query(query).fetch_one(pool).await?;
    Ok(LogSize { blocks: decode::unsigned(&row, "blocks")?, bytes: decode::unsigned(&row, "bytes")? })
}

/// Brings all chunks to the last block, and deletes the log up to it.
///
/// # Errors
/// [`StoreError`]. After a transient one, call again: what is done already is not done twice.
pub(crate) async fn checkpoint(pool: &PgPool, epoch: i64, environment: &Environment) -> Result<(), StoreError> {
    let mut connection = pool.acquire().await?;
    let to: Option<i64> = sqlx::query_scalar("SELECT max(block) FROM state_changes").fetch_one(&mut *connection).await?;
    let Some(to) = to else { return Ok(()) };
    let mut chunks = BTreeMap::<u32, Vec<StateWord>>::new();
    for ((account, word), (_, value)) in state::read_changes(&mut connection, to).await? {
        let word = StateWord { account, word, value };
        chunks.entry(word.chunk()).or_default().push(word);
    }
    let chunks: Vec<_> = chunks.into_iter().collect();
    for some in chunks.chunks(CHUNKS_MAX) {
        let mut tx = connection.begin().await?;
        fence(&mut tx, epoch).await?;
        write_chunks(&mut tx, some, to).await?;
        tx.commit().await?;
        environment.reached(Step::ChunksCommitted);
    }
    let mut tx = connection.begin().await?;
    fence(&mut tx, epoch).await?;
    sqlx::query("DELETE FROM state_changes WHERE block <= $1").bind(to).execute(&mut *tx).await?;
    tx.commit().await?;
    environment.reached(Step::LogCut);
    Ok(())
}

async fn fence(tx: &mut PgConnection, epoch: i64) -> Result<(), StoreError> {
    if current_epoch(tx).await? == epoch { Ok(()) } else { Err(StoreError::Fenced) }
}

/// Writes chunks with these changes; one that is at a later block already is left alone.
async fn write_chunks(tx: &mut PgConnection, chunks: &[(u32, Vec<StateWord>)], to: i64) -> Result<(), StoreError> {
    let numbers: Vec<i32> = chunks.iter().map(|(chunk, _)| chunk.cast_signed()).collect();
    let query = "SELECT chunk, words FROM state_chunks WHERE chunk = ANY($1)";
    let mut old = BTreeMap::new();
    for row in sqlx::query(query).bind(&numbers).fetch_all(&mut *tx).await? {
        old.insert(row.try_get::<i32, _>("chunk")?, row.try_get::<Vec<u8>, _>("words")?);
    }
    let merged: Vec<Vec<u8>> = numbers
        .iter()
        .zip(chunks)
        .map(|(number, (_, changes))| merge(old.get(number).map_or(&[], Vec::as_slice), changes))
        .collect::<Result<_, _>>()?;
    sqlx::query(
        "INSERT INTO state_chunks (chunk, block, words) SELECT c, $1, w FROM unnest($2::int[], $3::bytea[]) AS u (c, w)
         ON CONFLICT (chunk) DO UPDATE SET block = excluded.block, words = excluded.words
         WHERE state_chunks.block < excluded.block",
    )
    .bind(to)
    .bind(numbers)
    .bind(merged)
    .execute(tx)
    .await?;
    Ok(())
}

/// A chunk's words with these changes on top, without zeros.
fn merge(old: &[u8], changes: &[StateWord]) -> Result<Vec<u8>, StoreError> {
    let mut all = BTreeMap::<(AccountId, u8), u128>::new();
    for word in words::unpack(old).chain(changes.iter().map(|word| Ok(*word))) {
        let StateWord { account, word, value } = word?;
        all.insert((account, word), value);
    }
    let mut bytes = Vec::with_capacity(old.len() + 16 * changes.len());
    for ((account, word), value) in all {
        if value > 0 {
            words::pack(&StateWord { account, word, value }, &mut bytes);
        }
    }
    Ok(bytes)
}
