//! `sheaf deploy`: puts the contract on an L1 chain.

use crate::keys::{self, Contract};
use alloy::primitives::{Address, B256};
use alloy::signers::local::PrivateKeySigner;
use anyhow::{Context as _, Result, ensure};
use clap::Args;
use sheaf_circuits::keys::Kind;
use sheaf_core::geometry::Geometry;
use sheaf_core::tree::Tree;
use sheaf_core::types::u256_from_field;
use sheaf_settlement::deploy::{LOCAL_CHAINS, Request, ShapeWords, VerifyingKeyWords, deploy};
use std::path::PathBuf;

/// What is deployed, and where.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// JSON-RPC of an L1 node.
    #[arg(long, env = "SHEAF_L1", default_value = "http://127.0.0.1:8545", value_name = "URL")]
    pub l1: String,
    /// The chain that the node must be on.
    #[arg(long, default_value_t = 31_337, value_name = "NUMBER")]
    pub chain_id: u64,
    /// File with the private key that pays, and becomes the contract's admin.
    #[arg(long, value_name = "FILE")]
    pub admin_key: PathBuf,
    /// Who submits batches.
    #[arg(long, value_name = "ADDRESS")]
    pub operator: Address,
    /// What an entry of the queue costs, in wei.
    #[arg(long, default_value_t = 10_000_000_000_000, value_name = "WEI")]
    pub queue_fee: u128,
    /// A file with a shape's keys; given once for each shape [default: the development keys of the development shape].
    #[arg(long, value_name = "FILE")]
    pub keys: Vec<PathBuf>,
    /// The hash that the keys' ceremony transcripts must have together, from `sheaf keys verify` of each; zero for
    /// development keys. Needed on all but local test chains.
    #[arg(long, value_name = "HASH")]
    pub transcript: Option<B256>,
    /// An ERC-20 to list; may be given several times.
    #[arg(long, value_name = "ADDRESS")]
    pub token: Vec<Address>,
    /// A test token to deploy and list, on local test chains only; may be given several times.
    #[arg(long, value_name = "NAME:SYMBOL", value_parser = test_token)]
    pub test_token: Vec<(String, String)>,
}

fn test_token(text: &str) -> Result<(String, String), String> {
    let (name, symbol) = text.split_once(':').ok_or("expected NAME:SYMBOL")?;
    Ok((name.to_owned(), symbol.to_owned()))
}

/// Deploys, and prints what a configuration needs as JSON.
///
/// # Errors
/// If a key can't be read, or L1 refuses.
pub async fn run(options: Options) -> Result<()> {
    let admin = sheaf_settlement::read_key(&options.admin_key)?;
    let files = if options.keys.is_empty() { vec![keys::ensure().await?.file] } else { options.keys };
    let found = tokio::task::spawn_blocking(move || keys::contract(&files)).await??;
    check(&found, options.chain_id, options.transcript)?;
    let words = (found.key, *found.shapes.first().context("there is a shape")?);
    let mut request = request(&options.l1, options.chain_id, admin, options.operator, options.queue_fee, words);
    request.shapes = found.shapes;
    request.transcript = found.transcript;
    request.tokens = options.token;
    request.test_tokens = options.test_token;
    let deployed = deploy(&request).await?;
    let answer = serde_json::json!({
        "chain_id": options.chain_id,
        "contract": deployed.contract,
        "start_block": deployed.block,
        "gas_used": deployed.gas_used,
        "shapes": found.sizes,
        "transcript": found.transcript,
        "tokens": deployed.tokens,
    });
    println!("{answer:#}");
    Ok(())
}

/// Checks before anything is sent that the keys are for this chain, and those that are expected.
fn check(keys: &Contract, chain_id: u64, expected: Option<B256>) -> Result<()> {
    ensure!(
        keys.kind == Kind::Ceremony || LOCAL_CHAINS.contains(&chain_id),
        "development_keys: development keys can't be deployed on chain {chain_id}: it is no local test chain"
    );
    let found = keys.transcript;
    ensure!(
        expected.is_some() || LOCAL_CHAINS.contains(&chain_id),
        "keys_transcript: --transcript must say which ceremony's keys chain {chain_id} gets; these have {found}"
    );
    let expected = expected.unwrap_or(found);
    ensure!(found == expected, "keys_transcript: the keys' transcripts have hash {found}, expected is {expected}");
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
        let keys = |kind, transcript| Contract { kind, sizes: sizes.clone(), key, shapes: Vec::new(), transcript };
        let development = keys(Kind::Development, B256::ZERO);
        assert!(check(&development, 31_337, None).is_ok() && check(&development, 1_337, Some(B256::ZERO)).is_ok());
        let refusal = |keys: &Contract, chain, expected| check(keys, chain, expected).unwrap_err().to_string();
        assert!(refusal(&development, 1, None).starts_with("development_keys: "));
        let hash = B256::repeat_byte(1);
        assert!(refusal(&development, 31_337, Some(hash)).starts_with("keys_transcript: "));
        let ceremony = keys(Kind::Ceremony, hash);
        assert!(check(&ceremony, 1, Some(hash)).is_ok() && check(&ceremony, 31_337, None).is_ok());
        assert!(refusal(&ceremony, 1, None).starts_with("keys_transcript: "), "a real chain's keys must be named");
        assert!(refusal(&ceremony, 1, Some(B256::ZERO)).starts_with("keys_transcript: "));
    }
}
