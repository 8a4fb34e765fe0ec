//! `sheaf wallet`: one person's keys and what they do with them, on L1 and L2.
//!
//! ```text
//!  keystore file ──▶ L1 key ──sign a fixed message──▶ L2 key
//!                      │                               │
//!             deposit, claim (L1)          transfer, withdraw (HTTP API)
//! ```
//!
//! [`ops`] does the work and knows nothing of terminals; [`args`] and `commands` are the command line.

pub mod address;
pub mod amounts;
pub mod args;
mod commands;
pub mod error;
pub mod identity;
pub mod keystore;
pub mod l1;
pub mod ops;
mod output;
pub mod receipts;

pub use args::WalletArgs;
pub use error::WalletError;

/// Runs a command of the wallet.
///
/// # Errors
/// A sentence that ends in the [`WalletError`]'s code; with `--json` both are also printed as an object.
pub async fn run(args: WalletArgs) -> anyhow::Result<()> {
    let json = args.options.json;
    let result = commands::dispatch(args).await;
    if let (true, Err(error)) = (json, &result) {
        output::print_json(&serde_json::json!({ "code": error.code(), "message": error.to_string() }));
    }
    result.map_err(|error| match error {
        // An answer of the API says its code itself.
        WalletError::Api(error) => error.into(),
        error => anyhow::anyhow!("{error} ({})", error.code()),
    })
}
