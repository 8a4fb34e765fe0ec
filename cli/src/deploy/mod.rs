//! `sheaf deploy`: puts the contract on an L1 chain, and writes down where it is.
//!
//! ```text
//!  flags, sheaf.toml ─▶ Settings ─▶ checks ─▶ creation ─▶ deployment.toml ─▶ tokens ─▶ deployment.toml
//!                                      nothing was sent │                 └─ --resume begins here
//! ```

mod settings;

use crate::deployment::DeploymentFile;
use crate::keys::{self, Contract};
use alloy::primitives::{Address, B256};
use alloy::signers::local::PrivateKeySigner;
use anyhow::{Context as _, Result, ensure};
use clap::Args;
use settings::Settings;
use sheaf_circuits::keys::Kind;
use sheaf_core::geometry::Geometry;
use sheaf_core::l1::is_local_chain;
use sheaf_core::tree::Tree;
use sheaf_core::types::u256_from_field;
use sheaf_settlement::deploy::{Request, ShapeWords, VerifyingKeyWords, create, list_tokens};
use std::path::{Path, PathBuf};

/// What is deployed, and where.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The services' configuration, from which everything is taken that no flag says; `docs/sheaf.example.toml` explains it.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// JSON-RPC of an L1 node [default: http://127.0.0.1:8545].
    #[arg(long, env = "SHEAF_L1", value_name = "URL")]
    pub l1: Option<String>,
    /// The chain that the node must be on [default: 31337].
    #[arg(long, value_name = "NUMBER")]
    pub chain_id: Option<u64>,
    /// File with the private key that pays, and becomes the contract's admin.
    #[arg(long, value_name = "FILE")]
    pub admin_key: Option<PathBuf>,
    /// Who submits batches.
    #[arg(long, value_name = "ADDRESS")]
    pub operator: Option<Address>,
    /// What an entry of the queue costs, in wei [default: 10000000000000].
    #[arg(long, value_name = "WEI")]
    pub queue_fee: Option<u128>,
    /// A file with a shape's keys; given once for each shape [default: the configuration's, else the development keys of the
    /// development shape].
    #[arg(long, value_name = "FILE")]
    pub keys: Vec<PathBuf>,
    /// The hash that the keys' ceremony transcripts must have together, as those who verified them got it from `sheaf keys
    /// transcript`; zero for development keys. Needed on all but local test chains.
    #[arg(long, value_name = "HASH")]
    pub transcript: Option<B256>,
    /// Take keys of a ceremony that is not finished by a beacon.
    #[arg(long)]
    pub without_beacon: bool,
    /// An ERC-20 to list; may be given several times.
    #[arg(long, value_name = "ADDRESS")]
    pub token: Vec<Address>,
    /// A test token to deploy and list, on local test chains only; may be given several times.
    #[arg(long, value_name = "NAME:SYMBOL", value_parser = test_token)]
    pub test_token: Vec<(String, String)>,
    /// The file that gets the addresses; it must not be there yet [default: the configuration's, else deployment.toml beside
    /// it].
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Make no contract: go on with the one in the file of addresses, and list the tokens that it does not have yet.
    #[arg(long)]
    pub resume: bool,
}

fn test_token(text: &str) -> Result<(String, String), String> {
    let (name, symbol) = text.split_once(':').ok_or("expected NAME:SYMBOL")?;
    Ok((name.to_owned(), symbol.to_owned()))
}

/// Deploys, writes the addresses to a file, and prints what a configuration needs as JSON.
///
/// # Errors
/// If a key can't be read, if something is not as expected, or if L1 refuses.
pub async fn run(options: Options) -> Result<()> {
    let settings = Settings::new(&options).await?;
    let Settings { l1, chain_id, operator, queue_fee_wei, out, .. } = &settings;
    if !options.resume {
        check_out(out)?;
    }
    let admin = sheaf_settlement::read_key(&settings.admin_key)?;
    let files = settings.keys.clone();
    let found = tokio::task::spawn_blocking(move || keys::contract(&files)).await??;
    check(&found, *chain_id, settings.transcript, options.without_beacon)?;
    let fits = settings.shapes.as_ref().is_none_or(|shapes| *shapes == found.sizes);
    ensure!(fits, "keys_shapes: the keys are for other shapes than [chain] shapes says");
    let words = (found.key, *found.shapes.first().context("there is a shape")?);
    let mut request = request(l1, *chain_id, admin, *operator, *queue_fee_wei, words);
    request.shapes = found.shapes;
    request.transcript = found.transcript;
    request.tokens = settings.tokens.clone();
    request.test_tokens = options.test_token;

    let mut file = if options.resume { resumed(out, &request)? } else { created(out, &request).await? };
    let listed = list_tokens(&request, file.contract, |tokens| {
        file.tokens = tokens.to_vec();
        file.write(out)
    });
    let tokens = listed.await.with_context(|| {
        let out = out.display();
        format!(
            "the contract is there, and {out} says where, but not all tokens are listed: go on with the same command and \
             --resume"
        )
    })?;
    file.tokens = tokens;
    file.write(out)?;
    let mut answer = serde_json::to_value(&file)?;
    answer["shapes"] = serde_json::to_value(&found.sizes)?;
    println!("{answer:#}");
    Ok(())
}

/// Makes sure that the addresses can be written, and write nothing over.
fn check_out(out: &Path) -> Result<()> {
    ensure!(!out.exists(), "{} is there already: remove it, name another by --out, or go on with --resume", out.display());
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    ensure!(folder.is_dir(), "{} is no folder, so the addresses could not be written", folder.display());
    Ok(())
}

/// Makes the contract, and writes down at once where it is.
async fn created(out: &Path, request: &Request) -> Result<DeploymentFile> {
    let made = create(request).await?;
    eprintln!("the contract is at {}, made in block {} for {} gas", made.contract, made.block, made.gas_used);
    let file = DeploymentFile {
        chain_id: request.chain_id,
        contract: made.contract,
        start_block: made.block,
        transcript: request.transcript,
        tokens: Vec::new(),
    };
    file.write(out)?;
    Ok(file)
}

/// What was made before, with the same chain and keys.
fn resumed(out: &Path, request: &Request) -> Result<DeploymentFile> {
    let file = DeploymentFile::read(out)?;
    let same = (file.chain_id, file.transcript) == (request.chain_id, request.transcript);
    ensure!(same, "{} is of another chain or other keys", out.display());
    Ok(file)
}

/// Checks before anything is sent that the keys are for this chain, and those that are expected. The hash that they have is
/// not told: it must come from who verified them.
fn check(keys: &Contract, chain_id: u64, expected: Option<B256>, without_beacon: bool) -> Result<()> {
    const ADVICE: &str = "take it from those who verified the keys: `sheaf keys transcript FILE...` prints it, \
                          `sheaf keys verify FILE --ptau PREPARED` says whether the files are right";
    ensure!(
        keys.kind == Kind::Ceremony || is_local_chain(chain_id),
        "development_keys: development keys can't be deployed on chain {chain_id}: it is no local test chain"
    );
    ensure!(
        expected.is_some() || is_local_chain(chain_id),
        "keys_transcript: --transcript must say which ceremony's keys chain {chain_id} gets; {ADVICE}"
    );
    ensure!(
        expected.is_none_or(|expected| expected == keys.transcript),
        "keys_transcript: these keys' transcripts do not have the expected hash; {ADVICE}"
    );
    ensure!(
        keys.unfinished.is_empty() || without_beacon,
        "keys_unfinished: the ceremony of the shapes {:?} is not finished by a beacon, so whoever contributed last could choose \
         among keys; --without-beacon takes them all the same",
        keys.unfinished
    );
    Ok(())
}

/// A deployment with development keys, at the state's beginning, without tokens.
pub fn request(
    rpc_url: &str,
    chain_id: u64,
    admin: PrivateKeySigner,
    operator: Address,
    base_fee_wei: u128,
    (key, shape): (VerifyingKeyWords, ShapeWords),
) -> Request {
    Request {
        rpc_url: rpc_url.to_owned(),
        chain_id,
        admin,
        operator,
        genesis_root: u256_from_field(Tree::new(Geometry::PROTOCOL).root()),
        base_fee_wei,
        transcript: B256::ZERO,
        key,
        shapes: vec![shape],
        tokens: Vec::new(),
        test_tokens: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sheaf_core::shape::Shape;
    use sheaf_core::shapes::Shapes;

    #[test]
    fn keys_for_another_chain_or_from_another_ceremony_are_refused_before_anything_is_sent() {
        let key = VerifyingKeyWords { alpha: Default::default(), beta: Default::default(), gamma: Default::default() };
        let sizes = Shapes::one(Shape::DEVELOPMENT).unwrap();
        let keys = |kind, transcript| Contract {
            kind,
            sizes: sizes.clone(),
            key,
            shapes: Vec::new(),
            transcript,
            unfinished: Vec::new(),
        };
        let development = keys(Kind::Development, B256::ZERO);
        let check = |keys: &Contract, chain, expected| check(keys, chain, expected, false);
        assert!(check(&development, 31_337, None).is_ok() && check(&development, 1_337, Some(B256::ZERO)).is_ok());
        let refusal = |keys: &Contract, chain, expected| check(keys, chain, expected).unwrap_err().to_string();
        assert!(refusal(&development, 1, None).starts_with("development_keys: "));
        let hash = B256::repeat_byte(1);
        assert!(refusal(&development, 31_337, Some(hash)).starts_with("keys_transcript: "));
        let ceremony = keys(Kind::Ceremony, hash);
        assert!(check(&ceremony, 1, Some(hash)).is_ok() && check(&ceremony, 31_337, None).is_ok());
        for expected in [None, Some(B256::ZERO)] {
            let refusal = refusal(&ceremony, 1, expected);
            assert!(refusal.starts_with("keys_transcript: ") && refusal.contains("sheaf keys transcript"), "{refusal}");
            assert!(!refusal.contains(&hash.to_string()), "the hash must come from elsewhere: {refusal}");
        }
        let unfinished = Contract { unfinished: vec![0], ..ceremony };
        assert!(refusal(&unfinished, 31_337, Some(hash)).starts_with("keys_unfinished: "));
        assert!(super::check(&unfinished, 1, Some(hash), true).is_ok());
    }
}
