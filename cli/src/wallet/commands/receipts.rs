//! `receipt`: the operator's promises, and what became of them.

use crate::wallet::args::{Options, ReceiptCommand};
use crate::wallet::receipts::{Kept, Operator};
use crate::wallet::{WalletError, output};
use alloy::primitives::B256;
use serde_json::json;
use sheaf_api::client::Client;
use sheaf_api::model::{Executed, Info, Submitted};
use sheaf_core::receipt::ReceiptJson;

pub(super) async fn dispatch(options: &Options, command: &ReceiptCommand) -> Result<(), WalletError> {
    match command {
        ReceiptCommand::Verify { hash } => verify(options, hash).await,
        ReceiptCommand::Trust => trust(options).await,
    }
}

impl Options {
    /// Holds the operator that the API names against the one that was seen first, which is pinned.
    pub(super) fn meet_operator(&self, info: &Info) -> Result<(), WalletError> {
        let named = Operator::of(info)?;
        match self.book().pinned(named.chain_id, named.contract)? {
            None => self.book().pin(named),
            Some(known) => {
                if known != named {
                    eprintln!(
                        "warning: receipts are signed by {} now, and were by {}. Ask the operator whether that is right; \
                         `sheaf wallet receipt trust` accepts it.",
                        named.signer, known.signer
                    );
                }
                Ok(())
            }
        }
    }

    /// Keeps the receipt of what was submitted; it has been verified.
    pub(super) fn keep_receipt(&self, operator: Operator, submitted: &Submitted) -> Result<(), WalletError> {
        let Some(receipt) = submitted.receipt.clone() else { return Ok(()) };
        self.book().keep(&Kept { hash: parse(&submitted.hash)?, operator, receipt })
    }

    /// Who of those that can be meant signed a receipt: whom the API names, or who was pinned.
    fn author(&self, named: Operator, hash: B256, receipt: &ReceiptJson) -> Result<Operator, WalletError> {
        let pinned = self.book().pinned(named.chain_id, named.contract)?;
        match pinned.filter(|pinned| pinned.check(hash, receipt).is_ok()) {
            Some(pinned) => Ok(pinned),
            None => named.check(hash, receipt).map(|()| named),
        }
    }

    /// Keeps the receipt of a transaction that the API shows, and says which earlier promise is broken.
    pub(super) fn compare(
        &self,
        operator: Operator,
        hash: B256,
        executed: Option<&Executed>,
    ) -> Result<Option<ReceiptJson>, WalletError> {
        if let Some(receipt) = executed.and_then(|executed| executed.receipt.clone()) {
            match self.author(operator, hash, &receipt) {
                Ok(operator) => self.book().keep(&Kept { hash, operator, receipt })?,
                Err(error) => eprintln!("warning: {error}"),
            }
        }
        let place = executed.map(|executed| (executed.batch, executed.position));
        let mut kept = self.book().find(hash)?.into_iter().map(|kept| kept.receipt);
        Ok(kept.rfind(|receipt| Some((receipt.batch, receipt.position)) != place))
    }
}

pub(super) fn parse(hash: &str) -> Result<B256, WalletError> {
    let bytes = sheaf_core::json::hex_bytes(hash, "the hash").map_err(|error| WalletError::Address(error.to_string()))?;
    Ok(B256::new(bytes))
}

/// Verifies what is kept, without asking anybody; or what the API has, if nothing is.
async fn verify(options: &Options, hash: &str) -> Result<(), WalletError> {
    let hash = parse(hash)?;
    let mut found = options.book().find(hash)?;
    if found.is_empty() {
        found.extend(fetch(options, hash).await?);
    }
    let mut objects = Vec::new();
    let mut lines = Vec::new();
    for Kept { operator, receipt, .. } in found {
        operator.check(hash, &receipt)?;
        let known = options.book().knows(&operator)?;
        let whose = if known { "the known operator" } else { "NOT the known operator" };
        lines.push(format!(
            "{} ({whose}) promises: batch {}, position {}, by block {}",
            operator.signer, receipt.batch, receipt.position, receipt.block
        ));
        objects.push(json!({ "operator": operator, "known": known, "receipt": receipt }));
    }
    if objects.is_empty() {
        return Err(WalletError::NoReceipt(hash.to_string()));
    }
    output::print(options.json, &json!({ "hash": hash, "receipts": objects }), &lines);
    Ok(())
}

async fn fetch(options: &Options, hash: B256) -> Result<Option<Kept>, WalletError> {
    let api = Client::new(&options.api);
    let info = api.info().await?;
    options.meet_operator(&info)?;
    let named = Operator::of(&info)?;
    let Some(receipt) = api.transaction(hash).await?.executed.and_then(|executed| executed.receipt) else { return Ok(None) };
    let operator = options.author(named, hash, &receipt)?;
    let kept = Kept { hash, operator, receipt };
    options.book().keep(&kept)?;
    Ok(Some(kept))
}

/// Pins who signs receipts now.
async fn trust(options: &Options) -> Result<(), WalletError> {
    let operator = Operator::of(&Client::new(&options.api).info().await?)?;
    let before = options.book().pinned(operator.chain_id, operator.contract)?.map(|known| known.signer);
    options.book().pin(operator)?;
    let lines = [format!("{} is known as the operator", operator.signer)];
    output::print(options.json, &json!({ "operator": operator, "before": before }), &lines);
    Ok(())
}
