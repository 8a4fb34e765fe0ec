//! `sheaf bench execute`: what parallel execution gives, at every contention.
//!
//! All of them run `core`'s slot function and give every operation's ports or refusal. Signatures are taken as verified. Each
//! round runs every way once, one after the other, from the same state, and the loop right before each of them; the figures are
//! the medians of the rounds, the ratios those of the rounds' ratios. So a machine that is slower for a while slows both sides.

mod baseline;
mod locks;
mod optimistic;
mod scheduler;
mod workload;

use crate::report;
use baseline::Results;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use locks::Locks;
use serde::Serialize;
use sheaf_core::F;
use sheaf_core::slot::{PORTS, Port, SlotError};
use sheaf_executor::{Choice, Executor, Path};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use workload::{Distribution, Workload};

/// Options of `sheaf bench execute`.
#[derive(Args, Debug)]
pub struct Options {
    /// Writes the rows as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Operations of one block.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    block: u32,
    /// Blocks of one round.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    blocks: u32,
    /// Rounds; the medians are reported.
    #[arg(long, default_value_t = 11, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Leaves out the cases with more accounts.
    #[arg(long, default_value_t = 1_000_000)]
    accounts_max: u32,
    /// Threads at most; all cores if not given.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    threads: Option<u32>,
    /// Seed of the accounts and operations.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// One line of the result.
#[derive(Clone, Debug, Serialize)]
struct Row {
    accounts: u32,
    distribution: &'static str,
    threads: usize,
    /// What ran: `sequential` or `parallel` (what the executor chose by itself for most), `block_stm`, `locks`.
    path: &'static str,
    /// How it was asked for: `loop` (the production fallback, the base of the ratios), `sheaf`, `block_stm`, `locks`.
    executor: &'static str,
    tps: f64,
    ratio_to_sequential: f64,
}

/// The cases, in the order of the table.
const CASES: [(u32, Distribution); 13] = [
    (2, Distribution::Uniform),
    (10, Distribution::Uniform),
    (100, Distribution::Uniform),
    (1_000, Distribution::Uniform),
    (1_000, Distribution::Zipf),
    (100_000, Distribution::Uniform),
    (100_000, Distribution::Zipf),
    (100_000, Distribution::HotReceiver),
    (100_000, Distribution::Chain),
    (100_000, Distribution::Failing),
    (1_000_000, Distribution::Uniform),
    (1_000_000, Distribution::Zipf),
    (1_000_000, Distribution::HotReceiver),
];

/// One way of executing, with a number of threads.
enum Contender {
    Sheaf { executor: Box<Executor>, choice: Choice, threads: usize },
    BlockStm(rayon::ThreadPool),
    Locks(rayon::ThreadPool),
}

/// What a round of one contender gave.
struct Round {
    time: Duration,
    path: &'static str,
    digest: Digest,
}

/// What the results of a round come to, weighted by their places: equal for all contenders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Digest {
    sum: F,
    place: u64,
    refused: usize,
}

impl Digest {
    fn add(&mut self, result: Result<&[Port; PORTS], SlotError>) {
        self.place += 1;
        match result {
            Ok(ports) => {
                let values: F = ports.iter().map(|port| port.old + port.new + port.new).sum();
                self.sum += F::from(self.place) * values;
            }
            Err(_) => self.refused += 1,
        }
    }
}

fn pool(threads: usize) -> anyhow::Result<rayon::ThreadPool> {
    Ok(rayon::ThreadPoolBuilder::new().num_threads(threads).build()?)
}

impl Contender {
    /// The sequential loop first: the others' ratios are to it.
    fn all(threads_max: usize) -> anyhow::Result<Vec<Self>> {
        let sheaf = |threads, choice| Self::Sheaf { executor: Box::new(Executor::new(threads)), choice, threads };
        let mut all = vec![sheaf(1, Choice::Force(Path::Sequential))];
        all.extend((1..=threads_max).map(|threads| sheaf(threads, Choice::Auto)));
        all.extend([Self::BlockStm(pool(threads_max)?), Self::Locks(pool(threads_max)?)]);
        Ok(all)
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::Sheaf { choice: Choice::Auto, .. } => "sheaf",
            Self::Sheaf { .. } => "loop",
            Self::BlockStm(_) => "block_stm",
            Self::Locks(_) => "locks",
        }
    }

    fn threads(&self) -> usize {
        match self {
            Self::Sheaf { threads, .. } => *threads,
            Self::BlockStm(pool) | Self::Locks(pool) => pool.current_num_threads(),
        }
    }

    /// Executes all blocks from the first state; with `check`, also sums up the results, which is not timed.
    fn run(&mut self, workload: &mut Workload, check: bool) -> Round {
        workload.reset();
        let Workload { context, words, blocks, accounts, .. } = workload;
        let mut round = Round { time: Duration::ZERO, path: self.name(), digest: Digest::default() };
        let mut locks = Locks::new(*accounts as usize + 2);
        let mut in_parallel = 0;
        for jobs in blocks {
            let start = Instant::now();
            let results: Results = match self {
                Self::Sheaf { executor, choice, .. } => {
                    let outcome = executor.execute(context, words, jobs, *choice);
                    round.time += start.elapsed();
                    in_parallel += outcome.statistics().parallel;
                    if check {
                        outcome.iter().for_each(|result| round.digest.add(result));
                    }
                    executor.recycle(outcome);
                    continue;
                }
                Self::BlockStm(pool) => optimistic::execute(pool, context, words, jobs),
                Self::Locks(pool) => locks::execute(pool, &mut locks, context, words, jobs),
            };
            round.time += start.elapsed();
            if check {
                results.iter().for_each(|result| round.digest.add(result.as_ref().map_err(|error| *error)));
            }
        }
        if matches!(self, Self::Sheaf { .. }) {
            round.path = if 2 * in_parallel > workload.operations() { "parallel" } else { "sequential" };
        }
        round
    }
}

/// What the rounds of one contender gave.
#[derive(Clone, Debug, Default)]
struct Speeds {
    tps: Vec<f64>,
    /// To the loop right before.
    ratios: Vec<f64>,
}

/// Measures one case; the first round checks that all results are the same, and is not counted.
fn measure(case: (u32, Distribution), options: &Options, threads_max: usize, bar: &ProgressBar) -> anyhow::Result<Vec<Row>> {
    let (accounts, distribution) = case;
    bar.set_message(format!("{accounts} accounts, {}", distribution.name()));
    let mut workload = Workload::new(accounts, distribution, options.blocks as usize, options.block as usize, options.seed);
    let mut contenders = Contender::all(threads_max)?;
    let mut speeds = vec![Speeds::default(); contenders.len()];
    let mut paths = vec![""; contenders.len()];
    let mut expected = None;
    for round in 0..=options.rounds {
        let check = round == 0;
        for i in 0..contenders.len() {
            let base = contenders[0].run(&mut workload, false).time;
            let Round { time, path, digest } = contenders[i].run(&mut workload, check);
            paths[i] = path;
            if check {
                let same = *expected.get_or_insert(digest) == digest;
                anyhow::ensure!(same, "{} gives another result than the loop (seed {})", contenders[i].name(), options.seed);
            } else {
                speeds[i].tps.push(workload.operations() as f64 / time.as_secs_f64());
                speeds[i].ratios.push(base.as_secs_f64() / time.as_secs_f64());
            }
            bar.inc(1);
        }
    }
    let row = |((contender, path), speeds): ((&Contender, &'static str), &mut Speeds)| Row {
        accounts,
        distribution: distribution.name(),
        threads: contender.threads(),
        path,
        executor: contender.name(),
        tps: report::median(&mut speeds.tps),
        ratio_to_sequential: report::median(&mut speeds.ratios),
    };
    Ok(contenders.iter().zip(paths).zip(&mut speeds).map(row).collect())
}

/// Measures, prints the table, and writes the rows.
///
/// # Errors
/// If two ways of executing give different results, or the file can't be written.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let cores = std::thread::available_parallelism()?.get();
    let threads_max = options.threads.map_or(cores, |threads| threads as usize);
    let Options { block, blocks, rounds, seed, .. } = options;
    println!("{blocks} blocks of {block} operations, {rounds} rounds, seed {seed}, {cores} cores");
    let cases: Vec<_> = CASES.into_iter().filter(|(accounts, _)| *accounts <= options.accounts_max).collect();
    let steps = cases.len() * (threads_max + 3) * (*rounds as usize + 1);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}, {eta} left")?;
    let bar = ProgressBar::new(steps as u64).with_style(style);
    let mut rows = Vec::new();
    for case in cases {
        rows.extend(measure(case, options, threads_max, &bar)?);
    }
    bar.finish_and_clear();
    let cells = |row: &Row| {
        vec![
            report::thousands(row.accounts.into()),
            row.distribution.to_owned(),
            row.executor.to_owned(),
            row.threads.to_string(),
            row.path.to_owned(),
            report::thousands(row.tps),
            format!("{:.2}", row.ratio_to_sequential),
        ]
    };
    let titles = ["accounts", "distribution", "executor", "threads", "path", "tps", "ratio"];
    report::table(&titles, &rows.iter().map(cells).collect::<Vec<_>>());
    options.json.as_deref().map_or(Ok(()), |path| report::write_json(path, &rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_gives_the_same_results() {
        let seed = 7;
        let options = Options { json: None, block: 700, blocks: 3, rounds: 1, accounts_max: 0, threads: Some(3), seed };
        for accounts in [2, 3, 50, 2_000] {
            for distribution in
                [Distribution::Uniform, Distribution::Zipf, Distribution::HotReceiver, Distribution::Chain, Distribution::Failing]
            {
                // It compares the results itself.
                let rows = measure((accounts, distribution), &options, 3, &ProgressBar::hidden()).unwrap();
                assert_eq!(rows.len(), 6);
                assert!(rows.iter().all(|row| row.tps > 0.0));
            }
        }
    }

    #[test]
    fn a_result_that_differs_is_noticed() {
        let mut workload = Workload::new(50, Distribution::Failing, 1, 200, 7);
        let mut contender = Contender::all(1).unwrap().remove(0);
        let honest = contender.run(&mut workload, true).digest;
        assert!(honest.refused > 0 && honest.place == 200);
        workload.blocks[0].swap(0, 1);
        assert_ne!(contender.run(&mut workload, true).digest, honest);
    }
}
