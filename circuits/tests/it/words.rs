//! Public words that are no operation: what the wire format can't say, the circuit refuses too.

use crate::harness::Circuit;
use crate::world::mixed;
use ark_ff::Field;
use sheaf_circuits::witness::Private;
use sheaf_core::F;
use sheaf_core::operation::{DecodeError, Operation};

/// Slots of [`mixed`].
const DEPOSIT: usize = 0;
const SET_KEY: usize = 1;
const TRANSFER: usize = 2;
const WITHDRAW: usize = 4;
const NOOP: usize = 5;

fn power(exponent: u64) -> F {
    F::from(2u64).pow([exponent])
}

/// Adds `change` to word number `word` of a slot; the words must then be no operation, and the circuit must fail in `group`.
#[track_caller]
fn refused(slot: usize, word: usize, change: F, group: &str) {
    let mut private = Private::from(&mixed());
    let at = 4 + 3 * slot;
    private.words[at + word] += change;
    let words: [F; 3] = private.words[at..at + 3].try_into().unwrap();
    let decoded = Operation::from_words(words);
    assert!(matches!(decoded, Err(DecodeError::UnusedBits | DecodeError::Code(_))), "{decoded:?}");
    let failures = Circuit::small().failures(&private);
    assert!(failures.contains(group), "{failures:?}");
}

#[test]
fn a_core_that_is_too_wide() {
    refused(DEPOSIT, 0, power(162), "core_width");
    refused(DEPOSIT, 0, power(200), "core_width");
    refused(DEPOSIT, 0, -power(161), "core_width");
    refused(TRANSFER, 0, power(112), "core_width");
    refused(WITHDRAW, 0, power(161), "core_width");
}

#[test]
fn a_code_that_does_not_exist() {
    let codes = [(DEPOSIT, 1u64), (SET_KEY, 2), (TRANSFER, 4), (WITHDRAW, 6)];
    for (slot, code) in codes {
        for reserved in [7u64, 8, 9, 11, 12, 13, 14, 15] {
            refused(slot, 0, F::from(reserved) - F::from(code), "op_code");
        }
    }
}

#[test]
fn a_field_that_the_operation_does_not_have() {
    refused(WITHDRAW, 0, power(34), "unused_bits");
    refused(WITHDRAW, 2, F::from(1u64), "unused_bits");
    refused(SET_KEY, 0, power(4), "unused_bits");
    refused(SET_KEY, 0, power(34), "unused_bits");
    refused(SET_KEY, 0, power(161), "unused_bits");
    refused(TRANSFER, 1, F::from(1u64), "unused_bits");
    refused(TRANSFER, 2, F::from(1u64), "unused_bits");
    refused(NOOP, 0, power(4), "unused_bits");
    refused(NOOP, 0, power(150), "unused_bits");
    refused(NOOP, 1, F::from(1u64), "unused_bits");
    refused(NOOP, 2, F::from(1u64), "unused_bits");
    // A refund of an account: code 10 with the account field of a deposit.
    refused(DEPOSIT, 0, F::from(9u64), "unused_bits");
    // An exit with a key hash.
    refused(DEPOSIT, 0, F::from(2u64), "unused_bits");
}

#[test]
fn an_address_that_is_too_wide() {
    refused(DEPOSIT, 1, power(160), "aux1_width");
    refused(SET_KEY, 1, power(250), "aux1_width");
    refused(WITHDRAW, 1, power(160), "aux1_width");
}

#[test]
fn an_account_outside_of_a_smaller_tree_or_a_header_that_is_too_wide() {
    let fails = |at: usize, change: F, group: &str| {
        let mut private = Private::from(&mixed());
        private.words[at] += change;
        let failures = Circuit::small().failures(&private);
        assert!(failures.contains(group), "{failures:?}");
    };
    // Sixteen accounts: bit 4 of an index is above them.
    for bit in [4, 23] {
        fails(4 + 3 * DEPOSIT, power(10 + bit), "account_range");
        fails(4 + 3 * TRANSFER, power(34 + bit), "account_range");
        fails(3, power(32 + bit), "account_range");
    }
    fails(3, power(56), "header_width");
    fails(3, -power(56), "header_width");
}
