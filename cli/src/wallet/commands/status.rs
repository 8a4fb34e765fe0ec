//! `status`: of a transaction by its hash, or of a queue entry by its L1 transaction's.

use super::from_l1;
use crate::wallet::args::Options;
use crate::wallet::ops::Wallet;
use crate::wallet::{WalletError, output};
use alloy::primitives::B256;
use serde_json::json;
use sheaf_api::client::ClientError;
use sheaf_api::model::{Status, Transaction};

pub(super) async fn status(options: &Options, hash: &str, follow: bool) -> Result<(), WalletError> {
    let bytes = sheaf_core::json::hex_bytes(hash, "the hash").map_err(|error| WalletError::Address(error.to_string()))?;
    let hash = B256::new(bytes);
    let wallet = options.wallet().await?;
    if let Some(mut transaction) = found(wallet.api.transaction(hash).await, "unknown_transaction")? {
        if follow {
            transaction = wallet.follow(hash, Status::Settled, options.timeout()).await?;
        }
        output::print(options.json, &json!(transaction), &lines(&wallet, &transaction));
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
        return vec![format!("{status}{why}")];
    };
    let show = |amount: &str| wallet.show(executed.token, amount.parse().unwrap_or(0));
    vec![
        format!("{} of {}, fee {}: {status}", executed.kind, show(&executed.amount), show(&executed.fee)),
        format!("batch {}, position {}, block {}", executed.batch, executed.position, executed.block),
    ]
}
