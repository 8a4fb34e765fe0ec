//! `new` and `address`.

use crate::wallet::args::Options;
use crate::wallet::identity::Identity;
use crate::wallet::{WalletError, address, keystore, output};
use alloy::signers::local::PrivateKeySigner;
use serde_json::json;
use sheaf_core::json::{address_to_hex, field_to_hex};
use std::path::Path;

pub(super) fn new(options: &Options, import: Option<&Path>) -> Result<(), WalletError> {
    if options.keystore.exists() {
        return Err(WalletError::KeystoreExists(options.keystore.display().to_string()));
    }
    let signer = match import {
        Some(file) => keystore::read_key(file)?,
        None => PrivateKeySigner::random(),
    };
    let password = keystore::password(options.password_file.as_deref(), true)?;
    keystore::create(&options.keystore, &signer, &password)?;
    show(options, &Identity::new(signer, options.key_number)?, &[format!("Keystore   {}", options.keystore.display())]);
    Ok(())
}

pub(super) fn address(options: &Options) -> Result<(), WalletError> {
    show(options, &options.identity()?, &[]);
    Ok(())
}

fn show(options: &Options, identity: &Identity, first: &[String]) {
    let pair = identity.pair();
    let (address, owner) = (address::format(&pair), address_to_hex(pair.owner));
    let mut lines = first.to_vec();
    lines.extend([format!("Address    {address}"), format!("L1 address {owner}")]);
    let key_hash = field_to_hex(pair.key_hash);
    output::print(options.json, &json!({ "address": address, "owner": owner, "key_hash": key_hash }), &lines);
}
