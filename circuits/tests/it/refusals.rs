//! Each kind of batch that the rules forbid: the native code refuses it with its reason, and so does the circuit, in the
//! group of that name. The circuit gets a consistent trace, made by a builder that never checks.

use crate::harness::Circuit;
use crate::world::{GEOMETRY, Map, NOW, SHAPE, context, deposit, header, id, key, pair, payload, people, signed, unsigned};
use alloy_primitives::Address;
use sheaf_circuits::witness::Private;
use sheaf_core::F;
use sheaf_core::amount::PackedFee;
use sheaf_core::operation::Operation;
use sheaf_core::slot::{SlotError, check, evaluate, verify_signature};
use sheaf_core::trace::{BuildError, SlotInput, build, build_unchecked};
use sheaf_core::transaction::{Pair, Payload, Resolution, Target};
use sheaf_core::tree::Tree;
use sheaf_core::types::{TokenId, TokenWord};

/// The groups that a signature over other data breaks.
const SIGNATURE: &[&str] = &["signature_equation"];

/// Refused by the slot function, signature included.
fn native(tree: &Tree, input: &SlotInput) -> Result<(), SlotError> {
    let ctx = context();
    let ports = evaluate(&ctx, &input.operation, &mut Map::of(tree));
    let signed = input.signature.map(|s| verify_signature(&ctx, &input.operation, &ports, &s)).transpose()?;
    check(&ctx, &input.operation, &ports, signed.as_ref())
}

#[track_caller]
fn both_refuse(tree: &Tree, input: SlotInput, why: SlotError, groups: &[&str]) {
    assert_eq!(native(tree, &input), Err(why), "{input:?}");
    if !matches!(why, SlotError::Signature) {
        let refused = build(&mut tree.clone(), SHAPE, header(), &[input]).unwrap_err();
        assert_eq!(refused, BuildError::Slot { index: 0, source: why });
    }
    let batch = build_unchecked(&mut tree.clone(), SHAPE, header(), &[input]).unwrap();
    let failures = Circuit::small().failures(&Private::from(&batch));
    assert_eq!(failures.into_iter().collect::<Vec<_>>(), groups, "{input:?}");
}

fn to(person: u8) -> Target {
    Target::Account(pair(person))
}

fn existing(account: u32) -> Resolution {
    Resolution::Existing(id(account))
}

fn create(account: u32) -> Resolution {
    Resolution::Create(id(account))
}

/// An operation with another token word, signed again where it was.
fn with_token_word(mut input: SlotInput, word: u8) -> SlotInput {
    let bad = TokenWord::new(word).unwrap();
    match &mut input.operation {
        Operation::Deposit { token, .. }
        | Operation::ForcedExit { token, .. }
        | Operation::Transfer { token, .. }
        | Operation::TransferNew { token, .. }
        | Operation::Withdraw { token, .. } => *token = bad,
        _ => unreachable!(),
    }
    if let Some(slot) = &mut input.signature {
        let ports = evaluate(&context(), &input.operation, &mut Map::of(&people()));
        let parts = sheaf_core::slot::signed_parts(&input.operation, &ports);
        let message = sheaf_core::slot::message(context().domain, parts, slot.expires, ports[1].old);
        slot.signature = key(2).sign(message);
    }
    input
}

#[test]
fn a_token_word_that_names_no_token() {
    let exit = Operation::ForcedExit { account: id(2), token: TokenId::ETH.word(), amount: 0, caller: pair(3).owner };
    let valid = [
        unsigned(deposit(2, 2, TokenId::ETH, 5)),
        unsigned(exit),
        signed(payload(2, 0, 0, to(3)), 2, existing(3)),
        signed(payload(2, 0, 0, to(9)), 2, create(9)),
        signed(payload(2, 0, 0, Target::L1(pair(9).owner)), 2, create(0)),
    ];
    for input in valid {
        assert_eq!(native(&people(), &input), Ok(()));
        for word in 0..3 {
            let input = with_token_word(input, word);
            let batch = build_unchecked(&mut people(), SHAPE, header(), &[input]).unwrap();
            assert_eq!(native(&people(), &input), Err(SlotError::TokenWord), "{input:?}");
            let failures = Circuit::small().failures(&Private::from(&batch));
            // Taken from a key hash or an owner, the balance is out of range, too.
            assert!(failures.contains("token_word"), "{input:?}: {failures:?}");
            assert!(failures.iter().all(|group| ["token_word", "balance"].contains(group)), "{input:?}: {failures:?}");
        }
    }
}

#[test]
fn an_owner_recipient_or_key_hash_of_zero() {
    let zero = F::from(0u64);
    let tree = people();
    let mut no_key = deposit(9, 9, TokenId::ETH, 5);
    if let Operation::Deposit { key_hash, .. } = &mut no_key {
        *key_hash = zero;
    }
    both_refuse(&tree, unsigned(no_key), SlotError::ZeroAux, &["zero_aux"]);
    for caller in [2, 3] {
        let set = Operation::SetKey { account: id(2), caller: pair(caller).owner, key_hash: zero };
        both_refuse(&tree, unsigned(set), SlotError::ZeroAux, &["zero_aux"]);
    }
    let nobody = signed(payload(2, 0, 1, Target::L1(Address::ZERO)), 2, create(0));
    both_refuse(&tree, nobody, SlotError::ZeroAux, &["zero_aux"]);
    for (owner, key_hash) in [(Address::ZERO, pair(9).key_hash), (pair(9).owner, zero)] {
        let input = signed(payload(2, 0, 1, Target::Account(Pair { owner, key_hash })), 2, create(9));
        both_refuse(&tree, input, SlotError::ZeroAux, &["zero_aux"]);
    }
}

#[test]
fn an_expired_transaction() {
    let late = Payload { expires: NOW - 1, ..payload(2, 0, 1, to(3)) };
    both_refuse(&people(), signed(late, 2, existing(3)), SlotError::Expired, &["expired"]);
    let last_second = Payload { expires: NOW, ..late };
    assert_eq!(native(&people(), &signed(last_second, 2, existing(3))), Ok(()));
}

#[test]
fn another_key_another_nonce_another_signature() {
    let tree = people();
    both_refuse(&tree, signed(payload(2, 0, 1, to(3)), 3, existing(3)), SlotError::KeyHash, &["key_hash"]);
    for nonce in [1, 7] {
        both_refuse(&tree, signed(payload(2, nonce, 1, to(3)), 2, existing(3)), SlotError::Signature, SIGNATURE);
    }
    let honest = signed(payload(2, 0, 1, to(3)), 2, existing(3));
    let mut wrong = honest;
    wrong.signature.as_mut().unwrap().signature.s += sheaf_core::eddsa::Scalar::from(1u64);
    both_refuse(&tree, wrong, SlotError::Signature, SIGNATURE);
    let mut dearer = honest;
    if let Operation::Transfer { fee, .. } = &mut dearer.operation {
        *fee = PackedFee::encode(4).unwrap();
    }
    both_refuse(&tree, dearer, SlotError::Signature, SIGNATURE);
    let mut elsewhere = honest;
    let transaction = payload(2, 0, 1, to(3)).sign(F::from(78u64), key(2));
    elsewhere.signature = Some(transaction.slot_signature());
    both_refuse(&tree, elsewhere, SlotError::Signature, SIGNATURE);
    let mut later = honest;
    later.signature.as_mut().unwrap().expires += 1;
    both_refuse(&tree, later, SlotError::Signature, SIGNATURE);
}

#[test]
fn a_missing_signature_or_one_too_many() {
    let tree = people();
    let signature = signed(payload(2, 0, 1, to(3)), 2, existing(3)).signature;
    for input in [
        SlotInput { signature: None, ..signed(payload(2, 0, 1, to(3)), 2, existing(3)) },
        SlotInput { operation: Operation::Noop, signature },
        SlotInput { operation: deposit(2, 2, TokenId::ETH, 1), signature },
    ] {
        assert!(native(&tree, &input).is_err());
        assert!(build(&mut tree.clone(), SHAPE, header(), &[input]).is_err());
        let batch = build_unchecked(&mut tree.clone(), SHAPE, header(), &[input]).unwrap();
        let failures = Circuit::small().failures(&Private::from(&batch));
        assert!(failures.contains("signature_equation"), "{input:?}: {failures:?}");
    }
}

#[test]
fn a_balance_that_is_too_small() {
    let tree = people();
    let all = |value| signed(payload(2, 0, value, to(3)), 2, existing(3));
    assert_eq!(native(&tree, &all(997)), Ok(()));
    both_refuse(&tree, all(998), SlotError::Balance, &["balance"]);
    // The largest amount there is, far above 2^128.
    let bits = (1 << 40) - 1;
    let most = Payload { amount: sheaf_core::amount::PackedAmount::from_bits(bits).unwrap(), ..payload(2, 0, 0, to(3)) };
    both_refuse(&tree, signed(most, 2, existing(3)), SlotError::Balance, &["balance"]);
    let out = payload(2, 0, 998, Target::L1(pair(9).owner));
    both_refuse(&tree, signed(out, 2, create(0)), SlotError::Balance, &["balance"]);
}

/// A2: neither the index alone nor the owner alone is the receiver.
#[test]
fn a_receiver_that_was_not_signed() {
    let mut tree = people();
    let impostor = Operation::Deposit {
        account: id(8),
        token: TokenId::ETH.word(),
        amount: 1,
        owner: pair(9).owner,
        key_hash: pair(3).key_hash,
    };
    build(&mut tree, SHAPE, header(), &[unsigned(impostor)]).unwrap();
    let tx = payload(2, 0, 1, to(9));
    for account in [3, 8] {
        both_refuse(&tree, signed(tx, 2, existing(account)), SlotError::Signature, SIGNATURE);
    }
    // An index that looks empty is nobody, even if nobody was signed.
    let nobody = Pair { owner: Address::ZERO, key_hash: F::from(0u64) };
    let input = signed(payload(2, 0, 1, Target::Account(nobody)), 2, existing(12));
    both_refuse(&tree, input, SlotError::Receiver, &["receiver"]);
    // And a TransferNew does not land on an account, even on the signed one.
    both_refuse(&tree, signed(tx, 2, create(8)), SlotError::NotEmpty, &["not_empty"]);
    both_refuse(&tree, signed(payload(2, 0, 1, to(3)), 2, create(3)), SlotError::NotEmpty, &["not_empty"]);
    // Half empty is not empty, though no operation leads there.
    for (word, value) in [(0, pair(9).key_hash), (2, F::from(5u64))] {
        let mut half = tree.clone();
        half.update([(GEOMETRY.address(12, word), value)]);
        both_refuse(&half, signed(tx, 2, create(12)), SlotError::NotEmpty, &["not_empty"]);
    }
}

/// A4: a deposit lands on its pair or on an empty index.
#[test]
fn a_deposit_to_somebody_elses_index() {
    let tree = people();
    both_refuse(&tree, unsigned(deposit(3, 2, TokenId::ETH, 5)), SlotError::DepositTarget, &["deposit_target"]);
    let Operation::Deposit { account, token, amount, owner, key_hash } = deposit(2, 2, TokenId::ETH, 5) else { unreachable!() };
    let other_key = Operation::Deposit { account, token, amount, owner, key_hash: pair(3).key_hash };
    both_refuse(&tree, unsigned(other_key), SlotError::DepositTarget, &["deposit_target"]);
    let other_owner = Operation::Deposit { account, token, amount, owner: pair(3).owner, key_hash };
    both_refuse(&tree, unsigned(other_owner), SlotError::DepositTarget, &["deposit_target"]);
    // Half empty: an owner without a key, and a key without an owner.
    for word in [0, 2] {
        let mut half = tree.clone();
        half.update([(GEOMETRY.address(9, word), if word == 0 { pair(9).key_hash } else { F::from(5u64) })]);
        both_refuse(&half, unsigned(deposit(9, 9, TokenId::ETH, 5)), SlotError::DepositTarget, &["deposit_target"]);
    }
}

#[test]
fn a_forced_exit_of_another_amount() {
    let tree = people();
    let exit = |caller: u8, amount| {
        unsigned(Operation::ForcedExit { account: id(2), token: TokenId::ETH.word(), amount, caller: pair(caller).owner })
    };
    assert_eq!(native(&tree, &exit(2, 1000)), Ok(()));
    assert_eq!(native(&tree, &exit(3, 0)), Ok(()));
    for amount in [0, 1, 999, 1001, u128::MAX] {
        both_refuse(&tree, exit(2, amount), SlotError::ExitAmount, &["exit_amount"]);
    }
    for amount in [1, 1000] {
        both_refuse(&tree, exit(3, amount), SlotError::ExitAmount, &["exit_amount"]);
    }
}
