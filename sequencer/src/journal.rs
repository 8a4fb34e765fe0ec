//! Remembers refused transactions in the database, beside the path of those that are executed.

use crate::block::TransactionHash;
use crate::error::Refusal;
use crate::store::write_rejections;
use sqlx::PgPool;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::mpsc;

/// Refusals that wait to be written; what is beyond is not remembered.
const WAITING_MAX: usize = 4096;
/// Pause between two writes, so that a flood costs few of them.
const PAUSE: Duration = Duration::from_millis(100);

/// Where refusals are reported.
#[derive(Clone, Debug)]
pub(crate) struct Journal {
    notes: mpsc::Sender<(TransactionHash, &'static str, String)>,
}

impl Journal {
    /// A journal of `max` refusals, and the task that writes it until every `Journal` is gone.
    pub(crate) fn new(pool: PgPool, max: u32) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (notes, receiver) = mpsc::channel(WAITING_MAX);
        (Self { notes }, write_all(pool, max, receiver))
    }

    /// Remembers a refusal, if there is room.
    pub(crate) fn note(&self, hash: TransactionHash, refusal: &Refusal) {
        let _ = self.notes.try_send((hash, refusal.code(), refusal.to_string()));
    }
}

async fn write_all(pool: PgPool, max: u32, mut notes: mpsc::Receiver<(TransactionHash, &'static str, String)>) {
    let mut waiting = Vec::new();
    while notes.recv_many(&mut waiting, WAITING_MAX).await > 0 {
        let rejections: BTreeMap<_, _> = waiting.drain(..).map(|(hash, code, message)| (hash, (code, message))).collect();
        if let Err(error) = write_rejections(&pool, &rejections, max).await {
            tracing::warn!(%error, "refusals could not be remembered");
        }
        tokio::time::sleep(PAUSE).await;
    }
}
