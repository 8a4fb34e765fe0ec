//! A leader that dies, freezes or stops while others stand by: one of them takes over, in time, and nothing is lost, happens
//! twice or changes its order.
//!
//! The sequencers run as child processes: this very test binary, which is told to run [`child`] only.

use crate::support::{START, User, World, check_batches, eventually, json, root_from_sql, sign, transfer};
use serde_json::Value;
use sheaf_core::types::TokenId;
use sheaf_sequencer::client::Client;
use sheaf_sequencer::wire::SubmitResult;
use sheaf_sequencer::{Config, Environment, Sequencer, Step};
use sqlx::Row;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const URL_VARIABLE: &str = "SHEAF_TEST_STANDBY_URL";
const STEP_VARIABLE: &str = "SHEAF_TEST_STANDBY_STEP";
const SIGNAL_VARIABLE: &str = "SHEAF_TEST_STANDBY_SIGNAL";
const TAKEOVER_VARIABLE: &str = "SHEAF_TEST_STANDBY_TAKEOVER_MS";
const DEPTH_VARIABLE: &str = "SHEAF_TEST_STANDBY_DEPTH";
const USERS: u16 = 3;
const FUNDS: u128 = 1_000_000_000;
/// What is promised: from a leader's death to the first transaction that its successor executes.
const TAKEOVER_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a process may take for what it is to print.
const LINE_TIME_MAX: Duration = Duration::from_secs(180);
/// How often a step is reached before the signal comes.
const COUNT: u32 = 3;

fn configure(config: &mut Config) {
    config.depth = 6;
    config.shape.slots = 5;
    config.batch_timeout_ms = 40;
    config.l1_wait_ms = 20;
    config.takeover_after_ms = 3_000;
}

/// The child's whole life; nothing when the tests are run by hand.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Ok(url) = std::env::var(URL_VARIABLE) else { return };
    let step = std::env::var(STEP_VARIABLE).ok().map(|s| Step::ALL[s.parse::<usize>().unwrap()]);
    let signal = std::env::var(SIGNAL_VARIABLE).unwrap_or_default();
    let left = AtomicU32::new(if step.is_some_and(Step::is_of_takeover) { 1 } else { COUNT });
    let mut config = crate::support::config(&url);
    configure(&mut config);
    config.depth = std::env::var(DEPTH_VARIABLE).unwrap().parse().unwrap();
    config.takeover_after_ms = std::env::var(TAKEOVER_VARIABLE).unwrap().parse().unwrap();
    let observer = move |reached| {
        if Some(reached) == step && left.fetch_sub(1, Ordering::SeqCst) == 1 {
            println!("\nREACHED");
            Command::new("kill").args([&signal, &std::process::id().to_string()]).status().unwrap();
        }
    };
    let environment = Environment::system().with_clock(|| START).with_observer(observer);
    let sequencer = Sequencer::start(config, environment).await.unwrap();
    println!("\nLISTENING http://{}", sequencer.address());
    let failure = sequencer.run(std::future::pending()).await.unwrap_err();
    println!("\nFAILED {failure:#}");
    std::process::exit(1);
}

/// A sequencer as a process of its own.
struct Process {
    child: Child,
    client: Client,
    /// What it has printed since.
    lines: mpsc::Receiver<String>,
}

impl Process {
    fn start(world: &World) -> Self {
        Self::start_with(world, None)
    }

    /// One that sends itself `signal` when it reaches a step, for the third time if that can be.
    fn start_with(world: &World, step: Option<(Step, &str)>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["standby::child", "--exact", "--nocapture"]).env(URL_VARIABLE, &world.config.database_url);
        command.env(DEPTH_VARIABLE, world.config.depth.to_string());
        command.env(TAKEOVER_VARIABLE, world.config.takeover_after_ms.to_string());
        if let Some((step, signal)) = step {
            let index = Step::ALL.iter().position(|s| *s == step).unwrap();
            command.env(STEP_VARIABLE, index.to_string()).env(SIGNAL_VARIABLE, signal);
        }
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut process = Self { child, client: Client::new(""), lines };
        process.client = Client::new(process.line("LISTENING ").expect("it listens"));
        process
    }

    /// Waits for a line that begins with `prefix`, and gives its rest; `None` if it ends without.
    fn line(&self, prefix: &str) -> Option<String> {
        loop {
            let line = self.lines.recv_timeout(LINE_TIME_MAX).ok()?;
            if let Some(rest) = line.strip_prefix(prefix) {
                return Some(rest.to_owned());
            }
        }
    }

    fn signal(&self, signal: &str) {
        let killed = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    async fn leads(&self) -> bool {
        self.client.health().await.is_ok_and(|health| health.ready)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One user, who sends one transaction after the other to whoever takes it.
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
    /// When the last one was.
    last: Instant,
}

impl Sender {
    /// Sends until it is told to stop and everything is answered.
    async fn work(mut self, clients: Vec<Client>, stop: Arc<AtomicBool>) -> Self {
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
struct Load {
    stop: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<Sender>>,
}

impl Load {
    fn start(senders: Vec<Sender>, processes: &[&Process]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let clients: Vec<_> = processes.iter().map(|p| p.client.clone()).collect();
        let tasks = senders.into_iter().map(|s| tokio::spawn(s.work(clients.clone(), stop.clone()))).collect();
        Self { stop, tasks }
    }

    async fn end(self) -> Vec<Sender> {
        self.stop.store(true, Ordering::SeqCst);
        let mut senders = Vec::new();
        for task in self.tasks {
            senders.push(task.await.unwrap());
        }
        senders
    }
}

/// A database with funded users, and no sequencer.
async fn world() -> (World, Vec<Sender>) {
    let world = World::stopped(configure).await;
    with_users(world).await
}

async fn with_users(mut world: World) -> (World, Vec<Sender>) {
    let users: Vec<_> = (1..=USERS).map(User::new).collect();
    world.start().await;
    let mut senders = Vec::new();
    for (i, user) in users.iter().enumerate() {
        let account = world.fund(user, TokenId::ETH, FUNDS).await;
        let (next, user) = (users[(i + 1) % users.len()].clone(), user.clone());
        let (acknowledged, last) = (BTreeMap::new(), Instant::now());
        senders.push(Sender { user, account, next, unanswered: None, sent: 0, spent: 0, given: 0, acknowledged, last });
    }
    world.stop().await;
    (world, senders)
}

async fn epoch(world: &World) -> i64 {
    world.count("SELECT epoch FROM chain").await
}

/// Waits until a block is committed under a later epoch than `before`, and says how long after `since` that was.
async fn taken_over(world: &World, before: i64, since: Instant) -> Duration {
    let blocks = world.count("SELECT max(number) FROM blocks").await;
    eventually("somebody takes over and executes", || async {
        let query = "SELECT count(*) FROM leader WHERE epoch > $1 AND (SELECT max(number) FROM blocks) > $2 + 1";
        let done: i64 = sqlx::query_scalar(query).bind(before).bind(blocks).fetch_one(&world.pool).await.unwrap();
        (done == 1).then_some(())
    })
    .await;
    since.elapsed()
}

/// Everything that was acknowledged is there, once and in order, and all batches are right.
async fn check_end(world: &World, senders: &[Sender]) {
    let (mut fees, mut sent) = (0, 0);
    for (i, sender) in senders.iter().enumerate() {
        let got = senders[(i + senders.len() - 1) % senders.len()].given;
        assert_eq!(world.balance(sender.account, TokenId::ETH).await, FUNDS - sender.spent + got, "account {}", sender.account);
        for (hash, placement) in &sender.acknowledged {
            let query = "SELECT block, batch, position FROM transactions WHERE hash = decode($1, 'hex')";
            let row = sqlx::query(query).bind(&hash[2..]).fetch_one(&world.pool).await.expect("what was acknowledged is there");
            let found = (row.get::<i64, _>(0) as u64, row.get::<i64, _>(1) as u64, row.get::<i32, _>(2) as u32);
            assert_eq!(found, *placement);
        }
        let query = "SELECT nonce FROM transactions WHERE sender = $1 ORDER BY block, batch, position";
        let nonces: Vec<i64> = sqlx::query_scalar(query).bind(sender.account as i32).fetch_all(&world.pool).await.unwrap();
        assert!(nonces.iter().copied().eq(0..sender.sent as i64), "each once and in order: {nonces:?}");
        (fees, sent) = (fees + 10 * u128::from(sender.sent), sent + sender.sent);
    }
    assert_eq!(world.balance(1, TokenId::ETH).await, fees);
    assert_eq!(world.count("SELECT count(*) FROM transactions").await as u64, sent);
    assert_eq!(world.count("SELECT max(number) - count(*) FROM blocks").await, 0, "block numbers have no gaps");
    eventually("everything is built", || async {
        let open = world.count("SELECT op_count::bigint FROM batches WHERE status = 'open'").await;
        let unbuilt = world.count("SELECT count(*) FROM batches WHERE status <> 'open' AND commitment IS NULL").await;
        (open + unbuilt == 0).then_some(())
    })
    .await;
    let (tree, built) = check_batches(&world.pool, &world.config).await;
    assert_eq!(tree.root(), root_from_sql(&world.pool, &world.config).await);
    println!("{sent} transactions in {built} batches");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_killed_leader_is_replaced_by_one_of_those_that_stand_by() {
    let (world, mut senders) = world().await;
    let mut leader = Process::start(&world);
    let (mut second, mut third) = (Process::start(&world), Process::start(&world));
    for round in 0..3 {
        assert!(leader.leads().await && !second.leads().await && !third.leads().await);
        let refused = second.client.submit(vec![Value::Null], true).await.unwrap_err();
        assert_eq!(refused.code(), "not_ready");
        assert!(refused.to_string().contains("http://127.0.0.1:"), "it says who leads: {refused}");
        let load = Load::start(senders, &[&leader, &second, &third]);
        tokio::time::sleep(Duration::from_millis(300 + 170 * round)).await;
        let before = epoch(&world).await;
        leader.kill();
        let time = taken_over(&world, before, Instant::now()).await;
        println!("taken over after {time:?}");
        assert!(time < TAKEOVER_TIME_MAX);
        senders = load.end().await;
        assert_eq!(epoch(&world).await, before + 1, "exactly one takes over");
        if third.leads().await {
            std::mem::swap(&mut second, &mut third);
        }
        assert!(second.leads().await && !third.leads().await);
        leader = std::mem::replace(&mut second, Process::start(&world));
    }
    check_end(&world, &senders).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_leader_that_was_frozen_writes_nothing_when_it_wakes() {
    let (world, mut senders) = world().await;
    // With a block's or a built batch's database transaction open, between two, and before and after anybody is told.
    for step in [Step::BlockWritten, Step::BatchWritten, Step::BlockCut, Step::BlockCommitted, Step::BlockAcknowledged] {
        let leader = Process::start_with(&world, Some((step, "-STOP")));
        let second = Process::start(&world);
        assert!(leader.leads().await && !second.leads().await);
        let before = epoch(&world).await;
        let load = Load::start(senders, &[&leader, &second]);
        leader.line("REACHED").unwrap_or_else(|| panic!("{step:?} is never reached"));
        let time = taken_over(&world, before, Instant::now()).await;
        println!("frozen at {step:?}: taken over after {time:?}");
        assert!(time < TAKEOVER_TIME_MAX);
        leader.signal("-CONT");
        let failure = leader.line("FAILED ").expect("it stops by itself");
        assert!(failure.contains("lost the leadership") || failure.contains("another sequencer"), "{failure}");
        senders = load.end().await;
        assert_eq!(epoch(&world).await, before + 1);
        assert!(second.leads().await);
        drop(second);
    }
    let last = Process::start(&world);
    check_end(&world, &senders).await;
    drop(last);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_dies_while_taking_over_is_replaced_too() {
    let (world, mut senders) = world().await;
    for step in Step::ALL.into_iter().filter(|step| step.is_of_takeover()) {
        let mut leader = Process::start(&world);
        let second = Process::start_with(&world, Some((step, "-9")));
        let third = Process::start(&world);
        let load = Load::start(senders, &[&leader, &third]);
        tokio::time::sleep(Duration::from_millis(100)).await;
        // The third one must not come first.
        third.signal("-STOP");
        let before = epoch(&world).await;
        leader.kill();
        second.line("REACHED").unwrap_or_else(|| panic!("{step:?} is never reached"));
        let died = Instant::now();
        third.signal("-CONT");
        let time = taken_over(&world, before, died).await;
        println!("died at {step:?}: replaced after {time:?}");
        senders = load.end().await;
        assert!(third.leads().await);
    }
    let last = Process::start(&world);
    check_end(&world, &senders).await;
    drop(last);
}

/// Accounts of the measurement.
const MANY: i32 = 1_000_000;

/// Puts many accounts where the state after block 0 is, each with a key of its own and a billion of token 0.
async fn put_accounts(world: &World) {
    let accounts = "INSERT INTO accounts (id, key_hash, owner)
        SELECT a, '\\x00'::bytea || substring(sha256(int4send(a)) FROM 2), substring(sha256(int4send(-a)) FROM 1 FOR 20)
        FROM generate_series(2, $1 + 1) a";
    sqlx::query(accounts).bind(MANY).execute(&world.pool).await.unwrap();
    let chunks = "INSERT INTO state_chunks (chunk, block, words)
        SELECT a / 256, 0, string_agg(int4send(a) || '\\x0304'::bytea || int4send(1000000000), ''::bytea ORDER BY a)
        FROM generate_series(2, $1 + 1) a GROUP BY a / 256";
    sqlx::query(chunks).bind(MANY).execute(&world.pool).await.unwrap();
}

/// A process's resident memory, MiB.
fn memory_mib(process: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// `cargo test -p sheaf-sequencer --test it -- --ignored --nocapture a_million`
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "a measurement, with a million accounts"]
async fn a_million_accounts_are_taken_over_in_time() {
    let world = World::stopped(|config| {
        configure(config);
        config.depth = sheaf_core::geometry::DEPTH;
        config.takeover_after_ms = 5_000;
    })
    .await;
    put_accounts(&world).await;
    let (world, senders) = with_users(world).await;
    let began = Instant::now();
    let mut leader = Process::start(&world);
    println!("a leader of {MANY} accounts began within {:?} with {} MiB", began.elapsed(), memory_mib(&leader));
    let began = Instant::now();
    let second = Process::start(&world);
    println!("another one was warm within {:?} with {} MiB", began.elapsed(), memory_mib(&second));
    assert!(leader.leads().await && !second.leads().await);
    let load = Load::start(senders, &[&leader, &second]);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let before = epoch(&world).await;
    leader.kill();
    let time = taken_over(&world, before, Instant::now()).await;
    println!("taken over within {time:?}, then {} MiB", memory_mib(&second));
    assert!(time < TAKEOVER_TIME_MAX);
    let senders = load.end().await;
    assert!(second.leads().await);
    let sent: u64 = senders.iter().map(|s| s.sent).sum();
    assert_eq!(world.count("SELECT count(*) FROM transactions").await as u64, sent);
}
