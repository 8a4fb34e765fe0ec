//! What `sheaf deploy` works with: its flags, else the configuration, else what suits a local test chain.

use super::Options;
use crate::config::{Config, DeploySection};
use crate::deployment::FILE_NAME;
use crate::keys;
use alloy::primitives::{Address, B256};
use anyhow::{Context as _, Result, ensure};
use sheaf_circuits::keys::KeyInfo;
use sheaf_core::shapes::Shapes;
use sheaf_devkit::anvil;
use std::path::{Path, PathBuf};

const LOCAL_NODE: &str = "http://127.0.0.1:8545";
/// What an entry of the queue costs where nothing is said, in wei.
const QUEUE_FEE_WEI: u128 = 10_000_000_000_000;

/// Everything that was said, once.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) l1: String,
    pub(super) chain_id: u64,
    pub(super) admin_key: PathBuf,
    pub(super) operator: Address,
    pub(super) queue_fee_wei: u128,
    pub(super) keys: Vec<PathBuf>,
    /// The shapes that the services are configured for.
    pub(super) shapes: Option<Shapes>,
    pub(super) transcript: Option<B256>,
    pub(super) tokens: Vec<Address>,
    pub(super) out: PathBuf,
}

impl Settings {
    pub(super) async fn new(options: &Options) -> Result<Self> {
        let config = options.config.as_deref().map(Config::load).transpose().context("the configuration is unusable")?;
        let section = config.as_ref().and_then(|config| config.deploy.clone()).unwrap_or_default();
        let DeploySection { admin_key_file, operator, queue_fee_wei, transcript, tokens } = section;
        let l1 = config.as_ref().map(|config| &config.l1);
        let keys = match &config {
            _ if !options.keys.is_empty() => options.keys.clone(),
            Some(config) => key_files(&config.chain.keys, &config.chain.shapes)?,
            None => vec![keys::ensure().await?.file],
        };
        let folder = options.config.as_deref().and_then(Path::parent).unwrap_or_else(|| Path::new(""));
        let named = options.out.clone().or_else(|| l1.and_then(|l1| l1.deployment.clone()));
        Ok(Self {
            l1: options.l1.clone().or_else(|| l1.map(|l1| l1.rpc_url.clone())).unwrap_or_else(|| LOCAL_NODE.to_owned()),
            chain_id: options.chain_id.or_else(|| l1.map(|l1| l1.chain_id)).unwrap_or(anvil::CHAIN_ID),
            admin_key: options
                .admin_key
                .clone()
                .or(admin_key_file)
                .context("--admin-key, or [deploy] admin_key_file, is needed")?,
            operator: options.operator.or(operator).context("--operator, or [deploy] operator, is needed")?,
            queue_fee_wei: options.queue_fee.or(queue_fee_wei.map(u128::from)).unwrap_or(QUEUE_FEE_WEI),
            keys,
            shapes: config.as_ref().map(|config| config.chain.shapes.clone()),
            transcript: options.transcript.or(transcript),
            tokens: if options.token.is_empty() { tokens } else { options.token.clone() },
            out: named.unwrap_or_else(|| folder.join(FILE_NAME)),
        })
    }
}

/// The file itself, or those in the folder that are for one of the shapes.
fn key_files(path: &Path, shapes: &Shapes) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let shown = || format!("reading {}", path.display());
    let mut files = Vec::new();
    for entry in path.read_dir().with_context(shown)? {
        let file = entry.with_context(shown)?.path();
        if file.extension().is_some_and(|extension| extension == "keys") {
            let info = KeyInfo::read(&file).map_err(|e| anyhow::anyhow!("{}: {e}", e.code()));
            let shape = info.with_context(|| format!("loading {}", file.display()))?.shape;
            if shapes.get(shape.id) == Some(shape) {
                files.push(file);
            }
        }
    }
    ensure!(!files.is_empty(), "{} has no keys for the shapes of [chain]", path.display());
    Ok(files)
}
