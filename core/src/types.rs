//! The bare values of the protocol, each with its range.

use crate::F;
use alloy_primitives::U256;
use ark_ff::{BigInteger, PrimeField};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Word of an account that holds its key hash; 0 there means that no such account exists.
pub const KEY_HASH_WORD: u32 = 0;
/// Word of an account that holds its nonce.
pub const NONCE_WORD: u32 = 1;
/// Word of an account that holds its owner, an L1 address.
pub const OWNER_WORD: u32 = 2;
/// Word of token 0's balance; the balance of token `t` is word `FIRST_BALANCE_WORD + t`.
pub const FIRST_BALANCE_WORD: u32 = 3;
/// Number of tokens that an account can hold.
pub const TOKEN_COUNT: u8 = 61;

/// Index of an account, below 2^24.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct AccountId(u32);

impl AccountId {
    /// The first index that is handed out. Index 0 is never used, so that it can't be mistaken for "none".
    pub const FIRST: Self = Self(1);

    /// Wraps an index; `None` at or above 2^24.
    pub const fn new(index: u32) -> Option<Self> {
        if index < 1 << crate::geometry::ACCOUNT_BITS { Some(Self(index)) } else { None }
    }

    /// The bare index.
    #[inline]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for AccountId {
    type Error = String;
    fn try_from(index: u32) -> Result<Self, String> {
        Self::new(index).ok_or_else(|| format!("account index {index} is not below 2^24"))
    }
}

impl From<AccountId> for u32 {
    fn from(id: AccountId) -> u32 {
        id.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Number of a token, 0..=60; 0 is ETH.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct TokenId(u8);

impl TokenId {
    /// The chain's own coin.
    pub const ETH: Self = Self(0);

    /// Wraps a number; `None` above 60.
    pub const fn new(number: u8) -> Option<Self> {
        if number < TOKEN_COUNT { Some(Self(number)) } else { None }
    }

    /// The bare number.
    #[inline]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The word of an account that holds this token's balance.
    pub const fn word(self) -> TokenWord {
        TokenWord(self.0 + FIRST_BALANCE_WORD as u8)
    }
}

impl TryFrom<u8> for TokenId {
    type Error = String;
    fn try_from(number: u8) -> Result<Self, String> {
        Self::new(number).ok_or_else(|| format!("token {number} is above {}", TOKEN_COUNT - 1))
    }
}

impl From<TokenId> for u8 {
    fn from(id: TokenId) -> u8 {
        id.0
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The 6-bit word field of an operation as it stands on the wire. Below 3 it names no token, and the
/// slot function refuses it: a balance operation on word 0..2 would write a key, a nonce or an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenWord(u8);

impl TokenWord {
    /// Wraps a 6-bit value; `None` at or above 64.
    pub const fn new(word: u8) -> Option<Self> {
        if word < 64 { Some(Self(word)) } else { None }
    }

    /// The bare word number.
    #[inline]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The token whose balance this word holds, if any.
    pub const fn token(self) -> Option<TokenId> {
        if self.0 >= FIRST_BALANCE_WORD as u8 { TokenId::new(self.0 - FIRST_BALANCE_WORD as u8) } else { None }
    }
}

/// `value` as a field element.
pub fn field_from_u256(value: U256) -> Option<F> {
    F::from_bigint(ark_ff::BigInt(value.into_limbs()))
}

/// A field element as an integer below `p`.
pub fn u256_from_field(value: F) -> U256 {
    U256::from_limbs(value.into_bigint().0)
}

/// A field element as 32 big-endian bytes.
pub fn field_to_bytes(value: F) -> [u8; 32] {
    u256_from_field(value).to_be_bytes()
}

/// The field element of 32 big-endian bytes; `None` at or above the modulus.
pub fn field_from_bytes(bytes: &[u8; 32]) -> Option<F> {
    field_from_u256(U256::from_be_bytes(*bytes))
}

/// The value as a `u128`; `None` at or above 2^128.
#[inline]
pub fn u128_from_field(value: F) -> Option<u128> {
    let big = value.into_bigint();
    (big.num_bits() <= 128).then(|| u128::from(big.0[0]) | u128::from(big.0[1]) << 64)
}

/// The L1 address as a field element: its integer value.
pub fn field_from_address(address: alloy_primitives::Address) -> F {
    field_from_u256(U256::from_be_bytes(address.into_word().0)).expect("an address is below 2^160")
}

/// The low 160 bits of a field element as an L1 address; `None` at or above 2^160.
pub fn address_from_field(value: F) -> Option<alloy_primitives::Address> {
    let bytes = field_to_bytes(value);
    bytes[..12].iter().all(|b| *b == 0).then(|| alloy_primitives::Address::from_slice(&bytes[12..]))
}
