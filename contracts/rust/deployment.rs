//! The transaction that deploys the contract.

use alloy::primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::SolConstructor;

use crate::Sheaf;

/// The constructor's arguments.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// Lists tokens and replaces the operator.
    pub admin: Address,
    /// Submits batches and gets the queue's fees.
    pub operator: Address,
    /// The root of the state before the first batch.
    pub genesis_root: U256,
    /// What an entry of the queue costs, in wei.
    pub base_fee_wei: u128,
    /// The hash of the transcript of the ceremony that made the keys; zero says development keys, which deploy on a
    /// local test chain (id 31337 or 1337) only.
    pub transcript: B256,
    /// What all shapes' keys share.
    pub key: Sheaf::VerifyingKey,
    /// The shapes, the index in this list being a shape's id.
    pub shapes: Vec<Sheaf::Shape>,
}

impl Deployment {
    /// Encodes the deploying transaction's data: the bytecode and the constructor's arguments.
    pub fn init_code(&self) -> Bytes {
        let arguments = Sheaf::constructorCall {
            admin_: self.admin,
            operator_: self.operator,
            genesisRoot: self.genesis_root,
            baseFee: U256::from(self.base_fee_wei),
            transcript_: self.transcript,
            key: self.key.clone(),
            shapes: self.shapes.clone(),
        };
        let mut code = Sheaf::BYTECODE.to_vec();
        code.extend(arguments.abi_encode());
        code.into()
    }
}

/// Turns an L1 address into the integer that `deposit` takes as the owner.
pub fn owner_word(owner: Address) -> U256 {
    owner.into_word().into()
}
