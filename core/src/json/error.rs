//! What can be wrong with a transaction's fields, each with its stable code.

use crate::amount::NotRepresentable;
use crate::eddsa::SignatureError;
use crate::types::TOKEN_COUNT;

/// Why JSON of the right shape is no transaction. Each names the field that is to blame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The JSON's structure allows no reading.
    #[error("{0}")]
    Malformed(&'static str),
    /// An amount is no decimal number.
    #[error("{field} is not a decimal number in a string")]
    NotDecimal {
        /// The field.
        field: &'static str,
    },
    /// A hex string has the wrong width.
    #[error("{field} must be 0x and {expected} hex digits, it has {found}")]
    HexLength {
        /// The field.
        field: &'static str,
        /// Digits wanted.
        expected: usize,
        /// Characters found after the prefix.
        found: usize,
    },
    /// A hex string does not start with 0x, or holds something that is no hex digit.
    #[error("{field} must be 0x and hex digits only")]
    HexDigit {
        /// The field.
        field: &'static str,
    },
    /// A number is outside its range.
    #[error("{field} is out of range: {range}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// What it must be.
        range: &'static str,
    },
    /// The signing key is no point that can sign.
    #[error("public_key can't be used: {0}")]
    Key(SignatureError),
    /// The amount has no exact encoding.
    #[error("amount {0}")]
    Amount(NotRepresentable),
    /// The fee has no exact encoding.
    #[error("fee {0}")]
    Fee(NotRepresentable),
    /// The token number is above the last possible one.
    #[error("token {0} does not exist: numbers are 0 to {last}", last = TOKEN_COUNT - 1)]
    UnknownToken(u64),
    /// The wallet signed for another chain or contract.
    #[error("the transaction is for another chain or contract; this one's domain is {expected}")]
    WrongDomain {
        /// This chain's domain, hex.
        expected: String,
    },
}

impl JsonError {
    /// The stable code that users see.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) | Self::NotDecimal { .. } => "malformed_json",
            Self::HexLength { .. } => "hex_length",
            Self::HexDigit { .. } => "hex_digit",
            Self::OutOfRange { .. } => "field_out_of_range",
            Self::Key(_) => "key_not_on_curve",
            Self::Amount(_) => "amount_not_representable",
            Self::Fee(_) => "fee_not_representable",
            Self::UnknownToken(_) => "unknown_token",
            Self::WrongDomain { .. } => "wrong_domain",
        }
    }
}
