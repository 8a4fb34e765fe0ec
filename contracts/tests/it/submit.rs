//! Batches that are accepted: what the contract computes is what the native code computes, else their proofs, made for
//! the native values, would not hold.

use std::cell::RefCell;

use alloy::primitives::{B256, U256};
use proptest::collection::vec;
use sheaf_contracts::Sheaf;
use sheaf_core::l1;
use sheaf_core::operation::{OpCode, Operation};
use sheaf_core::types::AccountId;

use crate::arbitrary::{L1Request, arb_l1_request, arb_l2_operation, runner};
use crate::chain::refusal;
use crate::rollup::{ALICE, BOB, Rollup};

#[test]
fn any_batch_is_evaluated_and_hashed_as_the_native_code_does() {
    let rollup = RefCell::new(Rollup::new());
    let covered = RefCell::new(std::collections::BTreeMap::new());
    runner(48)
        .run(&(vec(arb_l1_request(), 0..7), vec(arb_l2_operation(), 0..9)), |(requests, l2)| {
            let rollup = &mut *rollup.borrow_mut();
            let head = rollup.view(Sheaf::queueHeadCall {});
            let mut operations: Vec<Operation> = requests.iter().map(|request| rollup.request(ALICE, request)).collect();
            operations.extend(&l2);
            for operation in &operations {
                *covered.borrow_mut().entry(operation.code()).or_insert(0) += 1;
            }

            let batch = rollup.batch(&operations);
            let event: Sheaf::BatchSubmitted = rollup.submit(&batch).expect("an honest batch is accepted").event();
            let number = event.number;
            let leaving = l1::withdrawals_hash(&l1::withdrawals(&operations));
            assert_eq!((event.oldRoot, event.newRoot), (batch.oldRoot, batch.newRoot));
            assert_eq!((event.queueHead, event.withdrawalsHash), (head + requests.len() as u64, leaving));

            assert_eq!(rollup.view(Sheaf::rootCall {}), batch.newRoot);
            assert_eq!(rollup.view(Sheaf::batchNumberCall {}), number);
            assert_eq!(rollup.view(Sheaf::lastTimestampCall {}), batch.header as u32);
            assert_eq!(rollup.view(Sheaf::withdrawalsHashCall { batch: number }), leaving);
            assert_eq!(rollup.view(Sheaf::queueHeadCall {}), event.queueHead);
            assert_eq!(rollup.view(Sheaf::queueTailCall {}), event.queueHead);
            for index in head..event.queueHead {
                assert_eq!(rollup.view(Sheaf::queueCall { index }), U256::ZERO, "a taken entry is deleted");
            }
            Ok(())
        })
        .unwrap();
    for code in OpCode::ALL.into_iter().filter(|code| *code != OpCode::Noop) {
        assert!(covered.borrow().contains_key(&code), "{code:?} was never posted");
    }
}

#[test]
fn a_batch_may_be_empty_and_fill_its_shape() {
    let mut rollup = Rollup::new();
    rollup.settle(&[]);
    assert_eq!(rollup.view(Sheaf::withdrawalsHashCall { batch: 1 }), B256::ZERO);
    let transfer = crate::operations::transfer(1);
    rollup.settle(&[transfer; 16]);
    rollup.settle(&[transfer; 1_024]);
    assert_eq!(rollup.view(Sheaf::batchNumberCall {}), 3);
}

#[test]
fn a_batch_takes_the_queue_piece_by_piece_in_its_order() {
    let mut rollup = Rollup::new();
    let request = |account: u32| L1Request::SetKey { account: AccountId::new(account).unwrap(), key_hash: 5u64.into() };
    let operations: Vec<Operation> = (1..=5).map(|account| rollup.request(BOB, &request(account))).collect();

    for wrong in [vec![operations[1]], vec![operations[0], operations[2]]] {
        let batch = rollup.batch(&wrong);
        let error: Sheaf::QueueMismatch = refusal(&rollup.submit(&batch));
        assert_eq!(error.index as usize, wrong.len() - 1);
    }
    rollup.settle(&operations[..2]);
    rollup.settle(&operations[2..]);
    let batch = rollup.batch(&operations[4..]);
    assert_eq!(refusal::<Sheaf::QueueMismatch>(&rollup.submit(&batch)).index, 5, "nothing is left to take");
}

#[test]
fn only_the_index_of_a_deposit_and_the_amount_of_an_exit_are_free() {
    let mut rollup = Rollup::new();
    let account = AccountId::new(9).unwrap();
    let deposit = L1Request::Deposit { amount: 1_000, owner: BOB, key_hash: 5u64.into(), credited_to: Some(account) };
    let deposit = rollup.request(ALICE, &deposit);
    let exit = rollup.request(ALICE, &L1Request::Exit { account, amount: 77 });
    let set_key = rollup.request(ALICE, &L1Request::SetKey { account, key_hash: 6u64.into() });
    let honest = [deposit, exit, set_key];

    // Every bit of the posted bytes, singly: what is free comes as far as the proof, which is for another batch then.
    let posted = l1::posted(&honest);
    let deposit_end = 73;
    for bit in 0..8 * posted.len() {
        let (byte, from_low) = (bit / 8, |end: usize| 8 * end - 1 - bit);
        let free = match byte {
            0..21 => (10..34).contains(&from_low(21)),
            _ if (deposit_end..deposit_end + 21).contains(&byte) => (34..162).contains(&from_low(deposit_end + 21)),
            _ => false,
        };
        let mut batch = rollup.batch(&honest);
        let mut ops = batch.ops.to_vec();
        ops[byte] ^= 0x80 >> (bit % 8);
        batch.ops = ops.into();
        let outcome = rollup.submit(&batch);
        if free {
            refusal::<Sheaf::InvalidProof>(&outcome);
            continue;
        }
        let data = outcome.expect_err("a changed operation is refused");
        let error = sheaf_contracts::decode_revert(&data).expect("a named error");
        use Sheaf::SheafErrors::{QueueMismatch, ReservedOperation, WordOutOfField};
        assert!(matches!(error, QueueMismatch(_) | ReservedOperation(_) | WordOutOfField(_)), "bit {bit}: {error:?}");
    }
    rollup.settle(&honest);
}

#[test]
fn a_refund_takes_its_deposit_and_nothing_else() {
    let mut rollup = Rollup::new();
    let request = L1Request::Deposit { amount: 1_000, owner: BOB, key_hash: 5u64.into(), credited_to: None };
    let refund = rollup.request(ALICE, &request);
    let Operation::DepositRefund { token, amount, key_hash, .. } = refund else { unreachable!() };
    let to_another = Operation::DepositRefund { token, amount, owner: ALICE, key_hash };
    let of_more = Operation::DepositRefund { token, amount: amount + 1, owner: BOB, key_hash };
    for wrong in [to_another, of_more] {
        let batch = rollup.batch(&[wrong]);
        refusal::<Sheaf::QueueMismatch>(&rollup.submit(&batch));
    }
    rollup.settle(&[refund]);
    let batch = rollup.batch(&[refund]);
    refusal::<Sheaf::QueueMismatch>(&rollup.submit(&batch));
}
