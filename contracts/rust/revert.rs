//! What a revert of the contract says.

use alloy_sol_types::SolInterface;

use crate::Sheaf::SheafErrors;

/// Decodes the data of a revert into the contract's error; `None` when it is not one of them.
pub fn decode_revert(data: &[u8]) -> Option<SheafErrors> {
    SheafErrors::abi_decode(data).ok()
}
