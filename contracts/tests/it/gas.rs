//! What each call costs, pinned in `gas.txt`: a change of it is seen in review.

use std::fmt::Write;
use std::path::Path;

use alloy::primitives::aliases::U24;
use alloy::primitives::{B256, TxKind, U256};
use alloy_sol_types::SolCall as _;
use sheaf_contracts::{Sheaf, gas};
use sheaf_core::l1;
use sheaf_core::operation::Operation;
use sheaf_core::types::AccountId;

use crate::arbitrary::L1Request;
use crate::operations::{transfer, transfer_new, withdraw};
use crate::rollup::{ALICE, BOB, CAROL, FEE, OPERATOR, Rollup, deployment, deposit_call};

const ETH: u8 = 0;

/// Lines of a name and the gas that a transaction of that kind uses, refunds and calldata floor included.
#[derive(Default)]
struct Table(String);

impl Table {
    fn add(&mut self, name: &str, gas: u64) {
        writeln!(self.0, "{name:<52}{gas:>10}").expect("a string takes it");
    }
}

/// A recipient that no other test transaction has touched.
fn stranger(index: u8) -> alloy::primitives::Address {
    alloy::primitives::Address::repeat_byte(0x80 + index)
}

#[test]
fn gas_is_as_pinned() {
    let mut table = Table::default();
    let mut rollup = Rollup::new();
    let code = deployment(&rollup.simulator).init_code();
    table.add("deploy, 2 shapes", rollup.chain.gas(CAROL, TxKind::Create, 0, code));
    queue_calls(&mut table, &mut rollup);
    submissions(&mut table, &mut rollup);
    batched(&mut table);
    payouts(&mut table, &mut rollup);
    println!("{}", table.0);

    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("gas.txt");
    if std::env::var_os("SHEAF_WRITE_GOLDEN").is_some() {
        std::fs::write(&golden, &table.0).expect("gas.txt is written");
    }
    let pinned = std::fs::read_to_string(&golden).expect("gas.txt");
    assert_eq!(table.0, pinned, "gas has changed: look at the difference, then run `make golden`");
}

fn queue_calls(table: &mut Table, rollup: &mut Rollup) {
    let (token, _) = rollup.list_token();
    // Warm up what is written for the first time only once: the operator's claimable, what is held.
    rollup.deposit_eth(BOB, BOB, 1, 5);
    rollup.send(BOB, FEE, &deposit_call(token, 1, BOB, U256::from(5))).unwrap();

    let key_hash = U256::MAX >> 3;
    let call = deposit_call(ETH, 1_000, ALICE, key_hash);
    table.add("deposit ETH", rollup.send(ALICE, FEE + 1_000, &call).unwrap().gas_used);
    let call = deposit_call(token, 1_000, ALICE, key_hash);
    table.add("deposit ERC-20", rollup.send(ALICE, FEE, &call).unwrap().gas_used);
    let call = Sheaf::setKeyCall { account: U24::from(1), keyHash: key_hash };
    table.add("setKey", rollup.send(ALICE, FEE, &call).unwrap().gas_used);
    let call = Sheaf::requestExitCall { account: U24::from(1), token };
    table.add("requestExit", rollup.send(ALICE, FEE, &call).unwrap().gas_used);
}

fn submissions(table: &mut Table, rollup: &mut Rollup) {
    // A contract whose queue is empty, and whose first batch is behind it.
    *rollup = Rollup::new();
    rollup.settle(&[]);
    let mut measure = |rollup: &mut Rollup, name: &str, operations: &[Operation]| {
        let batch = rollup.batch(operations);
        let gas = rollup.submit(&batch).expect("an honest batch is accepted").gas_used;
        let each = if operations.is_empty() { String::new() } else { format!(" ({} each)", gas / operations.len() as u64) };
        table.add(&format!("submit {name}{each}"), gas);
    };
    measure(rollup, "no operation", &[]);
    for count in [1, 16, 256, 1_024] {
        let transfers: Vec<_> = (1..=count).map(transfer).collect();
        measure(rollup, &format!("{count} transfer{}", if count == 1 { "" } else { "s" }), &transfers);
    }
    let to_new: Vec<_> = (1..=16).map(transfer_new).collect();
    measure(rollup, "16 transfers to new accounts", &to_new);
    let withdrawals: Vec<_> = (1..=16).map(|i| withdraw(i, BOB, 5)).collect();
    measure(rollup, "16 withdrawals", &withdrawals);
    let deposits: Vec<_> = (0..16)
        .map(|_| {
            let credited_to = Some(AccountId::FIRST);
            rollup.request(ALICE, &L1Request::Deposit { amount: 1_000, owner: BOB, key_hash: 5u64.into(), credited_to })
        })
        .collect();
    measure(rollup, "16 deposits", &deposits);
    let exits: Vec<_> =
        (0..16).map(|_| rollup.request(ALICE, &L1Request::Exit { account: AccountId::FIRST, amount: 10 })).collect();
    measure(rollup, "16 exits", &exits);
}

/// What proofs cost that are checked together, and all that a transfer costs, with the data that it stands for.
fn batched(table: &mut Table) {
    for count in [1usize, 2, 4, 8, 16] {
        let (mut rollup, gas) = settled(&vec![(0, Vec::new()); count]);
        table.add(&format!("{count} empty batches a call, each"), gas.used / count as u64);
        table.add("  of it in precompiles", precompiles(count as u64) / count as u64);
        table.add("  of it for the transaction and its data", gas.intrinsic / count as u64);
        // A call with both shapes pays one pairing more.
        if count == 2 {
            let mixed = rollup.batches(&[(0, Vec::new()), (1, Vec::new())]);
            table.add("2 of two shapes, each", rollup.submit_all(&mixed).unwrap().gas_used / 2);
        }
    }
    for (batches, size) in [(1usize, 1_024u32), (1, 256), (4, 256), (16, 256)] {
        let content: Vec<_> = (0..size).map(|i| transfer(1 + i * 7_919 % 1_000_000)).collect();
        let data = l1::posted(&content);
        let zeros = data.iter().filter(|byte| **byte == 0).count();
        let (_, gas) = settled(&vec![(1, content); batches]);
        let count = batches as u64 * u64::from(size);
        table.add(&format!("a transfer, {batches} x {size} ({} bytes, {zeros} zero)", data.len()), gas.used / count);
        table.add("  of it at least for the call's data (EIP-7623)", gas.data_floor / count);
    }
}

/// What a call took.
struct Settled {
    used: u64,
    /// The least for its data.
    data_floor: u64,
    /// What it takes before anything runs: 21,000, and 4 for a byte that is zero, 16 for another one.
    intrinsic: u64,
}

/// What the precompiles take for proofs of one shape (EIP-1108): k + 3 pairings; four multiplications and additions for L; and for
/// each proof but the first two multiplications and an addition, and alpha's multiplication once.
fn precompiles(count: u64) -> u64 {
    const ADD: u64 = 150;
    const MULTIPLY: u64 = 6_000;
    let pairing = 45_000 + 34_000 * (count + 3);
    // With one proof, the factor of IC0 and alpha is 1, which is not multiplied.
    let (factors, added) = if count == 1 { (3, 0) } else { (5 + 2 * (count - 1), count - 1) };
    pairing + MULTIPLY * factors + ADD * (4 + added)
}

/// Gas of one call with these batches, on a contract that has one behind it.
fn settled(contents: &[(u8, Vec<Operation>)]) -> (Rollup, Settled) {
    let mut rollup = Rollup::new();
    rollup.settle(&[]);
    let batches = rollup.batches(contents);
    let receipt = rollup.submit_all(&batches).expect("honest batches are accepted");
    let (used, needed, bound) = (receipt.gas_used, receipt.gas_needed, gas::call_bound(&batches));
    assert!(used <= 15_000_000, "{used} gas");
    assert!(needed <= bound, "{needed} gas for {} batches, more than the bound of {bound}", batches.len());
    let data = Sheaf::submitCall { batches }.abi_encode();
    let intrinsic = 21_000 + data.iter().map(|byte| if *byte == 0 { 4 } else { 16 }).sum::<u64>();
    (rollup, Settled { used, data_floor: gas::calldata_floor(&data), intrinsic })
}

#[test]
fn a_call_takes_no_more_than_what_is_planned_for_it() {
    let contents = |kind: u32, count: u32| -> Vec<Operation> {
        (1..=count)
            .map(|i| match kind {
                0 => transfer(i),
                1 => transfer_new(i),
                _ => withdraw(i, BOB, 5),
            })
            .collect()
    };
    let mut narrowest = u64::MAX;
    for calls in [1, 2, 3, 4, 8, 16] {
        for (first, second) in [(0, 0), (1, 1), (0, 1)] {
            for kind in 0..3 {
                for operations in [0, 1, 16] {
                    let shape = |i| if i % 2 == 0 { first } else { second };
                    let batches: Vec<_> = (0..calls).map(|i| (shape(i), contents(kind, operations))).collect();
                    let mut rollup = Rollup::new();
                    let batches = rollup.batches(&batches);
                    let bound = gas::call_bound(&batches);
                    // The first call of all writes what was zero.
                    let needed = rollup.submit_all(&batches).expect("honest batches are accepted").gas_needed;
                    let case = format!("{calls} calls of shapes {first} and {second}, {operations} operations of kind {kind}");
                    assert!(needed <= bound, "{case}: {needed} > {bound}");
                    narrowest = narrowest.min(bound - needed);
                }
            }
        }
    }
    println!("the narrowest bound leaves {narrowest} gas");
}

#[test]
fn operations_from_l1_take_no_more_than_what_is_planned_for_them() {
    let mut rollup = Rollup::new();
    let key_hash = 5u64.into();
    for kind in 0..4 {
        let operations: Vec<_> = (0..16)
            .map(|i| match kind {
                0 => L1Request::Deposit { amount: 1_000, owner: BOB, key_hash, credited_to: Some(AccountId::FIRST) },
                1 => L1Request::Deposit { amount: 1_000, owner: stranger(i), key_hash, credited_to: None },
                2 => L1Request::Exit { account: AccountId::FIRST, amount: 10 },
                _ => L1Request::SetKey { account: AccountId::FIRST, key_hash },
            })
            .map(|request| rollup.request(ALICE, &request))
            .collect();
        let batch = rollup.batch(&operations);
        let bound = gas::call_bound(std::slice::from_ref(&batch));
        let needed = rollup.submit(&batch).expect("an honest batch is accepted").gas_needed;
        assert!(needed <= bound, "kind {kind}: {needed} > {bound}");
    }
}

fn payouts(table: &mut Table, rollup: &mut Rollup) {
    let (token, _) = rollup.list_token();
    rollup.send(ALICE, FEE, &deposit_call(token, 1_000, BOB, U256::from(5))).unwrap();
    let refund = Operation::DepositRefund {
        token: sheaf_core::types::TokenId::new(token).expect("61 tokens").word(),
        amount: 1_000,
        owner: BOB,
        key_hash: 5u64.into(),
    };
    let mut operations = vec![refund];
    operations.extend((0..17).map(|i| withdraw(1, stranger(i), 5)));
    let number = rollup.settle(&operations).event::<Sheaf::BatchSubmitted>().number;
    let leaving = l1::withdrawals(&operations);
    let mut credit = |rollup: &mut Rollup, name: &str, range: std::ops::Range<usize>| {
        let withdrawals = leaving[range.clone()]
            .iter()
            .map(|w| Sheaf::Withdrawal { recipient: w.recipient, token: w.token.get(), amount: w.amount })
            .collect();
        let prefix: B256 = l1::withdrawals_hash(&leaving[..range.start]);
        let call = Sheaf::creditWithdrawalsCall { batch: number, prefix, withdrawals };
        table.add(&format!("creditWithdrawals {name}"), rollup.send(CAROL, 0, &call).unwrap().gas_used);
    };
    credit(rollup, "1 of 18", 17..18);
    credit(rollup, "16 of 17", 1..17);
    let claim = Sheaf::claimCall { owner: stranger(1), token: ETH };
    table.add("claim ETH", rollup.send(CAROL, 0, &claim).unwrap().gas_used);
    let claim = Sheaf::claimCall { owner: BOB, token };
    table.add("claim ERC-20", rollup.send(CAROL, 0, &claim).unwrap().gas_used);
    let claim = Sheaf::claimToCall { token: ETH, to: stranger(100) };
    table.add("claimTo ETH", rollup.send(OPERATOR, 0, &claim).unwrap().gas_used);
}
