//! `balance` and `claim`.

use crate::wallet::args::Options;
use crate::wallet::l1::L1;
use crate::wallet::ops::{Wallet, parse_address};
use crate::wallet::{WalletError, output};
use serde_json::{Value, json};
use sheaf_api::model::{Account, Status, Token};
use std::fmt::Write;

pub(super) async fn balance(options: &Options) -> Result<(), WalletError> {
    let wallet = options.wallet().await?;
    let accounts = wallet.accounts().await?;
    // What is on L2 is shown also when no L1 node answers.
    let l1 = wallet.l1(&options.l1).await;
    let mut lines: Vec<String> = accounts.iter().map(|account| line(&wallet, account)).collect();
    if accounts.is_empty() {
        lines.push("no account on L2 yet".to_owned());
    }
    let mut on_l1 = Vec::new();
    match &l1 {
        Ok(l1) => {
            for token in &wallet.info.tokens {
                on_l1.push(token_on_l1(&wallet, l1, token, &mut lines).await?);
            }
        }
        Err(error) => lines.push(format!("L1 balances unknown: {error}")),
    }
    let totals: Vec<Value> = wallet.info.tokens.iter().map(|token| total(&accounts, token)).collect();
    let l1 = l1.is_ok().then_some(on_l1);
    output::print(options.json, &json!({ "accounts": accounts, "l2": totals, "l1": l1 }), &lines);
    Ok(())
}

/// The wallet's accounts can be several; what it has is their sum.
fn total(accounts: &[Account], token: &Token) -> Value {
    let sum: u128 = accounts.iter().map(|account| account.balance(token.id)).sum();
    json!({ "token": token.id, "symbol": token.symbol, "amount": sum.to_string() })
}

fn line(wallet: &Wallet, account: &Account) -> String {
    let mut line = format!("account {}, nonce {}:", account.id, account.nonce);
    for balance in &account.balances {
        let _ = write!(line, " {}", wallet.show(balance.token, account.balance(balance.token)));
    }
    if account.balances.is_empty() {
        line.push_str(" empty");
    }
    line
}

async fn token_on_l1(wallet: &Wallet, l1: &L1, token: &Token, lines: &mut Vec<String>) -> Result<Value, WalletError> {
    let owner = wallet.identity.signer.address();
    let held = l1.balance(owner, token.id, parse_address(&token.address)?).await?;
    let claimable = l1.claimable(owner, token.id).await?;
    // An L1 balance may be any 256-bit number; beyond 128 bits it is shown in the smallest unit.
    let shown = u128::try_from(held).map_or_else(|_| format!("{held} units"), |held| wallet.show(token.id, held));
    lines.push(format!("on L1: {shown}"));
    if claimable > 0 {
        lines.push(format!("claimable on L1: {}", wallet.show(token.id, claimable)));
    }
    let (held, claimable) = (held.to_string(), claimable.to_string());
    Ok(json!({ "token": token.id, "symbol": token.symbol, "balance": held, "claimable": claimable }))
}

pub(super) async fn claim(options: &Options, token: Option<&str>, to: Option<&str>) -> Result<(), WalletError> {
    let wallet = options.wallet().await?;
    let to = to.map(parse_address).transpose()?;
    let tokens: Vec<Token> = match token {
        Some(name) => vec![wallet.token(name)?.clone()],
        None => wallet.info.tokens.clone(),
    };
    let l1 = wallet.l1(&options.l1).await?;
    let owner = wallet.identity.signer.address();
    let (mut claims, mut lines) = (Vec::new(), Vec::new());
    for token in &tokens {
        let amount = l1.claimable(owner, token.id).await?;
        if amount > 0 {
            let hash = l1.claim(owner, token.id, to).await?;
            lines.push(format!("claimed {}: L1 transaction {hash}", wallet.show(token.id, amount)));
            claims.push(json!({ "token": token.id, "amount": amount.to_string(), "l1_transaction": hash }));
        }
    }
    if claims.is_empty() {
        return Err(WalletError::NothingToClaim(on_its_way(&wallet).await?));
    }
    output::print(options.json, &json!({ "claims": claims }), &lines);
    Ok(())
}

/// Says what is on its way, for those who come too early.
async fn on_its_way(wallet: &Wallet) -> Result<String, WalletError> {
    let withdrawals = wallet.api.withdrawals(wallet.identity.signer.address()).await?;
    let waiting = withdrawals.iter().filter(|withdrawal| withdrawal.status < Status::Claimable);
    let waiting: Vec<String> =
        waiting.map(|w| format!("{} ({})", wallet.show(w.token, w.amount.parse().unwrap_or(0)), w.status.as_str())).collect();
    Ok(if waiting.is_empty() { String::new() } else { format!(" yet: on its way are {}", waiting.join(", ")) })
}
