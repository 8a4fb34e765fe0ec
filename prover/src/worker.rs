//! A worker: takes one job after the other of the shapes that it has keys for, proves it, and stores what verifies.

use crate::config::Config;
use crate::database::in_time;
use crate::error::Error;
use crate::keyring::Keyring;
use crate::keys::{self, Keys, Proof};
use crate::presence::Presence;
use crate::queue::{Failure, Lease, Queue};
use crate::wake::Wake;
use crate::{Result, contract, heartbeat, job, proving};
use sheaf_core::{geometry::Geometry, shape::Shape, trace::BatchWitness};
use sqlx::postgres::PgPool;
use std::collections::HashMap;
use std::time::Duration;
use std::{future::Future, pin::Pin, sync::Arc};

/// How often a batch is asked of, and its proof offered to, a database that does not answer, and the wait in between.
const TRIES: u32 = 120;
const WAIT: Duration = Duration::from_secs(1);
/// How long a worker that stops waits for each of its last answers.
const STOP_TIME_MAX: Duration = Duration::from_secs(5);

/// A worker of the queue.
pub struct Worker {
    pool: PgPool,
    queue: Queue,
    presence: Arc<Presence>,
    keys: Keyring,
    threads: Arc<rayon::ThreadPool>,
    poll: Duration,
    /// What its last proof of each shape took.
    last: HashMap<u8, Duration>,
}

/// What comes next.
enum Next {
    /// A job that was claimed.
    Job(Lease),
    /// So long there is none, unless one is announced.
    Wait(Duration),
}

impl Worker {
    /// Sets a worker up.
    ///
    /// # Errors
    /// If the threads can't be started.
    pub fn new(config: &Config, pool: PgPool, keys: Keyring) -> anyhow::Result<Self> {
        let threads =
            rayon::ThreadPoolBuilder::new().num_threads(config.threads).thread_name(|i| format!("prover-{i}")).build()?;
        let queue = Queue::new(pool.clone(), config.policy(), config.worker_name());
        let presence = Presence::new(pool.clone(), config.worker_name(), &keys.shapes(), config.policy().lease);
        let presence = Arc::new(presence);
        Ok(Self { pool, queue, presence, keys, threads: Arc::new(threads), poll: config.poll(), last: HashMap::new() })
    }

    /// Works until `shutdown`; a job in hand is then given back.
    ///
    /// # Errors
    /// [`Error::WrongKeys`] or [`Error::OtherKeys`]: it can't prove batches that it is given; the one in hand is given back.
    pub async fn work(self, shutdown: impl Future<Output = ()>) -> Result<()> {
        let presence = self.presence.clone();
        let outcome = tokio::select! {
            outcome = self.take_jobs(shutdown) => outcome,
            () = presence.keep() => unreachable!("it is kept as long as jobs are taken"),
        };
        // What is not heard is forgotten when the word runs out.
        let _ = tokio::time::timeout(STOP_TIME_MAX, presence.end()).await;
        outcome
    }

    async fn take_jobs(mut self, shutdown: impl Future<Output = ()>) -> Result<()> {
        let mut shutdown = std::pin::pin!(shutdown);
        let mut wake = Wake::new(self.pool.clone());
        while let Some(lease) = self.next(&mut wake, shutdown.as_mut()).await? {
            if !self.process(&lease, shutdown.as_mut()).await? {
                break;
            }
        }
        Ok(())
    }

    /// Waits for a job; there is none when the worker is to stop.
    ///
    /// # Errors
    /// [`Error::OtherKeys`].
    async fn next(&self, wake: &mut Wake, mut shutdown: Pin<&mut impl Future<Output = ()>>) -> Result<Option<Lease>> {
        let mut silent = false;
        loop {
            let claimed = {
                let mut claim = std::pin::pin!(self.claim(wake));
                tokio::select! {
                    claimed = &mut claim => claimed,
                    () = shutdown.as_mut() => {
                        // What is claimed just now would be nobody's until its lease ran out.
                        if let Ok(Ok(Next::Job(lease))) = tokio::time::timeout(STOP_TIME_MAX, claim).await {
                            self.give_back(&lease).await;
                        }
                        return Ok(None);
                    }
                }
            };
            let sleep = async {
                match claimed {
                    Ok(Next::Job(lease)) => return Ok(Some(lease)),
                    Ok(Next::Wait(due)) => {
                        silent = false;
                        wake.wait(due).await;
                    }
                    Err(error) if error.is_of_configuration() => return Err(error),
                    Err(error) => {
                        if !silent {
                            tracing::warn!(%error, "the queue can't be read; trying on");
                        }
                        silent = true;
                        tokio::time::sleep(WAIT).await;
                    }
                }
                Ok(None)
            };
            tokio::select! {
                biased;
                lease = sleep => if !matches!(lease, Ok(None)) { return lease },
                () = shutdown.as_mut() => return Ok(None),
            }
        }
    }

    /// Claims a job, or says how long there is none unless one is announced. A worker with other keys than the contract's gets none.
    async fn claim(&self, wake: &mut Wake) -> Result<Next> {
        in_time(async {
            wake.subscribe().await?;
            contract::check(&self.pool, &self.keys).await?;
            let shapes = self.keys.shapes();
            if let Some(lease) = self.queue.claim(&shapes).await? {
                return Ok(Next::Job(lease));
            }
            let due = self.queue.next_due(&shapes).await?.unwrap_or(self.poll);
            Ok(Next::Wait(due.min(self.poll)))
        })
        .await
    }

    /// Proves one batch; answers whether to go on.
    async fn process(&mut self, lease: &Lease, shutdown: impl Future<Output = ()>) -> Result<bool> {
        let outcome = {
            let job = async {
                let (witness, keys) = self.load(lease).await?;
                let witness = Arc::new(witness);
                let expected = self.expected(lease.shape).await?;
                tracing::info!(
                    batch = lease.batch,
                    attempt = lease.attempt,
                    shape = lease.shape,
                    operations = witness.public.operations.len(),
                    expected_seconds = expected.map(|e| e.as_secs_f32()),
                    "proving"
                );
                let (proof, took) = proving::prove(lease.batch, &keys, &witness, &self.threads, expected).await?;
                self.store(lease, &keys, &witness, &proof, took).await?;
                Ok::<_, Error>(took)
            };
            tokio::select! {
                () = shutdown => None,
                outcome = job => Some(outcome),
                () = heartbeat::keep(&self.queue, lease) => unreachable!("heartbeats end with the job"),
            }
        };
        match outcome {
            None => {
                self.give_back(lease).await;
                return Ok(false);
            }
            Some(Ok(took)) => {
                tracing::info!(batch = lease.batch, seconds = took.as_secs_f32(), "proven");
                self.last.insert(lease.shape, took);
            }
            Some(Err(error)) if error.is_of_configuration() => {
                self.give_back(lease).await;
                return Err(error);
            }
            Some(Err(error)) if error.is_of_database() => {
                // The batch is not to blame, so this is no attempt.
                tracing::error!(batch = lease.batch, code = error.code(), %error, "the database fails");
                self.give_back(lease).await;
                tokio::time::sleep(WAIT).await;
            }
            Some(Err(error)) => self.report(lease, &error).await,
        }
        Ok(true)
    }

    /// What a proof of this shape is expected to take: what the last one took, of this worker or at least of another.
    async fn expected(&self, shape: u8) -> Result<Option<Duration>> {
        match self.last.get(&shape) {
            Some(last) => Ok(Some(*last)),
            // It is told in the log only.
            None => Ok(in_time(self.queue.last_proving(shape)).await.unwrap_or_default()),
        }
    }

    /// The batch to be proven, and the keys for it.
    async fn load(&self, lease: &Lease) -> Result<(BatchWitness, Arc<Keys>)> {
        let mut tries = 1;
        let witness = loop {
            match in_time(job::load(&self.pool, lease.batch)).await {
                Err(error) if error.is_of_database() && tries < TRIES => {
                    tracing::warn!(batch = lease.batch, %error, "the batch can't be read yet; trying on");
                    tokio::time::sleep(WAIT).await;
                    tries += 1;
                }
                witness => break witness?,
            }
        };
        if witness.shape.id != lease.shape {
            // The batch was taken back, and another one of this number has been built: with a job of its own.
            return Err(Error::LeaseLost { batch: lease.batch });
        }
        let keys = self.keys.get(lease.shape).expect("claims name the shapes of these keys").clone();
        if (witness.shape, witness.geometry) != (keys.shape(), keys.geometry()) {
            let size = |shape: Shape, geometry: Geometry| format!("{shape:?} at {geometry:?}");
            return Err(Error::WrongKeys {
                batch: lease.batch,
                batch_size: size(witness.shape, witness.geometry),
                keys_size: size(keys.shape(), keys.geometry()),
            });
        }
        Ok((witness, keys))
    }

    /// Stores a proof if it verifies. A database that does not answer is asked again: the proof was dear.
    async fn store(&self, lease: &Lease, keys: &Keys, witness: &BatchWitness, proof: &Proof, took: Duration) -> Result<()> {
        for tries in 1.. {
            match in_time(store_verified(&self.queue, keys, lease, witness, proof, took)).await {
                Err(error) if error.is_of_database() && tries < TRIES => {
                    tracing::warn!(batch = lease.batch, stage = "storing", %error, "the proof can't be stored yet; trying on");
                    tokio::time::sleep(WAIT).await;
                }
                // An earlier try may have stored it, though its answer was lost.
                Err(Error::LeaseLost { .. }) if tries > 1 && self.is_stored(lease, proof).await? => return Ok(()),
                outcome => return outcome,
            }
        }
        unreachable!("the last try returns")
    }

    async fn is_stored(&self, lease: &Lease, proof: &Proof) -> Result<bool> {
        in_time(self.queue.has_proof(lease.batch, &keys::to_evm(proof))).await
    }

    async fn report(&self, lease: &Lease, error: &Error) {
        if matches!(error, Error::LeaseLost { .. }) {
            tracing::warn!(batch = lease.batch, code = error.code(), %error, "the result was refused");
            return;
        }
        tracing::error!(batch = lease.batch, attempt = lease.attempt, code = error.code(), %error, "the attempt failed");
        match in_time(self.queue.fail(lease, error)).await {
            Ok(Failure::Retried(wait)) => {
                tracing::info!(batch = lease.batch, wait_seconds = wait.as_secs_f32(), "it is tried again")
            }
            Ok(Failure::Parked) => {}
            // The lease runs out by itself.
            Err(error) => tracing::warn!(batch = lease.batch, %error, "the failure could not be reported"),
        }
    }

    async fn give_back(&self, lease: &Lease) {
        match in_time(self.queue.give_back(lease)).await {
            Ok(()) => tracing::info!(batch = lease.batch, "gave the job back"),
            Err(error) => {
                tracing::warn!(batch = lease.batch, %error, "the job could not be given back; its lease runs out by itself")
            }
        }
    }
}

/// Stores a proof of `witness`, whoever made it, if it verifies.
///
/// # Errors
/// [`Error::WrongProof`], and those of [`Queue::complete`].
pub async fn store_verified(
    queue: &Queue,
    keys: &Keys,
    lease: &Lease,
    witness: &BatchWitness,
    proof: &Proof,
    took: Duration,
) -> Result<()> {
    if !keys.verify(&witness.public_inputs(), proof) {
        return Err(Error::WrongProof { batch: lease.batch });
    }
    queue.complete(lease, &keys::to_evm(proof), took).await
}
