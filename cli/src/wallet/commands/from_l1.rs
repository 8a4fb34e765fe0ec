//! `deposit`, `set-key` and `exit`: what goes through the contract's queue.

use crate::wallet::args::Options;
use crate::wallet::ops::{Wallet, key_hash_of, parse_address};
use crate::wallet::{WalletError, address, amounts, output};
use alloy::primitives::B256;
use serde_json::json;
use sheaf_api::model::{L1Operation, Status};

pub(super) async fn deposit(
    options: &Options,
    amount: &str,
    token: &str,
    to: Option<&str>,
    no_wait: bool,
) -> Result<(), WalletError> {
    let wallet = options.wallet().await?;
    let to = to.map_or_else(|| Ok(wallet.identity.pair()), address::parse)?;
    let token = wallet.token(token)?;
    let amount = amounts::parse(amount, token.decimals)?;
    let l1 = wallet.l1(&options.l1).await?;
    let tx_hash = l1.deposit(token.id, parse_address(&token.address)?, amount, to).await?;
    report(options, &wallet, tx_hash, no_wait).await
}

pub(super) async fn set_key(options: &Options, account: u32, new_key_number: u32, no_wait: bool) -> Result<(), WalletError> {
    let wallet = options.wallet().await?;
    let key_hash = key_hash_of(&wallet.identity, new_key_number)?;
    let tx_hash = wallet.l1(&options.l1).await?.set_key(account, key_hash).await?;
    report(options, &wallet, tx_hash, no_wait).await
}

pub(super) async fn exit(options: &Options, account: u32, token: &str, no_wait: bool) -> Result<(), WalletError> {
    let wallet = options.wallet().await?;
    let token = wallet.token(token)?.id;
    let tx_hash = wallet.l1(&options.l1).await?.request_exit(account, token).await?;
    report(options, &wallet, tx_hash, no_wait).await
}

/// Prints the transaction's hash at once, and what became of it once it is executed.
async fn report(options: &Options, wallet: &Wallet, tx_hash: B256, no_wait: bool) -> Result<(), WalletError> {
    if !options.json {
        println!("L1 transaction {tx_hash}");
    }
    if no_wait {
        if options.json {
            output::print_json(&json!({ "l1_transaction": tx_hash }));
        }
        return Ok(());
    }
    let operation = wallet.follow_l1(tx_hash, Status::Executed, options.timeout()).await?;
    output::print(options.json, &json!({ "l1_transaction": tx_hash, "operation": operation }), &[line(wallet, &operation)]);
    Ok(())
}

/// An L1 operation in one line.
pub(super) fn line(wallet: &Wallet, operation: &L1Operation) -> String {
    let what = match (operation.kind.as_str(), operation.token, operation.amount.as_deref().and_then(|a| a.parse().ok())) {
        ("deposit", Some(token), Some(amount)) if operation.refunded => {
            format!("deposit of {} refunded: it can be claimed on L1", wallet.show(token, amount))
        }
        ("deposit", Some(token), Some(amount)) => format!("deposit of {}", wallet.show(token, amount)),
        ("forced_exit", Some(token), Some(amount)) => format!("exit of {}", wallet.show(token, amount)),
        ("forced_exit", ..) => "exit".to_owned(),
        _ => "key change".to_owned(),
    };
    let account = operation.account.map_or_else(String::new, |account| format!(", account {account}"));
    let left = match operation.confirmations_left {
        0 => String::new(),
        left => format!(", {left} L1 blocks to go"),
    };
    format!("{what}{account}: {}{left}", operation.status.as_str())
}
