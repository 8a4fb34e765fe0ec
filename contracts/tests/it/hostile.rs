//! Bindings to the contracts that attack, see `test/Hostile.sol`.

pub(crate) use bindings::{Agent, CallbackToken, FeeToken};

#[allow(missing_docs, unreachable_pub, clippy::all)]
mod bindings {
    alloy::sol!(Agent, "artifacts/Agent.json");
    alloy::sol!(CallbackToken, "artifacts/CallbackToken.json");
    alloy::sol!(FeeToken, "artifacts/FeeToken.json");
}
