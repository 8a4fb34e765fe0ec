//! The JSON in which wallets send transactions, and what is wrong with it when it is refused.
//!
//! ```text
//!  bytes ── serde ──▶ TransactionJson ── to_transaction ──▶ Transaction
//!     malformed_json      (strings)      every other code
//! ```
//!
//! Amounts are decimal strings in the token's smallest unit; field elements, addresses and hashes
//! are hex strings with `0x`, of their exact width. Fields that are not known are refused: a wallet
//! that misspells one must not have it ignored.

mod error;
mod text;

pub use error::JsonError;
pub use text::{address, address_to_hex, field, field_to_hex, hex_bytes};

use crate::F;
use crate::eddsa::{PublicKey, Signature};
use crate::transaction::{Pair, Payload, Target, Transaction};
use crate::types::{AccountId, TokenId, field_to_bytes, u256_from_field};
use alloy_primitives::hex;
use ark_ff::Zero;
use serde::{Deserialize, Serialize};
use text::{nonzero_address, packed};

/// A signed transaction, as a wallet sends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransactionJson {
    /// The sender's account index.
    pub from: u64,
    /// The sender's nonce.
    pub nonce: u64,
    /// Last unix second at which it may be executed.
    pub expires: u64,
    /// Number of the token of amount and fee.
    pub token: u64,
    /// What the receiver gets, decimal, in the token's smallest unit.
    pub amount: String,
    /// What the operator gets, decimal, in the token's smallest unit.
    pub fee: String,
    /// The receiving account; this or `recipient`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<PairJson>,
    /// The L1 address that a withdrawal goes to; this or `to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// The chain and contract that were signed for. A signature for another domain merely fails to
    /// verify; a wallet that names its domain is told so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// The signing key.
    pub public_key: PointJson,
    /// The signature.
    pub signature: SignatureJson,
}

/// An account as people name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairJson {
    /// L1 address, 20 bytes of hex.
    pub owner: String,
    /// Field element, 32 bytes of hex.
    pub key_hash: String,
}

/// A point of Baby Jubjub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointJson {
    /// Field element, 32 bytes of hex.
    pub x: String,
    /// Field element, 32 bytes of hex.
    pub y: String,
}

/// An EdDSA signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignatureJson {
    /// Field element, 32 bytes of hex.
    pub r8_x: String,
    /// Field element, 32 bytes of hex.
    pub r8_y: String,
    /// Scalar below the subgroup's order, 32 bytes of hex.
    pub s: String,
}

impl TransactionJson {
    /// Reads the transaction; `domain` is this chain's, against which an optional `domain` field is held.
    ///
    /// The signature is not verified here.
    ///
    /// # Errors
    /// [`JsonError`] of the first field that is wrong.
    pub fn to_transaction(&self, domain: F) -> Result<Transaction, JsonError> {
        if let Some(named) = &self.domain
            && field(named, "domain")? != domain
        {
            return Err(JsonError::WrongDomain { expected: field_to_hex(domain) });
        }
        Ok(Transaction {
            payload: self.payload()?,
            public_key: self.public_key.to_key()?,
            signature: self.signature.to_signature()?,
        })
    }

    fn payload(&self) -> Result<Payload, JsonError> {
        let out_of_range = |field, range| JsonError::OutOfRange { field, range };
        let from = u32::try_from(self.from).ok().and_then(AccountId::new);
        let token = u8::try_from(self.token).ok().and_then(TokenId::new);
        Ok(Payload {
            from: from.ok_or_else(|| out_of_range("from", "an account index is below 2^24"))?,
            nonce: self.nonce,
            expires: u32::try_from(self.expires).map_err(|_| out_of_range("expires", "unix seconds are below 2^32"))?,
            token: token.ok_or(JsonError::UnknownToken(self.token))?,
            amount: packed(&self.amount, "amount", JsonError::Amount)?,
            fee: packed(&self.fee, "fee", JsonError::Fee)?,
            target: self.target()?,
        })
    }

    fn target(&self) -> Result<Target, JsonError> {
        match (&self.to, &self.recipient) {
            (Some(pair), None) => Ok(Target::Account(pair.to_pair()?)),
            (None, Some(recipient)) => Ok(Target::L1(nonzero_address(recipient, "recipient")?)),
            _ => Err(JsonError::Malformed("a transaction has either `to` or `recipient`")),
        }
    }
}

impl PairJson {
    /// Reads the pair.
    ///
    /// # Errors
    /// [`JsonError`]; a zero owner or key hash is out of range, for both mean "no account".
    pub fn to_pair(&self) -> Result<Pair, JsonError> {
        let owner = nonzero_address(&self.owner, "to.owner")?;
        let key_hash = field(&self.key_hash, "to.key_hash")?;
        if key_hash.is_zero() {
            return Err(JsonError::OutOfRange { field: "to.key_hash", range: "it must not be zero" });
        }
        Ok(Pair { owner, key_hash })
    }
}

impl PointJson {
    fn to_key(&self) -> Result<PublicKey, JsonError> {
        let (x, y) = (field(&self.x, "public_key.x")?, field(&self.y, "public_key.y")?);
        PublicKey::new(x, y).map_err(JsonError::Key)
    }
}

impl SignatureJson {
    fn to_signature(&self) -> Result<Signature, JsonError> {
        let (x, y) = (field(&self.r8_x, "signature.r8_x")?, field(&self.r8_y, "signature.r8_y")?);
        let s: [u8; 32] = hex_bytes(&self.s, "signature.s")?;
        let bytes = [field_to_bytes(x), field_to_bytes(y), s].concat();
        let out_of_range = JsonError::OutOfRange { field: "signature.s", range: "it must be below the subgroup's order" };
        Signature::from_bytes(bytes[..].try_into().expect("96 bytes")).map_err(|_| out_of_range)
    }
}

impl From<&Transaction> for TransactionJson {
    fn from(transaction: &Transaction) -> Self {
        let Transaction { payload, public_key, signature } = transaction;
        let (key, signature) = (public_key.to_bytes(), signature.to_bytes());
        let (to, recipient) = match payload.target {
            Target::Account(pair) => (Some(PairJson::from(pair)), None),
            Target::L1(recipient) => (None, Some(address_to_hex(recipient))),
        };
        Self {
            from: payload.from.get().into(),
            nonce: payload.nonce,
            expires: payload.expires.into(),
            token: payload.token.get().into(),
            amount: u256_from_field(payload.amount.to_field()).to_string(),
            fee: u256_from_field(payload.fee.to_field()).to_string(),
            to,
            recipient,
            domain: None,
            public_key: PointJson { x: hex::encode_prefixed(&key[..32]), y: hex::encode_prefixed(&key[32..]) },
            signature: SignatureJson {
                r8_x: hex::encode_prefixed(&signature[..32]),
                r8_y: hex::encode_prefixed(&signature[32..64]),
                s: hex::encode_prefixed(&signature[64..]),
            },
        }
    }
}

impl From<Pair> for PairJson {
    fn from(pair: Pair) -> Self {
        Self { owner: address_to_hex(pair.owner), key_hash: field_to_hex(pair.key_hash) }
    }
}
