//! `sheaf bench stages`: the CPU time that a transaction takes in each stage, so that everybody sees the next bottleneck.
//!
//! Each stage's own code runs on the same transactions, on one thread and without HTTP: what HTTP and the hand-over between
//! threads add is in `sheaf bench load`, which measures whole processes.

use crate::cpu;
use crate::people::{Crowd, FUNDS};
use crate::report;
use crate::services::{self, Services};
use anyhow::{Context, Result, ensure};
use clap::Args;
use indicatif::ProgressBar;
use serde::Serialize;
use sheaf_core::geometry::Geometry;
use sheaf_core::json::TransactionJson;
use sheaf_core::operation::Operation;
use sheaf_core::shape::{RowCounter, Shape};
use sheaf_core::slot::{Context as SlotContext, addresses};
use sheaf_core::trace::{BatchHeader, SlotInput, draft};
use sheaf_core::transaction::{Resolution, Transaction};
use sheaf_core::tree::Tree;
use sheaf_core::types::{AccountId, field_to_bytes};
use sheaf_sequencer::measure::{Checked, Stages};
use std::path::PathBuf;
use std::time::Duration;

/// Options of `sheaf bench stages`.
#[derive(Args, Debug)]
pub struct Options {
    /// Writes the rows as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Transactions of one block.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    block: u32,
    /// Blocks.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    blocks: u32,
    /// Accounts that send and receive.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(2..))]
    accounts: u32,
    /// Slots of a batch; its rows are in proportion.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(16..=256))]
    slots: u32,
    /// Seed of accounts and transactions.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// One line of the result.
#[derive(Clone, Debug, Serialize)]
struct Row {
    stage: &'static str,
    /// CPU time a transaction in this process.
    us: f64,
    /// CPU time a transaction in Postgres.
    postgres_us: f64,
}

/// CPU times by stage, in the order of first use.
#[derive(Default)]
struct Clock(Vec<(&'static str, Duration, Duration)>);

impl Clock {
    fn add(&mut self, stage: &'static str, own: Duration, postgres: Duration) {
        match self.0.iter_mut().find(|(name, ..)| *name == stage) {
            Some((_, sum, postgres_sum)) => (*sum, *postgres_sum) = (*sum + own, *postgres_sum + postgres),
            None => self.0.push((stage, own, postgres)),
        }
    }

    /// Runs `work` on this thread and adds what it takes.
    fn time<T>(&mut self, stage: &'static str, work: impl FnOnce() -> T) -> Result<T> {
        let before = cpu::of_thread()?;
        let result = work();
        self.add(stage, cpu::of_thread()?.saturating_sub(before), Duration::ZERO);
        Ok(result)
    }
}

/// Measures, prints the table, and writes the rows.
///
/// # Errors
/// If a stage refuses what it must take, or the database fails.
pub(crate) async fn run(options: &Options) -> Result<()> {
    // One thread does all of it: its CPU time is then the stage's, also across awaits.
    let options = Options { json: options.json.clone(), ..*options };
    let task = move || -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(measure(&options))
    };
    tokio::task::spawn_blocking(task).await?
}

async fn measure(options: &Options) -> Result<()> {
    let shape = services::shape(options.slots);
    let mut services = Services::database(shape).await?;
    println!("{}; seed {}", services.durability().await?, options.seed);
    let bar = ProgressBar::new(u64::from(options.blocks));
    let count = (options.block * options.blocks) as usize;
    let mut crowd = Crowd::new(0, options.accounts, services::signing_domain(), options.seed);
    let prepared = crowd.prepare(count, 0.0, services::now_s()? + 12 * 60 * 60);
    let mut stages = Stages::open(services.sequencer_config()?).await?;
    services.queue(&crowd).await?;
    stages.execute_l1().await?;
    let mut clock = Clock::default();
    let mut transactions = Vec::with_capacity(count);
    for block in prepared.chunks(options.block as usize) {
        let bodies: Vec<&str> = block.iter().map(|prepared| prepared.json.as_str()).collect();
        let block = front(&mut clock, &bodies)?;
        transactions.extend(block.iter().map(|(transaction, _)| *transaction));
        let checked = block.into_iter().map(|(_, checked)| checked).collect();
        let ordered = clock.time("plan", || stages.order(checked))??;
        ensure!(ordered.len() == bodies.len(), "the mempool kept some back");
        clock.time("execute", || stages.execute(&ordered))??;
        // Looking at Postgres takes time too: outside of what is measured here.
        let postgres = services.postgres_cpu();
        let own = cpu::of_thread()?;
        stages.persist().await?;
        let own = cpu::of_thread()?.saturating_sub(own);
        clock.add("persist", own, services.postgres_cpu().saturating_sub(postgres));
        bar.inc(1);
    }
    bar.finish_and_clear();
    batches(&mut clock, &crowd, &transactions, shape)?;
    drop(stages);
    services.stop().await?;
    finish(&clock, count, options)
}

/// What happens before the driver: JSON, and the signature.
fn front(clock: &mut Clock, bodies: &[&str]) -> Result<Vec<(Transaction, Checked)>> {
    let domain = services::signing_domain();
    let read =
        |body: &&str| -> Result<Transaction> { Ok(serde_json::from_str::<TransactionJson>(body)?.to_transaction(domain)?) };
    let transactions = clock.time("parse", || bodies.iter().map(read).collect::<Result<Vec<_>>>())??;
    let verify = |transaction: &Transaction| -> Result<(Transaction, Checked)> {
        let message = transaction.payload.message(domain);
        transaction.signature.verify(&transaction.public_key, message)?;
        Ok((*transaction, Checked::new(*transaction, field_to_bytes(message), transaction.signed())))
    };
    clock.time("verify", || transactions.iter().map(verify).collect())?
}

/// What the builder does with the same transactions: the tree with its trace, and the commitment.
fn batches(clock: &mut Clock, crowd: &Crowd, transactions: &[Transaction], shape: Shape) -> Result<()> {
    let geometry = Geometry::PROTOCOL;
    let fee_account = AccountId::FIRST;
    let timestamp = services::now_s()?;
    let header = BatchHeader { domain: services::signing_domain(), timestamp, fee_account };
    let ctx = SlotContext { geometry, domain: header.domain, timestamp, fee_account };
    let mut tree = Tree::from_words(geometry, crowd.words(geometry, FUNDS));
    let mut batch: Vec<SlotInput> = Vec::new();
    let mut rows = RowCounter::new(geometry, shape, fee_account);
    // One thread, so that its CPU time is all of it.
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    let mut build = |batch: &[SlotInput], clock: &mut Clock| -> Result<()> {
        let before = cpu::own_exact()?;
        let drafted = one.install(|| draft(&mut tree, shape, header, batch))?;
        let between = cpu::own_exact()?;
        let witness = one.install(|| drafted.commit());
        let bytes = witness.to_bytes();
        ensure!(!bytes.is_empty(), "a witness has bytes");
        clock.add("tree", between.saturating_sub(before), Duration::ZERO);
        clock.add("batch", cpu::own_exact()?.saturating_sub(between), Duration::ZERO);
        Ok(())
    };
    for transaction in transactions {
        let to = crowd.account_of(transaction).context("a transfer among the crowd")?;
        let operation: Operation = transaction.payload.operation(Resolution::Existing(to));
        let addresses = addresses(&ctx, &operation);
        if !rows.try_add(&addresses) {
            build(&batch, clock)?;
            batch.clear();
            rows.clear();
            ensure!(rows.try_add(&addresses), "an empty batch holds any operation");
        }
        batch.push(SlotInput { operation, signature: Some(transaction.slot_signature()) });
    }
    build(&batch, clock)
}

fn finish(clock: &Clock, count: usize, options: &Options) -> Result<()> {
    let us = |time: Duration| time.as_secs_f64() * 1e6 / count as f64;
    let row =
        |(stage, own, postgres): &(&'static str, Duration, Duration)| Row { stage, us: us(*own), postgres_us: us(*postgres) };
    let mut rows: Vec<_> = clock.0.iter().map(row).collect();
    let sum = |rows: &[Row], all: bool| -> (f64, f64) {
        let counted = rows.iter().filter(|row| all || row.stage != "verify");
        counted.fold((0.0, 0.0), |(us, postgres_us), row| (us + row.us, postgres_us + row.postgres_us))
    };
    for (stage, all) in [("all", true), ("all but verify", false)] {
        let (us, postgres_us) = sum(&rows[..clock.0.len()], all);
        rows.push(Row { stage, us, postgres_us });
    }
    let cells = |row: &Row| vec![row.stage.to_owned(), format!("{:.1}", row.us), format!("{:.1}", row.postgres_us)];
    report::table(&["stage", "us", "postgres us"], &rows.iter().map(cells).collect::<Vec<_>>());
    options.json.as_deref().map_or(Ok(()), |path| report::write_json(path, &rows))
}
