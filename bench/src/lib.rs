//! What Sheaf's parts really give on the machine at hand. Every published figure comes from here.
//!
//! ```text
//!  sheaf bench execute ──▶ execute: the executor against the sequential loop, Block-STM and locks
//!  sheaf bench load    ──▶ load:    the whole sequencer over HTTP, at rates that the generator sets
//!  sheaf bench prove   ──▶ prove:   Groth16 proofs of a batch, against the stock prover
//!  sheaf bench stages  ──▶ stages:  CPU time a transaction, stage by stage
//! ```
//!
//! Claims are ratios against something else that was measured in the same run. Seeds are printed.

mod cpu;
mod execute;
mod load;
mod people;
mod prove;
mod report;
mod services;
mod shape_name;
mod stages;

pub use shape_name::ShapeName;

use clap::Subcommand;

/// What to measure.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// The parallel executor, signatures apart, against the sequential loop and the field's two usual ways.
    Execute(execute::Options),
    /// The whole path from HTTP to a durable block, at rates that a separate generator sets.
    Load(load::Options),
    /// Proving a batch, against the stock prover on the same keys, values and threads.
    Prove(prove::Options),
    /// The CPU time that a transaction takes in each stage.
    Stages(stages::Options),
}

impl Command {
    /// Measures, shows progress and a table, and writes the rows as JSON if asked to.
    ///
    /// # Errors
    /// If a measurement can't be made, or gives a wrong result.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Execute(options) => tokio::task::spawn_blocking(move || execute::run(&options)).await?,
            Self::Load(options) => load::run(&options).await,
            Self::Prove(options) => tokio::task::spawn_blocking(move || prove::run(&options)).await?,
            Self::Stages(options) => stages::run(&options).await,
        }
    }
}
