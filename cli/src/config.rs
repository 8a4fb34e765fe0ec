//! The one file that tells every process what it needs: `sheaf.toml`.
//!
//! What several processes need stands once, in `[database]`, `[l1]` and `[chain]`; `[sequencer]`, `[api]`, `[prover]` and
//! `[settlement]` hold what is theirs alone, `[deploy]` what `sheaf deploy` takes. A service's own `Config` is its section with
//! the shared values added. `docs/sheaf.example.toml` documents every key.

use crate::deployment::DeploymentFile;
use alloy::primitives::{Address, B256};
use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sheaf_core::shape::Shape;
use sheaf_core::shapes::Shapes;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The environment variable that replaces `[database] url`, so that a password need not stand in a file.
pub const DATABASE_URL_VARIABLE: &str = "SHEAF_DATABASE_URL";

/// The whole file.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the state is kept.
    pub database: Database,
    /// Where the contract is.
    pub l1: L1,
    /// What was fixed when the contract was made.
    pub chain: Chain,
    /// The sequencer's own section.
    #[serde(default)]
    pub sequencer: Table,
    /// The API's own section.
    #[serde(default)]
    pub api: Table,
    /// The prover's own section.
    #[serde(default)]
    pub prover: Table,
    /// Settlement's own section.
    #[serde(default)]
    pub settlement: Table,
    /// What `sheaf deploy` takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploy: Option<DeploySection>,
}

/// `[database]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// A `postgres://` URL.
    pub url: String,
}

/// `[l1]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct L1 {
    /// JSON-RPC of an L1 node.
    pub rpc_url: String,
    /// The chain's id.
    pub chain_id: u64,
    /// Sheaf's contract; needed unless `deployment` says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<Address>,
    /// The block in which the contract was deployed, or one before; 0 unless `deployment` says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_block: Option<u64>,
    /// The file in which `sheaf deploy` writes both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<PathBuf>,
    /// How many blocks must follow a block before what is in it counts.
    pub confirmations: u64,
}

/// `[chain]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Chain {
    /// A file with proving keys, or a folder of them.
    pub keys: PathBuf,
    /// The sizes that a batch can have: the contract's shapes, in its order.
    #[serde(default = "development")]
    pub shapes: Shapes,
    /// The L1 address that owns the operator's account (index 1), which gets the fees.
    pub fee_owner: Address,
    /// The key hash of the operator's account.
    pub fee_key_hash: B256,
}

/// `[deploy]`: what `sheaf deploy` takes besides the shared values, unless a flag says otherwise.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DeploySection {
    /// File with the private key that pays, and becomes the contract's admin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin_key_file: Option<PathBuf>,
    /// Who submits batches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<Address>,
    /// What an entry of the queue costs, in wei.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue_fee_wei: Option<u64>,
    /// The hash that the keys' ceremony transcripts must have together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<B256>,
    /// ERC-20s to list, in this order.
    #[serde(default)]
    pub tokens: Vec<Address>,
}

impl L1 {
    /// The contract, and the block in which it was deployed.
    ///
    /// # Errors
    /// If neither is said, or twice, or the deployment's file can't be read or is of another chain.
    fn place(&self) -> Result<(Address, u64)> {
        let Some(file) = &self.deployment else {
            return Ok((
                self.contract.context("in [l1]: missing field `contract`, or `deployment`")?,
                self.start_block.unwrap_or(0),
            ));
        };
        if self.contract.is_some() || self.start_block.is_some() {
            bail!("in [l1]: `deployment` says `contract` and `start_block`: give either");
        }
        let deployed = DeploymentFile::read(file)?;
        if deployed.chain_id != self.chain_id {
            bail!("{} is of chain {}, [l1] of chain {}", file.display(), deployed.chain_id, self.chain_id);
        }
        Ok((deployed.contract, deployed.start_block))
    }
}

fn development() -> Shapes {
    Shapes::one(Shape::DEVELOPMENT).expect("its id is 0")
}

impl Config {
    /// Reads the file; `SHEAF_DATABASE_URL` goes before what it says.
    ///
    /// # Errors
    /// If it can't be read, or has a key that is not known.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let mut config = Self::parse(&text).with_context(|| format!("in {}", path.display()))?;
        if let Ok(url) = std::env::var(DATABASE_URL_VARIABLE) {
            config.database.url = url;
        }
        Ok(config)
    }

    /// Reads the file's text.
    ///
    /// # Errors
    /// If it is no TOML, or has a key that is not known.
    pub fn parse(text: &str) -> Result<Self> {
        Ok(toml::from_str(text)?)
    }

    /// What the sequencer runs with.
    ///
    /// # Errors
    /// If `[sequencer]` lacks a key or has one too many.
    pub fn sequencer(&self) -> Result<sheaf_sequencer::Config> {
        let shared = [
            ("database_url", value(&self.database.url)?),
            ("chain_id", value(self.l1.chain_id)?),
            ("contract", value(self.l1.place()?.0)?),
            ("shapes", value(&self.chain.shapes)?),
            ("fee_owner", value(self.chain.fee_owner)?),
            ("fee_key_hash", value(self.chain.fee_key_hash)?),
        ];
        merged("sequencer", &self.sequencer, shared)
    }

    /// What the API runs with.
    ///
    /// # Errors
    /// If `[api]` lacks a key or has one too many.
    pub fn api(&self) -> Result<sheaf_api::Config> {
        let mut section = self.api.clone();
        // One sequencer, on the same machine, unless others are named.
        if !section.contains_key("sequencer_urls") {
            let listen =
                self.sequencer.get("listen").and_then(Value::as_str).context("in [sequencer]: missing field `listen`")?;
            section.insert("sequencer_urls".to_owned(), value([format!("http://{listen}")])?);
        }
        merged("api", &section, [("database_url", value(&self.database.url)?)])
    }

    /// What a prover runs with.
    ///
    /// # Errors
    /// If `[prover]` lacks a key or has one too many.
    pub fn prover(&self) -> Result<sheaf_prover::Config> {
        let shared = [
            ("database_url", value(&self.database.url)?),
            ("chain_id", value(self.l1.chain_id)?),
            ("keys_path", value(&self.chain.keys)?),
        ];
        merged("prover", &self.prover, shared)
    }

    /// What settlement runs with.
    ///
    /// # Errors
    /// If `[settlement]` lacks a key or has one too many.
    pub fn settlement(&self) -> Result<sheaf_settlement::Config> {
        let (contract, start_block) = self.l1.place()?;
        let shared = [
            ("database_url", value(&self.database.url)?),
            ("rpc_url", value(&self.l1.rpc_url)?),
            ("chain_id", value(self.l1.chain_id)?),
            ("contract", value(contract)?),
            ("start_block", value(start_block)?),
            ("confirmations", value(self.l1.confirmations)?),
        ];
        let mut section = self.settlement.clone();
        // A batch is proven as often, whoever finds that its proof does not hold.
        if let Some(attempts) = self.prover.get("attempts_max") {
            section.entry("proof_attempts_max").or_insert_with(|| attempts.clone());
        }
        merged("settlement", &section, shared)
    }
}

fn value(value: impl Serialize) -> Result<Value> {
    Ok(Value::try_from(value)?)
}

/// A section with the shared values, as a service's own configuration.
fn merged<T: DeserializeOwned, const N: usize>(name: &str, section: &Table, shared: [(&str, Value); N]) -> Result<T> {
    let mut table = section.clone();
    for (key, value) in shared {
        if table.insert(key.to_owned(), value).is_some() {
            bail!("[{name}] {key} is shared: it belongs into [database], [l1] or [chain]");
        }
    }
    table.try_into().with_context(|| format!("in [{name}]"))
}
