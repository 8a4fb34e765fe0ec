//! Batches that are refused, each with its named error. Where it matters the proof is one that would hold, so that it
//! is the named check that refuses and not the proof.

use alloy::primitives::{Bytes, U256};
use alloy_sol_types::SolCall;
use revm::state::Bytecode;
use sheaf_contracts::Sheaf;
use sheaf_core::F;
use sheaf_core::l1;
use sheaf_core::operation::Operation;
use sheaf_core::types::{AccountId, TokenId};

use crate::arbitrary::L1Request;
use crate::chain::refusal;
use crate::hostile::Agent;
use crate::operations::{transfer, transfer_new, withdraw};
use crate::rollup::{ALICE, BOB, OPERATOR, Rollup, SLOTS, base_modulus, modulus, padding};

const DAY: u64 = 24 * 60 * 60;

/// A batch of one operation of each kind that L2 has.
fn l2_batch(rollup: &mut Rollup) -> Sheaf::Batch {
    rollup.batch(&[transfer(1), transfer_new(2), withdraw(3, BOB, 1_000)])
}

#[test]
fn proofs_made_for_forged_batches_would_hold() {
    // The premise of the tests below: an honest batch that is proven in their way is accepted.
    let mut rollup = Rollup::new();
    let operations = [transfer(1), transfer_new(2)];
    let mut batch = rollup.batch(&operations);
    batch.proof = Default::default();
    let padded = [operations[0].words(), operations[1].words(), padding()];
    rollup.reprove(&mut batch, &padded);
    rollup.submit(&batch).unwrap();
}

#[test]
fn an_unknown_shape_is_refused_even_with_the_proof_that_zeros_accept() {
    let mut rollup = Rollup::new();
    let key = rollup.simulator.key();
    for shape in [2u8, 3, 255] {
        let mut batch = l2_batch(&mut rollup);
        batch.shape = shape;
        // With delta and IC read as infinity the equation is e(A, B) = e(alpha, beta) · 1 · 1.
        let zero = [U256::ZERO; 2];
        batch.proof = [&key.alpha[..], &key.beta, &zero].concat().try_into().unwrap();
        assert_eq!(refusal::<Sheaf::UnknownShape>(&rollup.submit(&batch)).shape, shape);
        // It comes before every other check of the batch.
        batch.oldRoot = U256::MAX;
        refusal::<Sheaf::UnknownShape>(&rollup.submit(&batch));
    }
    // For a shape that exists the same proof is worth nothing.
    let mut batch = l2_batch(&mut rollup);
    batch.proof = [&key.alpha[..], &key.beta, &[U256::ZERO; 2]].concat().try_into().unwrap();
    refusal::<Sheaf::InvalidProof>(&rollup.submit(&batch));
}

#[test]
fn only_the_operator_submits_and_only_as_a_plain_account() {
    let mut rollup = Rollup::new();
    let batch = l2_batch(&mut rollup);
    let call = Sheaf::submitCall { batches: vec![batch] };
    assert_eq!(refusal::<Sheaf::NotOperator>(&rollup.send(ALICE, 0, &call)).caller, ALICE);

    // An account that has delegated itself to a contract sends the transaction, but has code.
    rollup.chain.set_code(OPERATOR, Bytecode::new_eip7702(rollup.sheaf));
    assert_eq!(refusal::<Sheaf::CallerHasCode>(&rollup.send(OPERATOR, 0, &call)).caller, OPERATOR);

    // A contract is not where the transaction comes from.
    let agent = rollup.chain.deploy(ALICE, Agent::BYTECODE.clone()).unwrap();
    rollup.send(crate::rollup::ADMIN, 0, &Sheaf::setOperatorCall { operator_: agent }).unwrap();
    let act = Agent::actCall { target: rollup.sheaf, call: call.abi_encode().into() };
    assert_eq!(refusal::<Sheaf::CallerHasCode>(&rollup.chain.send(ALICE, agent, 0, &act)).caller, agent);

    rollup.send(crate::rollup::ADMIN, 0, &Sheaf::setOperatorCall { operator_: ALICE }).unwrap();
    rollup.send(ALICE, 0, &call).unwrap();
}

#[test]
fn a_batch_must_follow_the_last_root() {
    let mut rollup = Rollup::new();
    let first = l2_batch(&mut rollup);
    rollup.submit(&first).unwrap();
    let error: Sheaf::WrongOldRoot = refusal(&rollup.submit(&first));
    assert_eq!((error.expected, error.got), (first.newRoot, first.oldRoot));

    let mut data = rollup.public_data(&[transfer(1)]);
    data.old_root += F::from(1u64);
    let proven = rollup.batch_of(0, &data);
    refusal::<Sheaf::WrongOldRoot>(&rollup.submit(&proven));
}

#[test]
fn values_at_or_above_the_modulus_are_refused() {
    let mut rollup = Rollup::new();
    let one = U256::from(1);
    for too_large in [modulus(), modulus() + one, U256::MAX] {
        let mut batch = rollup.batch(&[]);
        batch.newRoot = too_large;
        rollup.reprove(&mut batch, &[]);
        assert_eq!(refusal::<Sheaf::RootOutOfField>(&rollup.submit(&batch)).root, too_large);

        let mut batch = rollup.batch(&[]);
        batch.c = too_large;
        rollup.reprove(&mut batch, &[]);
        assert_eq!(refusal::<Sheaf::CommitmentOutOfField>(&rollup.submit(&batch)).commitment, too_large);

        let operation = transfer_new(2);
        let mut batch = rollup.batch(&[transfer(1), operation]);
        let mut ops = batch.ops.to_vec();
        let aux2 = ops.len() - 32;
        ops[aux2..].copy_from_slice(&too_large.to_be_bytes::<32>());
        batch.ops = ops.into();
        let [core, aux1, _] = operation.words();
        let reduced = sheaf_core::types::field_from_u256(too_large % modulus()).unwrap();
        rollup.reprove(&mut batch, &[transfer(1).words(), [core, aux1, reduced]]);
        assert_eq!(refusal::<Sheaf::WordOutOfField>(&rollup.submit(&batch)).index, one);
    }
    // Also in an operation from L1, where the entry could never have been queued.
    let deposit = Operation::Deposit {
        account: AccountId::FIRST,
        token: TokenId::ETH.word(),
        amount: 1,
        owner: BOB,
        key_hash: F::from(5u64),
    };
    let mut batch = rollup.batch(&[deposit]);
    let mut ops = batch.ops.to_vec();
    ops[41..].copy_from_slice(&modulus().to_be_bytes::<32>());
    batch.ops = ops.into();
    refusal::<Sheaf::WordOutOfField>(&rollup.submit(&batch));
}

#[test]
fn a_header_with_a_bit_above_its_fields_is_refused() {
    let mut rollup = Rollup::new();
    for bit in 56..64 {
        let mut batch = rollup.batch(&[]);
        batch.header |= 1 << bit;
        rollup.reprove(&mut batch, &[]);
        assert_eq!(refusal::<Sheaf::HeaderOutOfRange>(&rollup.submit(&batch)).header, batch.header);
    }
}

#[test]
fn timestamps_stay_in_their_window_and_never_go_back() {
    let mut rollup = Rollup::new();
    let now = rollup.chain.time();
    let mut at = |timestamp: u64| {
        let mut data = rollup.public_data(&[transfer(1)]);
        data.timestamp = u32::try_from(timestamp).unwrap();
        let batch = rollup.batch_of(0, &data);
        rollup.submit(&batch)
    };
    let outside: Sheaf::TimestampOutsideWindow = refusal(&at(now - 3 * DAY - 1));
    assert_eq!(u64::from(outside.timestamp), now - 3 * DAY - 1);
    assert_eq!(outside.blockTimestamp, U256::from(now));
    refusal::<Sheaf::TimestampOutsideWindow>(&at(now + 15 * 60 + 1));
    refusal::<Sheaf::TimestampOutsideWindow>(&at(u64::from(u32::MAX)));

    at(now - 3 * DAY).unwrap();
    at(now - 3 * DAY).unwrap();
    at(now).unwrap();
    let backwards: Sheaf::TimestampBackwards = refusal(&at(now - 1));
    assert_eq!((u64::from(backwards.last), u64::from(backwards.got)), (now, now - 1));
    at(now + 15 * 60).unwrap();
}

#[test]
fn more_operations_than_slots_are_refused() {
    let mut rollup = Rollup::new();
    let operations = [transfer(1); 17];
    let data = rollup.public_data(&operations);
    let mut batch = rollup.batch_of(1, &data);
    batch.shape = 0;
    rollup.reprove(&mut batch, &operations.map(|operation| operation.words()));
    let error: Sheaf::TooManyOperations = refusal(&rollup.submit(&batch));
    assert_eq!((error.operations, error.slots), (17, SLOTS[0]));

    let mut batch = rollup.batch(&operations[..2]);
    batch.l1Count = 3;
    refusal::<Sheaf::L1CountAboveTotal>(&rollup.submit(&batch));
}

#[test]
fn truncated_data_and_trailing_bytes_are_refused() {
    let mut rollup = Rollup::new();
    let exit = rollup.request(ALICE, &L1Request::Exit { account: AccountId::FIRST, amount: 5 });
    let key = L1Request::SetKey { account: AccountId::FIRST, key_hash: F::from(5u64) };
    let set_key = rollup.request(ALICE, &key);
    let honest = rollup.batch(&[exit, set_key, withdraw(3, BOB, 1_000), transfer_new(2), transfer(1)]);
    let ends = [41, 41 + 73, 41 + 73 + 34, 41 + 73 + 34 + 66, 41 + 73 + 34 + 66 + 14];
    assert_eq!(honest.ops.len(), ends[4]);

    for length in 0..honest.ops.len() {
        let batch = Sheaf::Batch { ops: honest.ops.slice(..length), ..honest.clone() };
        let cut = ends.iter().position(|end| length < *end).unwrap();
        let error: Sheaf::OperationDataTruncated = refusal(&rollup.submit(&batch));
        assert_eq!(error.index, U256::from(cut), "cut after {length} bytes");
    }
    for surplus in [1usize, 14, 31, 32, 33] {
        let ops = [&honest.ops[..], &vec![0; surplus]].concat();
        let batch = Sheaf::Batch { ops: ops.into(), ..honest.clone() };
        assert_eq!(refusal::<Sheaf::TrailingBytes>(&rollup.submit(&batch)).bytesLeft, U256::from(surplus));
    }
    // An operation that is posted but not counted is trailing, one that is counted but not posted is truncated.
    let batch = Sheaf::Batch { opCount: 4, ..honest.clone() };
    assert_eq!(refusal::<Sheaf::TrailingBytes>(&rollup.submit(&batch)).bytesLeft, U256::from(14));
    let batch = Sheaf::Batch { opCount: 6, ..honest.clone() };
    refusal::<Sheaf::OperationDataTruncated>(&rollup.submit(&batch));
    rollup.submit(&honest).unwrap();
}

#[test]
fn an_l1_operation_among_l2_ones_is_refused() {
    let mut rollup = Rollup::new();
    // A batch that says of itself that nothing in it is from L1, proven: what would mint if it were let through.
    for code in [1u8, 2, 3, 10] {
        let mut batch = rollup.batch(&[transfer(1)]);
        let (ops, words) = with_code(&transfer(1), code);
        batch.ops = ops;
        rollup.reprove(&mut batch, &[words]);
        assert_eq!(refusal::<Sheaf::L1OperationAmongL2>(&rollup.submit(&batch)).index, U256::ZERO);

        let mut behind = rollup.batch(&[transfer(1), transfer(2)]);
        let (ops, words) = with_code(&transfer(2), code);
        behind.ops = [l1::posted(&[transfer(1)]), ops.to_vec()].concat().into();
        rollup.reprove(&mut behind, &[transfer(1).words(), words]);
        assert_eq!(refusal::<Sheaf::L1OperationAmongL2>(&rollup.submit(&behind)).index, U256::from(1));
    }
}

#[test]
fn codes_that_name_no_posted_operation_are_refused() {
    let mut rollup = Rollup::new();
    let request = L1Request::SetKey { account: AccountId::FIRST, key_hash: F::from(5u64) };
    let set_key = rollup.request(ALICE, &request);
    for code in [0u8, 7, 8, 9, 11, 12, 13, 14, 15] {
        let mut batch = rollup.batch(&[transfer(1)]);
        let (ops, words) = with_code(&transfer(1), code);
        batch.ops = ops;
        rollup.reprove(&mut batch, &[words]);
        assert_eq!(refusal::<Sheaf::ReservedOperation>(&rollup.submit(&batch)).op, code);

        let mut batch = rollup.batch(&[set_key]);
        let mut ops = batch.ops.to_vec();
        ops[20] = ops[20] & 0xf0 | code;
        batch.ops = ops.into();
        assert_eq!(refusal::<Sheaf::ReservedOperation>(&rollup.submit(&batch)).op, code);
    }
    // An L2 code where the queue must vouch is no entry of the queue.
    for code in [4u8, 5, 6] {
        let mut batch = rollup.batch(&[set_key]);
        let mut ops = batch.ops.to_vec();
        ops[20] = ops[20] & 0xf0 | code;
        batch.ops = ops.into();
        refusal::<Sheaf::QueueMismatch>(&rollup.submit(&batch));
    }
}

#[test]
fn what_leaves_must_name_a_token() {
    let mut rollup = Rollup::new();
    for word in [0u8, 1, 2] {
        let Operation::Withdraw { from, amount, fee, recipient, .. } = withdraw(3, BOB, 1_000) else { unreachable!() };
        let token = sheaf_core::types::TokenWord::new(word).unwrap();
        let batch = rollup.batch(&[Operation::Withdraw { from, token, amount, fee, recipient }]);
        assert_eq!(refusal::<Sheaf::TokenWordOutOfRange>(&rollup.submit(&batch)).word, word);
    }
}

#[test]
fn the_proof_of_another_batch_is_refused() {
    let mut rollup = Rollup::new();
    let mine = rollup.batch(&[transfer(1)]);
    let other = rollup.batch(&[transfer(2)]);
    let batch = Sheaf::Batch { proof: other.proof, ..mine.clone() };
    refusal::<Sheaf::InvalidProof>(&rollup.submit(&batch));
    // Nor does a proof for one shape hold for another.
    let batch = Sheaf::Batch { shape: 1, ..mine.clone() };
    refusal::<Sheaf::InvalidProof>(&rollup.submit(&batch));
    // Nor the one of a twin contract on the same chain.
    let mut twin = Rollup::new();
    let arguments = crate::rollup::deployment(&twin.simulator);
    twin.sheaf = twin.chain.deploy(ALICE, arguments.init_code()).unwrap();
    assert_ne!(twin.sheaf, rollup.sheaf);
    refusal::<Sheaf::InvalidProof>(&twin.submit(&mine));
    rollup.submit(&mine).unwrap();
}

#[test]
fn a_proof_point_off_its_curve_or_range_is_refused() {
    let mut rollup = Rollup::new();
    let honest = rollup.batch(&[transfer(1)]);
    for word in 0..8 {
        for changed in [honest.proof[word] + U256::from(1), honest.proof[word] + base_modulus(), base_modulus(), U256::MAX] {
            let mut batch = honest.clone();
            batch.proof[word] = changed;
            refusal::<Sheaf::PointNotOnCurve>(&rollup.submit(&batch));
        }
    }
    // Infinity is a point. It just proves nothing.
    for point in [0..2, 2..6, 6..8] {
        let mut batch = honest.clone();
        batch.proof[point].fill(U256::ZERO);
        refusal::<Sheaf::InvalidProof>(&rollup.submit(&batch));
    }
    rollup.submit(&honest).unwrap();
}

#[test]
fn a_batch_with_any_one_byte_changed_is_refused() {
    let mut rollup = Rollup::new();
    let exit = rollup.request(ALICE, &L1Request::Exit { account: AccountId::FIRST, amount: 5 });
    let key = L1Request::SetKey { account: AccountId::FIRST, key_hash: F::from(5u64) };
    let set_key = rollup.request(ALICE, &key);
    let operations = [exit, set_key, transfer(1), transfer_new(2), withdraw(3, BOB, 1_000)];
    let honest = rollup.batch(&operations);
    let fields = fields(&honest);
    assert_eq!(from_fields(&fields), honest);

    let mut refusals = 0;
    for field in 0..fields.len() {
        for byte in 0..fields[field].len() {
            for flip in [0x01, 0x80] {
                let mut changed = fields.clone();
                changed[field][byte] ^= flip;
                let outcome = rollup.submit(&from_fields(&changed));
                let data = outcome.expect_err("a changed batch must be refused");
                let named = sheaf_contracts::decode_revert(&data);
                assert!(named.is_some(), "field {field} byte {byte}: no named error but {data}");
                refusals += 1;
            }
        }
    }
    assert_eq!(refusals, 2 * fields.iter().map(Vec::len).sum::<usize>());
    rollup.submit(&honest).unwrap();
}

/// A batch as the bytes of its fields.
fn fields(batch: &Sheaf::Batch) -> Vec<Vec<u8>> {
    let mut fields = vec![
        vec![batch.shape],
        batch.header.to_be_bytes().to_vec(),
        batch.oldRoot.to_be_bytes_vec(),
        batch.newRoot.to_be_bytes_vec(),
        batch.c.to_be_bytes_vec(),
        batch.l1Count.to_be_bytes().to_vec(),
        batch.opCount.to_be_bytes().to_vec(),
        batch.ops.to_vec(),
    ];
    fields.extend(batch.proof.iter().map(|word| word.to_be_bytes_vec()));
    fields
}

fn from_fields(fields: &[Vec<u8>]) -> Sheaf::Batch {
    let word = |i: usize| U256::from_be_slice(&fields[i]);
    Sheaf::Batch {
        shape: fields[0][0],
        header: word(1).to(),
        oldRoot: word(2),
        newRoot: word(3),
        c: word(4),
        l1Count: word(5).to(),
        opCount: word(6).to(),
        ops: Bytes::copy_from_slice(&fields[7]),
        proof: std::array::from_fn(|i| word(8 + i)),
    }
}

/// A transfer's bytes and words under another code.
fn with_code(operation: &Operation, code: u8) -> (Bytes, [F; 3]) {
    let mut ops = l1::posted(&[*operation]);
    ops[13] = ops[13] & 0xf0 | code;
    let core = sheaf_core::types::field_from_u256(U256::from_be_slice(&ops)).unwrap();
    let [zero, _, _] = padding();
    (ops.into(), [core, zero, zero])
}
