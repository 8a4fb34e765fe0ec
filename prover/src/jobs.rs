//! What an operator sees of the queue, and does about jobs that are parked.

use crate::database;
use crate::error::Error;
use crate::presence::{self, Unattended};
use crate::queue::JOBS_CHANNEL;
use serde::Serialize;
use sqlx::Row as _;
use sqlx::postgres::{PgPool, PgRow};

/// A job that is not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Job {
    /// The batch's number.
    pub batch: i64,
    /// The number of its shape: only workers with keys for it get the job.
    pub shape: u8,
    /// Where it stands.
    pub status: Status,
    /// How often it was tried, the attempt that runs included.
    pub attempts: u32,
    /// The worker that has it, or had it last.
    pub worker: Option<String>,
    /// For how long it stays the worker's without another heartbeat, milliseconds; 0 once that is over. Of leased ones only.
    pub lease_left_ms: Option<u64>,
    /// How long it still waits after a failure, milliseconds. Of queued ones only.
    pub wait_left_ms: Option<u64>,
    /// Why the last attempt that failed did.
    pub last_error: Option<String>,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It has failed too often, and is not tried any more.
    Parked,
    /// A worker has it.
    Leased,
    /// It is free, or waits for its next attempt.
    Queued,
    /// Its batch is sealed and has no witness yet.
    Unbuilt,
    /// The proof is stored.
    Done,
}

/// Why a job is not tried again.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A worker is at it.
    #[error("job_leased: batch {batch} is being proven by {worker}")]
    Leased {
        /// The batch.
        batch: i64,
        /// The worker.
        worker: String,
    },
    /// There is nothing left to do.
    #[error("job_done: batch {batch} has its proof")]
    Done {
        /// The batch.
        batch: i64,
    },
    /// It waits for the sequencer, and has never been tried.
    #[error("job_unbuilt: batch {batch} is not built yet")]
    Unbuilt {
        /// The batch.
        batch: i64,
    },
    /// The batch does not exist, or is still open.
    #[error("job_unknown: there is no job for batch {batch}")]
    Unknown {
        /// The batch.
        batch: i64,
    },
    /// The database failed, and nothing was changed.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

impl Refusal {
    /// A stable name.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Leased { .. } => "job_leased",
            Self::Done { .. } => "job_done",
            Self::Unbuilt { .. } => "job_unbuilt",
            Self::Unknown { .. } => "job_unknown",
            Self::Database(_) => "database",
        }
    }
}

const LIST: &str = "
    SELECT batch, shape, status, attempts, worker, last_error,
        (CASE status WHEN 'leased' THEN extract(epoch FROM lease_until - now()) * 1000 END)::float8 AS lease_left_ms,
        (CASE status WHEN 'queued' THEN extract(epoch FROM not_before - now()) * 1000 END)::float8 AS wait_left_ms
    FROM proof_jobs WHERE status <> 'done' ORDER BY status <> 'parked', batch";

const LOCK: &str = "SELECT batch, status, worker FROM proof_jobs WHERE batch = ANY($1) ORDER BY batch FOR UPDATE";

const LOCK_PARKED: &str = "SELECT batch FROM proof_jobs WHERE status = 'parked' ORDER BY batch FOR UPDATE";

const RETRY: &str = "
    WITH jobs AS (
        UPDATE proof_jobs SET status = 'queued', attempts = 0, not_before = now() WHERE batch = ANY($2) RETURNING batch
    )
    SELECT count(pg_notify($1, batch::text)) FROM jobs";

/// An operator's access to the queue.
#[derive(Clone, Debug)]
pub struct Jobs {
    pool: PgPool,
}

impl Jobs {
    /// Opens the queue of the database at `url`, a `postgres://` URL.
    ///
    /// # Errors
    /// [`Error::Database`] if `url` is none.
    pub fn open(url: &str) -> Result<Self, Error> {
        Ok(Self { pool: database::pool(url, 1)? })
    }

    /// All jobs that are not done: parked ones first, then by batch.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn list(&self) -> Result<Vec<Job>, sqlx::Error> {
        sqlx::query(LIST).fetch_all(&self.pool).await?.iter().map(job).collect()
    }

    /// The shapes whose batches have been free for more than a minute while no prover that runs has keys for them.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn unattended(&self) -> Result<Vec<Unattended>, sqlx::Error> {
        presence::unattended(&self.pool).await
    }

    /// Queues the jobs of these batches anew, as if they had never been tried, and wakes the workers. All of them, or none.
    ///
    /// # Errors
    /// [`Refusal`], for the first one that is neither parked nor queued.
    pub async fn retry(&self, batches: &[i64]) -> Result<(), Refusal> {
        let mut transaction = self.pool.begin().await?;
        let rows = sqlx::query(LOCK).bind(batches).fetch_all(&mut *transaction).await?;
        for &batch in batches {
            let row = rows.iter().find(|row| row.try_get("batch").is_ok_and(|b: i64| b == batch));
            let row = row.ok_or(Refusal::Unknown { batch })?;
            match status(row)? {
                Status::Parked | Status::Queued => {}
                Status::Done => return Err(Refusal::Done { batch }),
                Status::Unbuilt => return Err(Refusal::Unbuilt { batch }),
                Status::Leased => {
                    let worker = row.try_get::<Option<String>, _>("worker")?;
                    return Err(Refusal::Leased { batch, worker: worker.unwrap_or_default() });
                }
            }
        }
        sqlx::query(RETRY).bind(JOBS_CHANNEL).bind(batches).execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// Queues all parked jobs anew, and says of which batches they are.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn retry_parked(&self) -> Result<Vec<i64>, Refusal> {
        let mut transaction = self.pool.begin().await?;
        let batches: Vec<i64> = sqlx::query_scalar(LOCK_PARKED).fetch_all(&mut *transaction).await?;
        sqlx::query(RETRY).bind(JOBS_CHANNEL).bind(&batches).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(batches)
    }
}

fn job(row: &PgRow) -> Result<Job, sqlx::Error> {
    let left_ms = |column| Ok::<_, sqlx::Error>(row.try_get::<Option<f64>, _>(column)?.map(|ms| ms.max(0.0) as u64));
    Ok(Job {
        batch: row.try_get("batch")?,
        shape: u8::try_from(row.try_get::<i16, _>("shape")?).map_err(|error| sqlx::Error::Decode(error.into()))?,
        status: status(row)?,
        attempts: row.try_get::<i32, _>("attempts")?.unsigned_abs(),
        worker: row.try_get("worker")?,
        lease_left_ms: left_ms("lease_left_ms")?,
        wait_left_ms: left_ms("wait_left_ms")?,
        last_error: row.try_get("last_error")?,
    })
}

fn status(row: &PgRow) -> Result<Status, sqlx::Error> {
    match row.try_get("status")? {
        "parked" => Ok(Status::Parked),
        "leased" => Ok(Status::Leased),
        "queued" => Ok(Status::Queued),
        "unbuilt" => Ok(Status::Unbuilt),
        "done" => Ok(Status::Done),
        other => Err(sqlx::Error::Decode(format!("no status of a job: {other}").into())),
    }
}
