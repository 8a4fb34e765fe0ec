//! Peeling what left off a batch's hash.

use std::cell::RefCell;

use alloy::primitives::{Address, B256, U256};
use proptest::collection::vec;
use proptest::prelude::*;
use sheaf_contracts::Sheaf;
use sheaf_core::l1;
use sheaf_core::operation::Operation;

use crate::arbitrary::{L1Request, runner};
use crate::chain::refusal;
use crate::operations::withdraw;
use crate::rollup::{ALICE, BOB, CAROL, FEE, Rollup, deposit_call};

const ETH: u8 = 0;
/// Enough for all that the tests let leave.
const FUNDS: u128 = 1_000_000_000;

fn rollup_with_funds() -> Rollup {
    let mut rollup = Rollup::new();
    let call = deposit_call(ETH, FUNDS, ALICE, U256::from(5));
    rollup.send(ALICE, FEE + FUNDS, &call).unwrap();
    let deposit = Operation::Deposit {
        account: sheaf_core::types::AccountId::FIRST,
        token: sheaf_core::types::TokenId::ETH.word(),
        amount: FUNDS,
        owner: ALICE,
        key_hash: 5u64.into(),
    };
    rollup.settle(&[deposit]);
    rollup
}

/// Settles withdrawals; answers them as the contract wants them, with the hash before each, and the batch's number.
fn settle_withdrawals(rollup: &mut Rollup, operations: &[Operation]) -> (u64, Vec<Sheaf::Withdrawal>, Vec<B256>) {
    let number = rollup.settle(operations).event::<Sheaf::BatchSubmitted>().number;
    let leaving = l1::withdrawals(operations);
    let mut hashes = vec![B256::ZERO];
    for withdrawal in &leaving {
        hashes.push(l1::withdrawals_hash_step(*hashes.last().unwrap(), withdrawal));
    }
    let withdrawals = leaving
        .iter()
        .map(|leaving| Sheaf::Withdrawal { recipient: leaving.recipient, token: leaving.token.get(), amount: leaving.amount })
        .collect();
    (number, withdrawals, hashes)
}

fn credit(batch: u64, prefix: B256, withdrawals: &[Sheaf::Withdrawal]) -> Sheaf::creditWithdrawalsCall {
    Sheaf::creditWithdrawalsCall { batch, prefix, withdrawals: withdrawals.to_vec() }
}

/// Calls `[from, from + length)` of the withdrawals, some of them in the past, overlapping, or out of turn.
fn arb_calls() -> impl Strategy<Value = Vec<(usize, usize)>> {
    vec((0usize..12, 0usize..12), 0..20)
}

#[test]
fn however_it_is_split_each_is_credited_once() {
    let rollup = RefCell::new(rollup_with_funds());
    let amounts = vec((0usize..3, 0u128..100), 1..12);
    runner(64)
        .run(&(amounts, arb_calls()), |(leaving, calls)| {
            let rollup = &mut *rollup.borrow_mut();
            let people = [ALICE, BOB, CAROL];
            let operations: Vec<_> = leaving.iter().map(|(person, amount)| withdraw(1, people[*person], *amount)).collect();
            let (batch, withdrawals, hashes) = settle_withdrawals(rollup, &operations);
            let before = people.map(|person| rollup.claimable(person, ETH));

            // The stored hash covers the first `left` of them, whatever calls are made.
            let mut left = withdrawals.len();
            let whole = (0, withdrawals.len());
            for (from, length) in calls.into_iter().chain([whole]) {
                let from = from.min(withdrawals.len());
                let to = (from + length).min(withdrawals.len());
                let outcome = rollup.send(CAROL, 0, &credit(batch, hashes[from], &withdrawals[from..to]));
                if from <= left && left <= to {
                    let credited = outcome.expect("what is next to be peeled is credited");
                    if from < left {
                        let event: Sheaf::WithdrawalsCredited = credited.event();
                        assert_eq!((event.batch, event.remaining, event.count), (batch, hashes[from], U256::from(left - from)));
                    } else {
                        assert!(credited.logs.is_empty(), "nothing was left to credit");
                    }
                    left = from;
                } else {
                    refusal::<Sheaf::WithdrawalsMismatch>(&outcome);
                }
                assert_eq!(rollup.view(Sheaf::withdrawalsHashCall { batch }), hashes[left]);
                let credited = |person: Address| -> u128 {
                    withdrawals[left..].iter().filter(|w| w.recipient == person).map(|w| w.amount).sum()
                };
                for (person, before) in people.iter().zip(before) {
                    assert_eq!(rollup.claimable(*person, ETH), before + credited(*person));
                }
            }
            assert_eq!(left, 0);
            Ok(())
        })
        .unwrap();
}

#[test]
fn exits_and_refunds_are_peeled_first() {
    let mut rollup = rollup_with_funds();
    let refund = L1Request::Deposit { amount: 700, owner: BOB, key_hash: 6u64.into(), credited_to: None };
    let refund = rollup.request(ALICE, &refund);
    let exit = L1Request::Exit { account: sheaf_core::types::AccountId::FIRST, amount: 900 };
    let exit = rollup.request(CAROL, &exit);
    let dust = [withdraw(1, ALICE, 1), withdraw(1, ALICE, 2)];
    let (batch, withdrawals, hashes) = settle_withdrawals(&mut rollup, &[&[refund, exit], &dust[..]].concat());
    let order: Vec<_> = withdrawals.iter().map(|w| (w.recipient, w.amount)).collect();
    assert_eq!(order, [(ALICE, 1), (ALICE, 2), (BOB, 700), (CAROL, 900)]);

    rollup.send(BOB, 0, &credit(batch, hashes[2], &withdrawals[2..])).unwrap();
    assert_eq!(rollup.claimable(BOB, ETH), 700);
    assert_eq!(rollup.claimable(CAROL, ETH), 900);
}

#[test]
fn a_changed_withdrawal_is_refused() {
    let mut rollup = rollup_with_funds();
    let operations = [withdraw(1, ALICE, 10), withdraw(1, BOB, 20)];
    let (batch, honest, hashes) = settle_withdrawals(&mut rollup, &operations);
    let changes: [fn(&mut Vec<Sheaf::Withdrawal>); 6] = [
        |list| list[1].amount += 1,
        |list| list[1].recipient = CAROL,
        |list| list[1].token = 1,
        |list| list.swap(0, 1),
        |list| list.truncate(1),
        |list| list.truncate(0),
    ];
    for change in changes {
        let mut list = honest.clone();
        change(&mut list);
        refusal::<Sheaf::WithdrawalsMismatch>(&rollup.send(CAROL, 0, &credit(batch, B256::ZERO, &list)));
    }
    refusal::<Sheaf::WithdrawalsMismatch>(&rollup.send(CAROL, 0, &credit(batch, hashes[1], &honest)));
    // A batch that does not exist has nothing left to credit, like one that is done with.
    let receipt = rollup.send(CAROL, 0, &credit(batch + 1, B256::ZERO, &honest)).unwrap();
    assert!(receipt.logs.is_empty());
    let error: Sheaf::WithdrawalsMismatch = refusal(&rollup.send(CAROL, 0, &credit(batch + 1, hashes[1], &honest)));
    assert_eq!(error.batch, batch + 1);
    assert_eq!(rollup.claimable(BOB, ETH), 0);
}
