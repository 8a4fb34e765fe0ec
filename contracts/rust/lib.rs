//! Bindings to Sheaf's contracts, made from the committed artifacts.
//!
//! ```text
//!  src/*.sol ── npm run compile ──▶ artifacts/*.json ── sol! ──▶ Sheaf, TestToken
//!                                                                  │
//!                       Deployment ── init_code() ──▶ bytes of the deploying transaction
//! ```
//!
//! [`Sheaf`] and [`TestToken`] are modules of calls, events and errors, with typed instances over alloy's providers
//! (`Sheaf::new(address, provider)`). The contract itself is documented in its sources.

mod deployment;
pub mod gas;
mod keys;
mod revert;

pub use bindings::{Sheaf, TestToken};
pub use deployment::{Deployment, owner_word};
pub use keys::StoredKeys;
pub use revert::decode_revert;

/// What `sol!` makes of the artifacts' ABIs.
#[allow(missing_docs, unreachable_pub, clippy::all)]
mod bindings {
    alloy::sol!(
        #[sol(rpc, all_derives)]
        Sheaf,
        "artifacts/Sheaf.json"
    );
    alloy::sol!(
        #[sol(rpc, all_derives)]
        TestToken,
        "artifacts/TestToken.json"
    );
}
