//! `status`: of a transaction by its hash, or of a queue entry by its L1 transaction's.

use super::from_l1;
use crate::wallet::args::Options;
use crate::wallet::ops::Wallet;
use crate::wallet::{WalletError, output};
use serde_json::json;
use sheaf_api::client::ClientError;
use sheaf_api::model::{Status, Transaction};
use sheaf_core::receipt::ReceiptJson;

pub(super) async fn status(options: &Options, hash: &str, follow: bool) -> Result<(), WalletError> {
    let hash = super::receipts::parse(hash)?;
    let wallet = options.wallet().await?;
    if let Some(mut transaction) = found(wallet.api.transaction(hash).await, "unknown_transaction")? {
        if follow {
            transaction = wallet.follow(hash, Status::Settled, options.timeout()).await?;
        }
        let broken = options.compare(wallet.operator, hash, transaction.executed.as_ref())?;
        let mut object = json!(transaction);
        let mut lines = lines(&wallet, &transaction);
        if let Some(ReceiptJson { batch, position, .. }) = broken {
            lines.push(format!(
                "the operator had promised batch {batch}, position {position}: `sheaf wallet receipt verify` shows it"
            ));
            object["broken_promise"] = json!({ "batch": batch, "position": position });
        }
        output::print(options.json, &object, &lines);
        return Ok(());
    }
    let Some(mut entries) = found(wallet.api.l1_operations(hash).await, "unknown_l1_transaction")? else {
        return Err(WalletError::UnknownHash(hash.to_string()));
    };
    if follow {
        wallet.follow_l1(hash, Status::Settled, options.timeout()).await?;
        entries = wallet.api.l1_operations(hash).await?;
    }
    let lines: Vec<String> = entries.operations.iter().map(|operation| from_l1::line(&wallet, operation)).collect();
    output::print(options.json, &json!(entries), &lines);
    Ok(())
}

fn found<T>(answer: Result<T, ClientError>, unknown: &str) -> Result<Option<T>, WalletError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.code() == unknown => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn lines(wallet: &Wallet, transaction: &Transaction) -> Vec<String> {
    let status = transaction.status.as_str();
    let Some(executed) = &transaction.executed else {
        let why = transaction.rejection.as_ref().map_or_else(String::new, |e| format!(": {} ({})", e.message, e.code));
        let taken_back = transaction
            .taken_back
            .as_ref()
            .map(|place| format!("it was taken back from batch {}, position {}: {}", place.batch, place.position, place.reason));
        return [format!("{status}{why}")].into_iter().chain(taken_back).collect();
    };
    let show = |amount: &str| wallet.show(executed.token, amount.parse().unwrap_or(0));
    vec![
        format!("{} of {}, fee {}: {status}", executed.kind, show(&executed.amount), show(&executed.fee)),
        format!("batch {}, position {}, block {}", executed.batch, executed.position, executed.block),
    ]
}
