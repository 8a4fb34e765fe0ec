//! Connections to the database, and how long it may take to answer.

use crate::Result;
use crate::error::Error;
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use std::future::Future;
use std::time::Duration;

/// How long an answer may take: longer than what is asked can take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(15);
/// How long a connection may take to show that it is good.
const PING_TIME_MAX: Duration = Duration::from_secs(5);

/// What every session tells the server: to end transactions that nobody goes on with, so that a worker that is frozen
/// while it stores a proof locks nobody out of the job, and to look whether the client is still there.
const SESSION: [(&str, &str); 4] = [
    ("idle_in_transaction_session_timeout", "10s"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
];

/// Prepares a pool of at most `connections_max` connections to `url`; the first one is made when it is needed.
///
/// # Errors
/// [`Error::Database`] if `url` is none.
pub(crate) fn pool(url: &str, connections_max: u32) -> Result<PgPool> {
    let session = url.parse::<PgConnectOptions>()?.application_name("sheaf prover").options(SESSION);
    let options = PgPoolOptions::new().max_connections(connections_max).acquire_timeout(Duration::from_secs(10));
    // Without it, a connection that does not answer when it is given back would keep its place for ever.
    let options = options.after_release(|connection, _| {
        Box::pin(async {
            let answer = tokio::time::timeout(PING_TIME_MAX, connection.ping()).await;
            answer.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map(|()| true)
        })
    });
    Ok(options.connect_lazy_with(session))
}

/// Waits for an answer, but not for ever: a connection can break without a sign.
///
/// # Errors
/// [`Error::Silent`] if there is none in time, and it is unknown then whether anything was done; the answer's own.
pub(crate) async fn in_time<T>(answer: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(ANSWER_TIME_MAX, answer).await.unwrap_or(Err(Error::Silent))
}
