//! `transfer` and `withdraw`.

use crate::wallet::args::{Options, PaymentArgs};
use crate::wallet::ops::{Payment, Wallet, parse_address};
use crate::wallet::{WalletError, address, amounts, output};
use serde_json::json;
use sheaf_core::transaction::Target;

pub(super) async fn transfer(options: &Options, amount: &str, to: &str, args: &PaymentArgs) -> Result<(), WalletError> {
    let target = Target::Account(address::parse(to)?);
    pay(options, &options.wallet().await?, amount, target, args).await
}

pub(super) async fn withdraw(options: &Options, amount: &str, to: Option<&str>, args: &PaymentArgs) -> Result<(), WalletError> {
    let to = to.map(parse_address).transpose()?;
    let wallet = options.wallet().await?;
    let recipient = to.unwrap_or_else(|| wallet.identity.signer.address());
    pay(options, &wallet, amount, Target::L1(recipient), args).await
}

async fn pay(options: &Options, wallet: &Wallet, amount: &str, target: Target, args: &PaymentArgs) -> Result<(), WalletError> {
    let token = wallet.token(&args.token)?;
    let amount = amounts::parse(amount, token.decimals)?;
    let fee = args.fee.as_deref().map(|fee| amounts::parse(fee, token.decimals)).transpose()?;
    let submitted = wallet.pay(Payment { from: args.from, token: token.id, amount, fee, target }).await?;
    options.keep_receipt(wallet.operator, &submitted)?;
    let batch = submitted.batch.map_or_else(String::new, |batch| format!(" in batch {batch}"));
    let verb = if matches!(target, Target::L1(_)) { "withdrawal" } else { "transfer" };
    let lines = [
        format!("Transaction {}", submitted.hash),
        format!("{verb} of {}: {}{batch}", wallet.show(token.id, amount), submitted.status.as_str()),
    ];
    output::print(options.json, &json!(submitted), &lines);
    Ok(())
}
