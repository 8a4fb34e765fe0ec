//! `sheaf bench load`: the whole path from HTTP to a durable block, at rates that a separate generator sets.
//!
//! ```text
//!  generator (this process) ──HTTP──▶ API ──▶ sequencer ──▶ Postgres (durable)
//!       open loop, signed beforehand              └─▶ builder: trees and commitments of the same batches
//! ```
//!
//! The search for the highest rate that is kept up with begins with a burst, halves the steps, and then holds the rate for the
//! whole time. Each step has people of its own, and at its end the state must be what the answers say.

mod generator;

use crate::people::{self, Crowd, FEE, FUNDS};
use crate::report;
use crate::services::{self, CpuTimes, Services};
use anyhow::{Context, Result, ensure};
use clap::Args;
use generator::{Outcome, Target};
use indicatif::ProgressBar;
use serde::Serialize;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Options of `sheaf bench load`.
#[derive(Args, Debug)]
pub struct Options {
    /// Writes the rows as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Transactions a second to offer; searches for the highest that is kept up with if not given.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// How long the reported rates are held, seconds.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Accounts that send and receive in each step.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(2..))]
    accounts: u32,
    /// Transactions of one request; 1 sends them singly.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    bulk: u32,
    /// Share of transactions that must be refused, 0 to 1.
    #[arg(long, default_value_t = 0.01)]
    invalid: f64,
    /// Slots of a batch; its rows are in proportion to those of the development shape.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(16..=256))]
    slots: u32,
    /// Seed of accounts and transactions.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// One line of the result.
#[derive(Clone, Debug, Serialize)]
struct Row {
    /// `search`, `maximum`, `half`, or `given`.
    step: &'static str,
    bulk: usize,
    seconds: f64,
    offered_tps: f64,
    /// Executed or pending when answered.
    accepted_tps: f64,
    /// Executed in a durable block, and answered before the schedule ended.
    durable_tps: f64,
    p50_ms: f64,
    p99_ms: f64,
    p999_ms: f64,
    /// Neither refused rightly nor executed.
    lost: u64,
    /// Whether no queue grew.
    kept_up: bool,
    /// Transactions a second for which tree and commitment were made meanwhile.
    built_tps: f64,
    /// CPU time a transaction, microseconds.
    generator_us: f64,
    api_us: f64,
    sequencer_us: f64,
    postgres_us: f64,
}

/// Of the valid transactions, the share that has to be durable at the end of the schedule.
const KEPT_UP_SHARE: f64 = 0.99;
/// Transactions of the first burst.
const BURST: usize = 10_000;
/// How long a step of the search lasts, seconds.
const SEARCH_SECONDS: u32 = 10;
/// Steps of the search after the burst.
const SEARCH_STEPS: u32 = 4;

struct Bench<'a> {
    options: &'a Options,
    services: Services,
    target: Arc<Target>,
    step: u64,
    first_account: u32,
    bar: ProgressBar,
}

impl Bench<'_> {
    /// Offers `rate` for `seconds` with people of its own, and checks the state.
    async fn step(&mut self, name: &'static str, rate: f64, count: usize) -> Result<Row> {
        self.bar.set_message(format!("{name}: preparing {count} transactions for {rate:.0} a second"));
        self.step += 1;
        let (seed, options) = (self.options.seed + self.step, self.options);
        let mut crowd = Crowd::new(self.first_account, options.accounts, services::signing_domain(), seed);
        self.first_account += options.accounts;
        self.services.fund(&crowd).await?;
        let expires = services::now_s()? + 12 * 60 * 60;
        let transactions = crowd.prepare(count, options.invalid, expires);
        self.bar.set_message(format!("{name}: {rate:.0} a second for {:.0} s", count as f64 / rate));
        let (cpu, batches) = (self.services.cpu(), self.services.batches().await?);
        let outcome = generator::run(self.target.clone(), &transactions, rate).await;
        let cpu = self.services.cpu().since(cpu);
        let built = self.services.batches().await?.1 - batches.1;
        self.check(&crowd, &transactions, &outcome).await?;
        self.bar.inc(1);
        Ok(self.row(name, &transactions, &outcome, cpu, built))
    }

    fn row(&self, step: &'static str, transactions: &[people::Prepared], outcome: &Outcome, cpu: CpuTimes, built: i64) -> Row {
        let valid = transactions.iter().filter(|t| t.effect != people::Effect::Refused).count() as f64;
        let (seconds, elapsed) = (outcome.scheduled.as_secs_f64(), outcome.elapsed.as_secs_f64());
        let executed = outcome.latency_us.len();
        let pending = outcome.codes.get("pending").copied().unwrap_or(0);
        let us = |time: Duration| time.as_secs_f64() * 1e6 / outcome.offered as f64;
        let ms = |quantile| outcome.latency_us.value_at_quantile(quantile) as f64 / 1e3;
        // What is still on its way at the end is what a steady queue holds.
        let steady = outcome.waiting[1] <= outcome.waiting[0].max(2 * self.target.bulk as u64) * 2;
        Row {
            step,
            bulk: self.target.bulk,
            seconds,
            offered_tps: outcome.offered as f64 / seconds,
            accepted_tps: (executed + pending) as f64 / elapsed,
            durable_tps: outcome.durable_in_time as f64 / seconds,
            p50_ms: ms(0.5),
            p99_ms: ms(0.99),
            p999_ms: ms(0.999),
            lost: (valid as u64).saturating_sub(executed),
            kept_up: steady && executed as f64 >= valid * KEPT_UP_SHARE && outcome.durable_in_time as f64 >= valid * 0.97,
            built_tps: built as f64 * self.options.slots as f64 / elapsed,
            generator_us: us(cpu.generator),
            api_us: us(cpu.api),
            sequencer_us: us(cpu.sequencer),
            postgres_us: us(cpu.postgres),
        }
    }

    /// Compares balances and nonces in the database with what the answers add up to.
    async fn check(&self, crowd: &Crowd, transactions: &[people::Prepared], outcome: &Outcome) -> Result<()> {
        let unclear = outcome.fates.iter().any(|fate| matches!(fate, generator::Fate::Pending | generator::Fate::Failed(_)));
        if unclear {
            // Their fate is not known here: what was answered as executed is still checked, by its number.
            return Ok(());
        }
        let mut differences = vec![0i128; crowd.people.len()];
        generator::tally(transactions, &outcome.fates, FEE, &mut differences)?;
        for (person, difference) in crowd.people.iter().zip(differences) {
            let url = format!("{}/v1/accounts/{}", self.services.url, person.account);
            let account: Value = serde_json::from_slice(&self.target.client.get(&url).send().await?.bytes().await?)?;
            let balances = account["balances"].as_array().with_context(|| format!("GET {url} has no balances"))?;
            let eth = balances.iter().find(|balance| balance["token"] == 0).context("no balance of token 0")?;
            let found: i128 = eth["amount"].as_str().context("a balance is a string")?.parse()?;
            let expected = FUNDS as i128 + difference;
            ensure!(found == expected, "account {} has {found}, the answers add up to {expected}", person.account);
        }
        Ok(())
    }

    /// The highest rate that is kept up with for [`SEARCH_SECONDS`].
    async fn search(&mut self, rows: &mut Vec<Row>) -> Result<f64> {
        let burst = self.step("burst", 1e9, BURST).await?;
        let capacity = BURST as f64 * (1.0 - self.options.invalid) / (BURST as f64 / burst.accepted_tps);
        let (mut low, mut high) = (0.0, 1.3 * capacity);
        let mut rate = 0.8 * capacity;
        for _ in 0..SEARCH_STEPS {
            let row = self.step("search", rate, (rate * f64::from(SEARCH_SECONDS)) as usize).await?;
            (low, high) = if row.kept_up { (rate, high) } else { (low, rate) };
            rows.push(row);
            rate = f64::midpoint(low, high);
        }
        ensure!(low > 0.0, "no rate was kept up with");
        Ok(low)
    }
}

/// Measures, prints the table, and writes the rows.
///
/// # Errors
/// If the services do not start, or the state is not what the answers say.
pub(crate) async fn run(options: &Options) -> Result<()> {
    ensure!((0.0..1.0).contains(&options.invalid), "--invalid is a share, 0 to 1");
    let services = Services::start(services::shape(options.slots)).await?;
    println!("{}; seed {}", services.durability().await?, options.seed);
    let url = format!("{}/v1/transactions", services.url);
    let client = reqwest::Client::builder().pool_max_idle_per_host(1_000).build().context("an HTTP client")?;
    let target = Arc::new(Target { client, url, bulk: options.bulk as usize });
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(200));
    let mut bench = Bench { options, services, target, step: 0, first_account: 0, bar };
    let mut rows = Vec::new();
    let count = |rate: f64| (rate * f64::from(options.seconds)) as usize;
    if let Some(rate) = options.rate.map(f64::from) {
        rows.push(bench.step("given", rate, count(rate)).await?);
    } else {
        let mut rate = bench.search(&mut rows).await?;
        loop {
            let row = bench.step("maximum", rate, count(rate)).await?;
            let kept_up = row.kept_up;
            rows.push(row);
            if kept_up {
                break;
            }
            rate *= 0.92;
        }
        rows.push(bench.step("half", rate / 2.0, count(rate / 2.0)).await?);
    }
    bench.bar.finish_and_clear();
    bench.services.stop().await?;
    print(&rows);
    options.json.as_deref().map_or(Ok(()), |path| report::write_json(path, &rows))
}

fn print(rows: &[Row]) {
    let cells = |row: &Row| {
        let mut cells = vec![row.step.to_owned(), format!("{:.0}", row.seconds)];
        cells.extend([row.offered_tps, row.accepted_tps, row.durable_tps].map(report::thousands));
        cells.extend([row.p50_ms, row.p99_ms, row.p999_ms].map(|ms| format!("{ms:.1}")));
        cells.push(if row.kept_up { "yes" } else { "no" }.to_owned());
        cells.push(report::thousands(row.built_tps));
        cells.extend([row.api_us, row.sequencer_us, row.postgres_us, row.generator_us].map(|us| format!("{us:.0}")));
        cells
    };
    let titles = [
        "step",
        "s",
        "offered",
        "accepted",
        "durable",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "kept up",
        "built",
        "api us",
        "sequencer us",
        "postgres us",
        "generator us",
    ];
    report::table(&titles, &rows.iter().map(cells).collect::<Vec<_>>());
}
