//! The demo's books: money moves, and never comes to be or disappears.

use alloy::primitives::Address;
use sheaf_cli::demo::tally::{ETH, Tally};
use sheaf_core::F;
use sheaf_core::transaction::Pair;

const TOKEN: u8 = 1;
const QUEUE_FEE: u128 = 7;

fn address(n: u8) -> Address {
    Address::repeat_byte(n)
}

fn pair(n: u8) -> Pair {
    Pair { owner: address(n), key_hash: F::from(u64::from(n)) }
}

/// The operator is 9, and alice (1) has 1,000 of each on L1.
fn books() -> Tally {
    let mut tally = Tally::new(pair(9), address(9), QUEUE_FEE);
    tally.fund(address(1), ETH, 1_000);
    tally.fund(address(1), TOKEN, 1_000);
    tally
}

#[test]
fn a_deposit_costs_the_amount_and_the_queues_fee() {
    let mut tally = books();
    tally.deposit(address(1), ETH, 100, pair(1)).unwrap();
    tally.deposit(address(1), TOKEN, 200, pair(2)).unwrap();
    assert_eq!((tally.l1_balance(address(1), ETH), tally.l1_balance(address(1), TOKEN)), (1_000 - 100 - 2 * QUEUE_FEE, 800));
    assert_eq!((tally.l2_balance(pair(1), ETH), tally.l2_balance(pair(2), TOKEN)), (100, 200));
    assert_eq!(tally.claimable(address(9), ETH), 2 * QUEUE_FEE);
    assert_eq!((tally.held(ETH), tally.held(TOKEN)), (100 + 2 * QUEUE_FEE, 200));
}

#[test]
fn a_transfer_moves_the_amount_and_pays_the_fee_also_to_oneself_and_by_the_operator() {
    let mut tally = books();
    tally.deposit(address(1), ETH, 100, pair(1)).unwrap();
    tally.transfer(pair(1), pair(2), ETH, 30, 5).unwrap();
    tally.transfer(pair(1), pair(1), ETH, 10, 2).unwrap();
    assert_eq!([1, 2, 9].map(|n| tally.l2_balance(pair(n), ETH)), [63, 30, 7]);
    tally.transfer(pair(9), pair(2), ETH, 4, 3).unwrap();
    assert_eq!([1, 2, 9].map(|n| tally.l2_balance(pair(n), ETH)), [63, 34, 3]);
    assert_eq!(tally.held(ETH), 100 + QUEUE_FEE);
}

#[test]
fn what_leaves_can_be_claimed_once_and_is_held_until_then() {
    let mut tally = books();
    tally.deposit(address(1), ETH, 100, pair(1)).unwrap();
    tally.withdraw(pair(1), address(5), ETH, 40, 1).unwrap();
    assert_eq!((tally.claimable(address(5), ETH), tally.held(ETH)), (40, 100 + QUEUE_FEE));
    assert_eq!(tally.claim(address(5), ETH, address(6)), 40);
    assert_eq!(tally.claim(address(5), ETH, address(6)), 0);
    assert_eq!((tally.l1_balance(address(6), ETH), tally.held(ETH)), (40, 60 + QUEUE_FEE));
}

#[test]
fn a_forced_exit_takes_one_tokens_whole_balance() {
    let mut tally = books();
    tally.deposit(address(1), TOKEN, 100, pair(1)).unwrap();
    tally.deposit(address(1), ETH, 50, pair(1)).unwrap();
    assert_eq!(tally.forced_exit(pair(1), TOKEN).unwrap(), 100);
    assert_eq!((tally.l2_balance(pair(1), TOKEN), tally.l2_balance(pair(1), ETH)), (0, 50));
    assert_eq!((tally.claimable(address(1), TOKEN), tally.claimable(address(9), ETH)), (100, 3 * QUEUE_FEE));
}

#[test]
fn a_key_change_takes_every_balance_to_the_new_pair() {
    let mut tally = books();
    tally.deposit(address(1), TOKEN, 100, pair(1)).unwrap();
    tally.deposit(address(1), ETH, 50, pair(1)).unwrap();
    let new = Pair { key_hash: F::from(77u64), ..pair(1) };
    tally.set_key(address(1), pair(1), new).unwrap();
    assert_eq!([ETH, TOKEN].map(|t| (tally.l2_balance(pair(1), t), tally.l2_balance(new, t))), [(0, 50), (0, 100)]);
    assert_eq!(tally.l1_balance(address(1), ETH), 1_000 - 50 - 3 * QUEUE_FEE);
}

#[test]
fn nobody_spends_what_is_not_there_and_a_refused_entry_changes_nothing() {
    let mut tally = books();
    assert!(tally.transfer(pair(1), pair(2), ETH, 1, 0).is_err());
    tally.deposit(address(1), ETH, 100, pair(1)).unwrap();
    let error = tally.withdraw(pair(1), address(1), ETH, 100, 1).unwrap_err();
    assert!(error.to_string().contains("which holds 100"), "{error}");
    assert_eq!((tally.l2_balance(pair(1), ETH), tally.claimable(address(1), ETH)), (100, 0));
    assert!(tally.gas(address(2), 1).is_err());
    tally.gas(address(1), 13).unwrap();
    assert_eq!(tally.l1_balance(address(1), ETH), 1_000 - 100 - QUEUE_FEE - 13);
}
