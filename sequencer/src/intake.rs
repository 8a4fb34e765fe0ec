//! From JSON to the driver: reads transactions and verifies signatures, on threads of its own on all cores.
//!
//! A thread takes as many waiting transactions as there are, up to a bound, and hands them on together: under load,
//! nobody is woken for a single one.

use crate::block::TransactionHash;
use crate::driver::{Message, Reply, Submission};
use crate::engine::Verified;
use crate::error::Refusal;
use alloy_primitives::hex;
use serde_json::value::RawValue;
use sheaf_core::F;
use sheaf_core::json::TransactionJson;
use sheaf_core::types::field_to_bytes;
use std::sync::{Arc, Mutex, PoisonError, mpsc as queue};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// Transactions that a thread takes at once.
const AT_ONCE_MAX: usize = 32;
/// Transactions of one request that one thread gets: a small one stays in order, a large one is spread.
const PART_MAX: usize = 16;
/// Questions for the driver on their way.
const QUESTIONS_MAX: usize = 256;

/// A transaction on its way: its hash as far as it could be read, and its fate.
pub(crate) struct Intake {
    pub(crate) hash: Option<TransactionHash>,
    pub(crate) fate: Fate,
}

/// What is known of a transaction's fate.
pub(crate) enum Fate {
    /// The driver will tell; so far it is unknown.
    Submitted(oneshot::Receiver<Reply>),
    /// It is refused.
    Refused(Refusal),
}

impl Intake {
    const fn refused(hash: Option<TransactionHash>, refusal: Refusal) -> Self {
        Self { hash, fate: Fate::Refused(refusal) }
    }
}

/// Transactions to be verified, of one request.
struct Job {
    transactions: Vec<Box<RawValue>>,
    wait: bool,
    places: OwnedSemaphorePermit,
    done: oneshot::Sender<Vec<Intake>>,
}

/// The way to the driver. The threads end when the last clone is gone.
#[derive(Clone)]
pub(crate) struct Gate {
    jobs: queue::Sender<Job>,
    messages: mpsc::Sender<Message>,
    /// One permit a transaction between here and the driver: what bounds both queues.
    places: Arc<Semaphore>,
    questions: Arc<Semaphore>,
}

impl Gate {
    /// Starts a thread for each core. At most `max` transactions are on their way to whoever reads the messages.
    ///
    /// # Errors
    /// If the system gives no threads.
    pub(crate) fn open(domain: F, max: usize) -> std::io::Result<(Self, mpsc::Receiver<Message>)> {
        let max = max.clamp(1, Semaphore::MAX_PERMITS / 2);
        // Room for every transaction that has a place, alone in its message, and for every question.
        let (messages, receiver) = mpsc::channel(max + QUESTIONS_MAX);
        let (jobs, waiting) = queue::channel();
        let waiting = Arc::new(Mutex::new(waiting));
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        for number in 0..threads {
            let worker = Worker { domain, jobs: waiting.clone(), messages: messages.clone() };
            std::thread::Builder::new().name(format!("intake-{number}")).spawn(move || worker.run())?;
        }
        let (places, questions) = (Arc::new(Semaphore::new(max)), Arc::new(Semaphore::new(QUESTIONS_MAX)));
        Ok((Self { jobs, messages, places, questions }, receiver))
    }

    /// Sends transactions to the driver; what can't be sent is refused. The answers are in the order given.
    pub(crate) async fn submit(&self, transactions: Vec<Box<RawValue>>, wait: bool) -> Vec<Intake> {
        let count = transactions.len();
        let permits = u32::try_from(count).ok().and_then(|count| self.places.clone().try_acquire_many_owned(count).ok());
        let Some(mut places) = permits else {
            return (0..count).map(|_| Intake::refused(None, Refusal::PoolFull)).collect();
        };
        let mut rest = transactions.into_iter();
        let mut parts = Vec::with_capacity(count.div_ceil(PART_MAX));
        while !rest.as_slice().is_empty() {
            let transactions: Vec<_> = rest.by_ref().take(PART_MAX).collect();
            let places = places.split(transactions.len()).expect("there is a place for each");
            let (done, answer) = oneshot::channel();
            parts.push((transactions.len(), answer));
            // If the threads are gone, so is whoever answers.
            let _ = self.jobs.send(Job { transactions, wait, places, done });
        }
        let mut intakes = Vec::with_capacity(count);
        for (count, answer) in parts {
            match answer.await {
                Ok(part) => intakes.extend(part),
                Err(_) => intakes.extend((0..count).map(|_| Intake::refused(None, Refusal::Internal))),
            }
        }
        intakes
    }

    /// Whether a transaction waits or is not durable yet; not, if nobody is there to ask.
    pub(crate) async fn is_pending(&self, hash: TransactionHash) -> bool {
        let Ok(_place) = self.questions.acquire().await else { return false };
        let (reply, answer) = oneshot::channel();
        self.messages.send(Message::IsPending(hash, reply)).await.is_ok() && answer.await.unwrap_or(false)
    }
}

/// One thread.
struct Worker {
    domain: F,
    jobs: Arc<Mutex<queue::Receiver<Job>>>,
    messages: mpsc::Sender<Message>,
}

impl Worker {
    fn run(self) {
        while let Some(jobs) = self.next() {
            let (mut submissions, mut answers) = (Vec::new(), Vec::with_capacity(jobs.len()));
            let mut all_places: Option<OwnedSemaphorePermit> = None;
            for Job { transactions, wait, places, done } in jobs {
                let intakes: Vec<_> = transactions.iter().map(|t| self.take(t, wait, &mut submissions)).collect();
                answers.push((done, intakes));
                match &mut all_places {
                    Some(all) => all.merge(places),
                    none => *none = Some(places),
                }
            }
            if let Some(places) = all_places.filter(|_| !submissions.is_empty()) {
                self.send(Message::Submissions(submissions, places));
            }
            for (done, intakes) in answers {
                let _ = done.send(intakes);
            }
        }
    }

    /// The next jobs, as soon as there is one; `None` when there will be none any more.
    fn next(&self) -> Option<Vec<Job>> {
        let queue = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let mut jobs = vec![queue.recv().ok()?];
        let mut count = jobs[0].transactions.len();
        while count < AT_ONCE_MAX
            && let Ok(job) = queue.try_recv()
        {
            count += job.transactions.len();
            jobs.push(job);
        }
        Some(jobs)
    }

    fn send(&self, message: Message) {
        let Err(error) = self.messages.try_send(message) else { return };
        let (mpsc::error::TrySendError::Closed(message) | mpsc::error::TrySendError::Full(message)) = error;
        if let Message::Submissions(submissions, _) = message {
            for submission in submissions {
                let _ = submission.reply.send(Reply::Refused(Refusal::NotReady));
            }
        }
    }

    fn take(&self, transaction: &RawValue, wait: bool, submissions: &mut Vec<Submission>) -> Intake {
        match self.check(transaction) {
            Ok(verified) => {
                let (reply, receiver) = oneshot::channel();
                let hash = Some(verified.hash);
                submissions.push(Submission { verified, wait, reply });
                Intake { hash, fate: Fate::Submitted(receiver) }
            }
            Err((hash, refusal)) => Intake::refused(hash, refusal),
        }
    }

    fn check(&self, transaction: &RawValue) -> Result<Verified, (Option<TransactionHash>, Refusal)> {
        let malformed = |error: serde_json::Error| (None, Refusal::Malformed(error.to_string()));
        let json: TransactionJson = serde_json::from_str(transaction.get()).map_err(malformed)?;
        let transaction = json.to_transaction(self.domain).map_err(|error| (None, error.into()))?;
        let message = transaction.payload.message(self.domain);
        let hash = field_to_bytes(message);
        // Not `Transaction::verify`, which would make the message again.
        let verified = transaction.signature.verify(&transaction.public_key, message);
        verified.map_err(|_| (Some(hash), Refusal::InvalidSignature))?;
        Ok(Verified { transaction, hash, signed: transaction.signed() })
    }
}

/// A hash as users see it.
pub(crate) fn hash_to_hex(hash: &TransactionHash) -> String {
    hex::encode_prefixed(hash)
}
