//! A batch with anything changed is refused, by name.

use super::world::{CHAIN_ID, FIELDS, case, changed, data, deployment, genesis, key, keys, operations, prove, width};
use alloy::primitives::{Address, U256};
use sheaf_circuits::evm::verifying_key_words;
use sheaf_cli::verify::case::{BatchJson, Case};
use sheaf_cli::verify::check::{Line, check};
use sheaf_cli::verify::keys::{Keys, KeysError};
use sheaf_cli::verify::operations;
use sheaf_core::F;
use sheaf_core::operation::Operation;
use std::collections::BTreeSet;

const CONTRACT: Address = Address::repeat_byte(0xcc);
const TIMESTAMP: u32 = 1_790_000_000;
const BLOCK: u64 = TIMESTAMP as u64 + 100;

fn honest() -> Case {
    case(CONTRACT, TIMESTAMP, BLOCK)
}

fn code(case: &Case) -> &'static str {
    check(case, &deployment(CONTRACT), &mut Vec::new()).map_or_else(|refusal| refusal.code(), |_| "accepted")
}

/// The code for the honest case with its batch changed.
fn with(change: impl FnOnce(&mut Case)) -> &'static str {
    let mut case = honest();
    change(&mut case);
    code(&case)
}

#[test]
fn an_honest_batch_holds_and_all_of_it_is_checked() {
    let mut lines = Vec::new();
    check(&honest(), &deployment(CONTRACT), &mut lines).unwrap();
    assert!(lines.len() >= 12 && lines.iter().all(|line| matches!(line, Line::Held(_))), "{lines:#?}");
    let mut lines = Vec::new();
    check(&Case::of(honest().batch), &deployment(CONTRACT), &mut lines).unwrap();
    let unknown: Vec<_> = lines.iter().filter(|line| matches!(line, Line::Unknown(_))).collect();
    assert_eq!(unknown.len(), 3, "the batch before, the block, the queue: {unknown:#?}");
}

/// Where the operations of the honest batch begin.
fn start(index: usize) -> usize {
    operations()[..index].iter().map(|o| o.code().posted_len()).sum()
}

#[test]
fn a_changed_byte_of_each_field_is_refused_by_its_name() {
    let (deposit, exit, transfer, new, withdraw) = (start(0), start(1), start(2), start(3), start(4));
    for (field, at, mask, expected) in [
        ("shape", 0, 1, "unknown_shape"),
        ("header", 0, 1, "header_out_of_range"),
        ("header", 3, 1, "invalid_proof"),
        ("header", 4, 0x40, "timestamp_backwards"),
        ("header", 4, 0x80, "timestamp_outside_window"),
        ("header", 7, 1, "invalid_proof"),
        ("oldRoot", 31, 1, "wrong_old_root"),
        ("newRoot", 31, 1, "invalid_proof"),
        ("newRoot", 0, 0xf0, "root_out_of_field"),
        ("c", 31, 1, "invalid_proof"),
        ("c", 0, 0xf0, "commitment_out_of_field"),
        ("l1Count", 0, 1, "l1_count_above_total"),
        ("opCount", 0, 1, "too_many_operations"),
        ("opCount", 1, 1, "trailing_bytes"),
        ("opCount", 1, 2, "operation_data_truncated"),
        ("ops", deposit + 20, 0x0f, "reserved_operation"),
        ("ops", deposit + 20, 0x05, "queue_mismatch"),
        ("ops", deposit + 10, 1, "queue_mismatch"),
        ("ops", deposit + 18, 1, "operations_mismatch"),
        ("ops", deposit + 41, 0xf0, "word_out_of_field"),
        ("ops", exit + 40, 1, "queue_mismatch"),
        ("ops", transfer + 13, 5, "l1_operation_among_l2"),
        ("ops", transfer + 13, 4, "reserved_operation"),
        ("ops", transfer + 8, 1, "operations_mismatch"),
        ("ops", new + 34, 0xf0, "word_out_of_field"),
        ("ops", withdraw + 13, 0x10, "token_word_out_of_range"),
        ("ops", withdraw + 8, 1, "unused_bits"),
        ("proof", 31, 1, "point_not_on_curve"),
        ("proof", 0, 0xf0, "point_not_on_curve"),
        ("proof", 100, 1, "point_not_on_curve"),
        ("proof", 255, 1, "point_not_on_curve"),
    ] {
        let mut case = honest();
        case.batch = changed(&case.batch, field, at, mask);
        assert_eq!(code(&case), expected, "{field}, byte {at}, {mask:#x}");
    }
}

#[test]
fn what_is_said_about_a_batch_must_be_so() {
    assert_eq!(with(|case| case.number = Some(2)), "wrong_batch_number");
    assert_eq!(with(|case| (case.number, case.asked) = (Some(2), Some(2))), "wrong_batch_number", "after batch 0 comes batch 1");
    assert_eq!(with(|case| case.domain = Some(U256::ZERO)), "wrong_domain");
    assert_eq!(with(|case| drop(case.decoded.as_mut().unwrap().pop())), "operations_mismatch");
    assert_eq!(with(|case| case.decoded.as_mut().unwrap().swap(2, 3)), "operations_mismatch");
    assert_eq!(with(|case| case.withdrawals_hash.as_mut().unwrap().0[0] ^= 1), "withdrawals_mismatch");
    assert_eq!(with(|case| case.queue.as_mut().unwrap().swap(0, 1)), "queue_mismatch");
    assert_eq!(with(|case| case.queue.as_mut().unwrap().truncate(1)), "queue_mismatch");
    assert_eq!(with(|case| case.block_timestamp = Some(u64::from(TIMESTAMP) + 3 * 86_400)), "accepted");
    assert_eq!(with(|case| case.block_timestamp = Some(u64::from(TIMESTAMP) + 3 * 86_400 + 1)), "timestamp_outside_window");
    assert_eq!(with(|case| case.block_timestamp = Some(u64::from(TIMESTAMP) - 900)), "accepted");
    assert_eq!(with(|case| case.block_timestamp = Some(u64::from(TIMESTAMP) - 901)), "timestamp_outside_window");
    assert_eq!(with(|case| case.previous.as_mut().unwrap().timestamp = TIMESTAMP), "accepted");
    assert_eq!(with(|case| case.previous.as_mut().unwrap().timestamp = TIMESTAMP + 1), "timestamp_backwards");
}

/// Fields that nothing but the proof binds before L1 has accepted the batch: afterwards they have a name of their own.
#[test]
fn a_batch_with_another_field_than_the_one_that_l1_accepted_is_named() {
    let settled = Case { settled: Some(honest().batch), ..honest() };
    assert_eq!(code(&settled), "accepted");
    for (field, at, said) in
        [("header", 3, "fee account"), ("header", 7, "timestamp"), ("newRoot", 31, "new root"), ("c", 31, "commitment")]
    {
        let case = Case { batch: changed(&honest().batch, field, at, 1), ..settled.clone() };
        let refusal = check(&case, &deployment(CONTRACT), &mut Vec::new()).unwrap_err();
        assert_eq!(refusal.code(), "settled_otherwise", "{field}");
        assert!(refusal.to_string().ends_with(&format!("another {said}")), "{refusal}");
    }
    let mut operations = settled.clone();
    operations.decoded = None;
    operations.batch.ops = changed(&operations.batch, "ops", start(2) + 8, 1).ops;
    assert_eq!(code(&operations), "settled_otherwise");
}

#[test]
fn the_first_batch_begins_with_the_empty_state() {
    let json = |root| BatchJson::of_contract(None, &prove(&data(CONTRACT, [root, F::from(8)], TIMESTAMP, operations())));
    let case = |root, number| json(root).to_case(Some(number), None).unwrap();
    assert_eq!(code(&case(genesis(), 1)), "accepted");
    assert_eq!(code(&case(F::from(7), 1)), "wrong_old_root");
    assert_eq!(code(&case(F::from(7), 2)), "accepted", "what is before batch 2 is not known");
}

#[test]
fn a_right_proof_of_something_else_is_refused() {
    let other = |root, operations| prove(&data(CONTRACT, [genesis(), F::from(root)], TIMESTAMP, operations)).proof;
    assert_eq!(with(|case| case.batch.proof = other(9, operations())), "invalid_proof");
    assert_eq!(with(|case| case.batch.proof = other(8, Vec::new())), "invalid_proof");
    assert_eq!(with(|case| case.batch.proof = other(8, operations())), "accepted");
    let elsewhere = Address::repeat_byte(0xdd);
    let mut case = honest();
    case.domain = None;
    let refusal = check(&case, &deployment(elsewhere), &mut Vec::new()).unwrap_err();
    assert_eq!(refusal.code(), "invalid_proof", "a batch of another contract");
}

#[test]
fn every_changed_byte_is_refused_also_by_who_knows_nothing_but_the_batch() {
    let honest = honest().batch;
    let mut names = BTreeSet::new();
    for field in FIELDS {
        for at in 0..width(&honest, field) {
            let code = code(&Case::of(changed(&honest, field, at, 1)));
            assert_ne!(code, "accepted", "{field}, byte {at}");
            names.insert(code);
        }
    }
    assert!(names.len() >= 7, "{names:?}");
}

#[test]
fn what_leaves_from_l1_must_name_a_token() {
    let token = sheaf_core::types::TokenWord::new(2).unwrap();
    let exit = |amount| Operation::ForcedExit { account: super::world::id(7), token, amount, caller: CONTRACT };
    let read = |amount| {
        let posted = sheaf_core::l1::posted(&[exit(amount)]);
        operations::read(&posted, 1, 1, None).map_err(|refusal| refusal.code())
    };
    assert_eq!(read(1), Err("token_word_out_of_range"));
    assert_eq!(read(0), Ok(vec![exit(0)]), "nothing leaves");
}

#[test]
fn the_form_of_the_api_is_the_contracts() {
    let honest = honest().batch;
    let json = BatchJson::of_contract(Some(1), &honest);
    assert_eq!(json.to_contract().unwrap(), honest);
    let text = serde_json::to_string(&json).unwrap();
    assert_eq!(serde_json::from_str::<BatchJson>(&text).unwrap(), json);
    let unproven = BatchJson { proof: None, ..json };
    assert!(unproven.to_contract().unwrap_err().to_string().contains("not proven"));
}

/// What the contract's constructor stores for one shape.
fn storage() -> Vec<u8> {
    let modulus: U256 = "0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47".parse().unwrap();
    let mut words = verifying_key_words(key());
    // Beta, gamma and delta have their y in the last two of four words.
    for y in [4, 5, 8, 9, 12, 13] {
        words[y] = modulus - words[y];
    }
    let zeros = [U256::ZERO; 2];
    let slots = [U256::from(8)];
    let stored = [&words[..6], &zeros, &words[6..10], &words[10..22], &slots].concat();
    let mut bytes = vec![0];
    stored.iter().for_each(|word| bytes.extend(word.to_be_bytes::<32>()));
    bytes
}

#[test]
fn keys_are_read_from_the_contracts_storage() {
    let storage = storage();
    let read = Keys::from_storage(&storage).unwrap();
    assert_eq!(read.words(), keys().words());
    assert_eq!(read.shape(0).unwrap(), (key(), 8));
    assert!(read.shape(1).is_none());
    for length in [0, 1, 1 + 32 * 12, storage.len() - 32, storage.len() - 1] {
        assert_eq!(Keys::from_storage(&storage[..length]).unwrap_err(), KeysError::Layout(length));
    }
    // A byte in each coordinate.
    for word in (0..6).chain(8..24) {
        let mut changed = storage.clone();
        changed[1 + 32 * word + 31] ^= 1;
        assert_eq!(Keys::from_storage(&changed).unwrap_err().code(), "key_point_invalid", "word {word}");
    }
    let mut infinity = storage;
    infinity[1..65].fill(0);
    assert_eq!(Keys::from_storage(&infinity).unwrap_err().code(), "key_point_invalid");
}

#[test]
fn keys_are_read_from_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("keys.json");
    std::fs::write(&file, serde_json::to_vec(keys().words()).unwrap()).unwrap();
    assert_eq!(Keys::from_file(&file).unwrap().words(), keys().words());
    std::fs::write(&file, b"{}").unwrap();
    assert!(format!("{:#}", Keys::from_file(&file).unwrap_err()).contains("no verifying keys"));
}

#[test]
fn the_inputs_are_those_of_the_core() {
    let verified = check(&honest(), &deployment(CONTRACT), &mut Vec::new()).unwrap();
    let expected = data(CONTRACT, [genesis(), F::from(8)], TIMESTAMP, operations())
        .public_inputs(&super::world::SHAPE, F::from(0xc0ffeeu64));
    assert_eq!(verified.inputs, expected);
    assert_eq!(deployment(CONTRACT).chain_id, CHAIN_ID);
}

#[test]
fn every_name_is_documented_and_the_contracts_where_the_document_says_so() {
    let source = include_str!("../../../src/verify/refusal.rs");
    let document = include_str!("../../../../docs/verify.md");
    let errors = include_str!("../../../../contracts/src/Errors.sol").to_lowercase();
    let (contracts, own) = document.split_once("And what the contract has no error for").unwrap();
    let names: Vec<&str> = source.split("=> \"").skip(1).map(|rest| rest.split_once('"').unwrap().0).collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        let quoted = format!("`{name}`");
        assert!(contracts.contains(&quoted) != own.contains(&quoted), "{name} is not documented, or twice");
        let is_the_contracts = errors.contains(&format!("error {}(", name.replace('_', "")));
        assert!(is_the_contracts || own.contains(&quoted), "{name} is no error of the contract");
    }
}
