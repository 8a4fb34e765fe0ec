//! The leader's sign of life, who holds the writer's lock, and how the lock is taken from a leader that is gone.

use super::chain::WRITER_LOCK;
use super::{Identity, StoreError, begin_epoch};
use sqlx::{PgConnection, Row};
use std::time::Duration;

/// How long others may keep the chain's row from a new leader before their connections are ended.
const PATIENCE: Duration = Duration::from_millis(300);

/// The connection that holds the writer's lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    /// The server's process for it.
    pub(crate) pid: i32,
    /// When it began, so that a process number that is used again is not taken for the same.
    since: Option<String>,
}

/// A leader's sign of life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Beat {
    pub(crate) epoch: i64,
    /// The server's clock; only compared for being the same.
    at: String,
    /// Where the leader's internal HTTP interface is.
    pub(crate) address: Option<String>,
}

/// All that tells whether somebody leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sighting {
    pub(crate) holder: Option<Holder>,
    pub(crate) beat: Option<Beat>,
}

#[cfg(test)]
impl Holder {
    pub(crate) const fn new(pid: i32) -> Self {
        Self { pid, since: None }
    }
}

#[cfg(test)]
impl Beat {
    pub(crate) fn new(epoch: i64, at: u32) -> Self {
        Self { epoch, at: at.to_string(), address: None }
    }
}

/// This connection, as the holder of the lock that it may be.
///
/// # Errors
/// [`StoreError::Sql`].
pub(crate) async fn myself(connection: &mut PgConnection) -> Result<Holder, StoreError> {
    let query = "SELECT pid, backend_start::text AS since FROM pg_stat_activity WHERE pid = pg_backend_pid()";
    let row = sqlx::query(query).fetch_one(connection).await?;
    Ok(Holder { pid: row.try_get("pid")?, since: row.try_get("since")? })
}

/// Looks who leads.
///
/// # Errors
/// [`StoreError::Sql`].
pub(crate) async fn sight_leader(connection: &mut PgConnection) -> Result<Sighting, StoreError> {
    let query = "SELECT l.pid, a.backend_start::text AS since, h.epoch, h.heartbeat_at::text AS at, h.address
         FROM (SELECT) AS one
         LEFT JOIN pg_locks l ON l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
              AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
              AND (l.classid::bigint << 32 | l.objid::bigint) = $1
         LEFT JOIN pg_stat_activity a ON a.pid = l.pid
         LEFT JOIN leader h ON TRUE";
    let row = sqlx::query(query).bind(WRITER_LOCK).fetch_one(connection).await?;
    let pid: Option<i32> = row.try_get("pid")?;
    let since = row.try_get("since")?;
    let epoch: Option<i64> = row.try_get("epoch")?;
    let (at, address): (Option<String>, Option<String>) = (row.try_get("at")?, row.try_get("address")?);
    let beat = epoch.zip(at).map(|(epoch, at)| Beat { epoch, at, address });
    Ok(Sighting { holder: pid.map(|pid| Holder { pid, since }), beat })
}

/// Shows that the leader of `epoch` lives.
///
/// # Errors
/// [`StoreError::Fenced`] if another one has taken over.
pub(crate) async fn beat(connection: &mut PgConnection, epoch: i64, address: &str) -> Result<(), StoreError> {
    let done = sqlx::query(
        "INSERT INTO leader (epoch, heartbeat_at, address) SELECT $1, clock_timestamp(), $2 FROM chain WHERE epoch = $1
         ON CONFLICT (singleton) DO UPDATE
         SET epoch = excluded.epoch, heartbeat_at = excluded.heartbeat_at, address = excluded.address
         WHERE leader.epoch <= excluded.epoch",
    )
    .bind(epoch)
    .bind(address)
    .execute(connection)
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Fenced) }
}

/// Says that the leader of `epoch` has ended in order: whoever stands by need not wait for its silence.
///
/// # Errors
/// [`StoreError::Sql`].
pub(crate) async fn resign(connection: &mut PgConnection, epoch: i64) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM leader WHERE epoch = $1").bind(epoch).execute(connection).await?;
    Ok(())
}

/// Takes the writer's lock if it is free.
///
/// # Errors
/// [`StoreError::Sql`].
pub(crate) async fn try_writer_lock(connection: &mut PgConnection) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(WRITER_LOCK).fetch_one(connection).await?)
}

/// Gives the writer's lock back.
///
/// # Errors
/// [`StoreError::Sql`].
pub(crate) async fn release_writer_lock(connection: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query("SELECT pg_advisory_unlock($1)").bind(WRITER_LOCK).execute(connection).await?;
    Ok(())
}

/// Ends the connection of exactly this holder of the lock, if it still holds it. The server rolls its transaction back.
///
/// # Errors
/// [`StoreError::Sql`], if the holder's role is another one too.
pub(crate) async fn depose(connection: &mut PgConnection, holder: &Holder) -> Result<(), StoreError> {
    sqlx::query(
        "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
         WHERE l.locktype = 'advisory' AND l.granted AND (l.classid::bigint << 32 | l.objid::bigint) = $1 AND l.objsubid = 1
         AND l.pid = $2 AND a.backend_start::text IS NOT DISTINCT FROM $3",
    )
    .bind(WRITER_LOCK)
    .bind(holder.pid)
    .bind(&holder.since)
    .execute(connection)
    .await?;
    Ok(())
}

/// Begins an epoch although an earlier leader's transaction may have the chain's row locked: whoever keeps it locked
/// for long is gone or frozen, and its connection is ended. `writer` holds the writer's lock.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn seize_epoch(
    writer: &mut PgConnection,
    helper: &mut PgConnection,
    identity: &Identity,
) -> Result<i64, StoreError> {
    let own: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut *writer).await?;
    let beginning = begin_epoch(writer, identity);
    tokio::pin!(beginning);
    loop {
        tokio::select! {
            epoch = &mut beginning => return epoch,
            () = tokio::time::sleep(PATIENCE) => {}
        }
        let blocking = "SELECT count(pg_terminate_backend(b)) FROM unnest(pg_blocking_pids($1)) b";
        let ended: i64 = sqlx::query_scalar(blocking).bind(own).fetch_one(&mut *helper).await?;
        tracing::warn!(ended, "connections of an earlier leader kept the chain locked and were ended");
    }
}
