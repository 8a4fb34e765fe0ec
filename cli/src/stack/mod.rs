//! The whole stack in one data directory: Postgres, an L1 node, the contract, and the four services as processes of their own.
//!
//! ```text
//! DIR/
//! ├── postgres/ anvil/      data of the private services
//! ├── *.key                 private keys, readable by their owner only
//! ├── deployment.json       what was deployed
//! ├── sheaf.toml            the services' configuration, written at each start
//! └── logs/                 one log a service
//! ```
//!
//! Started again on the same directory, everything carries on where it was.

mod first_start;
mod keys;

pub use first_start::Deployment;
pub use keys::{BANK_KEY, KeyFiles, write_private};

use crate::config::{Chain, Config, Database, L1};
use crate::keys::Development;
use alloy::signers::local::PrivateKeySigner;
use anyhow::{Context, Result, bail, ensure};
use sheaf_circuits::keys::KeyInfo;
use sheaf_core::eddsa::SecretKey;
use sheaf_core::shapes::Shapes;
use sheaf_core::types::field_to_bytes;
use sheaf_devkit::anvil::{Anvil, AnvilOptions, CHAIN_ID};
use sheaf_devkit::http;
use sheaf_devkit::paths;
use sheaf_devkit::postgres::{ClusterOptions, Server};
use sheaf_devkit::service::{Service, ServiceOptions};
use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use toml::Table;

/// How long a service may take until it answers.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// The services, in the order in which they are started.
const SERVICES: [&str; 4] = ["sequencer", "api", "prover", "settlement"];

/// How the stack is run.
#[derive(Clone, Debug)]
pub struct StackOptions {
    /// The data directory.
    pub dir: PathBuf,
    /// The development keys.
    pub keys: Development,
    /// Whether L1 is kept for the next start.
    pub persistent: bool,
    /// Whether settlement submits from the start, or only watches.
    pub settle: bool,
    /// The ports to take for L1 and the API if they are free.
    pub ports: [u16; 2],
    /// How long a batch stays open after its first operation, milliseconds.
    pub batch_timeout_ms: i64,
}

/// A running stack; dropping it stops all of it, what was started last first.
#[derive(Debug)]
pub struct Stack {
    // Dropped in this order.
    services: Vec<Service>,
    anvil: Anvil,
    // Held for its drop.
    _postgres: Server,
    _lock: File,
    api: SocketAddr,
    deployment: Deployment,
    files: KeyFiles,
    dir: PathBuf,
}

impl Stack {
    /// Starts everything, and returns when it answers.
    ///
    /// # Errors
    /// If a service does not start; the text has the end of its log.
    pub async fn start(options: StackOptions, say: impl Fn(&str)) -> Result<Self> {
        let lock = paths::lock(&options.dir)?;
        let StackOptions { dir, persistent, ports, .. } = options.clone();
        let [l1_port, api_port] = ports.map(free_or_any);
        let (anvil, postgres) = tokio::task::spawn_blocking(move || -> Result<_> {
            let postgres = Server::start(&dir.join("postgres"), ClusterOptions::default())?;
            let chain = AnvilOptions { block_time_s: Some(1), port: l1_port, persistent, ..AnvilOptions::default() };
            Ok((Anvil::start(&dir.join("anvil"), &chain)?, postgres))
        })
        .await??;
        say(&format!("L1 (anvil) {}", anvil.url()));
        let files = KeyFiles::load_or_make(&options.dir)?;
        let deployment = Deployment::load_or_make(&options.dir, &anvil.url(), &options.keys, &files).await?;
        say(&format!("the contract {}", deployment.contract));
        let database = postgres.own_database(&options.dir)?;
        let sequencer = SocketAddr::from(([127, 0, 0, 1], http::free_port()));
        let api = SocketAddr::from(([127, 0, 0, 1], api_port));
        let config = configuration(&options, &files, &deployment, anvil.url(), database, [sequencer, api])?;
        keys::write_private(&options.dir.join("sheaf.toml"), toml::to_string(&config)?.as_bytes())?;
        let mut stack =
            Self { services: Vec::new(), anvil, _postgres: postgres, _lock: lock, api, deployment, files, dir: options.dir };
        stack.start_services(options.settle, sequencer).await?;
        say("sequencer, API, prover and settlement run");
        Ok(stack)
    }

    async fn start_services(&mut self, settle: bool, sequencer: SocketAddr) -> Result<()> {
        paths::create(&self.dir.join("logs"))?;
        for name in SERVICES {
            let watch_only: &[&str] = if name == "settlement" && !settle { &["--watch-only"] } else { &[] };
            let service = self.spawn(name, watch_only)?;
            self.services.push(service);
            if name == "sequencer" {
                // The others would complain about tables that it has not made yet.
                self.await_ready(name, move || http::answers(sequencer, "/status")).await?;
            }
        }
        let api = self.api;
        self.await_ready("api", move || http::answers(api, "/v1/health")).await
    }

    async fn await_ready(&mut self, name: &str, ready: impl Fn() -> bool + Copy + Send + 'static) -> Result<()> {
        let since = std::time::Instant::now();
        while !tokio::task::spawn_blocking(ready).await? {
            self.check()?;
            let service = self.services.iter().find(|s| s.name() == name).context("no such service")?;
            ensure!(since.elapsed() < READY_LIMIT, service.failure("does not answer"));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Restarts settlement: to submit and credit, or only to watch.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn settle(&mut self, submit: bool) -> Result<()> {
        let place = self.services.iter().position(|s| s.name() == "settlement").context("settlement never ran")?;
        let mut old = self.services.remove(place);
        let status = tokio::task::spawn_blocking(move || old.stop()).await?;
        ensure!(status.success(), "settlement did not stop cleanly ({status})");
        let arguments: &[&str] = if submit { &[] } else { &["--watch-only"] };
        let service = self.spawn("settlement", arguments)?;
        self.services.push(service);
        Ok(())
    }

    /// Makes sure that every service still runs.
    ///
    /// # Errors
    /// With the end of the log of one that does not.
    pub fn check(&mut self) -> Result<()> {
        for service in self.services.iter_mut().chain([self.anvil.service()]) {
            if let Some(status) = service.exited() {
                bail!(service.failure(format!("ended by itself ({status})")));
            }
        }
        Ok(())
    }

    /// Stops everything, what was started last first, and says when a service had to be killed or failed.
    ///
    /// # Errors
    /// If a service did not end as it should.
    pub fn stop(mut self) -> Result<()> {
        let mut unclean = Vec::new();
        while let Some(mut service) = self.services.pop() {
            let status = service.stop();
            if !status.success() {
                unclean.push(format!("{} ({status})", service.name()));
            }
        }
        self.anvil.stop();
        ensure!(unclean.is_empty(), "did not stop cleanly: {}", unclean.join(", "));
        Ok(())
    }

    fn spawn(&self, name: &str, arguments: &[&str]) -> Result<Service> {
        // This very program, even if its file has been replaced by a newer build meanwhile.
        let mut command = Command::new("/proc/self/exe");
        command.arg0("sheaf").arg(name).arg("--config").arg(self.dir.join("sheaf.toml")).args(arguments);
        // What is meant for the demo must not reach its services.
        command.env_remove(crate::config::DATABASE_URL_VARIABLE).env("NO_COLOR", "1");
        let log = self.dir.join("logs").join(format!("{name}.log"));
        Ok(Service::spawn(name, &mut command, ServiceOptions::new(log))?)
    }

    /// The L1 node's URL.
    pub fn l1_url(&self) -> String {
        self.anvil.url()
    }

    /// The API's URL.
    pub fn api_url(&self) -> String {
        format!("http://{}", self.api)
    }

    /// What was deployed.
    pub const fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// The data directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The operator's L1 key.
    ///
    /// # Errors
    /// If its file is gone.
    pub fn operator_key(&self) -> Result<PrivateKeySigner> {
        sheaf_settlement::read_key(&self.files.operator)
    }

    /// The operator's L2 key.
    ///
    /// # Errors
    /// If its file is gone.
    pub fn operator_l2_key(&self) -> Result<SecretKey> {
        self.files.operator_l2()
    }

    /// The key of an account that the L1 node funds.
    ///
    /// # Panics
    /// Never: the key is a constant.
    pub fn bank_key(&self) -> PrivateKeySigner {
        BANK_KEY.parse().expect("the constant is a key")
    }
}

/// The port if it is free, else any.
fn free_or_any(port: u16) -> u16 {
    match std::net::TcpListener::bind(("127.0.0.1", port)) {
        Ok(_) if port != 0 => port,
        _ => http::free_port(),
    }
}

fn configuration(
    options: &StackOptions,
    files: &KeyFiles,
    deployment: &Deployment,
    rpc_url: String,
    database_url: String,
    [sequencer, api]: [SocketAddr; 2],
) -> Result<Config> {
    let keys = &options.keys.file;
    let KeyInfo { shape, vk_hash, .. } = KeyInfo::read(keys).with_context(|| format!("the keys in {}", keys.display()))?;
    let fee_key_hash = field_to_bytes(files.operator_l2()?.public_key().key_hash()).into();
    Ok(Config {
        database: Database { url: database_url },
        l1: L1 {
            rpc_url,
            chain_id: CHAIN_ID,
            contract: Some(deployment.contract),
            start_block: Some(deployment.block),
            deployment: None,
            confirmations: 1,
        },
        chain: Chain {
            keys: keys.clone(),
            shapes: Shapes::one(shape)?,
            fee_owner: sheaf_settlement::read_key(&files.operator)?.address(),
            fee_key_hash,
        },
        sequencer: toml::toml! {
            minimum_fees = [
                { token = 0, transfer = "10000000000000", transfer_new = "50000000000000", withdraw = "100000000000000" },
                { token = 1, transfer = "100000000000000", transfer_new = "500000000000000", withdraw = "1000000000000000" },
            ]
        }
        .with("listen", sequencer.to_string())
        .with("receipt_key_file", files.receipt.display().to_string())
        .with("batch_timeout_ms", options.batch_timeout_ms),
        api: Table::new().with("listen", api.to_string()),
        prover: toml::toml! { poll_ms = 1000 }.with("verifying_keys", vec![vk_hash.to_string()]),
        settlement: toml::toml! { poll_ms = 300 }
            .with("submit_batches", 4)
            .with("submit_after_seconds", 15)
            .with("operator_key_file", files.operator.display().to_string())
            .with("creditor_key_file", files.creditor.display().to_string()),
        deploy: None,
    })
}

/// A table with one entry more.
trait With {
    fn with(self, key: &str, value: impl Into<toml::Value>) -> Self;
}

impl With for Table {
    fn with(mut self, key: &str, value: impl Into<toml::Value>) -> Self {
        self.insert(key.to_owned(), value.into());
        self
    }
}
