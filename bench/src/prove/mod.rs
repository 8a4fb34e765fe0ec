//! `sheaf bench prove`: how fast a batch is proven, against the stock prover.
//!
//! All provers get the same keys, the same assignment, the same blinding and the same number of threads, so they must give the
//! same proof, to the bit; it is verified. Counted is the way from the assignment to the proof. The witness, which is the same
//! work for all, is counted apart, and so is `stock`'s advantage: it is given all values, and only has to lay out the circuit
//! again. Each round runs every prover once; figures are the medians of the rounds, ratios those of the rounds' ratios.

mod batches;
mod contenders;

use crate::{ShapeName, cpu, report};
use anyhow::{Context, Result, ensure};
use batches::Accounts;
use clap::Args;
use contenders::Prover;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use sheaf_circuits::groth16::{sum_of_products, sum_of_random_products};
use sheaf_circuits::keys::KeySet;
use sheaf_circuits::prove::{Blinding, assignment, prove, verify};
use sheaf_core::geometry::Geometry;
use sheaf_core::shape::Shape;
use sheaf_core::trace::BatchWitness;
use sheaf_devkit::paths;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

/// Options of `sheaf bench prove`.
#[derive(Args, Debug)]
pub struct Options {
    /// Writes the rows as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Size of the batch.
    #[arg(long, value_enum, default_value_t)]
    shape: ShapeName,
    /// Provers to compare.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Prover::ALL)]
    provers: Vec<Prover>,
    /// Rounds; the medians are reported.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Threads of each prover; all cores if not given.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    threads: Option<u32>,
    /// Seed of accounts and transfers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Compares the provers only: no parts, no other batches. For the large shape, of which each takes minutes.
    #[arg(long)]
    brief: bool,
}

/// One line of the result.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Row {
    /// A prover on the same batch.
    Prover {
        prover: &'static str,
        threads: usize,
        constraints: usize,
        seconds: f64,
        /// Of all threads together.
        cpu_seconds: f64,
        us_per_constraint: f64,
        ratio_to_stock: Option<f64>,
        ratio_to_stock_matrices: Option<f64>,
        /// The most that the process held, keys and matrices included.
        memory_bytes_max: u64,
    },
    /// A part of Sheaf's proving, run alone.
    Part { part: &'static str, seconds: f64, cpu_seconds: f64 },
    /// A whole batch, from its witness to the verified proof.
    Batch { accounts: &'static str, transactions: usize, seconds: f64, ms_per_transaction: f64 },
}

/// Loads the development keys, or makes them.
fn keys(shape: Shape) -> Result<KeySet> {
    let style = ProgressStyle::with_template("{bar:30} keys: {msg}, {elapsed}")?;
    let bar = ProgressBar::new(1_000).with_style(style);
    let directory = paths::keys();
    std::fs::create_dir_all(&directory).with_context(|| format!("creating {}", directory.display()))?;
    let keys = KeySet::development(&directory, Geometry::PROTOCOL, shape, &mut |stage, done| {
        bar.set_message(format!("{stage:?}").to_lowercase());
        bar.set_position((done * 1_000.0) as u64);
    })?;
    bar.finish_and_clear();
    Ok(keys)
}

/// Runs every prover on one batch in each round.
fn compare(keys: &KeySet, witness: &BatchWitness, options: &Options, threads: usize, bar: &ProgressBar) -> Result<Vec<Row>> {
    let values = assignment(witness);
    let public = witness.public_inputs();
    let provers = &options.provers;
    // By prover, then by round.
    let mut seconds = vec![Vec::new(); provers.len()];
    let mut cpu_seconds = vec![Vec::new(); provers.len()];
    let mut memory = vec![0; provers.len()];
    for round in 0..options.rounds {
        let blinding = Blinding::from_seed([round as u8; 32]);
        let mut expected = None;
        for (i, prover) in provers.iter().enumerate() {
            bar.set_message(prover.name());
            let (proof, run) = prover.run(keys, witness, &values, blinding)?;
            ensure!(verify(keys.verifying_key(), &public, &proof), "the proof of {} does not verify", prover.name());
            let same = expected.get_or_insert_with(|| proof.clone()) == &proof;
            ensure!(same, "{} makes another proof than {}", prover.name(), provers[0].name());
            seconds[i].push(run.time.as_secs_f64());
            cpu_seconds[i].push(run.cpu.as_secs_f64());
            memory[i] = memory[i].max(run.memory_bytes_max);
            bar.inc(1);
        }
    }
    let ratio = |i: usize, base: Prover| -> Option<f64> {
        let base = provers.iter().position(|prover| *prover == base)?;
        Some(report::median(&mut seconds[base].iter().zip(&seconds[i]).map(|(base, own)| base / own).collect::<Vec<_>>()))
    };
    let constraints = keys.matrices.row_count();
    let row = |(i, prover): (usize, &Prover)| {
        let median = report::median(&mut seconds[i].clone());
        Row::Prover {
            prover: prover.name(),
            threads,
            constraints,
            seconds: median,
            cpu_seconds: report::median(&mut cpu_seconds[i].clone()),
            us_per_constraint: median * 1e6 / constraints as f64,
            ratio_to_stock: ratio(i, Prover::Stock),
            ratio_to_stock_matrices: ratio(i, Prover::StockMatrices),
            memory_bytes_max: memory[i],
        }
    };
    Ok(provers.iter().enumerate().map(row).collect())
}

/// Runs the parts of Sheaf's proving one after the other.
fn parts(keys: &KeySet, witness: &BatchWitness, rounds: u32, bar: &ProgressBar) -> Result<Vec<Row>> {
    let KeySet { proving_key: key, matrices, quotient, .. } = keys;
    let values = assignment(witness);
    let h = quotient.coefficients(matrices, &values);
    let private = &values[matrices.input_count..];
    // The quotient's coefficients are one more than its bases.
    let h = &h[..key.h_query.len()];
    let works: [(&'static str, &dyn Fn()); 8] = [
        ("witness", &|| _ = black_box(assignment(witness))),
        ("rows checked", &|| _ = black_box(matrices.first_failure(&values))),
        ("quotient", &|| _ = black_box(quotient.coefficients(matrices, &values))),
        ("msm a", &|| _ = black_box(sum_of_products(&key.a_query, &values))),
        ("msm b in G1", &|| _ = black_box(sum_of_products(&key.b_g1_query, &values))),
        ("msm b in G2", &|| _ = black_box(sum_of_products(&key.b_g2_query, &values))),
        ("msm l", &|| _ = black_box(sum_of_products(&key.l_query, private))),
        ("msm h", &|| _ = black_box(sum_of_random_products(&key.h_query, h))),
    ];
    let part = |(part, work): (&'static str, &dyn Fn())| {
        bar.set_message(part);
        let time = || -> Result<(f64, f64)> {
            let (before, started) = (cpu::own_exact()?, Instant::now());
            work();
            Ok((started.elapsed().as_secs_f64(), (cpu::own_exact()? - before).as_secs_f64()))
        };
        let (mut seconds, mut cpu_seconds): (Vec<f64>, Vec<f64>) =
            (0..rounds).map(|_| time()).collect::<Result<Vec<_>>>()?.into_iter().unzip();
        bar.inc(1);
        Ok(Row::Part { part, seconds: report::median(&mut seconds), cpu_seconds: report::median(&mut cpu_seconds) })
    };
    works.into_iter().map(part).collect()
}

/// Proves a batch of each kind as the prover does.
fn batches(keys: &KeySet, options: &Options, bar: &ProgressBar) -> Result<Vec<Row>> {
    let batch = |accounts: Accounts| {
        bar.set_message(accounts.name());
        let (witness, transactions) = batches::batch(keys.shape, accounts, options.seed)?;
        let mut seconds = Vec::new();
        for round in 0..options.rounds {
            let started = Instant::now();
            prove(keys, &witness, Blinding::from_seed([round as u8; 32]))?;
            seconds.push(started.elapsed().as_secs_f64());
        }
        bar.inc(1);
        let seconds = report::median(&mut seconds);
        let ms_per_transaction = seconds * 1e3 / transactions as f64;
        Ok(Row::Batch { accounts: accounts.name(), transactions, seconds, ms_per_transaction })
    };
    [Accounts::Distinct, Accounts::Zipf, Accounts::Hot].into_iter().map(batch).collect()
}

fn show(rows: &[Row]) {
    let ratio = |ratio: &Option<f64>| ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
    let (mut provers, mut parts, mut batches) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        match row {
            Row::Prover {
                prover,
                seconds,
                cpu_seconds,
                us_per_constraint,
                ratio_to_stock,
                ratio_to_stock_matrices,
                memory_bytes_max,
                ..
            } => {
                let (seconds, us) = (format!("{seconds:.2}"), format!("{us_per_constraint:.2}"));
                let memory = format!("{:.2}", *memory_bytes_max as f64 / f64::from(1 << 30));
                provers.push(vec![
                    (*prover).to_owned(),
                    seconds,
                    format!("{cpu_seconds:.2}"),
                    us,
                    ratio(ratio_to_stock),
                    ratio(ratio_to_stock_matrices),
                    memory,
                ]);
            }
            Row::Part { part, seconds, cpu_seconds } => {
                parts.push(vec![(*part).to_owned(), format!("{seconds:.3}"), format!("{cpu_seconds:.3}")]);
            }
            Row::Batch { accounts, transactions, seconds, ms_per_transaction } => {
                let (seconds, ms) = (format!("{seconds:.2}"), format!("{ms_per_transaction:.1}"));
                batches.push(vec![(*accounts).to_owned(), transactions.to_string(), seconds, ms]);
            }
        }
    }
    report::table(&["prover", "seconds", "CPU seconds", "us/constraint", "ratio to stock", "to stock_matrices", "GiB"], &provers);
    if !parts.is_empty() {
        println!();
        report::table(&["part", "seconds", "CPU seconds"], &parts);
    }
    if !batches.is_empty() {
        println!();
        report::table(&["accounts", "transactions", "seconds", "ms/transaction"], &batches);
    }
}

/// Measures, prints the tables, and writes the rows.
///
/// # Errors
/// If a proof does not verify, provers make different proofs, or keys or the file can't be written.
pub(crate) fn run(options: &Options) -> Result<()> {
    let cores = std::thread::available_parallelism()?.get();
    let threads = options.threads.map_or(cores, |threads| threads as usize);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let shape = options.shape.shape();
    let keys = keys(shape)?;
    let constraints = report::thousands(keys.matrices.row_count() as f64);
    println!("{constraints} constraints, {} slots, {} rounds, seed {}", shape.slots, options.rounds, options.seed);
    println!("{threads} threads, {cores} cores");
    let steps = options.provers.len() * options.rounds as usize + if options.brief { 0 } else { 8 + 3 };
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}, {eta} left")?;
    let bar = ProgressBar::new(steps as u64).with_style(style);
    let rows = pool.install(|| -> Result<Vec<Row>> {
        let (witness, _) = batches::batch(shape, Accounts::Distinct, options.seed)?;
        let mut rows = compare(&keys, &witness, options, threads, &bar)?;
        if !options.brief {
            rows.extend(parts(&keys, &witness, options.rounds, &bar)?);
            rows.extend(batches(&keys, options, &bar)?);
        }
        Ok(rows)
    })?;
    bar.finish_and_clear();
    show(&rows);
    options.json.as_deref().map_or(Ok(()), |path| report::write_json(path, &rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prover_makes_the_same_proof() {
        let shape = Shape { id: 9, slots: 1, leaf_rows: 6, node_rows: 71 };
        let keys = KeySet::generate_development(Geometry::PROTOCOL, shape, &mut |_, _| ());
        let provers = Prover::ALL.to_vec();
        let options =
            Options { json: None, shape: ShapeName::Development, provers, rounds: 1, threads: None, seed: 1, brief: true };
        let (witness, transactions) = batches::batch(shape, Accounts::Distinct, 1).unwrap();
        assert_eq!(transactions, 1);
        // It compares and verifies them itself.
        let rows = compare(&keys, &witness, &options, 1, &ProgressBar::hidden()).unwrap();
        assert_eq!(rows.len(), 4);
        for row in rows {
            let Row::Prover { seconds, ratio_to_stock, memory_bytes_max, .. } = row else { panic!("{row:?}") };
            assert!(seconds > 0.0 && ratio_to_stock.unwrap() > 0.0 && memory_bytes_max > 1 << 20);
        }
    }
}
