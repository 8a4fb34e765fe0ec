//! Strategies for operations as they are posted.

use alloy::primitives::Address;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sheaf_core::F;
use sheaf_core::amount::{PackedAmount, PackedFee};
use sheaf_core::operation::Operation;
use sheaf_core::types::{AccountId, TokenWord};

/// A runner whose cases are always the same; the seed is the algorithm's own, a failing case is printed.
pub(crate) fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

pub(crate) fn arb_account() -> impl Strategy<Value = AccountId> {
    (0u32..1 << 24).prop_map(|index| AccountId::new(index).expect("24 bits"))
}

pub(crate) fn arb_address() -> impl Strategy<Value = Address> {
    any::<[u8; 20]>().prop_filter("zero is nobody", |bytes| *bytes != [0; 20]).prop_map(Address::from)
}

pub(crate) fn arb_key_hash() -> impl Strategy<Value = F> {
    any::<[u64; 4]>().prop_map(|limbs| {
        let [a, b, c, d] = limbs.map(F::from);
        a * b + c * d + F::from(1u64)
    })
}

pub(crate) fn arb_token_word() -> impl Strategy<Value = TokenWord> {
    (3u8..64).prop_map(|word| TokenWord::new(word).expect("6 bits"))
}

/// Any encoding of an amount below 2^128, the canonical ones and the others: the contract is not the one to choose.
fn arb_amount() -> impl Strategy<Value = PackedAmount> {
    prop_oneof![Just(0), 0u64..1 << 40]
        .prop_map(|bits| PackedAmount::from_bits(bits).expect("40 bits"))
        .prop_filter("no balance is that large", |amount| amount.value().is_some())
}

fn arb_fee() -> impl Strategy<Value = PackedFee> {
    (0u64..1 << 14).prop_map(|bits| PackedFee::from_bits(bits).expect("14 bits"))
}

/// An operation of L2, as any account may have signed it.
pub(crate) fn arb_l2_operation() -> impl Strategy<Value = Operation> {
    let common = (arb_account(), arb_account(), arb_token_word(), arb_amount(), arb_fee());
    (0..3, common, arb_address(), arb_key_hash()).prop_map(|(kind, (from, to, token, amount, fee), owner, key_hash)| match kind {
        0 => Operation::Transfer { from, to, token, amount, fee },
        1 => Operation::TransferNew { from, to, token, amount, fee, owner, key_hash },
        _ => Operation::Withdraw { from, token, amount, fee, recipient: owner },
    })
}

/// An operation of L1 in the making: what a user asks for, and what the operator makes of it.
#[derive(Clone, Debug)]
pub(crate) enum L1Request {
    /// A deposit of ETH, to be credited to this account or refunded.
    Deposit { amount: u128, owner: Address, key_hash: F, credited_to: Option<AccountId> },
    /// A key change.
    SetKey { account: AccountId, key_hash: F },
    /// An exit of ETH, of the amount that the operator finds.
    Exit { account: AccountId, amount: u128 },
}

/// A request that can be queued and settled.
pub(crate) fn arb_l1_request() -> impl Strategy<Value = L1Request> {
    let exit_amount = prop_oneof![Just(0), any::<u128>()];
    let deposit = (1u128..1 << 60, arb_address(), arb_key_hash(), proptest::option::of(arb_account()));
    prop_oneof![
        deposit.prop_map(|(amount, owner, key_hash, credited_to)| L1Request::Deposit { amount, owner, key_hash, credited_to }),
        (arb_account(), arb_key_hash()).prop_map(|(account, key_hash)| L1Request::SetKey { account, key_hash }),
        (arb_account(), exit_amount).prop_map(|(account, amount)| L1Request::Exit { account, amount }),
    ]
}
