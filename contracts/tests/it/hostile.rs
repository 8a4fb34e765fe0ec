//! Bindings to the contracts that attack, see `test/Hostile.sol`, and to one that is broken on purpose, see `compile.mjs`.

pub(crate) use bindings::{Agent, CallbackToken, EqualCoefficients, FeeToken};

#[allow(missing_docs, unreachable_pub, clippy::all)]
mod bindings {
    alloy::sol!(Agent, "artifacts/Agent.json");
    alloy::sol!(CallbackToken, "artifacts/CallbackToken.json");
    alloy::sol!(EqualCoefficients, "artifacts/EqualCoefficients.json");
    alloy::sol!(FeeToken, "artifacts/FeeToken.json");
}
