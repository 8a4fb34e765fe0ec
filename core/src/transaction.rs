//! What a wallet signs and sends: an L2 operation that names its receiver, not an index.

use crate::F;
use crate::amount::{PackedAmount, PackedFee};
use crate::eddsa::{PublicKey, SecretKey, Signature, SignatureError};
use crate::operation::Operation;
use crate::slot::{Signed, SlotSignature, message};
use crate::types::{AccountId, TokenId, field_from_address, field_from_u256};
use alloy_primitives::Address;
use ark_ff::Zero;

/// An account as people name it: by owner and key hash, never by index or owner alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pair {
    /// The L1 address that can replace the key and force an exit.
    pub owner: Address,
    /// `Poseidon(Ax, Ay)` of the L2 key.
    pub key_hash: F,
}

/// Where a transaction's amount goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// To an L2 account, created if it does not exist.
    Account(Pair),
    /// Out, to this address on L1.
    L1(Address),
}

/// An unsigned transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The sender.
    pub from: AccountId,
    /// The sender's nonce.
    pub nonce: u64,
    /// Last unix second at which it may be executed.
    pub expires: u32,
    /// The token of both amount and fee.
    pub token: TokenId,
    /// What the target gets.
    pub amount: PackedAmount,
    /// What the operator gets.
    pub fee: PackedFee,
    /// Who gets it.
    pub target: Target,
}

/// A signed transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// What was signed.
    pub payload: Payload,
    /// The signing key.
    pub public_key: PublicKey,
    /// The signature of [`Payload::message`].
    pub signature: Signature,
}

impl Payload {
    /// The message that is signed; it also serves as the transaction's hash, and does not depend on
    /// the signature or on the receiver's index.
    pub fn message(&self, domain: F) -> F {
        let [a1, a2] = self.signed_target();
        let core = field_from_u256(self.canonical_operation().core()).expect("core is below 2^112");
        message(domain, [core, a1, a2], self.expires, F::from(self.nonce))
    }

    /// Signs the payload for the chain and contract of `domain`.
    pub fn sign(self, domain: F, key: &SecretKey) -> Transaction {
        Transaction { payload: self, public_key: key.public_key(), signature: key.sign(self.message(domain)) }
    }

    /// The operation with which `core'` is made: a Transfer to index 0, or the Withdraw itself.
    fn canonical_operation(&self) -> Operation {
        self.operation(Resolution::Existing(AccountId::new(0).expect("0 is an index")))
    }

    /// The operation that carries this out, once the receiver's index is known.
    ///
    /// A withdrawal ignores `to`.
    pub fn operation(&self, to: Resolution) -> Operation {
        let Self { from, amount, fee, .. } = *self;
        let token = self.token.word();
        match (self.target, to) {
            (Target::L1(recipient), _) => Operation::Withdraw { from, token, amount, fee, recipient },
            (Target::Account(_), Resolution::Existing(to)) => Operation::Transfer { from, to, token, amount, fee },
            (Target::Account(Pair { owner, key_hash }), Resolution::Create(to)) => {
                Operation::TransferNew { from, to, token, amount, fee, owner, key_hash }
            }
        }
    }

    fn signed_target(&self) -> [F; 2] {
        match self.target {
            Target::Account(pair) => [field_from_address(pair.owner), pair.key_hash],
            Target::L1(recipient) => [field_from_address(recipient), F::zero()],
        }
    }
}

/// Which index a receiver has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// The account exists.
    Existing(AccountId),
    /// The account is created at this empty index.
    Create(AccountId),
}

impl Transaction {
    /// Verifies the signature (some 300 µs), and says what it binds.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn verify(&self, domain: F) -> Result<Signed, SignatureError> {
        self.signature.verify(&self.public_key, self.payload.message(domain))?;
        Ok(self.signed())
    }

    /// What the signature binds, without verifying it: for transactions that were verified before.
    pub fn signed(&self) -> Signed {
        Signed {
            key_hash: self.public_key.key_hash(),
            nonce: F::from(self.payload.nonce),
            expires: self.payload.expires,
            target: self.payload.signed_target(),
        }
    }

    /// The signature in the form that the batch circuit takes.
    pub fn slot_signature(&self) -> SlotSignature {
        SlotSignature { public_key: self.public_key, signature: self.signature, expires: self.payload.expires }
    }
}
