//! The queue of batches to be proven, a table that any number of workers share.
//!
//! ```mermaid
//! stateDiagram-v2
//!     [*] --> unbuilt: the sequencer seals a batch
//!     unbuilt --> queued: the sequencer has built it
//!     queued --> leased: claim, oldest batch first
//!     leased --> leased: heartbeat, or another worker's claim after the lease has run out
//!     leased --> done: complete
//!     leased --> queued: fail (with a wait), or give back
//!     leased --> parked: fail or run out of the lease at the last attempt
//!     done --> [*]
//! ```
//!
//! The sequencer's two steps are part of the database transactions that seal the batch and store its witness: a sealed batch
//! has one job at any time, and one that can be claimed has a witness. A batch that is taken back takes its job along.
//!
//! A lease has a token, made new by each claim. Heartbeat, completion and failure name it and are refused when the
//! job is leased under another one: a worker that was thought dead can't touch what its successor does. Every
//! step is one short statement or transaction; none is open while a proof runs.

use crate::claim::{CLAIM, NEXT_DUE, PARK_ABANDONED};
use crate::config::Policy;
use crate::error::Error;
use crate::{EVM_PROOF_BYTES, Result};
use sqlx::postgres::PgPool;
use sqlx::{Postgres, Row, Transaction};
use std::time::Duration;

/// The channel on which new jobs are announced.
pub const JOBS_CHANNEL: &str = "proof_jobs";
/// The channel on which batches that have moved on are announced.
pub const BATCHES_CHANNEL: &str = "batches";

/// The right to work on a batch, until it runs out and another worker claims the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The batch's number.
    pub batch: i64,
    /// The number of the batch's shape.
    pub shape: u8,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    token: String,
}

/// What a failure led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The job is tried again after this time.
    Retried(Duration),
    /// The job has failed too often: somebody has to look at it.
    Parked,
}

/// A worker's access to the queue.
#[derive(Clone, Debug)]
pub struct Queue {
    pool: PgPool,
    policy: Policy,
    worker: String,
}

const HEARTBEAT: &str = "
    UPDATE proof_jobs SET lease_until = now() + $3 * interval '1 millisecond'
    WHERE batch = $1 AND status = 'leased' AND lease_token = $2::uuid";

const COMPLETE_JOB: &str = "
    UPDATE proof_jobs SET status = 'done', lease_token = NULL, lease_until = NULL, last_error = NULL
    WHERE batch = $1 AND status = 'leased' AND lease_token = $2::uuid";

const STORE_PROOF: &str = "
    UPDATE batches SET status = 'proven', proof = $2, proving_ms = $3, proven_at = now()
    WHERE number = $1 AND status = 'sealed'";

// Those who sleep until a lease runs out learn that the job is free earlier.
const FAIL: &str = "
    WITH job AS (
        UPDATE proof_jobs SET status = $4, last_error = $5, lease_token = NULL, lease_until = NULL,
            not_before = now() + $6 * interval '1 millisecond'
        WHERE batch = $1 AND status = 'leased' AND lease_token = $2::uuid RETURNING batch
    )
    SELECT count(pg_notify($3, batch::text)) FROM job";

const GIVE_BACK: &str = "
    WITH job AS (
        UPDATE proof_jobs SET status = 'queued', attempts = attempts - 1, lease_token = NULL, lease_until = NULL,
            not_before = now()
        WHERE batch = $1 AND status = 'leased' AND lease_token = $2::uuid RETURNING batch
    )
    SELECT count(pg_notify($3, batch::text)) FROM job";

const HAS_PROOF: &str = "SELECT count(*) FROM batches WHERE number = $1 AND proof = $2";

const LAST_PROVING: &str = "
    SELECT proving_ms::float8 FROM batches WHERE shape = $1 AND proving_ms IS NOT NULL ORDER BY number DESC LIMIT 1";

impl Queue {
    /// Opens the queue for a worker of this name.
    pub fn new(pool: PgPool, policy: Policy, worker: impl Into<String>) -> Self {
        Self { pool, policy, worker: worker.into() }
    }

    /// The queue's policy.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Claims the oldest batch of one of these shapes that is free, or whose lease has run out.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn claim(&self, shapes: &[u8]) -> Result<Option<Lease>> {
        self.park_abandoned().await?;
        let row = sqlx::query(CLAIM)
            .bind(numbers(shapes))
            .bind(&self.worker)
            .bind(milliseconds(self.policy.lease))
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| {
            let attempt = u32::try_from(row.try_get::<i32, _>("attempts")?).expect("attempts are counted from 0");
            let shape = u8::try_from(row.try_get::<i16, _>("shape")?).expect("one of the shapes that were asked for");
            Ok(Lease { batch: row.try_get("batch")?, shape, attempt, token: row.try_get("token")? })
        })
        .transpose()
    }

    /// How long until a batch of one of these shapes that waits or is being worked on may be claimed; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn next_due(&self, shapes: &[u8]) -> Result<Option<Duration>> {
        let due_ms: Option<f64> = sqlx::query_scalar(NEXT_DUE).bind(numbers(shapes)).fetch_one(&self.pool).await?;
        // One more millisecond, so as not to wake up just before.
        Ok(due_ms.map(|ms| Duration::from_millis(ms.max(0.0) as u64 + 1)))
    }

    /// Extends a lease.
    ///
    /// # Errors
    /// [`Error::LeaseLost`] or [`Error::Database`].
    pub async fn heartbeat(&self, lease: &Lease) -> Result<()> {
        let lease_ms = milliseconds(self.policy.lease);
        let done = sqlx::query(HEARTBEAT).bind(lease.batch).bind(&lease.token).bind(lease_ms).execute(&self.pool).await?;
        lease.require(done.rows_affected())
    }

    /// Stores a proof, which the caller has verified, and ends the job.
    ///
    /// # Errors
    /// [`Error::LeaseLost`], [`Error::BatchNotSealed`] or [`Error::Database`]; nothing is stored then.
    pub async fn complete(&self, lease: &Lease, proof: &[u8; EVM_PROOF_BYTES], proving: Duration) -> Result<()> {
        let mut transaction = self.pool.begin().await?;
        self.complete_in(&mut transaction, lease, proof, proving).await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn complete_in(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        lease: &Lease,
        proof: &[u8; EVM_PROOF_BYTES],
        proving: Duration,
    ) -> Result<()> {
        let done = sqlx::query(COMPLETE_JOB).bind(lease.batch).bind(&lease.token).execute(&mut **transaction).await?;
        lease.require(done.rows_affected())?;
        let stored = sqlx::query(STORE_PROOF)
            .bind(lease.batch)
            .bind(proof.as_slice())
            .bind(milliseconds(proving) as i64)
            .execute(&mut **transaction)
            .await?;
        if stored.rows_affected() != 1 {
            return Err(Error::BatchNotSealed { batch: lease.batch });
        }
        let notify = sqlx::query("SELECT pg_notify($1, $2)").bind(BATCHES_CHANNEL).bind(lease.batch.to_string());
        notify.execute(&mut **transaction).await?;
        Ok(())
    }

    /// Reports that the attempt failed: the job waits, or is parked after the last attempt.
    ///
    /// # Errors
    /// [`Error::LeaseLost`] or [`Error::Database`].
    pub async fn fail(&self, lease: &Lease, cause: &Error) -> Result<Failure> {
        let parked = lease.attempt >= self.policy.attempts_max;
        let wait = self.policy.wait_after(lease.attempt);
        let done: i64 = sqlx::query_scalar(FAIL)
            .bind(lease.batch)
            .bind(&lease.token)
            .bind(JOBS_CHANNEL)
            .bind(if parked { "parked" } else { "queued" })
            .bind(format!("{}: {cause}", cause.code()))
            .bind(milliseconds(wait))
            .fetch_one(&self.pool)
            .await?;
        lease.require(done.unsigned_abs())?;
        if parked {
            alert_parked(lease.batch, &cause.to_string());
            return Ok(Failure::Parked);
        }
        Ok(Failure::Retried(wait))
    }

    /// Gives the job back unfinished; the attempt does not count.
    ///
    /// # Errors
    /// [`Error::LeaseLost`] or [`Error::Database`].
    pub async fn give_back(&self, lease: &Lease) -> Result<()> {
        let give_back = sqlx::query_scalar(GIVE_BACK).bind(lease.batch).bind(&lease.token).bind(JOBS_CHANNEL);
        let done: i64 = give_back.fetch_one(&self.pool).await?;
        lease.require(done.unsigned_abs())
    }

    /// Whether this very proof is stored. Each is blinded anew, so that no two are the same.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn has_proof(&self, batch: i64, proof: &[u8; EVM_PROOF_BYTES]) -> Result<bool> {
        let found: i64 = sqlx::query_scalar(HAS_PROOF).bind(batch).bind(proof.as_slice()).fetch_one(&self.pool).await?;
        Ok(found == 1)
    }

    /// How long the proof of the latest proven batch of `shape` took, whoever made it.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn last_proving(&self, shape: u8) -> Result<Option<Duration>> {
        let last: Option<f64> = sqlx::query_scalar(LAST_PROVING).bind(i16::from(shape)).fetch_optional(&self.pool).await?;
        Ok(last.map(|ms| Duration::from_millis(ms as u64)))
    }

    async fn park_abandoned(&self) -> Result<()> {
        let attempts_max = i32::try_from(self.policy.attempts_max).unwrap_or(i32::MAX);
        for row in sqlx::query(PARK_ABANDONED).bind(attempts_max).fetch_all(&self.pool).await? {
            alert_parked(row.try_get("batch")?, row.try_get("last_error")?);
        }
        Ok(())
    }
}

impl Lease {
    fn require(&self, rows: u64) -> Result<()> {
        if rows == 1 { Ok(()) } else { Err(Error::LeaseLost { batch: self.batch }) }
    }
}

/// The alert: settlement stops at this batch until somebody looks.
fn alert_parked(batch: i64, cause: &str) {
    tracing::error!(batch, cause, "the proof job has failed too often and is parked; settlement stops at this batch");
}

/// Shapes as the database has them.
fn numbers(shapes: &[u8]) -> Vec<i16> {
    shapes.iter().copied().map(i16::from).collect()
}

/// Postgres' intervals are made from floats.
fn milliseconds(duration: Duration) -> f64 {
    duration.as_millis() as f64
}
