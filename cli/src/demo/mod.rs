//! `sheaf demo`: the whole path on private services, through the public interfaces only.
//!
//! ```text
//!  plan ─▶ scenario ──HTTP──▶ API          L1 ◀──transactions── scenario
//!             │ what it sent                 │ receipts (gas)
//!             ▼                              ▼
//!           tally ───────────▶ checks ◀── balances found on both layers ──▶ report
//! ```
//!
//! Start at [`scenario`]; what must be true is in [`tally`], and nothing that a service answers enters it.

pub mod checks;
pub mod claims;
pub mod deposits;
pub mod l1;
pub mod l2;
pub mod people;
pub mod plan;
pub mod progress;
pub mod report;
pub mod rescue;
pub mod scenario;
pub mod settling;
pub mod snarkjs;
pub mod tally;
pub mod tamper;
pub mod transfers;
pub mod world;

use crate::stack::{Stack, StackOptions};
use crate::{keys, service};
use anyhow::{Context, Result, bail};
use clap::Args;
use progress::Progress;
use report::{Circuit, Report};
use sheaf_core::shape::Shape;
use sheaf_devkit::paths;
use std::path::{Path, PathBuf};
use world::World;

/// The last line of a run in which everything was as it must be.
pub const ALL_CHECKS_HELD: &str = "demo: all checks held";

/// How the demo is run.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Write what was measured and checked to this file.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// The same scenario in smaller counts.
    #[arg(long)]
    pub quick: bool,
    /// What the choice of transfers is made from.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    pub seed: u64,
}

/// Plays the demo; nothing that it started is left running.
///
/// # Errors
/// If the scenario could not be played, or a check did not hold.
pub async fn run(options: Options) -> Result<()> {
    let stop = service::stop_signal()?;
    let dir = paths::fresh_demo()?;
    let outcome = tokio::select! {
        outcome = play(&options, &dir) => outcome,
        () = stop => Err(anyhow::anyhow!("interrupted")),
    };
    let report = outcome.with_context(|| format!("the demo failed; logs are in {}", dir.display()))?;
    print!("{}", report.summary());
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_vec_pretty(&report)?).with_context(|| format!("writing {}", file.display()))?;
    }
    let failed: Vec<_> = report.checks.iter().filter(|c| !c.held).map(|c| format!("{} ({})", c.name, c.detail)).collect();
    if !report.passed {
        bail!(
            "{} of {} checks failed; logs are in {}\n  {}",
            failed.len(),
            report.checks.len(),
            dir.display(),
            failed.join("\n  ")
        );
    }
    std::fs::remove_dir_all(&dir).with_context(|| format!("removing {}", dir.display()))?;
    println!("\n{ALL_CHECKS_HELD}");
    Ok(())
}

/// Starts the stack, plays the scenario, stops the stack.
async fn play(options: &Options, dir: &Path) -> Result<Report> {
    let mut progress = Progress::new(scenario::STEPS + 3);
    progress.step("Development keys");
    let keys = keys::ensure().await?;
    let Shape { slots, leaf_rows, node_rows, .. } = Shape::DEVELOPMENT;
    progress.report.circuit = Circuit { slots, leaf_rows, node_rows, constraints: keys.constraints };

    progress.step("Postgres, an L1 node, the contract, and Sheaf's four processes");
    let stack =
        StackOptions { dir: dir.to_owned(), keys, persistent: false, settle: false, ports: [0, 0], batch_timeout_ms: 6_000 };
    let stack = Stack::start(stack, |text| progress.say(text)).await?;
    progress.say(&format!("API {}", stack.api_url()));

    let mut world = World::new(stack, options, progress).await?;
    scenario::play(&mut world).await?;
    let World { stack, mut progress, .. } = world;
    progress.step("Everything stops");
    let stopped = tokio::task::spawn_blocking(move || stack.stop()).await?;
    let detail = stopped.as_ref().map_or_else(|error| error.to_string(), |()| String::new());
    progress.check("every process stops cleanly when told to", stopped.is_ok(), detail);
    Ok(std::mem::take(progress.finish()))
}
