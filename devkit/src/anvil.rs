//! A private L1 node: anvil, the binary of the npm package `@foundry-rs/anvil`.

use crate::service::{Service, ServiceOptions};
use crate::{Error, Result, paths};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The chain id of development nodes.
pub const CHAIN_ID: u64 = 31_337;

/// The words that anvil derives its funded accounts from, at `m/44'/60'/0'/0/<index>`.
pub const MNEMONIC: &str = "test test test test test test test test test test test junk";

const READY_LIMIT: Duration = Duration::from_secs(60);

/// How the node is run.
#[derive(Clone, Debug)]
pub struct AnvilOptions {
    /// Seconds between blocks; without, each transaction makes one.
    pub block_time_s: Option<u64>,
    /// The port to listen on; 0 takes a free one.
    pub port: u16,
    /// How many accounts are funded.
    pub accounts: u16,
    /// Whether the chain is kept in the node's directory and carried on from there.
    pub persistent: bool,
    /// The rules of the chain.
    pub hardfork: &'static str,
}

impl Default for AnvilOptions {
    fn default() -> Self {
        Self { block_time_s: None, port: 0, accounts: 20, persistent: false, hardfork: "osaka" }
    }
}

/// A running node; dropping it stops it.
#[derive(Debug)]
pub struct Anvil {
    service: Service,
    address: SocketAddr,
}

impl Anvil {
    /// Starts a node with its log, and its chain if that is kept, in `dir`.
    ///
    /// # Errors
    /// When the npm packages are not installed, or the node does not start.
    pub fn start(dir: &Path, options: &AnvilOptions) -> Result<Self> {
        paths::create(dir)?;
        let mut command = Command::new(program()?);
        command
            .args(["--host", "127.0.0.1", "--port", &options.port.to_string()])
            .args(["--chain-id", &CHAIN_ID.to_string(), "--mnemonic", MNEMONIC])
            .args(["--accounts", &options.accounts.to_string(), "--hardfork", options.hardfork])
            // A transaction's gas limit as on the main chain (EIP-7825).
            .arg("--enable-tx-gas-limit");
        if let Some(seconds) = options.block_time_s {
            command.args(["--block-time", &seconds.to_string()]);
        }
        if options.persistent {
            command.arg("--state").arg(dir.join("chain.json")).args(["--state-interval", "5"]);
        }
        // Anvil keeps caches in its home.
        command.env("HOME", dir).current_dir(dir);
        let mut service = Service::spawn("anvil", &mut command, ServiceOptions::new(dir.join("anvil.log")))?;
        let port = service.wait_until(READY_LIMIT, |service| listening_port(&service.logged()))?;
        Ok(Self { service, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)) })
    }

    /// Returns the URL of its JSON-RPC.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the process behind it.
    pub fn service(&mut self) -> &mut Service {
        &mut self.service
    }

    /// Stops it; a persistent one writes its chain down first.
    pub fn stop(&mut self) {
        self.service.stop();
    }
}

/// Finds anvil's own binary, not the script that npm puts before it: signals have to reach it.
fn program() -> Result<PathBuf> {
    let architecture = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "amd64",
    };
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let package = format!("node_modules/@foundry-rs/anvil-{system}-{architecture}/bin/anvil");
    let path = paths::repository().join(package);
    if path.is_file() {
        return Ok(path);
    }
    Err(Error::Missing { program: "anvil", advice: "run `npm ci` in the repository, or `make demo`, which does so" })
}

/// Reads the port from the line that anvil logs once it takes requests.
fn listening_port(log: &str) -> Option<u16> {
    let complete = &log[..log.rfind('\n')?];
    let line = complete.lines().find_map(|line| line.strip_prefix("Listening on "))?;
    line.trim().rsplit(':').next()?.parse().ok()
}
