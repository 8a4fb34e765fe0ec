//! Several batches with one call: their proofs are checked together, and one bad one fails them all.

use alloy::primitives::U256;
use ark_bn254::{Fq, G1Affine, G1Projective};
use ark_ec::{CurveGroup, PrimeGroup};
use ark_ff::PrimeField;
use sheaf_contracts::Sheaf;
use sheaf_core::operation::Operation;
use sheaf_core::types::AccountId;

use crate::arbitrary::L1Request;
use crate::chain::refusal;
use crate::hostile::EqualCoefficients;
use crate::operations::{transfer, transfer_new, withdraw};
use crate::rollup::{ADMIN, ALICE, BOB, Rollup, deployment};

/// Batches of both shapes, in this order, some empty.
const MIXED: [u8; 5] = [0, 1, 0, 0, 1];

/// What a batch of each of these shapes holds.
fn contents(shapes: &[u8]) -> Vec<(u8, Vec<Operation>)> {
    let of = |(i, shape): (usize, &u8)| (*shape, (0..i as u32).map(transfer).collect());
    shapes.iter().enumerate().map(of).collect()
}

fn point(x: U256, y: U256) -> G1Projective {
    let [x, y] = [x, y].map(|word| Fq::from_be_bytes_mod_order(&word.to_be_bytes::<32>()));
    G1Affine::new(x, y).into()
}

fn words(point: G1Projective) -> [U256; 2] {
    let point = point.into_affine();
    [point.x, point.y].map(|coordinate| U256::from_limbs(coordinate.into_bigint().0))
}

/// Adds a point to C, or takes it off.
fn move_c(batch: &mut Sheaf::Batch, by: G1Projective) {
    let c = words(point(batch.proof[6], batch.proof[7]) + by);
    batch.proof[6..].copy_from_slice(&c);
}

#[test]
fn batches_of_several_shapes_are_settled_with_one_call() {
    for shapes in [&MIXED[..], &MIXED[..1], &[0, 0], &[1, 0], &[1; 16]] {
        let mut rollup = Rollup::new();
        let batches = rollup.batches(&contents(shapes));
        let receipt = rollup.submit_all(&batches).unwrap();
        let events = receipt.events::<Sheaf::BatchSubmitted>();
        assert_eq!(events.len(), shapes.len());
        for ((number, event), batch) in (1..).zip(&events).zip(&batches) {
            assert_eq!((event.number, event.oldRoot, event.newRoot), (number, batch.oldRoot, batch.newRoot));
        }
        assert_eq!(rollup.view(Sheaf::rootCall {}), batches[shapes.len() - 1].newRoot);
        assert_eq!(rollup.view(Sheaf::batchNumberCall {}), shapes.len() as u64);
        // It goes on from there.
        rollup.settle(&[transfer(1)]);
    }
}

#[test]
fn each_batch_takes_its_part_of_the_queue_and_keeps_its_own_withdrawals() {
    let mut rollup = Rollup::new();
    let account = AccountId::FIRST;
    let deposit = L1Request::Deposit { amount: 9, owner: BOB, key_hash: 5u64.into(), credited_to: Some(account) };
    let [first, second] = [rollup.request(ALICE, &deposit), rollup.request(ALICE, &L1Request::Exit { account, amount: 4 })];
    let contents = [(0, vec![first, withdraw(3, BOB, 10)]), (1, vec![transfer_new(1)]), (0, vec![second, transfer(1)])];
    let batches = rollup.batches(&contents);
    let events = rollup.submit_all(&batches).unwrap().events::<Sheaf::BatchSubmitted>();
    assert_eq!(events.iter().map(|event| event.queueHead).collect::<Vec<_>>(), [1, 1, 2]);
    for (event, leaves) in events.iter().zip([true, false, true]) {
        assert_eq!(!event.withdrawalsHash.is_zero(), leaves);
        let stored = rollup.view(Sheaf::withdrawalsHashCall { batch: event.number });
        assert_eq!(stored, event.withdrawalsHash);
    }
    assert_eq!(rollup.view(Sheaf::lastTimestampCall {}), batches[2].header as u32);
}

#[test]
fn a_call_without_a_batch_or_with_batches_out_of_order_is_refused() {
    let mut rollup = Rollup::new();
    refusal::<Sheaf::NoBatches>(&rollup.submit_all(&[]));
    let batches = rollup.batches(&contents(&[0, 0, 1]));
    for order in [[0, 2, 1], [1, 0, 2], [0, 0, 1]] {
        let shuffled = order.map(|i: usize| batches[i].clone());
        refusal::<Sheaf::WrongOldRoot>(&rollup.submit_all(&shuffled));
    }
    let mut backwards = batches.clone();
    backwards[1].header -= 1;
    refusal::<Sheaf::TimestampBackwards>(&rollup.submit_all(&backwards));
    let mut unknown = batches.clone();
    unknown[2].shape = 2;
    refusal::<Sheaf::UnknownShape>(&rollup.submit_all(&unknown));
    rollup.submit_all(&batches).unwrap();
}

#[test]
fn one_bad_proof_fails_the_call_wherever_it_stands() {
    let mut rollup = Rollup::new();
    let honest = rollup.batches(&contents(&MIXED));
    for i in 0..honest.len() {
        let mut batches = honest.clone();
        move_c(&mut batches[i], G1Projective::generator());
        refusal::<Sheaf::InvalidProof>(&rollup.submit_all(&batches));
        // Nor does the proof of another one of the call serve.
        let mut batches = honest.clone();
        batches[i].proof = honest[(i + 2) % honest.len()].proof;
        refusal::<Sheaf::InvalidProof>(&rollup.submit_all(&batches));
        // Every coordinate is checked, also where a point is multiplied before it is paired.
        for word in 0..8 {
            let mut batches = honest.clone();
            batches[i].proof[word] += U256::from(1);
            refusal::<Sheaf::PointNotOnCurve>(&rollup.submit_all(&batches));
        }
        for points in [0..2, 2..6, 6..8] {
            let mut batches = honest.clone();
            batches[i].proof[points].fill(U256::ZERO);
            refusal::<Sheaf::InvalidProof>(&rollup.submit_all(&batches));
        }
    }
    rollup.submit_all(&honest).unwrap();
}

#[test]
fn two_bad_proofs_that_cancel_each_other_need_equal_coefficients() {
    for (i, j) in [(0, 2), (2, 3), (1, 4)] {
        let mut rollup = Rollup::new();
        let mut batches = rollup.batches(&contents(&MIXED));
        assert_eq!(batches[i].shape, batches[j].shape);
        let by = G1Projective::generator() * sheaf_core::F::from(1_234_567u64);
        move_c(&mut batches[i], by);
        move_c(&mut batches[j], -by);
        refusal::<Sheaf::InvalidProof>(&rollup.submit_all(&batches));

        // The same contract without its random coefficients takes them: the attack is a real one.
        let arguments = deployment(&rollup.simulator).init_code()[Sheaf::BYTECODE.len()..].to_vec();
        let code = [EqualCoefficients::BYTECODE.to_vec(), arguments].concat();
        rollup.sheaf = rollup.chain.deploy(ADMIN, code.into()).unwrap();
        let mut batches = rollup.batches(&contents(&MIXED));
        move_c(&mut batches[i], by);
        refusal::<Sheaf::InvalidProof>(&rollup.submit_all(&batches));
        move_c(&mut batches[j], -by);
        rollup.submit_all(&batches).unwrap();
    }
}
