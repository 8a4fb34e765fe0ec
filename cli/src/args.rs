//! The command line.

use crate::config::Config;
use crate::{demo, deploy, keys, prover, service, up, verify, wallet};
use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Sheaf: an Ethereum rollup whose batches are proven with Groth16.
#[derive(Debug, Parser)]
#[command(name = "sheaf", version, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Every command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Play the whole path on private services, and check every balance.
    Demo(demo::Options),
    /// Run the whole stack on private services until Ctrl-C, and carry on from there the next time.
    Up(up::Options),
    /// Run the sequencer: takes, orders and executes transactions, and closes batches.
    Sequencer(ServiceOptions),
    /// Run the HTTP API for wallets.
    Api(ServiceOptions),
    /// Run a prover: any number of them share the work.
    Prover(prover::Options),
    /// Run settlement: reads L1, submits proven batches, credits withdrawals.
    Settlement(SettlementOptions),
    /// Make, inspect and verify keys, and take part in a ceremony.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Measure what the parts give on this machine, each beside something else.
    #[command(subcommand)]
    Bench(sheaf_bench::Command),
    /// Put the contract on an L1 chain, and write its address to a file.
    Deploy(deploy::Options),
    /// Check a batch as the contract does: its data, its commitment and its proof, from L1, an API or a file.
    Verify(verify::Options),
    /// One person's keys, and what they do with them.
    Wallet(wallet::WalletArgs),
}

/// What every service takes.
#[derive(Args, Clone, Debug)]
pub struct ServiceOptions {
    /// The configuration file; `docs/sheaf.example.toml` explains it.
    #[arg(long, env = "SHEAF_CONFIG", default_value = "sheaf.toml", value_name = "FILE")]
    pub config: PathBuf,
}

/// What settlement takes.
#[derive(Args, Clone, Debug)]
pub struct SettlementOptions {
    /// The configuration.
    #[command(flatten)]
    pub service: ServiceOptions,
    /// Only read L1: submit and credit nothing, whatever the configuration says.
    #[arg(long)]
    pub watch_only: bool,
}

impl ServiceOptions {
    fn load(&self) -> Result<Config> {
        Config::load(&self.config).context("the configuration is unusable")
    }
}

impl Command {
    /// Does it. The exit status is 0, but for `sheaf verify`, which may have one of its own.
    ///
    /// # Errors
    /// Whatever keeps it from being done; each command's own.
    pub async fn run(self) -> Result<ExitCode> {
        match self {
            Self::Demo(options) => demo::run(options).await?,
            Self::Up(options) => up::run(options).await?,
            Self::Sequencer(o) => service::run("sequencer", o.load()?.sequencer()?, sheaf_sequencer::run).await?,
            Self::Api(o) => service::run("api", o.load()?.api()?, sheaf_api::run).await?,
            Self::Prover(options) => prover::run(options).await?,
            Self::Settlement(o) => {
                let mut config = o.service.load()?.settlement()?;
                config.watch_only |= o.watch_only;
                service::run("settlement", config, sheaf_settlement::run).await?;
            }
            Self::Keys(command) => keys::run(command)?,
            Self::Bench(command) => command.run().await?,
            Self::Deploy(options) => deploy::run(options).await?,
            Self::Verify(options) => return verify::run(options).await,
            Self::Wallet(args) => wallet::run(args).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
