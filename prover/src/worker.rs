//! A worker: takes one job after the other, proves it on threads of its own, and stores what verifies.

use crate::config::Config;
use crate::error::Error;
use crate::keys::{self, Keys, Proof};
use crate::queue::{Failure, Lease, Queue};
use crate::wake::Wake;
use crate::{Result, job};
use sheaf_core::trace::BatchWitness;
use sqlx::postgres::PgPool;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How often a proof that runs is reported.
const PROGRESS: Duration = Duration::from_secs(5);
/// How often a finished proof is offered to a database that does not answer, and the wait in between.
const STORE_TRIES: u32 = 120;
const STORE_WAIT: Duration = Duration::from_secs(1);

/// A worker of the queue.
pub struct Worker {
    pool: PgPool,
    queue: Queue,
    keys: Arc<Keys>,
    threads: Arc<rayon::ThreadPool>,
    poll: Duration,
    /// What the last proof took.
    expected: Option<Duration>,
}

impl Worker {
    /// Sets a worker up.
    ///
    /// # Errors
    /// If the threads can't be started.
    pub fn new(config: &Config, pool: PgPool, keys: Arc<Keys>) -> anyhow::Result<Self> {
        let threads =
            rayon::ThreadPoolBuilder::new().num_threads(config.threads).thread_name(|i| format!("prover-{i}")).build()?;
        let queue = Queue::new(pool.clone(), config.policy(), config.worker_name());
        Ok(Self { pool, queue, keys, threads: Arc::new(threads), poll: config.poll(), expected: None })
    }

    /// Works until `shutdown`; a job in hand is then given back.
    pub async fn work(mut self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = std::pin::pin!(shutdown);
        let mut wake = Wake::new(self.pool.clone());
        loop {
            let lease = tokio::select! {
                () = &mut shutdown => return,
                lease = self.next(&mut wake) => lease,
            };
            if !self.process(&lease, shutdown.as_mut()).await {
                return;
            }
        }
    }

    /// Waits for a job.
    async fn next(&self, wake: &mut Wake) -> Lease {
        let mut silent = false;
        loop {
            match self.try_next(wake).await {
                Ok(Some(lease)) => return lease,
                Ok(None) => silent = false,
                Err(error) => {
                    if !silent {
                        tracing::warn!(%error, "the queue can't be read; trying on");
                    }
                    silent = true;
                    tokio::time::sleep(STORE_WAIT).await;
                }
            }
        }
    }

    /// Claims a job, or waits for the moment when there may be one.
    async fn try_next(&self, wake: &mut Wake) -> Result<Option<Lease>> {
        wake.subscribe().await?;
        let shape = self.keys.shape().id;
        if let Some(lease) = self.queue.claim(shape).await? {
            return Ok(Some(lease));
        }
        let due = self.queue.next_due(shape).await?.unwrap_or(self.poll);
        wake.wait(due.min(self.poll)).await;
        Ok(None)
    }

    /// Proves one batch; answers whether to go on.
    async fn process(&mut self, lease: &Lease, shutdown: impl Future<Output = ()>) -> bool {
        let outcome = {
            let job = async {
                let witness = Arc::new(self.load(lease).await?);
                tracing::info!(
                    batch = lease.batch,
                    attempt = lease.attempt,
                    operations = witness.public.operations.len(),
                    "proving"
                );
                let (proof, took) = self.prove(lease, witness.clone()).await?;
                self.store(lease, &witness, &proof, took).await?;
                Ok(took)
            };
            tokio::select! {
                () = shutdown => None,
                outcome = job => Some(outcome),
                () = self.keep(lease) => unreachable!("heartbeats end with the job"),
            }
        };
        match outcome {
            None => {
                self.give_back(lease).await;
                return false;
            }
            Some(Ok(took)) => {
                tracing::info!(batch = lease.batch, seconds = took.as_secs_f32(), "proven");
                self.expected = Some(took);
            }
            Some(Err(error)) => self.report(lease, &error).await,
        }
        true
    }

    async fn load(&self, lease: &Lease) -> Result<BatchWitness> {
        let witness = job::load(&self.pool, lease.batch).await?;
        let keys = &self.keys;
        if (witness.shape, witness.geometry) != (keys.shape(), keys.geometry()) {
            let reason = format!("the batch is of shape {:?}, the keys of {:?}", witness.shape, keys.shape());
            return Err(Error::BadWitness { batch: lease.batch, reason });
        }
        Ok(witness)
    }

    /// Makes the proof. It runs on a thread that nobody waits for once this future is dropped: a proof can't be interrupted.
    async fn prove(&self, lease: &Lease, witness: Arc<BatchWitness>) -> Result<(Proof, Duration)> {
        let (done, result) = oneshot::channel();
        let (keys, threads) = (self.keys.clone(), self.threads.clone());
        let start = Instant::now();
        std::thread::spawn(move || {
            let proof = threads.install(|| keys.prove(&witness));
            // Nobody listens any more if the worker was stopped.
            let _ = done.send(proof);
        });
        let failed = |reason: String| Error::Proving { batch: lease.batch, reason };
        let mut result = std::pin::pin!(result);
        loop {
            match tokio::time::timeout(PROGRESS, result.as_mut()).await {
                Ok(Ok(proof)) => return Ok((proof.map_err(failed)?, start.elapsed())),
                Ok(Err(_)) => return Err(failed("the prover's thread panicked; its message is in the log".to_owned())),
                Err(_) => tracing::info!(
                    batch = lease.batch,
                    elapsed_seconds = start.elapsed().as_secs(),
                    expected_seconds = self.expected.map(|e| e.as_secs()),
                    "proving goes on"
                ),
            }
        }
    }

    /// Stores a proof if it verifies. A database that does not answer is asked again: the proof was dear.
    async fn store(&self, lease: &Lease, witness: &BatchWitness, proof: &Proof, took: Duration) -> Result<()> {
        let mut tries = 1;
        loop {
            match store_verified(&self.queue, &self.keys, lease, witness, proof, took).await {
                Err(Error::Database(error)) if tries < STORE_TRIES => {
                    tracing::warn!(batch = lease.batch, %error, "the proof can't be stored yet; trying on");
                    tokio::time::sleep(STORE_WAIT).await;
                    tries += 1;
                }
                outcome => return outcome,
            }
        }
    }

    /// Extends the lease for as long as this future is polled. That it was lost is found out when the result is stored.
    async fn keep(&self, lease: &Lease) {
        let mut lost = false;
        loop {
            tokio::time::sleep(self.queue.policy().lease / 3).await;
            if lost {
                continue;
            }
            match self.queue.heartbeat(lease).await {
                Ok(()) => {}
                Err(error @ Error::Database(_)) => tracing::warn!(batch = lease.batch, %error, "no heartbeat"),
                Err(error) => {
                    tracing::warn!(batch = lease.batch, code = error.code(), %error, "no heartbeat");
                    lost = true;
                }
            }
        }
    }

    async fn report(&self, lease: &Lease, error: &Error) {
        if matches!(error, Error::LeaseLost { .. }) {
            tracing::warn!(batch = lease.batch, code = error.code(), %error, "the result was refused");
            return;
        }
        tracing::error!(batch = lease.batch, attempt = lease.attempt, code = error.code(), %error, "the attempt failed");
        match self.queue.fail(lease, error).await {
            Ok(Failure::Retried(wait)) => {
                tracing::info!(batch = lease.batch, wait_seconds = wait.as_secs_f32(), "it is tried again")
            }
            Ok(Failure::Parked) => {}
            // The lease runs out by itself.
            Err(error) => tracing::warn!(batch = lease.batch, %error, "the failure could not be reported"),
        }
    }

    async fn give_back(&self, lease: &Lease) {
        match self.queue.give_back(lease).await {
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
