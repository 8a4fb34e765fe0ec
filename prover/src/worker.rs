//! A worker: takes one job after the other, proves it on threads of its own, and stores what verifies.

use crate::config::Config;
use crate::database::in_time;
use crate::error::Error;
use crate::keys::{self, Keys, Proof};
use crate::queue::{Failure, Lease, Queue};
use crate::wake::Wake;
use crate::{Result, job};
use sheaf_core::{geometry::Geometry, shape::Shape, trace::BatchWitness};
use sqlx::postgres::PgPool;
use std::time::{Duration, Instant};
use std::{future::Future, pin::Pin, sync::Arc};
use tokio::sync::oneshot;

/// How often a proof that runs is reported.
const PROGRESS: Duration = Duration::from_secs(5);
/// How often a finished proof is offered to a database that does not answer, and the wait in between.
const STORE_TRIES: u32 = 120;
const STORE_WAIT: Duration = Duration::from_secs(1);
/// How long a worker that stops waits for the answer to its last claim.
const STOP_TIME_MAX: Duration = Duration::from_secs(5);

/// A worker of the queue.
pub struct Worker {
    pool: PgPool,
    queue: Queue,
    keys: Arc<Keys>,
    threads: Arc<rayon::ThreadPool>,
    poll: Duration,
    /// What its last proof took.
    last: Option<Duration>,
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
    pub fn new(config: &Config, pool: PgPool, keys: Arc<Keys>) -> anyhow::Result<Self> {
        let threads =
            rayon::ThreadPoolBuilder::new().num_threads(config.threads).thread_name(|i| format!("prover-{i}")).build()?;
        let queue = Queue::new(pool.clone(), config.policy(), config.worker_name());
        Ok(Self { pool, queue, keys, threads: Arc::new(threads), poll: config.poll(), last: None })
    }

    /// Works until `shutdown`; a job in hand is then given back.
    ///
    /// # Errors
    /// [`Error::WrongKeys`]: it can't prove any batch; the one in hand is given back.
    pub async fn work(mut self, shutdown: impl Future<Output = ()>) -> Result<()> {
        let mut shutdown = std::pin::pin!(shutdown);
        let mut wake = Wake::new(self.pool.clone());
        while let Some(lease) = self.next(&mut wake, shutdown.as_mut()).await {
            if !self.process(&lease, shutdown.as_mut()).await? {
                break;
            }
        }
        Ok(())
    }

    /// Waits for a job; there is none when the worker is to stop.
    async fn next(&self, wake: &mut Wake, mut shutdown: Pin<&mut impl Future<Output = ()>>) -> Option<Lease> {
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
                        return None;
                    }
                }
            };
            let sleep = async {
                match claimed {
                    Ok(Next::Job(lease)) => return Some(lease),
                    Ok(Next::Wait(due)) => {
                        silent = false;
                        wake.wait(due).await;
                    }
                    Err(error) => {
                        if !silent {
                            tracing::warn!(%error, "the queue can't be read; trying on");
                        }
                        silent = true;
                        tokio::time::sleep(STORE_WAIT).await;
                    }
                }
                None
            };
            tokio::select! {
                biased;
                lease = sleep => if lease.is_some() { return lease },
                () = shutdown.as_mut() => return None,
            }
        }
    }

    /// Claims a job, or says how long there is none unless one is announced.
    async fn claim(&self, wake: &mut Wake) -> Result<Next> {
        in_time(async {
            wake.subscribe().await?;
            let shape = self.keys.shape().id;
            if let Some(lease) = self.queue.claim(shape).await? {
                return Ok(Next::Job(lease));
            }
            let due = self.queue.next_due(shape).await?.unwrap_or(self.poll);
            Ok(Next::Wait(due.min(self.poll)))
        })
        .await
    }

    /// Proves one batch; answers whether to go on.
    async fn process(&mut self, lease: &Lease, shutdown: impl Future<Output = ()>) -> Result<bool> {
        let outcome = {
            let job = async {
                let witness = Arc::new(self.load(lease).await?);
                let expected = self.expected(witness.shape.id).await?;
                tracing::info!(
                    batch = lease.batch,
                    attempt = lease.attempt,
                    operations = witness.public.operations.len(),
                    expected_seconds = expected.map(|e| e.as_secs_f32()),
                    "proving"
                );
                let (proof, took) = self.prove(lease, witness.clone(), expected).await?;
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
                return Ok(false);
            }
            Some(Ok(took)) => {
                tracing::info!(batch = lease.batch, seconds = took.as_secs_f32(), "proven");
                self.last = Some(took);
            }
            Some(Err(error @ Error::WrongKeys { .. })) => {
                self.give_back(lease).await;
                return Err(error);
            }
            Some(Err(error)) => self.report(lease, &error).await,
        }
        Ok(true)
    }

    /// What a proof is expected to take: what the last one took, of this worker or at least of another.
    async fn expected(&self, shape: u8) -> Result<Option<Duration>> {
        match self.last {
            Some(last) => Ok(Some(last)),
            None => in_time(self.queue.last_proving(shape)).await,
        }
    }

    async fn load(&self, lease: &Lease) -> Result<BatchWitness> {
        let witness = in_time(job::load(&self.pool, lease.batch)).await?;
        let keys = &self.keys;
        if (witness.shape, witness.geometry) != (keys.shape(), keys.geometry()) {
            let size = |shape: Shape, geometry: Geometry| format!("{shape:?} at {geometry:?}");
            return Err(Error::WrongKeys {
                batch: lease.batch,
                batch_size: size(witness.shape, witness.geometry),
                keys_size: size(keys.shape(), keys.geometry()),
            });
        }
        Ok(witness)
    }

    /// Makes the proof. It runs on a thread that nobody waits for once this future is dropped: a proof can't be interrupted.
    async fn prove(&self, lease: &Lease, witness: Arc<BatchWitness>, expected: Option<Duration>) -> Result<(Proof, Duration)> {
        let failed = |reason: String| Error::Proving { batch: lease.batch, reason };
        let (done, result) = oneshot::channel();
        let (keys, threads) = (self.keys.clone(), self.threads.clone());
        let start = Instant::now();
        let thread = std::thread::Builder::new().name("proof".to_owned()).spawn(move || {
            let proof = threads.install(|| keys.prove(&witness));
            // Nobody listens any more if the worker was stopped.
            let _ = done.send(proof);
        });
        thread.map_err(|error| failed(format!("no thread: {error}")))?;
        let mut result = std::pin::pin!(result);
        loop {
            match tokio::time::timeout(PROGRESS, result.as_mut()).await {
                Ok(Ok(proof)) => return Ok((proof.map_err(failed)?, start.elapsed())),
                Ok(Err(_)) => return Err(failed("the prover's thread panicked; its message is in the log".to_owned())),
                Err(_) => tracing::info!(
                    batch = lease.batch,
                    stage = "proof",
                    elapsed_seconds = start.elapsed().as_secs(),
                    expected_seconds = expected.map(|e| e.as_secs()),
                    "proving goes on"
                ),
            }
        }
    }

    /// Stores a proof if it verifies. A database that does not answer is asked again: the proof was dear.
    async fn store(&self, lease: &Lease, witness: &BatchWitness, proof: &Proof, took: Duration) -> Result<()> {
        for tries in 1.. {
            match in_time(store_verified(&self.queue, &self.keys, lease, witness, proof, took)).await {
                Err(error) if error.is_of_database() && tries < STORE_TRIES => {
                    tracing::warn!(batch = lease.batch, stage = "storing", %error, "the proof can't be stored yet; trying on");
                    tokio::time::sleep(STORE_WAIT).await;
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

    /// Extends the lease for as long as this future is polled. That it was lost is found out when the result is stored.
    async fn keep(&self, lease: &Lease) {
        let mut lost = false;
        loop {
            tokio::time::sleep(self.queue.policy().lease / 3).await;
            if lost {
                continue;
            }
            match in_time(self.queue.heartbeat(lease)).await {
                Ok(()) => {}
                Err(error) if error.is_of_database() => tracing::warn!(batch = lease.batch, %error, "no heartbeat"),
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
