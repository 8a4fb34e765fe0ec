//! `kill -9` between any two steps, and a restart: nothing is lost, nothing happens twice.
//!
//! The sequencer runs as a child process: this very test binary, which is told to run [`child`] only. It kills itself at
//! one step, in each round at another one, while users keep sending and the L1 queue keeps growing.

use crate::support::{START, User, World, check_batches, eventually, insert_entry, json, root_from_sql, sign, transfer};
use serde_json::Value;
use sheaf_core::types::TokenId;
use sheaf_sequencer::client::Client;
use sheaf_sequencer::wire::SubmitResult;
use sheaf_sequencer::{Config, Environment, Sequencer, Step};
use sqlx::Row;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const URL_VARIABLE: &str = "SHEAF_TEST_CHILD_URL";
const STEP_VARIABLE: &str = "SHEAF_TEST_CHILD_STEP";
const COUNT_VARIABLE: &str = "SHEAF_TEST_CHILD_COUNT";
const USERS: u16 = 3;
const FUNDS: u128 = 1_000_000_000;
/// How long a round may take to reach its step.
const ROUND_TIME_MAX: Duration = Duration::from_secs(20);

fn configure(config: &mut Config) {
    config.depth = 6;
    config.shape.slots = 5;
    config.batch_timeout_ms = 40;
    config.l1_wait_ms = 20;
}

/// The child's whole life; nothing when the tests are run by hand.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Ok(url) = std::env::var(URL_VARIABLE) else { return };
    let step = std::env::var(STEP_VARIABLE).ok().map(|s| Step::ALL[s.parse::<usize>().unwrap()]);
    let left = AtomicU32::new(std::env::var(COUNT_VARIABLE).map_or(0, |c| c.parse().unwrap()));
    let mut config = crate::support::config(&url);
    configure(&mut config);
    let observer = move |reached| {
        if Some(reached) == step && left.fetch_sub(1, Ordering::SeqCst) == 1 {
            Command::new("kill").args(["-9", &std::process::id().to_string()]).status().unwrap();
            unreachable!("nobody survives that");
        }
    };
    let environment = Environment::system().with_clock(|| START).with_observer(observer);
    let sequencer = Sequencer::start(config, environment).await.unwrap();
    println!("\nLISTENING http://{}", sequencer.address());
    sequencer.run(std::future::pending()).await.unwrap();
}

struct Process(Child);

impl Process {
    fn start(url: &str, step: Option<usize>, count: u32) -> (Self, Client) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["crash::child", "--exact", "--nocapture"]).env(URL_VARIABLE, url).stdout(Stdio::piped());
        if let Some(step) = step {
            command.env(STEP_VARIABLE, step.to_string()).env(COUNT_VARIABLE, count.to_string());
        }
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let base = lines.by_ref().find_map(|line| Some(line.ok()?.strip_prefix("LISTENING ")?.to_owned())).expect("it listens");
        // The pipe must stay open for whatever it still says.
        std::thread::spawn(move || lines.count());
        (Self(child), Client::new(base))
    }

    fn is_dead(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One user, who sends one transaction after the other and sends again what was not answered.
struct Sender {
    user: User,
    account: u32,
    next: User,
    unanswered: Option<Value>,
    sent: u64,
    spent: u128,
    given: u128,
    /// What was acknowledged, by hash.
    acknowledged: BTreeMap<String, (u64, u64, u32)>,
}

impl Sender {
    /// Sends until the sequencer is gone, or `limit` more.
    async fn work(mut self, client: Client, limit: u64) -> Self {
        for _ in 0..limit {
            let transaction = self.unanswered.take().unwrap_or_else(|| {
                let amount = u128::from(self.sent) * 7 + u128::from(self.account);
                let payload = transfer(self.account, self.sent, &self.next, amount, 10);
                self.sent += 1;
                (self.spent, self.given) = (self.spent + amount + 10, self.given + amount);
                json(&sign(payload, &self.user))
            });
            match client.submit(vec![transaction.clone()], true).await.map(|mut r| r.remove(0)) {
                // Also what was executed before the crash and not acknowledged.
                Ok(SubmitResult::Executed { hash, block, batch, position, receipt }) => {
                    assert!(receipt.is_some(), "whatever is executed has a receipt");
                    let twice = self.acknowledged.insert(hash, (block.0, batch.0, position));
                    assert_eq!(twice, None, "executed twice");
                }
                Ok(SubmitResult::Pending { .. }) | Err(_) => {
                    self.unanswered = Some(transaction);
                    break;
                }
                Ok(other) => panic!("{other:?}"),
            }
        }
        self
    }
}

async fn start_load(senders: Vec<Sender>, client: &Client, limit: u64) -> Vec<Sender> {
    let tasks: Vec<_> = senders.into_iter().map(|s| tokio::spawn(s.work(client.clone(), limit))).collect();
    let mut back = Vec::new();
    for task in tasks {
        back.push(task.await.unwrap());
    }
    back
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_or_repeated_wherever_the_process_is_killed() {
    let mut world = World::stopped(configure).await;
    let url = world.config.database_url.clone();
    let users: Vec<_> = (1..=USERS).map(User::new).collect();
    let mut senders = Vec::new();
    for (i, user) in users.iter().enumerate() {
        world.queue(&user.deposit(TokenId::ETH, FUNDS)).await;
        let next = users[(i + 1) % users.len()].clone();
        let (account, user) = (i as u32 + 2, user.clone());
        let acknowledged = BTreeMap::new();
        senders.push(Sender { user, account, next, unanswered: None, sent: 0, spent: 0, given: 0, acknowledged });
    }
    let first = Process::start(&url, None, 0);
    world.entry(u64::from(USERS) - 1).await;
    drop(first);
    // Somebody who only receives deposits, one ETH unit each.
    let saver = User::new(99);
    let mut entries = u64::from(USERS);
    for count in [1, 3] {
        // Those of an unwinding have a test of their own.
        for step in (0..Step::ALL.len()).filter(|step| !Step::ALL[*step].is_of_unwinding()) {
            let (mut process, client) = Process::start(&url, Some(step), count);
            let load = tokio::spawn(async move { start_load(senders, &client, u64::MAX).await });
            let began = std::time::Instant::now();
            while !process.is_dead() {
                assert!(began.elapsed() < ROUND_TIME_MAX, "{:?} is never reached", Step::ALL[step]);
                insert_entry(&world.pool, entries, &saver.deposit(TokenId::ETH, 1), true).await;
                entries += 1;
                tokio::time::sleep(Duration::from_millis(15)).await;
            }
            senders = load.await.unwrap();
        }
    }
    // And at moments that nobody chose.
    for round in 0..5 {
        let (mut process, client) = Process::start(&url, None, 0);
        let load = tokio::spawn(async move { start_load(senders, &client, u64::MAX).await });
        tokio::time::sleep(Duration::from_millis(17 + 31 * round)).await;
        process.kill();
        senders = load.await.unwrap();
    }
    let (process, client) = Process::start(&url, None, 0);
    let senders = start_load(senders, &client, 10).await;
    eventually("everything is built", || async {
        let open = world.count("SELECT op_count::bigint FROM batches WHERE status = 'open'").await;
        let unbuilt = world.count("SELECT count(*) FROM batches WHERE status <> 'open' AND commitment IS NULL").await;
        let waiting = world.count("SELECT count(*) FROM l1_operations WHERE batch IS NULL").await;
        (open + unbuilt + waiting == 0).then_some(())
    })
    .await;
    drop(process);
    check_end(&world, &senders, entries).await;
}

async fn check_end(world: &World, senders: &[Sender], entries: u64) {
    let mut fees = 0;
    for (i, sender) in senders.iter().enumerate() {
        assert!(sender.unanswered.is_none());
        let got = senders[(i + senders.len() - 1) % senders.len()].given;
        assert_eq!(world.balance(sender.account, TokenId::ETH).await, FUNDS - sender.spent + got, "account {}", sender.account);
        fees += 10 * u128::from(sender.sent);
        for (hash, placement) in &sender.acknowledged {
            let query = "SELECT block, batch, position FROM transactions WHERE hash = decode($1, 'hex')";
            let row = sqlx::query(query).bind(&hash[2..]).fetch_one(&world.pool).await.expect("what was acknowledged is there");
            let found =
                (row.get::<i64, _>("block") as u64, row.get::<i64, _>("batch") as u64, row.get::<i32, _>("position") as u32);
            assert_eq!(found, *placement);
        }
    }
    assert_eq!(world.balance(1, TokenId::ETH).await, fees);
    let saver: i32 = sqlx::query_scalar("SELECT max(id) FROM accounts").fetch_one(&world.pool).await.unwrap();
    assert_eq!(world.balance(saver as u32, TokenId::ETH).await, u128::from(entries) - u128::from(USERS));
    let sent: u64 = senders.iter().map(|s| s.sent).sum();
    assert_eq!(world.count("SELECT count(*) FROM transactions").await as u64, sent);
    let gaps = "SELECT max(number) - count(*) FROM blocks";
    assert_eq!(world.count(gaps).await, 0, "block numbers have no gaps");
    let (tree, built) = check_batches(&world.pool, &world.config).await;
    assert_eq!(tree.root(), root_from_sql(&world.pool, &world.config).await);
    println!("{sent} transactions and {entries} entries in {built} batches");
}
