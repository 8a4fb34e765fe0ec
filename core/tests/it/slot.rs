//! Each rule of the slot function, and that a refusal changes nothing.

use crate::world::{Map, NOW, amount, context, deposit, id, key, operation, pair, pay, payload, people};
use alloy_primitives::Address;
use ark_ff::Zero;
use sheaf_core::F;
use sheaf_core::amount::PackedFee;
use sheaf_core::operation::Operation;
use sheaf_core::slot::{Memory, Signed, SlotError, SlotSignature, apply, evaluate, verify_signature};
use sheaf_core::transaction::{Resolution, Target, Transaction};
use sheaf_core::types::{TokenId, TokenWord, field_from_address};

fn word(memory: &Map, account: u32, word: u32) -> F {
    memory.read(context().geometry.address(account, word))
}

fn eth(memory: &Map, account: u32) -> F {
    word(memory, account, 3)
}

#[track_caller]
fn refused(memory: &mut Map, operation: Operation, signed: Option<&Signed>, why: SlotError) {
    let before = memory.0.iter().filter(|(_, v)| !v.is_zero()).map(|(a, v)| (*a, *v)).collect::<Vec<_>>();
    assert_eq!(apply(&context(), &operation, signed, memory), Err(why));
    let after = memory.0.iter().filter(|(_, v)| !v.is_zero()).map(|(a, v)| (*a, *v)).collect::<Vec<_>>();
    assert_eq!(before, after, "a refusal must not change the state");
}

fn to(seed: u8) -> Target {
    Target::Account(pair(seed))
}

#[test]
fn a_transfer_moves_amount_and_fee() {
    let mut memory = people();
    let tx = pay(to(3));
    let signed = tx.verify(context().domain).unwrap();
    apply(&context(), &operation(&tx, Resolution::Existing(id(3))), Some(&signed), &mut memory).unwrap();
    assert_eq!([1, 2, 3].map(|a| eth(&memory, a)), [1003u64, 897, 1100].map(F::from));
    assert_eq!(word(&memory, 2, 1), F::from(1u64));
}

#[test]
fn paying_oneself_and_being_the_fee_account_need_no_special_case() {
    let mut memory = people();
    let tx = payload(2, 0, 100, to(2)).sign(context().domain, &key(2));
    apply(&context(), &operation(&tx, Resolution::Existing(id(2))), Some(&tx.signed()), &mut memory).unwrap();
    assert_eq!(eth(&memory, 2), F::from(997u64));
    let tx = payload(1, 0, 100, to(1)).sign(context().domain, &key(1));
    apply(&context(), &operation(&tx, Resolution::Existing(id(1))), Some(&tx.signed()), &mut memory).unwrap();
    assert_eq!(eth(&memory, 1), F::from(1003u64));
}

#[test]
fn the_signature_is_the_same_whether_the_receiver_exists_or_not() {
    let tx = pay(to(9));
    let mut memory = people();
    let creates = operation(&tx, Resolution::Create(id(4)));
    let ports = evaluate(&context(), &creates, &mut memory.clone());
    verify_signature(&context(), &creates, &ports, &tx.slot_signature()).unwrap();
    apply(&context(), &deposit(7, 9, TokenId::ETH, 1), None, &mut memory).unwrap();
    let pays = operation(&tx, Resolution::Existing(id(7)));
    let ports = evaluate(&context(), &pays, &mut memory);
    verify_signature(&context(), &pays, &ports, &tx.slot_signature()).unwrap();
}

/// A2: neither the index alone nor the owner alone is the receiver.
#[test]
fn a_signed_transfer_pays_only_the_signed_pair() {
    let tx = pay(to(9));
    let mut memory = people();
    let signed = tx.signed();
    // Person 3's account, and one that somebody opened in 9's name with another key.
    let mut impostor = deposit(8, 9, TokenId::ETH, 1);
    if let Operation::Deposit { key_hash, .. } = &mut impostor {
        *key_hash = pair(3).key_hash;
    }
    apply(&context(), &impostor, None, &mut memory).unwrap();
    for index in [3, 8] {
        let pays = operation(&tx, Resolution::Existing(id(index)));
        let ports = evaluate(&context(), &pays, &mut memory.clone());
        assert_eq!(verify_signature(&context(), &pays, &ports, &tx.slot_signature()), Err(SlotError::Signature));
        refused(&mut memory, pays, Some(&signed), SlotError::Receiver);
    }
    // An index that looks empty is no receiver of a Transfer, and one in use is none of a TransferNew.
    refused(&mut memory, operation(&tx, Resolution::Existing(id(20))), Some(&signed), SlotError::Receiver);
    refused(&mut memory, operation(&tx, Resolution::Create(id(3))), Some(&signed), SlotError::NotEmpty);
}

#[test]
fn a_signature_binds_domain_expiry_nonce_and_every_field() {
    let tx = pay(to(3));
    let memory = people();
    let honest = operation(&tx, Resolution::Existing(id(3)));
    let verify = |ctx: &sheaf_core::slot::Context, operation: &Operation, slot: &SlotSignature, memory: &Map| {
        let ports = evaluate(ctx, operation, &mut memory.clone());
        verify_signature(ctx, operation, &ports, slot)
    };
    let slot = tx.slot_signature();
    assert!(verify(&context(), &honest, &slot, &memory).is_ok());
    let other_domain = sheaf_core::slot::Context { domain: F::from(78u64), ..context() };
    assert!(verify(&other_domain, &honest, &slot, &memory).is_err());
    assert!(verify(&context(), &honest, &SlotSignature { expires: NOW + 1, ..slot }, &memory).is_err());
    let mut later = memory.clone();
    later.write(context().geometry.address(2, 1), F::from(1u64));
    assert!(verify(&context(), &honest, &slot, &later).is_err());
    let Operation::Transfer { from, to, token, amount: paid, fee } = honest else { unreachable!() };
    let changed = [
        Operation::Transfer { from: id(3), to, token, amount: paid, fee },
        Operation::Transfer { from, to: id(1), token, amount: paid, fee },
        Operation::Transfer { from, to, token: TokenWord::new(4).unwrap(), amount: paid, fee },
        Operation::Transfer { from, to, token, amount: amount(101), fee },
        Operation::Transfer { from, to, token, amount: paid, fee: PackedFee::encode(4).unwrap() },
        Operation::Withdraw { from, token, amount: paid, fee, recipient: pair(3).owner },
    ];
    for operation in changed {
        assert!(verify(&context(), &operation, &slot, &memory).is_err(), "{operation:?}");
    }
}

#[test]
fn a_signed_slot_is_refused_for_each_reason() {
    let mut memory = people();
    let tx = pay(to(3));
    let honest = operation(&tx, Resolution::Existing(id(3)));
    let signed = tx.signed();
    refused(&mut memory, honest, None, SlotError::SignaturePresence);
    refused(&mut memory, Operation::Noop, Some(&signed), SlotError::SignaturePresence);
    refused(&mut memory, honest, Some(&Signed { expires: NOW - 1, ..signed }), SlotError::Expired);
    refused(&mut memory, honest, Some(&Signed { nonce: F::from(1u64), ..signed }), SlotError::Nonce);
    refused(&mut memory, honest, Some(&Signed { key_hash: pair(3).key_hash, ..signed }), SlotError::KeyHash);
    let rich = payload(2, 0, 998, to(3)).sign(context().domain, &key(2));
    refused(&mut memory, operation(&rich, Resolution::Existing(id(3))), Some(&rich.signed()), SlotError::Balance);
    let exact = payload(2, 0, 997, to(3)).sign(context().domain, &key(2));
    assert!(apply(&context(), &operation(&exact, Resolution::Existing(id(3))), Some(&exact.signed()), &mut memory).is_ok());
}

/// A3: a word below 3 would make a key, a nonce or an owner a balance.
#[test]
fn a_token_word_that_names_no_token_is_refused() {
    let mut memory = people();
    let tx = pay(to(3));
    for raw in 0..3 {
        let bad = TokenWord::new(raw).unwrap();
        let mut operations = vec![
            (deposit(2, 2, TokenId::ETH, 5), None),
            (Operation::ForcedExit { account: id(2), token: bad, amount: 0, caller: pair(2).owner }, None),
            (operation(&tx, Resolution::Existing(id(3))), Some(tx.signed())),
            (operation(&pay(to(9)), Resolution::Create(id(9))), Some(pay(to(9)).signed())),
            (operation(&pay(Target::L1(Address::repeat_byte(1))), Resolution::Create(id(0))), Some(tx.signed())),
        ];
        for (operation, signed) in &mut operations {
            match operation {
                Operation::Deposit { token, .. }
                | Operation::ForcedExit { token, .. }
                | Operation::Transfer { token, .. }
                | Operation::TransferNew { token, .. }
                | Operation::Withdraw { token, .. } => *token = bad,
                _ => unreachable!(),
            }
            refused(&mut memory, *operation, signed.as_ref(), SlotError::TokenWord);
        }
    }
}

/// A4: a deposit lands on an empty index or on exactly its pair.
#[test]
fn a_deposit_lands_on_its_pair_or_on_an_empty_index() {
    let mut memory = people();
    apply(&context(), &deposit(2, 2, TokenId::ETH, 5), None, &mut memory).unwrap();
    assert_eq!(eth(&memory, 2), F::from(1005u64));
    refused(&mut memory, deposit(3, 2, TokenId::ETH, 5), None, SlotError::DepositTarget);
    // The same owner with another key, and the same key with another owner.
    let Operation::Deposit { account, token, amount, owner, key_hash } = deposit(2, 2, TokenId::ETH, 5) else { unreachable!() };
    let other_key = Operation::Deposit { account, token, amount, owner, key_hash: pair(3).key_hash };
    refused(&mut memory, other_key, None, SlotError::DepositTarget);
    let other_owner = Operation::Deposit { account, token, amount, owner: pair(3).owner, key_hash };
    refused(&mut memory, other_owner, None, SlotError::DepositTarget);
}

/// A5: an account must never look empty, and nothing goes to nobody.
#[test]
fn zero_keys_and_owners_are_refused() {
    let mut memory = people();
    let zero = F::zero();
    let mut no_key = deposit(9, 9, TokenId::ETH, 5);
    if let Operation::Deposit { key_hash, .. } = &mut no_key {
        *key_hash = zero;
    }
    refused(&mut memory, no_key, None, SlotError::ZeroAux);
    let set = Operation::SetKey { account: id(2), caller: pair(2).owner, key_hash: zero };
    refused(&mut memory, set, None, SlotError::ZeroAux);
    let nobody = Transaction { payload: payload(2, 0, 1, Target::L1(Address::ZERO)), ..pay(to(3)) };
    refused(&mut memory, operation(&nobody, Resolution::Create(id(0))), Some(&nobody.signed()), SlotError::ZeroAux);
    for (owner, key_hash) in [(Address::ZERO, pair(9).key_hash), (pair(9).owner, zero)] {
        let target = Target::Account(sheaf_core::transaction::Pair { owner, key_hash });
        let tx = Transaction { payload: payload(2, 0, 1, target), ..pay(to(3)) };
        refused(&mut memory, operation(&tx, Resolution::Create(id(9))), Some(&tx.signed()), SlotError::ZeroAux);
    }
}

#[test]
fn only_the_owner_replaces_a_key_or_forces_an_exit() {
    let mut memory = people();
    let new_key = pair(8).key_hash;
    let set = |caller: u8| Operation::SetKey { account: id(2), caller: pair(caller).owner, key_hash: new_key };
    apply(&context(), &set(3), None, &mut memory).unwrap();
    assert_eq!(word(&memory, 2, 0), pair(2).key_hash, "a stranger's SetKey has no effect");
    apply(&context(), &set(2), None, &mut memory).unwrap();
    assert_eq!(word(&memory, 2, 0), new_key);
    let exit = |caller: u8, amount| Operation::ForcedExit {
        account: id(2),
        token: TokenId::ETH.word(),
        amount,
        caller: pair(caller).owner,
    };
    refused(&mut memory, exit(3, 1000), None, SlotError::ExitAmount);
    refused(&mut memory, exit(2, 0), None, SlotError::ExitAmount);
    refused(&mut memory, exit(2, 999), None, SlotError::ExitAmount);
    apply(&context(), &exit(3, 0), None, &mut memory).unwrap();
    assert_eq!(eth(&memory, 2), F::from(1000u64));
    apply(&context(), &exit(2, 1000), None, &mut memory).unwrap();
    assert_eq!(eth(&memory, 2), F::zero());
    // An account that does not exist belongs to nobody.
    let nobody = Operation::SetKey { account: id(20), caller: Address::ZERO, key_hash: new_key };
    let ports = evaluate(&context(), &nobody, &mut memory.clone());
    assert_eq!(ports[4].old, field_from_address(Address::ZERO), "the contract never queues a zero caller");
}

#[test]
fn noop_and_refund_touch_only_the_fee_accounts_header() {
    let mut memory = people();
    let refund =
        Operation::DepositRefund { token: TokenId::ETH.word(), amount: 5, owner: pair(2).owner, key_hash: pair(2).key_hash };
    for operation in [Operation::Noop, refund] {
        let ports = apply(&context(), &operation, None, &mut memory).unwrap();
        assert!(ports.iter().all(|p| p.address == context().geometry.address(1, 0) && p.old == p.new));
    }
}
