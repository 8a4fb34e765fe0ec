//! Strategies for the values of `core`.

use alloy_primitives::Address;
use proptest::prelude::*;
use sheaf_core::F;
use sheaf_core::amount::{PackedAmount, PackedFee};
use sheaf_core::operation::Operation;
use sheaf_core::types::{AccountId, TokenWord, field_from_bytes};

pub(crate) fn arb_account() -> impl Strategy<Value = AccountId> {
    (0u32..1 << 24).prop_map(|i| AccountId::new(i).unwrap())
}

pub(crate) fn arb_token_word() -> impl Strategy<Value = TokenWord> {
    (0u8..64).prop_map(|w| TokenWord::new(w).unwrap())
}

pub(crate) fn arb_address() -> impl Strategy<Value = Address> {
    any::<[u8; 20]>().prop_map(Address::from)
}

pub(crate) fn arb_field() -> impl Strategy<Value = F> {
    any::<[u8; 32]>().prop_filter_map("below p", |mut b| {
        b[0] &= 0x3f;
        field_from_bytes(&b)
    })
}

/// Elements of which many are next to 0 or to the modulus.
pub(crate) fn arb_edge_field() -> impl Strategy<Value = F> {
    prop_oneof![arb_field(), (0u64..3).prop_map(F::from), (1u64..3).prop_map(|below| -F::from(below))]
}

pub(crate) fn arb_amount() -> impl Strategy<Value = PackedAmount> {
    (0u64..1 << 40).prop_map(|b| PackedAmount::from_bits(b).unwrap())
}

pub(crate) fn arb_fee() -> impl Strategy<Value = PackedFee> {
    (0u64..1 << 14).prop_map(|b| PackedFee::from_bits(b).unwrap())
}

pub(crate) fn arb_l1_operation() -> impl Strategy<Value = Operation> {
    (arb_account(), arb_token_word(), any::<u128>(), arb_address(), arb_field(), 0..4).prop_map(
        |(account, token, amount, owner, key_hash, kind)| match kind {
            0 => Operation::Deposit { account, token, amount, owner, key_hash },
            1 => Operation::SetKey { account, caller: owner, key_hash },
            2 => Operation::ForcedExit { account, token, amount, caller: owner },
            _ => Operation::DepositRefund { token, amount, owner, key_hash },
        },
    )
}

pub(crate) fn arb_l2_operation() -> impl Strategy<Value = Operation> {
    (arb_account(), arb_account(), arb_token_word(), arb_amount(), arb_fee(), arb_address(), arb_field(), 0..3).prop_map(
        |(from, to, token, amount, fee, owner, key_hash, kind)| match kind {
            0 => Operation::Transfer { from, to, token, amount, fee },
            1 => Operation::TransferNew { from, to, token, amount, fee, owner, key_hash },
            _ => Operation::Withdraw { from, token, amount, fee, recipient: owner },
        },
    )
}
