//! The open-loop generator: sends when it is time, however slow the answers are, and counts latency from when it was time.
//!
//! So a server that stalls is charged with every request that should have been sent meanwhile (Tene, "How NOT to Measure
//! Latency").

use crate::people::{Effect, Prepared};
use hdrhistogram::Histogram;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Longest latency that the histogram tells apart, microseconds.
const LATENCY_MAX_US: u64 = 60_000_000;
/// Significant digits of the histogram.
const DIGITS: u8 = 3;

/// What came of one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Executed,
    Pending,
    Refused(String),
    /// The request failed as a whole.
    Failed(String),
}

/// What is known after a run.
pub(super) struct Outcome {
    /// From the first send to the last answer.
    pub(super) elapsed: Duration,
    /// From the first send to the end of the schedule.
    pub(super) scheduled: Duration,
    pub(super) offered: u64,
    /// Answered within the schedule.
    pub(super) durable_in_time: u64,
    /// Refused or failed, by code: both those that had to be and others.
    pub(super) codes: BTreeMap<String, u64>,
    pub(super) latency_us: Histogram<u64>,
    /// Each transaction's fate, in the order of sending.
    pub(super) fates: Vec<Fate>,
    /// Unanswered transactions at a half and at the end of the schedule: a queue that grows shows here.
    pub(super) waiting: [u64; 2],
}

/// Where and how to send.
pub(super) struct Target {
    pub(super) client: reqwest::Client,
    pub(super) url: String,
    /// Transactions of one request; 1 sends them singly.
    pub(super) bulk: usize,
}

type Answer = (usize, Vec<Fate>, Instant, Instant);

/// Sends `transactions` at `rate` a second.
pub(super) async fn run(target: Arc<Target>, transactions: &[Prepared], rate: f64) -> Outcome {
    let (answers, mut inbox) = mpsc::unbounded_channel::<Answer>();
    let start = Instant::now() + Duration::from_millis(20);
    let unanswered = Arc::new(AtomicU64::new(0));
    let total = transactions.len();
    let mut waiting = [0; 2];
    for (number, part) in transactions.chunks(target.bulk).enumerate() {
        let first = number * target.bulk;
        let due = start + Duration::from_secs_f64(first as f64 / rate);
        tokio::time::sleep_until(due).await;
        if first <= total / 2 {
            waiting[0] = unanswered.load(Ordering::Relaxed);
        }
        unanswered.fetch_add(part.len() as u64, Ordering::Relaxed);
        let body = body(part, target.bulk);
        let (target, answers, unanswered, count) = (target.clone(), answers.clone(), unanswered.clone(), part.len());
        tokio::spawn(async move {
            let fates = send(&target, body, count).await;
            unanswered.fetch_sub(count as u64, Ordering::Relaxed);
            let _ = answers.send((first, fates, due, Instant::now()));
        });
    }
    waiting[1] = unanswered.load(Ordering::Relaxed);
    let scheduled = start.elapsed();
    drop(answers);
    let mut outcome = Outcome {
        elapsed: scheduled,
        scheduled,
        offered: total as u64,
        durable_in_time: 0,
        codes: BTreeMap::new(),
        latency_us: Histogram::new_with_bounds(1, LATENCY_MAX_US, DIGITS).expect("constant bounds"),
        fates: vec![Fate::Pending; total],
        waiting,
    };
    let end = start + scheduled;
    while let Some((first, fates, due, answered)) = inbox.recv().await {
        for (offset, fate) in fates.into_iter().enumerate() {
            match &fate {
                Fate::Executed => {
                    outcome.durable_in_time += u64::from(answered <= end);
                    outcome.latency_us.saturating_record(answered.duration_since(due).as_micros() as u64);
                }
                Fate::Pending => *outcome.codes.entry("pending".to_owned()).or_default() += 1,
                Fate::Refused(code) | Fate::Failed(code) => *outcome.codes.entry(code.clone()).or_default() += 1,
            }
            outcome.fates[first + offset] = fate;
        }
    }
    outcome.elapsed = start.elapsed();
    outcome
}

fn body(part: &[Prepared], bulk: usize) -> String {
    match part {
        [single] if bulk == 1 => single.json.clone(),
        many => format!("{{\"transactions\":[{}]}}", many.iter().map(|t| t.json.as_str()).collect::<Vec<_>>().join(",")),
    }
}

async fn send(target: &Target, body: String, count: usize) -> Vec<Fate> {
    let failed = |error: String| vec![Fate::Failed(error); count];
    let request = target.client.post(&target.url).header("content-type", "application/json").body(body);
    let answer = match request.send().await {
        Ok(answer) => answer.bytes().await,
        Err(error) => return failed(if error.is_connect() { "connect" } else { "transport" }.to_owned()),
    };
    let value: Value = match answer.map(|bytes| serde_json::from_slice(&bytes)) {
        Ok(Ok(value)) => value,
        Ok(Err(_)) | Err(_) => return failed("unreadable".to_owned()),
    };
    match value.get("results").and_then(Value::as_array) {
        Some(results) if results.len() == count => results.iter().map(fate).collect(),
        Some(_) => failed("wrong_count".to_owned()),
        None => vec![fate(&value); count],
    }
}

/// One result of the API, or its error body.
fn fate(result: &Value) -> Fate {
    let text = |key: &str| result.get(key).and_then(Value::as_str);
    match (text("status"), text("code")) {
        (Some("executed"), _) => Fate::Executed,
        (Some("pending"), _) => Fate::Pending,
        (_, Some(code)) => Fate::Refused(code.to_owned()),
        (_, None) => Fate::Failed("unreadable".to_owned()),
    }
}

/// What the executed transactions must have changed: each person's balance difference, and how many there were.
pub(super) fn tally(transactions: &[Prepared], fates: &[Fate], fee: u128, differences: &mut [i128]) -> anyhow::Result<u64> {
    let mut executed = 0;
    for (transaction, fate) in transactions.iter().zip(fates) {
        match (transaction.effect, fate) {
            (Effect::Transfer { from, to, amount }, Fate::Executed) => {
                let (amount, fee) = (amount as i128, fee as i128);
                differences[from] -= amount + fee;
                differences[to] += amount;
                executed += 1;
            }
            (Effect::Refused, Fate::Executed) => anyhow::bail!("an invalid transaction was executed: {}", transaction.json),
            _ => {}
        }
    }
    Ok(executed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};

    fn prepared(effect: Effect) -> Prepared {
        Prepared { json: "{}".to_owned(), effect }
    }

    /// Answers "executed" to every request, the first one `stall` late, one after the other.
    fn stalling_server(stall: Duration, requests: usize) -> String {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        std::thread::spawn(move || {
            for request in 0..requests {
                let (mut stream, _) = listener.accept().expect("a connection");
                let mut bytes = [0; 4096];
                let _ = stream.read(&mut bytes);
                if request == 0 {
                    std::thread::sleep(stall);
                }
                let body = r#"{"status":"executed"}"#;
                let _ = write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            }
        });
        url
    }

    #[tokio::test]
    async fn a_server_that_stalls_is_charged_for_all_that_was_due_meanwhile() {
        let stall = Duration::from_millis(500);
        let target = Arc::new(Target { client: reqwest::Client::new(), url: stalling_server(stall, 20), bulk: 1 });
        let transactions = vec![prepared(Effect::Refused); 20];
        // All are due within the first 100 ms.
        let outcome = run(target, &transactions, 200.0).await;
        assert_eq!(outcome.latency_us.len(), 20);
        assert!(outcome.latency_us.min() > 350_000, "{}", outcome.latency_us.min());
        assert!(tally(&transactions, &outcome.fates, 0, &mut []).is_err(), "what must be refused was executed");
    }

    #[test]
    fn the_tally_counts_what_was_executed() {
        let transfer = prepared(Effect::Transfer { from: 0, to: 1, amount: 7 });
        let transactions = [transfer.clone(), transfer, prepared(Effect::Refused)];
        let fates = [Fate::Executed, Fate::Refused("x".to_owned()), Fate::Refused("y".to_owned())];
        let mut differences = [0; 2];
        assert_eq!(tally(&transactions, &fates, 2, &mut differences).unwrap(), 1);
        assert_eq!(differences, [-9, 7]);
    }
}
