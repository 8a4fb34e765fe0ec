//! Operations survive the wire, and no other bytes do.

use crate::arb::{arb_l1_operation, arb_l2_operation};
use proptest::prelude::*;
use sheaf_core::F;
use sheaf_core::l1;
use sheaf_core::operation::{DecodeError, OpCode, Operation};
use sheaf_core::types::TokenWord;

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn posted_bytes_round_trip(l1 in prop::collection::vec(arb_l1_operation(), 0..6), l2 in prop::collection::vec(arb_l2_operation(), 0..6)) {
        let all = [l1.clone(), l2].concat();
        let bytes = l1::posted(&all);
        prop_assert_eq!(bytes.len(), all.iter().map(|o| o.code().posted_len()).sum::<usize>());
        prop_assert_eq!(Operation::decode_all(&bytes, l1.len(), all.len()), Ok(all));
    }

    #[test]
    fn words_round_trip(operation in prop_oneof![arb_l1_operation(), arb_l2_operation(), Just(Operation::Noop)]) {
        prop_assert_eq!(Operation::from_words(operation.words()), Ok(operation));
    }

    #[test]
    fn a_cut_or_a_byte_more_is_refused(operation in prop_oneof![arb_l1_operation(), arb_l2_operation()], cut in 1usize..14) {
        let l1 = usize::from(operation.code().is_l1());
        let bytes = l1::posted(&[operation]);
        prop_assert_eq!(Operation::decode_all(&bytes[..bytes.len() - cut], l1, 1), Err(DecodeError::Truncated));
        let longer = [bytes.as_slice(), &[0]].concat();
        prop_assert_eq!(Operation::decode_all(&longer, l1, 1), Err(DecodeError::Trailing));
    }

    #[test]
    fn an_operation_in_the_other_half_is_refused(operation in prop_oneof![arb_l1_operation(), arb_l2_operation()]) {
        // Padded so that length is not the reason.
        let bytes = [l1::posted(&[operation]), vec![0; 40]].concat();
        let wrong = Operation::decode_as(&mut bytes.as_slice(), !operation.code().is_l1());
        prop_assert_ne!(wrong, Ok(operation));
    }
}

#[test]
fn reserved_codes_are_refused_in_both_halves() {
    for code in [0u8, 7, 8, 9, 11, 12, 13, 14, 15] {
        for (l1, len) in [(true, 21), (false, 14)] {
            let mut bytes = vec![0u8; len];
            bytes[len - 1] = code;
            assert_eq!(Operation::decode_as(&mut bytes.as_slice(), l1), Err(DecodeError::Code(code)));
        }
    }
}

#[test]
fn a_key_hash_at_the_modulus_is_refused() {
    let key_hash = -F::from(1u64);
    let operation = Operation::SetKey { account: 1.try_into().unwrap(), caller: Default::default(), key_hash };
    let mut bytes = l1::posted(&[operation]);
    assert!(Operation::decode_all(&bytes, 1, 1).is_ok());
    *bytes.last_mut().unwrap() += 1;
    assert_eq!(Operation::decode_all(&bytes, 1, 1), Err(DecodeError::OutOfField));
}

#[test]
fn bits_that_no_field_uses_are_refused() {
    let mut set_key = vec![0u8; 73];
    set_key[20] = OpCode::SetKey as u8 | 3 << 4;
    assert_eq!(Operation::decode_all(&set_key, 1, 1), Err(DecodeError::UnusedBits));
    let mut top = vec![0u8; 73];
    top[0] = 0x80;
    top[20] = OpCode::Deposit as u8;
    assert_eq!(Operation::decode_all(&top, 1, 1), Err(DecodeError::UnusedBits));
}

#[test]
fn the_layout_is_the_specified_one() {
    let operation = Operation::Transfer {
        from: 0x010203.try_into().unwrap(),
        to: 0x040506.try_into().unwrap(),
        token: TokenWord::new(3).unwrap(),
        amount: sheaf_core::amount::PackedAmount::from_bits(0x1122334455).unwrap(),
        fee: sheaf_core::amount::PackedFee::from_bits(0x2a5).unwrap(),
    };
    let value: u128 = 4 | 3 << 4 | 0x010203 << 10 | 0x040506 << 34 | 0x1122334455 << 58 | 0x2a5 << 98;
    assert_eq!(l1::posted(&[operation]), value.to_be_bytes()[2..]);
}
