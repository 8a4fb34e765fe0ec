//! A proof on threads of its own, so that heartbeats go on beside it.

use crate::Result;
use crate::error::Error;
use crate::keys::{Keys, Proof};
use sheaf_circuits::groth16::Stage;
use sheaf_core::trace::BatchWitness;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};

/// How often a proof that runs is reported.
const PROGRESS: Duration = Duration::from_secs(5);

/// Makes the proof of a batch, and says what it took. It runs on a thread that nobody waits for once this future is dropped: a
/// proof can't be interrupted.
///
/// # Errors
/// [`Error::Proving`].
pub(crate) async fn prove(
    batch: i64,
    keys: &Arc<Keys>,
    witness: &Arc<BatchWitness>,
    threads: &Arc<rayon::ThreadPool>,
    expected: Option<Duration>,
) -> Result<(Proof, Duration)> {
    let failed = |reason: String| Error::Proving { batch, reason };
    let (done, result) = oneshot::channel();
    let (keys, witness, threads) = (keys.clone(), witness.clone(), threads.clone());
    let start = Instant::now();
    let (stage, at) = watch::channel(Stage::Witness);
    let thread = std::thread::Builder::new().name("proof".to_owned()).spawn(move || {
        let proof = threads.install(|| keys.prove(&witness, &mut |next| _ = stage.send_replace(next)));
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
                batch,
                stage = at.borrow().name(),
                elapsed_seconds = start.elapsed().as_secs(),
                expected_seconds = expected.map(|e| e.as_secs()),
                "proving goes on"
            ),
        }
    }
}
