//! The database: all that the sequencer reads and writes, and what the prover needs of it.

mod balances;
mod block;
mod build;
mod chain;
mod checkpoint;
mod copy;
mod decode;
mod follow;
mod l1;
mod leader;
mod load;
mod receipts;
mod rejections;
mod replays;
mod state;
#[cfg(test)]
mod tests;
mod undo;
mod unwind;
mod words;

pub use balances::{Balances, Holdings};
pub(crate) use block::commit_block;
pub use build::load_witness;
pub(crate) use build::{BuildInput, next_unbuilt, store_built};
pub(crate) use chain::{Identity, begin_epoch, check_identity, current_epoch, take_writer_lock};
pub(crate) use checkpoint::{LogSize, checkpoint, log_size};
pub(crate) use follow::{BuiltBatch, news_after};
pub(crate) use l1::{Unsettled, confirmed_entries, listed_tokens, oldest_unsettled};
#[cfg(test)]
pub(crate) use leader::Beat;
pub(crate) use leader::Holder;
pub(crate) use leader::{
    Sighting, beat, depose, myself, release_writer_lock, resign, seize_epoch, sight_leader, try_writer_lock,
};
pub(crate) use load::load_rest;
pub use receipts::load_receipt;
pub(crate) use rejections::write_rejections;
pub use state::load_words;
pub(crate) use state::{Loaded, load_state, snapshot};
pub(crate) use undo::{last_built, words_after};
pub(crate) use unwind::{requested_unwinding, unwind};

use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use std::time::Duration;

/// What can go wrong with the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused or can't be reached.
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    /// The migrations can't be run.
    #[error(transparent)]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The server says nothing: it stands still, or the connection broke without a sign.
    #[error("the database does not answer")]
    Silent,
    /// What is stored can't be right.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// Another sequencer has taken over, or runs already.
    #[error("another sequencer runs on this database")]
    Fenced,
    /// The database belongs to another chain or was made with other settings.
    #[error("the database belongs to another chain: {0}")]
    OtherChain(String),
    /// The server may lose what it acknowledged.
    #[error("the database server runs with {0} = off and may lose what it acknowledged: switch it on")]
    Unsafe(&'static str),
}

impl StoreError {
    /// Whether the same may succeed later: a connection that broke, a server that restarts, a commit that is in doubt.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Sql(sqlx::Error::Database(error)) => {
                let code = error.code().unwrap_or_default().into_owned();
                // Connection, rollback, resources, operator intervention, system; and a block number that exists: an
                // earlier attempt, whose commit was in doubt, was still on its way.
                let class = ["08", "25", "40", "53", "57", "58"].iter().any(|class| code.starts_with(class));
                class || error.constraint() == Some("blocks_pkey")
            }
            Self::Sql(error) => matches!(
                error,
                sqlx::Error::Io(_)
                    | sqlx::Error::Tls(_)
                    | sqlx::Error::Protocol(_)
                    | sqlx::Error::PoolTimedOut
                    | sqlx::Error::WorkerCrashed
            ),
            Self::Silent => true,
            _ => false,
        }
    }
}

/// How long an answer may take that nobody waits for: longer than what is asked can take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(15);
/// How long reading the state may take, and what else grows with it.
pub(crate) const LOADING_TIME_MAX: Duration = Duration::from_secs(300);
/// How long a connection of the pool may take to show that it is good.
const PING_TIME_MAX: Duration = Duration::from_secs(5);

/// What every session tells the server: to end transactions that nobody goes on with, and with them their locks, and to
/// look whether the client is still there.
const SESSION: [(&str, &str); 4] = [
    ("idle_in_transaction_session_timeout", "20s"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
];

/// Waits for an answer, but not for ever: a connection can break without a sign.
///
/// # Errors
/// [`StoreError::Silent`] if there is none in time. Then it is unknown whether anything was done.
pub(crate) async fn in_time<T>(answer: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    within(ANSWER_TIME_MAX, answer).await
}

/// The same with another limit.
///
/// # Errors
/// [`StoreError::Silent`], see [`in_time`]; and what the answer itself may be.
pub(crate) async fn within<T, E: From<StoreError>>(
    time_max: Duration,
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    tokio::time::timeout(time_max, answer).await.unwrap_or_else(|_| Err(StoreError::Silent.into()))
}

/// Opens a pool of connections to `url`.
///
/// # Errors
/// [`StoreError::Sql`] if the server can't be reached.
pub async fn connect(url: &str) -> Result<PgPool, StoreError> {
    let options = PgPoolOptions::new().max_connections(8).acquire_timeout(Duration::from_secs(5));
    // Without it, a connection that does not answer when it is given back would keep its place for ever.
    let options = options.after_release(|connection, _| {
        Box::pin(async {
            match tokio::time::timeout(PING_TIME_MAX, connection.ping()).await {
                Ok(answer) => answer.map(|()| true),
                Err(_) => Err(sqlx::Error::PoolTimedOut),
            }
        })
    });
    Ok(options.connect_with(connect_options(url)?).await?)
}

pub(crate) fn connect_options(url: &str) -> Result<PgConnectOptions, StoreError> {
    Ok(url.parse::<PgConnectOptions>()?.application_name("sheaf").options(SESSION))
}

/// Brings the schema up to date. Safe to call from several processes at once.
///
/// # Errors
/// [`StoreError`].
pub async fn migrate(pool: &PgPool) -> Result<(), StoreError> {
    Ok(sqlx::migrate!("../migrations").run(pool).await?)
}

/// Checks that what the server acknowledges survives a power cut.
///
/// # Errors
/// [`StoreError::Unsafe`], naming the setting.
pub async fn check_durability(pool: &PgPool) -> Result<(), StoreError> {
    for name in ["fsync", "full_page_writes", "synchronous_commit"] {
        let value: String = sqlx::query_scalar("SELECT current_setting($1)").bind(name).fetch_one(pool).await?;
        if value == "off" {
            return Err(StoreError::Unsafe(name));
        }
    }
    Ok(())
}
