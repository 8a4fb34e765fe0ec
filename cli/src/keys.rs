//! `sheaf keys`: makes and inspects the development keys.
//!
//! Development keys are made from a seed that everybody knows; the contract takes them on a local test chain only.

use alloy::primitives::U256;
use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sheaf_circuits::evm::{g1_words, g2_words};
use sheaf_circuits::golden::Golden;
use sheaf_circuits::keys::{KeySet, Stage};
use sheaf_core::geometry::Geometry;
use sheaf_core::shape::Shape;
use sheaf_devkit::paths;
use sheaf_settlement::deploy::{ShapeWords, VerifyingKeyWords};
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const GEOMETRY: Geometry = Geometry::PROTOCOL;
const SHAPE: Shape = Shape::DEVELOPMENT;

/// What making the keys takes on two cores, in seconds: what is said before anything could be measured.
const EXPECTED_SECONDS: f64 = 20.0;

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make the development keys, unless they are there and fit.
    Generate(GenerateOptions),
    /// Print the circuit's constraint counts, and the hash of the development keys.
    Info(InfoOptions),
}

/// Where keys are kept.
#[derive(Args, Debug)]
pub struct GenerateOptions {
    /// The folder for the key file [default: .sheaf/keys].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// How it is printed.
#[derive(Args, Debug)]
pub struct InfoOptions {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Does it.
///
/// # Errors
/// If a file can't be read or written.
pub fn run(command: Command) -> Result<()> {
    match command {
        Command::Generate(options) => {
            let folder = options.out.unwrap_or_else(paths::keys);
            let keys = load_or_make(&folder)?;
            println!("{}", KeySet::development_path(&folder, GEOMETRY, &SHAPE).display());
            println!("verifying key {}", keys.vk_hash());
            Ok(())
        }
        Command::Info(options) => info(&options),
    }
}

fn info(options: &InfoOptions) -> Result<()> {
    let found = Golden::current();
    if options.json {
        println!("{}", serde_json::to_string_pretty(&found)?);
        return Ok(());
    }
    let Shape { slots, leaf_rows, node_rows, .. } = SHAPE;
    let Golden { counts, vk_hash } = found;
    println!("development shape: {slots} slots, {leaf_rows} leaf rows, {node_rows} node rows");
    println!("constraints of");
    let parts = [("H4", counts.h4), ("a sponge element", counts.sponge_element), ("a slot", counts.slot)];
    let rows = [("a leaf row", counts.leaf_row), ("a node row", counts.node_row), ("the whole circuit", counts.total)];
    for (part, count) in parts.into_iter().chain(rows) {
        println!("  {part:<18} {count:>8}");
    }
    println!("verifying key {vk_hash}");
    Ok(())
}

/// The development keys on disk.
#[derive(Clone, Debug)]
pub struct Development {
    /// Their file.
    pub file: PathBuf,
    /// The verifying key as the contract takes it.
    pub words: (VerifyingKeyWords, ShapeWords),
    /// Constraints of the circuit.
    pub constraints: usize,
}

/// Loads the development keys from their usual place, or makes them.
///
/// # Errors
/// If they can't be saved.
pub async fn ensure() -> Result<Development> {
    tokio::task::spawn_blocking(|| {
        let folder = paths::keys();
        let keys = load_or_make(&folder)?;
        Ok(Development {
            file: std::path::absolute(KeySet::development_path(&folder, GEOMETRY, &SHAPE))?,
            words: words(&keys)?,
            constraints: keys.matrices.row_count(),
        })
    })
    .await?
}

/// The verifying key of a key file as the contract takes it.
///
/// # Errors
/// If the file can't be read, or is for another circuit.
pub fn contract_words(file: &Path) -> Result<(VerifyingKeyWords, ShapeWords)> {
    let keys = KeySet::load(file, GEOMETRY, SHAPE, &mut |_, _| {}).with_context(|| format!("loading {}", file.display()))?;
    words(&keys)
}

fn words(keys: &KeySet) -> Result<(VerifyingKeyWords, ShapeWords)> {
    let key = keys.verifying_key();
    let ic: Vec<U256> = key.gamma_abc_g1.iter().flat_map(g1_words).collect();
    let shared =
        VerifyingKeyWords { alpha: g1_words(&key.alpha_g1), beta: g2_words(&key.beta_g2), gamma: g2_words(&key.gamma_g2) };
    let own = ShapeWords {
        slots: keys.shape.slots.try_into()?,
        delta: g2_words(&key.delta_g2),
        ic: ic.try_into().map_err(|_| anyhow::anyhow!("the circuit must have three public inputs"))?,
    };
    Ok((shared, own))
}

fn load_or_make(folder: &Path) -> Result<KeySet> {
    let mut display = Display::new();
    let keys = KeySet::development(folder, GEOMETRY, SHAPE, &mut |stage, done| display.show(stage, done));
    display.end();
    keys.with_context(|| format!("the development keys in {}", folder.display()))
}

/// Says how far the keys are: a bar on a terminal, else a line now and then. Nothing, if they are only loaded quickly.
struct Display {
    started: Instant,
    last_line: Option<(Stage, Instant)>,
    bar: Option<ProgressBar>,
}

/// How often a line is printed where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(3);

impl Display {
    fn new() -> Self {
        let bar = std::io::stdout().is_terminal().then(|| {
            let style = ProgressStyle::with_template("   {msg:<34} {bar:30} {percent:>3}%  {elapsed} of about {duration}");
            ProgressBar::with_draw_target(Some(1000), ProgressDrawTarget::stdout())
                .with_style(style.expect("the template is well-formed"))
        });
        Self { started: Instant::now(), last_line: None, bar }
    }

    fn show(&mut self, stage: Stage, done: f64) {
        if let Some(bar) = &self.bar {
            bar.set_message(name(stage));
            bar.set_position((done * 1000.0) as u64);
            return;
        }
        // Loading them takes a second or two: only making them is worth a line.
        let making = matches!(stage, Stage::Evaluation | Stage::Points);
        if making && self.last_line.is_none_or(|(last, at)| last != stage || at.elapsed() >= LINE_INTERVAL) {
            let elapsed = self.started.elapsed().as_secs_f64();
            let whole = if done > 0.2 { elapsed / done } else { EXPECTED_SECONDS };
            println!(
                "   making the development keys: {} ({:.0} %, {elapsed:.0} s of about {whole:.0} s)",
                name(stage),
                done * 100.0
            );
            self.last_line = Some((stage, Instant::now()));
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

const fn name(stage: Stage) -> &'static str {
    match stage {
        Stage::Circuit => "building the circuit",
        Stage::Evaluation => "evaluating it at the secret point",
        Stage::Points => "computing curve points",
        Stage::Read => "reading the key file",
    }
}
