//! Heartbeats: a lease is extended while its proof runs.

use crate::error::Error;
use crate::queue::{Lease, Queue};

/// Extends a lease for as long as this future is polled. That it was lost is found out when the result is stored.
pub(crate) async fn keep(queue: &Queue, lease: &Lease) {
    let pause = queue.policy().lease / 3;
    let (mut lost, mut wait) = (false, pause);
    loop {
        tokio::time::sleep(wait).await;
        if lost {
            continue;
        }
        // A connection that broke without a sign must not cost the lease: the next one is tried long before that runs out.
        let answer = tokio::time::timeout(pause / 2, queue.heartbeat(lease)).await.unwrap_or(Err(Error::Silent));
        wait = if answer.is_ok() { pause } else { pause / 4 };
        match answer {
            Ok(()) => {}
            Err(error) if error.is_of_database() => tracing::warn!(batch = lease.batch, %error, "no heartbeat"),
            Err(error) => {
                tracing::warn!(batch = lease.batch, code = error.code(), %error, "no heartbeat");
                lost = true;
            }
        }
    }
}
