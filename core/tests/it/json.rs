//! Transactions survive JSON, and what is wrong with one is said of the right field.

use crate::arb::{arb_account, arb_address, arb_field};
use ark_ff::Zero;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use sheaf_core::F;
use sheaf_core::amount::{PackedAmount, PackedFee};
use sheaf_core::eddsa::SecretKey;
use sheaf_core::json::{TransactionJson, field_to_hex};
use sheaf_core::transaction::{Pair, Payload, Target, Transaction};
use sheaf_core::types::TokenId;

fn arb_target() -> impl Strategy<Value = Target> {
    let address = arb_address().prop_filter("not zero", |address| !address.is_zero());
    let key_hash = arb_field().prop_filter("not zero", |key_hash| !key_hash.is_zero());
    (address, proptest::option::of(key_hash)).prop_map(|(owner, key_hash)| match key_hash {
        Some(key_hash) => Target::Account(Pair { owner, key_hash }),
        None => Target::L1(owner),
    })
}

/// Values that have an encoding: JSON carries the value, not the encoding.
fn arb_value<const MANTISSA: u32>() -> impl Strategy<Value = u128> {
    (0..1u128 << MANTISSA, 0u32..=28).prop_map(|(mantissa, exponent)| mantissa * 10u128.pow(exponent))
}

fn arb_payload() -> impl Strategy<Value = Payload> {
    let amounts = (arb_value::<35>(), arb_value::<9>());
    (arb_account(), any::<u64>(), any::<u32>(), 0u8..61, amounts, arb_target()).prop_map(
        |(from, nonce, expires, token, (amount, fee), target)| Payload {
            from,
            nonce,
            expires,
            token: TokenId::new(token).unwrap(),
            amount: PackedAmount::encode(amount).unwrap(),
            fee: PackedFee::encode(fee).unwrap(),
            target,
        },
    )
}

fn signed(payload: Payload, seed: [u8; 32]) -> Transaction {
    payload.sign(F::from(7u64), &SecretKey::from_seed(&seed))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn transactions_survive(payload in arb_payload(), seed in any::<[u8; 32]>(), named in any::<bool>()) {
        let transaction = signed(payload, seed);
        let mut json = TransactionJson::from(&transaction);
        json.domain = named.then(|| field_to_hex(F::from(7u64)));
        let text = serde_json::to_string(&json).unwrap();
        let read: TransactionJson = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&read, &json);
        prop_assert_eq!(read.to_transaction(F::from(7u64)).unwrap(), transaction);
        if named {
            prop_assert_eq!(read.to_transaction(F::from(8u64)).unwrap_err().code(), "wrong_domain");
        }
    }

    #[test]
    fn every_changed_character_is_another_transaction_or_refused(
        payload in arb_payload(), at in any::<proptest::sample::Index>(), other in "[ -~]",
    ) {
        let transaction = signed(payload, [3; 32]);
        let mut text = serde_json::to_string(&TransactionJson::from(&transaction)).unwrap();
        let at = at.index(text.len());
        prop_assume!(!text[at..=at].eq_ignore_ascii_case(&other));
        text.replace_range(at..=at, &other);
        let read = serde_json::from_str::<TransactionJson>(&text).ok().and_then(|json| json.to_transaction(F::from(7u64)).ok());
        prop_assert_ne!(read, Some(transaction));
    }
}

#[test]
fn zero_receivers_and_both_or_no_receiver_are_refused() {
    let key_hash = F::from(5u64);
    let transfer = Payload {
        from: sheaf_core::types::AccountId::FIRST,
        nonce: 0,
        expires: 0,
        token: TokenId::ETH,
        amount: PackedAmount::ZERO,
        fee: PackedFee::ZERO,
        target: Target::Account(Pair { owner: [1; 20].into(), key_hash }),
    };
    let json = TransactionJson::from(&signed(transfer, [1; 32]));
    let code = |json: &TransactionJson| json.to_transaction(F::zero()).unwrap_err().code();
    let mut changed = json.clone();
    changed.to.as_mut().unwrap().key_hash = field_to_hex(F::zero());
    assert_eq!(code(&changed), "field_out_of_range");
    let mut changed = json.clone();
    changed.recipient = Some(format!("0x{}", "11".repeat(20)));
    assert_eq!(code(&changed), "malformed_json");
    changed.to = None;
    assert!(changed.to_transaction(F::zero()).is_ok());
    changed.recipient = Some(format!("0x{}", "00".repeat(20)));
    assert_eq!(code(&changed), "field_out_of_range");
    changed.recipient = None;
    assert_eq!(code(&changed), "malformed_json");
}
