//! Operations, their three words of public data, and their bytes on L1.

use crate::F;
use crate::amount::{PackedAmount, PackedFee};
use crate::types::{AccountId, TokenWord, address_from_field, field_from_address, field_from_bytes, field_to_bytes};
use alloy_primitives::{Address, U256};
use serde::{Deserialize, Serialize};

/// Bytes of `core` of an L2 operation.
pub const L2_CORE_BYTES: usize = 14;
/// Bytes of `core` of an L1 operation.
pub const L1_CORE_BYTES: usize = 21;
/// Bytes of `aux1` where an operation has it.
pub const AUX1_BYTES: usize = 20;
/// Bytes of `aux2` where an operation has it.
pub const AUX2_BYTES: usize = 32;

/// The code of an operation: the low 4 bits of `core`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum OpCode {
    /// Padding.
    Noop = 0,
    /// Credits or creates an account, from L1.
    Deposit = 1,
    /// Replaces an account's key, from L1.
    SetKey = 2,
    /// Sends a whole balance to L1, from L1.
    ForcedExit = 3,
    /// Pays an account that exists.
    Transfer = 4,
    /// Pays an account and creates it.
    TransferNew = 5,
    /// Sends an amount to L1.
    Withdraw = 6,
    /// Takes a deposit off the queue, to be claimed on L1.
    DepositRefund = 10,
}

impl OpCode {
    /// Every code that exists, in order.
    pub const ALL: [Self; 8] = [
        Self::Noop,
        Self::Deposit,
        Self::SetKey,
        Self::ForcedExit,
        Self::Transfer,
        Self::TransferNew,
        Self::Withdraw,
        Self::DepositRefund,
    ];

    /// The code of `bits`; `None` for reserved ones.
    pub fn from_bits(bits: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|c| *c as u8 == bits)
    }

    /// Whether the operation comes from the L1 queue.
    pub const fn is_l1(self) -> bool {
        matches!(self, Self::Deposit | Self::SetKey | Self::ForcedExit | Self::DepositRefund)
    }

    /// Whether the operation is a signed transaction.
    #[inline]
    pub const fn is_l2(self) -> bool {
        matches!(self, Self::Transfer | Self::TransferNew | Self::Withdraw)
    }

    /// Bytes posted on L1: core, then aux1 and aux2 where the operation has them.
    pub const fn posted_len(self) -> usize {
        match self {
            Self::Noop => 0,
            Self::Transfer => L2_CORE_BYTES,
            Self::Withdraw => L2_CORE_BYTES + AUX1_BYTES,
            Self::TransferNew => L2_CORE_BYTES + AUX1_BYTES + AUX2_BYTES,
            Self::ForcedExit => L1_CORE_BYTES + AUX1_BYTES,
            Self::Deposit | Self::SetKey | Self::DepositRefund => L1_CORE_BYTES + AUX1_BYTES + AUX2_BYTES,
        }
    }
}

/// One operation: what a slot does. Every field has its wire width; whether the operation is
/// *allowed* is for [`crate::slot`] to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of the specification's table")]
pub enum Operation {
    /// Padding.
    Noop,
    /// `amount` of a token from L1 into `account`, which has, or gets, this owner and key hash.
    Deposit { account: AccountId, token: TokenWord, amount: u128, owner: Address, key_hash: F },
    /// `caller` replaces the key hash of `account`, if it owns it.
    SetKey { account: AccountId, caller: Address, key_hash: F },
    /// The whole balance (`amount`) leaves to `caller`, if it owns `account`; otherwise amount 0.
    ForcedExit { account: AccountId, token: TokenWord, amount: u128, caller: Address },
    /// Pays `to`, which exists.
    Transfer { from: AccountId, to: AccountId, token: TokenWord, amount: PackedAmount, fee: PackedFee },
    /// Pays `to`, an empty index, and makes it an account of this owner and key hash.
    TransferNew {
        from: AccountId,
        to: AccountId,
        token: TokenWord,
        amount: PackedAmount,
        fee: PackedFee,
        owner: Address,
        key_hash: F,
    },
    /// Sends `amount` to `recipient` on L1.
    Withdraw { from: AccountId, token: TokenWord, amount: PackedAmount, fee: PackedFee, recipient: Address },
    /// A deposit that could not be applied: claimable again on L1 by `owner`.
    DepositRefund { token: TokenWord, amount: u128, owner: Address, key_hash: F },
}

/// Bytes that are no operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end inside an operation.
    #[error("the data ends inside an operation")]
    Truncated,
    /// More bytes than operations.
    #[error("bytes are left over after the last operation")]
    Trailing,
    /// A code that is reserved, or that has no place here (an L1 code among L2 operations, or Noop).
    #[error("operation code {0} is not allowed here")]
    Code(u8),
    /// A bit above the fields of `core`, or a field that this operation does not have, is set.
    #[error("a bit that the operation does not use is set")]
    UnusedBits,
    /// `aux2` is not below the field's modulus.
    #[error("a key hash is at or above the field's modulus")]
    OutOfField,
}

fn l1_core(code: OpCode, token_word: u8, account: u32, amount: u128) -> U256 {
    U256::from(code as u8) | U256::from(token_word) << 4 | U256::from(account) << 10 | U256::from(amount) << 34
}

fn l2_core(code: OpCode, token: TokenWord, from: AccountId, to: u32, amount: PackedAmount, fee: PackedFee) -> U256 {
    U256::from(code as u8)
        | U256::from(token.get()) << 4
        | U256::from(from.get()) << 10
        | U256::from(to) << 34
        | U256::from(amount.bits()) << 58
        | U256::from(fee.bits()) << 98
}

impl Operation {
    /// The operation's code.
    #[inline]
    pub const fn code(&self) -> OpCode {
        match self {
            Self::Noop => OpCode::Noop,
            Self::Deposit { .. } => OpCode::Deposit,
            Self::SetKey { .. } => OpCode::SetKey,
            Self::ForcedExit { .. } => OpCode::ForcedExit,
            Self::Transfer { .. } => OpCode::Transfer,
            Self::TransferNew { .. } => OpCode::TransferNew,
            Self::Withdraw { .. } => OpCode::Withdraw,
            Self::DepositRefund { .. } => OpCode::DepositRefund,
        }
    }

    /// `core` as an integer: below 2^112 for L2 operations, below 2^162 for L1 operations.
    pub fn core(&self) -> U256 {
        let code = self.code();
        match *self {
            Self::Noop => U256::ZERO,
            Self::Deposit { account, token, amount, .. } | Self::ForcedExit { account, token, amount, .. } => {
                l1_core(code, token.get(), account.get(), amount)
            }
            Self::SetKey { account, .. } => l1_core(code, 0, account.get(), 0),
            Self::DepositRefund { token, amount, .. } => l1_core(code, token.get(), 0, amount),
            Self::Transfer { from, to, token, amount, fee } | Self::TransferNew { from, to, token, amount, fee, .. } => {
                l2_core(code, token, from, to.get(), amount, fee)
            }
            Self::Withdraw { from, token, amount, fee, .. } => l2_core(code, token, from, 0, amount, fee),
        }
    }

    /// `aux1`: an L1 address, zero where the operation has none.
    #[inline]
    pub const fn aux1(&self) -> Address {
        match self {
            Self::Noop | Self::Transfer { .. } => Address::ZERO,
            Self::Deposit { owner, .. } | Self::TransferNew { owner, .. } | Self::DepositRefund { owner, .. } => *owner,
            Self::SetKey { caller, .. } | Self::ForcedExit { caller, .. } => *caller,
            Self::Withdraw { recipient, .. } => *recipient,
        }
    }

    /// `aux2`: a key hash, zero where the operation has none.
    #[inline]
    pub fn aux2(&self) -> F {
        match self {
            Self::Deposit { key_hash, .. }
            | Self::SetKey { key_hash, .. }
            | Self::TransferNew { key_hash, .. }
            | Self::DepositRefund { key_hash, .. } => *key_hash,
            _ => F::from(0u64),
        }
    }

    /// The three words of the slot's public data: core, aux1, aux2.
    pub fn words(&self) -> [F; 3] {
        let core = crate::types::field_from_u256(self.core()).expect("core is below 2^162");
        [core, field_from_address(self.aux1()), self.aux2()]
    }

    /// The operation whose public data these words are: the inverse of [`Operation::words`].
    ///
    /// # Errors
    /// As [`Operation::decode_as`]; a word wider than its bytes is [`DecodeError::UnusedBits`].
    pub fn from_words(words: [F; 3]) -> Result<Self, DecodeError> {
        if words == [F::from(0u64); 3] {
            return Ok(Self::Noop);
        }
        let bytes = field_to_bytes(words[0]);
        let code = OpCode::from_bits(bytes[31] & 15).filter(|c| *c != OpCode::Noop).ok_or(DecodeError::Code(bytes[31] & 15))?;
        let core_len = if code.is_l1() { L1_CORE_BYTES } else { L2_CORE_BYTES };
        let aux1 = address_from_field(words[1]).ok_or(DecodeError::UnusedBits)?;
        let posted = [&bytes[32 - core_len..], aux1.as_slice(), &field_to_bytes(words[2])].concat();
        let operation = Self::decode_as(&mut &posted[..code.posted_len()], code.is_l1())?;
        if operation.words() == words { Ok(operation) } else { Err(DecodeError::UnusedBits) }
    }

    /// Appends the bytes that are posted on L1. A Noop is not posted.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let code = self.code();
        if code == OpCode::Noop {
            return;
        }
        let start = out.len();
        let core_len = if code.is_l1() { L1_CORE_BYTES } else { L2_CORE_BYTES };
        out.extend_from_slice(&self.core().to_be_bytes::<32>()[32 - core_len..]);
        if code.posted_len() > core_len {
            out.extend_from_slice(self.aux1().as_slice());
        }
        if code.posted_len() > core_len + AUX1_BYTES {
            out.extend_from_slice(&field_to_bytes(self.aux2()));
        }
        assert_eq!(out.len() - start, code.posted_len());
    }

    /// Reads the `l1_count` L1 operations and then the L2 operations of a batch, `op_count` in all.
    ///
    /// # Errors
    /// [`DecodeError`]; bytes that are left over are [`DecodeError::Trailing`].
    pub fn decode_all(mut bytes: &[u8], l1_count: usize, op_count: usize) -> Result<Vec<Self>, DecodeError> {
        let mut operations = Vec::with_capacity(op_count.min(bytes.len()));
        for i in 0..op_count {
            operations.push(Self::decode_as(&mut bytes, i < l1_count)?);
        }
        if bytes.is_empty() { Ok(operations) } else { Err(DecodeError::Trailing) }
    }

    /// Reads one operation from the front of `bytes`, which must be an L1 one (`l1`) or an L2 one.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode_as(bytes: &mut &[u8], l1: bool) -> Result<Self, DecodeError> {
        let core_len = if l1 { L1_CORE_BYTES } else { L2_CORE_BYTES };
        let core_bytes = bytes.get(..core_len).ok_or(DecodeError::Truncated)?;
        let bits = core_bytes[core_len - 1] & 15;
        let code = OpCode::from_bits(bits).filter(|c| if l1 { c.is_l1() } else { c.is_l2() }).ok_or(DecodeError::Code(bits))?;
        let posted = bytes.get(..code.posted_len()).ok_or(DecodeError::Truncated)?;
        let core = U256::from_be_slice(core_bytes);
        let aux1 = posted.get(core_len..core_len + AUX1_BYTES).map(Address::from_slice).unwrap_or_default();
        let aux2 = match posted.get(core_len + AUX1_BYTES..) {
            Some(tail) if !tail.is_empty() => {
                field_from_bytes(tail.try_into().expect("aux2 has 32 bytes")).ok_or(DecodeError::OutOfField)?
            }
            _ => F::from(0u64),
        };
        let operation = Self::from_parts(code, core, aux1, aux2);
        if operation.core() != core {
            return Err(DecodeError::UnusedBits);
        }
        *bytes = &bytes[code.posted_len()..];
        Ok(operation)
    }

    fn from_parts(code: OpCode, core: U256, aux1: Address, aux2: F) -> Self {
        let field =
            |shift: usize, width: usize| -> u128 { ((core >> shift) & ((U256::from(1) << width) - U256::from(1))).to::<u128>() };
        let account = AccountId::new(field(10, 24) as u32).expect("24 bits");
        let to = AccountId::new(field(34, 24) as u32).expect("24 bits");
        let token = TokenWord::new(field(4, 6) as u8).expect("6 bits");
        let exact = field(34, 128);
        let amount = PackedAmount::from_bits(field(58, 40) as u64).expect("40 bits");
        let fee = PackedFee::from_bits(field(98, 14) as u64).expect("14 bits");
        match code {
            OpCode::Noop => Self::Noop,
            OpCode::Deposit => Self::Deposit { account, token, amount: exact, owner: aux1, key_hash: aux2 },
            OpCode::SetKey => Self::SetKey { account, caller: aux1, key_hash: aux2 },
            OpCode::ForcedExit => Self::ForcedExit { account, token, amount: exact, caller: aux1 },
            OpCode::Transfer => Self::Transfer { from: account, to, token, amount, fee },
            OpCode::TransferNew => Self::TransferNew { from: account, to, token, amount, fee, owner: aux1, key_hash: aux2 },
            OpCode::Withdraw => Self::Withdraw { from: account, token, amount, fee, recipient: aux1 },
            OpCode::DepositRefund => Self::DepositRefund { token, amount: exact, owner: aux1, key_hash: aux2 },
        }
    }
}
