//! Users who send all the time, to whoever takes it.

use super::process::Process;
use crate::support::{User, json, sign, transfer};
use serde_json::Value;
use sheaf_sequencer::client::Client;
use sheaf_sequencer::wire::SubmitResult;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// One user, who sends one transaction after the other to whoever takes it.
pub(super) struct Sender {
    pub(super) user: User,
    pub(super) account: u32,
    pub(super) next: User,
    pub(super) unanswered: Option<Value>,
    pub(super) sent: u64,
    pub(super) spent: u128,
    pub(super) given: u128,
    /// What was acknowledged, by hash.
    pub(super) acknowledged: BTreeMap<String, (u64, u64, u32)>,
    /// When the last one was.
    pub(super) last: Instant,
}

impl Sender {
    /// Sends until it is told to stop and everything is answered.
    pub(super) async fn work(mut self, clients: Vec<Client>, stop: Arc<AtomicBool>) -> Self {
        let mut clients = clients.iter().cycle();
        let mut client = clients.next().unwrap();
        while self.unanswered.is_some() || !stop.load(Ordering::SeqCst) {
            let transaction = self.unanswered.take().unwrap_or_else(|| self.next());
            // A frozen sequencer does not even close the connection.
            let asked = tokio::time::timeout(Duration::from_secs(1), client.submit(vec![transaction.clone()], true)).await;
            match asked.map(|answer| answer.map(|mut results| results.remove(0))) {
                Ok(Ok(SubmitResult::Executed { hash, block, batch, position, .. })) => {
                    let place = (block.0, batch.0, position);
                    assert_eq!(*self.acknowledged.entry(hash).or_insert(place), place, "executed twice");
                    self.last = Instant::now();
                }
                // Executed before the leader died, but not acknowledged.
                Ok(Ok(SubmitResult::Rejected { code, .. })) if code == "duplicate_transaction" => self.last = Instant::now(),
                Ok(Ok(SubmitResult::Pending { .. }) | Err(_)) | Err(_) => {
                    self.unanswered = Some(transaction);
                    client = clients.next().unwrap();
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Ok(Ok(other)) => panic!("{other:?}"),
            }
        }
        self
    }

    fn next(&mut self) -> Value {
        let amount = u128::from(self.sent) * 7 + u128::from(self.account);
        let payload = transfer(self.account, self.sent, &self.next, amount, 10);
        self.sent += 1;
        (self.spent, self.given) = (self.spent + amount + 10, self.given + amount);
        json(&sign(payload, &self.user))
    }
}

/// Users who send all the time.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<Sender>>,
}

impl Load {
    pub(super) fn start(senders: Vec<Sender>, processes: &[&Process]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let clients: Vec<_> = processes.iter().map(|p| p.client.clone()).collect();
        let tasks = senders.into_iter().map(|s| tokio::spawn(s.work(clients.clone(), stop.clone()))).collect();
        Self { stop, tasks }
    }

    pub(super) async fn end(self) -> Vec<Sender> {
        self.stop.store(true, Ordering::SeqCst);
        let mut senders = Vec::new();
        for task in self.tasks {
            senders.push(task.await.unwrap());
        }
        senders
    }
}
