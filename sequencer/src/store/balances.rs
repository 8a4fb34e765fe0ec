//! Nonces and balances for whoever only reads the database.

use super::words::{self, CHUNK_ACCOUNTS, StateWord};
use super::{StoreError, decode};
use sheaf_core::types::{AccountId, NONCE_WORD, TokenId};
use sqlx::{PgPool, Row};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard};

/// Words that are kept in memory at most, about 100 MB of them; then all are read anew.
const WORDS_MAX: usize = 2_000_000;

/// What an account has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// The next transaction's number.
    pub nonce: u64,
    /// Balances above 0, in the tokens' smallest units.
    pub balances: BTreeMap<TokenId, u128>,
}

/// Reads nonces and balances as of the last block; keeps in memory what blocks changed since the chunks were written.
///
/// Of all accounts of one call the holdings fit together: they are those after one block, never an earlier one than the
/// last that was durable when the call began.
#[derive(Debug, Default)]
pub struct Balances {
    log: Mutex<Log>,
}

#[derive(Debug, Default)]
struct Log {
    /// The last block whose changes are here.
    seen: u64,
    /// How often all was forgotten.
    generation: u64,
    /// By account and word: the latest change, and its block.
    words: HashMap<AccountId, BTreeMap<u8, (u64, u128)>>,
    len: usize,
}

impl Log {
    fn put(&mut self, block: u64, word: StateWord) {
        let of_account = self.words.entry(word.account).or_default();
        let at = of_account.entry(word.word).or_insert_with(|| {
            self.len += 1;
            (0, 0)
        });
        if at.0 <= block {
            *at = (block, word.value);
        }
    }

    /// The holdings of an account, of which a chunk after `block` has `words`.
    fn holdings(&self, account: AccountId, chunk: Option<&Chunk>) -> Holdings {
        let mut words: BTreeMap<u8, u128> = BTreeMap::new();
        let block = chunk.map_or(0, |chunk| chunk.block);
        words
            .extend(chunk.into_iter().flat_map(|chunk| &chunk.words).filter(|w| w.account == account).map(|w| (w.word, w.value)));
        let later = self.words.get(&account).into_iter().flatten().filter(|(_, (at, _))| *at > block);
        words.extend(later.map(|(word, (_, value))| (*word, *value)));
        let mut holdings = Holdings { nonce: words.remove(&(NONCE_WORD as u8)).unwrap_or(0) as u64, balances: BTreeMap::new() };
        for (word, value) in words.into_iter().filter(|(_, value)| *value > 0) {
            let token = StateWord { account, word, value }.token().expect("words are range-checked when they are unpacked");
            holdings.balances.insert(token, value);
        }
        holdings
    }
}

/// A row of `state_chunks`.
struct Chunk {
    block: u64,
    words: Vec<StateWord>,
}

/// What one statement saw.
struct Seen {
    chunks: HashMap<u32, Chunk>,
    changes: Vec<(u64, Vec<StateWord>)>,
}

impl Balances {
    /// The holdings of these accounts, in their order; of one that does not exist, none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn read(&self, pool: &PgPool, accounts: &[AccountId]) -> Result<Vec<Holdings>, StoreError> {
        loop {
            let (since, generation) = {
                let log = self.log();
                (log.seen, log.generation)
            };
            let seen = look(pool, accounts, since).await?;
            let mut log = self.log();
            if log.generation != generation {
                // Another call has forgotten what this one counts on.
                continue;
            }
            for (block, words) in seen.changes {
                words.into_iter().for_each(|word| log.put(block, word));
                log.seen = log.seen.max(block);
            }
            let chunk = |account: &AccountId| seen.chunks.get(&(account.get() / CHUNK_ACCOUNTS));
            let holdings = accounts.iter().map(|account| log.holdings(*account, chunk(account))).collect();
            if log.len > WORDS_MAX {
                *log = Log { generation: generation + 1, ..Log::default() };
            }
            return Ok(holdings);
        }
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().expect("nothing panics while it holds the log")
    }
}

/// Reads the chunks of `accounts` and the changes after block `since`, in one statement.
async fn look(pool: &PgPool, accounts: &[AccountId], since: u64) -> Result<Seen, StoreError> {
    let mut chunks: Vec<i32> = accounts.iter().map(|account| (account.get() / CHUNK_ACCOUNTS).cast_signed()).collect();
    chunks.sort_unstable();
    chunks.dedup();
    let query = "SELECT chunk, block, words FROM state_chunks WHERE chunk = ANY($1)
                 UNION ALL SELECT NULL, block, words FROM state_changes WHERE block > $2";
    let mut seen = Seen { chunks: HashMap::new(), changes: Vec::new() };
    for row in sqlx::query(query).bind(chunks).bind(since.cast_signed()).fetch_all(pool).await? {
        let (block, words) = (decode::unsigned(&row, "block")?, words::unpack(row.try_get("words")?));
        let words = words.collect::<Result<_, _>>()?;
        match row.try_get::<Option<i32>, _>("chunk")? {
            Some(chunk) => drop(seen.chunks.insert(chunk.cast_unsigned(), Chunk { block, words })),
            None => seen.changes.push((block, words)),
        }
    }
    Ok(seen)
}
