//! Which shapes the provers that run have keys for, so that everybody sees when nobody has those of a batch.
//!
//! Each worker writes a row a shape, again before it runs out; a worker that is gone has none soon. The view
//! `shapes_without_prover` names the shapes whose batches are free and have found nobody for a minute. `health` shows them, and
//! every worker that runs logs them: it may be told of keys that another one lacks.

use crate::Result;
use crate::database::in_time;
use sqlx::Row as _;
use sqlx::postgres::{PgPool, PgRow};
use std::time::Duration;

/// A shape whose batches no running prover has keys for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unattended {
    /// The shape's number.
    pub shape: u8,
    /// How many of its batches are free.
    pub jobs: u64,
    /// For how long the first of them has been.
    pub waited: Duration,
}

/// A worker's word that it runs.
#[derive(Debug)]
pub(crate) struct Presence {
    pool: PgPool,
    worker: String,
    shapes: Vec<i16>,
    /// How long the word holds.
    life: Duration,
}

// Its own rows are left out of those that are long gone: it may have been frozen for long, and they are written just now.
const BEAT: &str = "
    WITH gone AS (DELETE FROM provers WHERE alive_until < now() - interval '1 hour' AND worker <> $1)
    INSERT INTO provers (worker, shape, alive_until)
    SELECT $1, shape, now() + $3 * interval '1 millisecond' FROM unnest($2::smallint[]) AS mine (shape)
    ON CONFLICT (worker, shape) DO UPDATE SET alive_until = excluded.alive_until";

const UNATTENDED: &str = "
    SELECT shape, jobs, (extract(epoch FROM now() - free_since) * 1000)::float8 AS waited_ms
    FROM shapes_without_prover ORDER BY shape";

impl Presence {
    /// Of a worker of this name with keys for these shapes. Its word holds for `life`.
    pub(crate) fn new(pool: PgPool, worker: String, shapes: &[u8], life: Duration) -> Self {
        Self { pool, worker, shapes: shapes.iter().copied().map(i16::from).collect(), life }
    }

    /// Shows that the worker runs, for as long as this future is polled, and logs which shapes nobody has keys for.
    pub(crate) async fn keep(&self) {
        let mut told = Vec::new();
        loop {
            match in_time(self.beat()).await {
                Ok(found) => {
                    let shapes: Vec<u8> = found.iter().map(|one| one.shape).collect();
                    if shapes != told {
                        found.iter().for_each(alert);
                    }
                    told = shapes;
                }
                // The queue says so, too, and louder.
                Err(error) => tracing::debug!(%error, "nobody is told that this prover runs"),
            }
            tokio::time::sleep(self.life / 3).await;
        }
    }

    /// Says that the worker has ended, if the database hears it.
    pub(crate) async fn end(&self) {
        let query = sqlx::query("DELETE FROM provers WHERE worker = $1").bind(&self.worker);
        if let Err(error) = query.execute(&self.pool).await {
            tracing::debug!(%error, "nobody is told that this prover has ended");
        }
    }

    async fn beat(&self) -> Result<Vec<Unattended>> {
        let life_ms = self.life.as_millis() as f64;
        sqlx::query(BEAT).bind(&self.worker).bind(&self.shapes).bind(life_ms).execute(&self.pool).await?;
        Ok(unattended(&self.pool).await?)
    }
}

/// The shapes whose batches no running prover has keys for.
pub(crate) async fn unattended(pool: &PgPool) -> std::result::Result<Vec<Unattended>, sqlx::Error> {
    let one = |row: &PgRow| {
        let decode = |error: std::num::TryFromIntError| sqlx::Error::Decode(error.into());
        Ok(Unattended {
            shape: u8::try_from(row.try_get::<i16, _>("shape")?).map_err(decode)?,
            jobs: u64::try_from(row.try_get::<i64, _>("jobs")?).map_err(decode)?,
            waited: Duration::from_millis(row.try_get::<f64, _>("waited_ms")? as u64),
        })
    };
    sqlx::query(UNATTENDED).fetch_all(pool).await?.iter().map(one).collect()
}

/// The alert: settlement stops at the first of these batches until somebody starts a prover.
fn alert(unattended: &Unattended) {
    let Unattended { shape, jobs, waited } = unattended;
    let seconds = waited.as_secs();
    tracing::error!(shape, jobs, seconds, "no prover that runs has keys for this shape; settlement stops at its batches");
}
