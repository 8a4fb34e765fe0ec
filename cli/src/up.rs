//! `sheaf up`: the stack left running, to be played with.

use crate::stack::{BANK_KEY, Stack, StackOptions, write_private};
use crate::{keys, service};
use alloy::network::{EthereumWallet, TransactionBuilder};
use alloy::primitives::{Address, U256, hex};
use alloy::providers::{Provider, ProviderBuilder};
use alloy::rpc::types::TransactionRequest;
use alloy::signers::local::PrivateKeySigner;
use anyhow::{Context, Result, ensure};
use clap::Args;
use sheaf_contracts::TestToken;
use sheaf_devkit::paths;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The ports that are taken if they are free: those that the wallet looks at by default.
const PORTS: [u16; 2] = [8545, 8080];
/// Keys with money on L1, to try the wallet with.
const PURSES: [&str; 2] = ["alice", "bob"];
/// What each of them gets, in the smallest unit of ETH and of the test token.
const PURSE: u128 = 100_000_000_000_000_000_000;

/// How the stack is run.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Where all data is kept, to be carried on from the next time [default: .sheaf/up].
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// Runs the stack until Ctrl-C.
///
/// # Errors
/// If a service does not start, or ends by itself.
pub async fn run(options: Options) -> Result<()> {
    let stop = service::stop_signal()?;
    let dir = std::path::absolute(options.dir.unwrap_or_else(paths::up))?;
    tokio::pin!(stop);
    let start = async {
        let keys = keys::ensure().await?;
        let options =
            StackOptions { dir: dir.clone(), keys, persistent: true, settle: true, ports: PORTS, batch_timeout_ms: 3_000 };
        let stack = Stack::start(options, |text| println!("   {text}")).await?;
        fill_purses(&stack).await?;
        anyhow::Ok(stack)
    };
    let mut stack = tokio::select! {
        stack = start => stack.with_context(|| format!("the stack did not start; logs are in {}", dir.display()))?,
        () = &mut stop => return Ok(()),
    };
    print_guide(&stack)?;
    loop {
        tokio::select! {
            () = &mut stop => break,
            () = tokio::time::sleep(Duration::from_secs(1)) => stack.check()?,
        }
    }
    println!("\nStopping; all data stays in {}", dir.display());
    tokio::task::spawn_blocking(move || stack.stop()).await??;
    println!("Stopped.");
    Ok(())
}

/// Makes the purses that are missing.
async fn fill_purses(stack: &Stack) -> Result<()> {
    let bank: PrivateKeySigner = BANK_KEY.parse()?;
    let l1 = ProviderBuilder::new().wallet(EthereumWallet::from(bank)).connect_http(stack.l1_url().parse()?);
    for name in PURSES {
        let path = stack.dir().join(format!("{name}.key"));
        if path.exists() {
            continue;
        }
        let key = PrivateKeySigner::random();
        fill(&l1, stack.deployment().erc20, key.address()).await?;
        write_private(&path, hex::encode_prefixed(key.to_bytes()).as_bytes())?;
    }
    Ok(())
}

async fn fill(l1: &impl Provider, erc20: Address, to: Address) -> Result<()> {
    let value = U256::from(PURSE);
    let eth = l1.send_transaction(TransactionRequest::default().with_to(to).with_value(value)).await?;
    let token = TestToken::new(erc20, l1).mint(to, value).send().await?;
    for pending in [eth, token] {
        ensure!(pending.get_receipt().await?.status(), "L1 refused a payment into a purse");
    }
    Ok(())
}

fn print_guide(stack: &Stack) -> Result<()> {
    let (api, l1, dir) = (stack.api_url(), stack.l1_url(), shown(stack.dir()));
    let program = shown(&std::env::current_exe()?);
    let deployment = stack.deployment();
    println!(
        "
Sheaf is up. Ctrl-C stops it; `make up` carries on from {dir}.

  API        {api}/v1/info
  L1         {l1}  (chain 31337)
  contract   {}
  token      {}  (TST, number 1)
  logs       {dir}/logs

Try the wallet, with a key that has 100 ETH and 100 TST on L1:

  export SHEAF_API={api} SHEAF_L1={l1} SHEAF_KEYSTORE=alice.json
  {program} wallet new --import {dir}/alice.key
  {program} wallet deposit 1.5
  {program} wallet balance
  {program} wallet --help
",
        deployment.contract, deployment.erc20
    );
    Ok(())
}

/// The path from here, if it is below the current directory.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).display().to_string()
}
