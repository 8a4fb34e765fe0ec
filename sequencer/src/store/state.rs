//! The state after the last block, read slice by slice: identities, chunks, and the changes of later blocks on top.

use super::words::{self, CHUNK_ACCOUNTS, StateWord};
use super::{StoreError, decode};
use crate::batcher::BatchRules;
use crate::state::State;
use crate::types::BlockNumber;
use alloy_primitives::Address;
use sheaf_core::F;
use sheaf_core::geometry::Geometry;
use sheaf_core::transaction::Pair;
use sheaf_core::types::{AccountId, KEY_HASH_WORD, NONCE_WORD, OWNER_WORD, field_from_address};
use sqlx::{Connection, PgConnection, Row};
use std::collections::{BTreeMap, HashMap};

/// Accounts that are read at once.
const SLICE_ACCOUNTS: u32 = 256 * CHUNK_ACCOUNTS;

/// Told of accounts read, and of all.
pub(crate) type Progress<'a> = &'a (dyn Fn(u64, u64) + Sync);

/// A state, and the block that it is after.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) state: State,
    pub(crate) block: BlockNumber,
}

/// Who has an account.
struct Owner {
    id: AccountId,
    key_hash: F,
    owner: Address,
}

/// Accounts with neighbouring indices.
#[derive(Default)]
struct Slice {
    owners: Vec<Owner>,
    /// Nonces and balances, some of them 0, each once.
    words: Vec<StateWord>,
}

/// Reads slices of one snapshot.
struct Reader<'a> {
    tx: &'a mut PgConnection,
    /// The latest change of a word since the chunks, and its block.
    changes: BTreeMap<(AccountId, u8), (u64, u128)>,
    next: u32,
    end: u32,
}

impl<'a> Reader<'a> {
    /// Begins to read; `tx` sees one snapshot.
    async fn open(tx: &'a mut PgConnection) -> Result<Self, StoreError> {
        let changes = read_changes(tx, i64::MAX).await?;
        let ends = "SELECT greatest((SELECT max(id) + 1 FROM accounts), (SELECT (max(chunk) + 1) * $1 FROM state_chunks), 0)";
        let stored: i32 = sqlx::query_scalar(ends).bind(CHUNK_ACCOUNTS.cast_signed()).fetch_one(&mut *tx).await?;
        let changed = changes.last_key_value().map_or(0, |((account, _), _)| account.get() + 1);
        let end = stored.cast_unsigned().max(changed);
        Ok(Self { tx, changes, next: 0, end })
    }

    async fn next(&mut self) -> Result<Option<Slice>, StoreError> {
        if self.next >= self.end {
            return Ok(None);
        }
        let (from, to) = (self.next, self.next.saturating_add(SLICE_ACCOUNTS));
        self.next = to;
        let mut slice = Slice { owners: self.owners(from, to).await?, words: Vec::new() };
        let chunks = "SELECT chunk, block, words FROM state_chunks WHERE chunk >= $1 AND chunk < $2";
        let bounds = [from, to].map(|account| (account / CHUNK_ACCOUNTS).cast_signed());
        let mut blocks = HashMap::new();
        for row in sqlx::query(chunks).bind(bounds[0]).bind(bounds[1]).fetch_all(&mut *self.tx).await? {
            let block = decode::unsigned(&row, "block")?;
            blocks.insert(row.try_get::<i32, _>("chunk")?.cast_unsigned(), block);
            for word in words::unpack(row.try_get::<&[u8], _>("words")?) {
                let word = word?;
                let changed = self.changes.get(&(word.account, word.word));
                if changed.is_none_or(|(at, _)| *at <= block) {
                    slice.words.push(word);
                }
            }
        }
        let account = |index| AccountId::new(index);
        let above = account(from).map_or_else(BTreeMap::new, |from| self.changes.split_off(&(from, 0)));
        let (mut within, rest) = (above, account(to));
        self.changes = rest.map_or_else(BTreeMap::new, |to| within.split_off(&(to, 0)));
        for ((account, word), (block, value)) in within {
            let word = StateWord { account, word, value };
            if blocks.get(&word.chunk()).is_none_or(|chunk| block > *chunk) {
                slice.words.push(word);
            }
        }
        Ok(Some(slice))
    }

    async fn owners(&mut self, from: u32, to: u32) -> Result<Vec<Owner>, StoreError> {
        let query = "SELECT id, key_hash, owner FROM accounts WHERE id >= $1 AND id < $2";
        let rows = sqlx::query(query).bind(from.cast_signed()).bind(to.cast_signed()).fetch_all(&mut *self.tx).await?;
        let owner = |row| {
            let (id, key_hash) = (decode::account(row, "id")?, decode::field(row, "key_hash")?);
            Ok(Owner { id, key_hash, owner: decode::address(row, "owner")? })
        };
        rows.iter().map(owner).collect()
    }
}

/// The latest change of each word among `state_changes` up to block `to`, and its block.
pub(super) async fn read_changes(tx: &mut PgConnection, to: i64) -> Result<BTreeMap<(AccountId, u8), (u64, u128)>, StoreError> {
    let query = "SELECT block, words FROM state_changes WHERE block <= $1 ORDER BY block";
    let mut changes = BTreeMap::new();
    for row in sqlx::query(query).bind(to).fetch_all(tx).await? {
        let block = decode::unsigned(&row, "block")?;
        for word in words::unpack(row.try_get::<&[u8], _>("words")?) {
            let StateWord { account, word, value } = word?;
            changes.insert((account, word), (block, value));
        }
    }
    Ok(changes)
}

/// Reads the state after the last block. `tx` sees one [`snapshot`].
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn load_state(
    tx: &mut PgConnection,
    rules: &BatchRules,
    operator: Pair,
    progress: Progress<'_>,
) -> Result<Loaded, StoreError> {
    let mut state = State::new(rules.geometry, operator, rules.fee_account);
    let mut reader = Reader::open(tx).await?;
    state.reserve(reader.end.min(rules.geometry.account_capacity()) as usize);
    while let Some(slice) = reader.next().await? {
        put(&mut state, rules.geometry, &slice)?;
        progress(reader.next.min(reader.end).into(), reader.end.into());
    }
    for row in sqlx::query("SELECT owner, key_hash FROM retired_pairs").fetch_all(&mut *tx).await? {
        state.retire(Pair { owner: decode::address(&row, "owner")?, key_hash: decode::field(&row, "key_hash")? });
    }
    let block = last_block(tx).await?;
    Ok(Loaded { state, block })
}

/// A transaction that sees the database as it is now, whatever others write meanwhile.
pub(crate) async fn snapshot(connection: &mut PgConnection) -> Result<sqlx::Transaction<'_, sqlx::Postgres>, StoreError> {
    Ok(connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?)
}

/// The last block; 0 before the first.
pub(super) async fn last_block(tx: &mut PgConnection) -> Result<BlockNumber, StoreError> {
    let number: i64 = sqlx::query_scalar("SELECT COALESCE(max(number), 0) FROM blocks").fetch_one(tx).await?;
    Ok(BlockNumber(number.cast_unsigned()))
}

fn put(state: &mut State, geometry: Geometry, slice: &Slice) -> Result<(), StoreError> {
    let within = |id: AccountId| {
        let outside = || StoreError::Damaged(format!("account {id} is outside of the tree"));
        (id.get() < geometry.account_capacity()).then_some(()).ok_or_else(outside)
    };
    let is_nonce = |word: &&StateWord| u32::from(word.word) == NONCE_WORD;
    let nonces: HashMap<AccountId, u64> = slice.words.iter().filter(is_nonce).map(|w| (w.account, w.value as u64)).collect();
    for Owner { id, key_hash, owner } in &slice.owners {
        within(*id)?;
        state.put_account(*id, *key_hash, *owner, nonces.get(id).copied().unwrap_or(0));
    }
    for word in &slice.words {
        if let Some(token) = word.token().filter(|_| word.value > 0) {
            within(word.account)?;
            state.put_balance(word.account, token, word.value);
        }
    }
    Ok(())
}

/// Every word of the state after the last block that is not zero, by address, from SQL alone.
///
/// # Errors
/// [`StoreError`].
pub async fn load_words(tx: &mut PgConnection, geometry: Geometry) -> Result<HashMap<u32, F>, StoreError> {
    let mut words = HashMap::new();
    let mut reader = Reader::open(tx).await?;
    while let Some(slice) = reader.next().await? {
        let mut put = |account: AccountId, word, value: F| {
            if account.get() >= geometry.account_capacity() {
                return Err(StoreError::Damaged(format!("account {account} is outside of the tree")));
            }
            words.insert(geometry.address(account.get(), word), value);
            Ok(())
        };
        for Owner { id, key_hash, owner } in slice.owners {
            put(id, KEY_HASH_WORD, key_hash)?;
            put(id, OWNER_WORD, field_from_address(owner))?;
        }
        for word in slice.words {
            put(word.account, word.word.into(), F::from(word.value))?;
        }
    }
    words.retain(|_, value| *value != F::from(0u64));
    Ok(words)
}
