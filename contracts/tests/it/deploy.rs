//! What the constructor takes and refuses, and the two roles.

use alloy::primitives::{Address, B256, U256};
use sheaf_contracts::{Deployment, Sheaf};
use sheaf_core::l1;
use sheaf_core::types::u256_from_field;

use crate::chain::{Chain, TEST_CHAIN_ID, refusal};
use crate::hostile::FeeToken;
use crate::rollup::{ADMIN, ALICE, BOB, FEE, OPERATOR, Rollup, SLOTS, base_modulus, deployment, modulus};
use crate::simulator::Simulator;

fn deploy(chain_id: u64, change: impl FnOnce(&mut Deployment)) -> (Chain, Result<Address, alloy::primitives::Bytes>) {
    let mut arguments = deployment(&Simulator::new(&SLOTS));
    change(&mut arguments);
    let mut chain = Chain::new(chain_id);
    let deployed = chain.deploy(ADMIN, arguments.init_code());
    (chain, deployed)
}

/// The error that a deployment is refused with.
#[track_caller]
fn refused<E: alloy_sol_types::SolError>(change: impl FnOnce(&mut Deployment)) -> E {
    let outcome = deploy(TEST_CHAIN_ID, change).1;
    refusal(&outcome.map(|address| panic!("deployed at {address}")))
}

#[test]
fn development_keys_stay_on_test_chains() {
    for chain_id in [TEST_CHAIN_ID, 1_337] {
        deploy(chain_id, |_| ()).1.unwrap();
    }
    for chain_id in [1, 10, 8_453, 11_155_111] {
        let refused = deploy(chain_id, |_| ()).1.map(|address| panic!("deployed at {address}"));
        assert_eq!(refusal::<Sheaf::DevelopmentKeys>(&refused).chainId, U256::from(chain_id));
        let transcript = B256::with_last_byte(1);
        deploy(chain_id, |arguments| arguments.transcript = transcript).1.unwrap();
    }
}

#[test]
fn a_zero_point_in_a_key_is_refused() {
    type Change = Box<dyn Fn(&mut Deployment)>;
    let mut points: Vec<Change> = vec![
        Box::new(|arguments| arguments.key.alpha = Default::default()),
        Box::new(|arguments| arguments.key.beta = Default::default()),
        Box::new(|arguments| arguments.key.gamma = Default::default()),
    ];
    for shape in 0..SLOTS.len() {
        points.push(Box::new(move |arguments| arguments.shapes[shape].delta = Default::default()));
        for ic in 0..4 {
            points.push(Box::new(move |arguments| arguments.shapes[shape].ic[2 * ic..][..2].fill(U256::ZERO)));
        }
    }
    for zero in points {
        refused::<Sheaf::KeyPointZero>(zero);
    }
}

#[test]
fn a_key_point_off_its_curve_or_range_is_refused() {
    let one = U256::from(1);
    refused::<Sheaf::KeyPointInvalid>(|arguments| arguments.key.alpha[1] += one);
    refused::<Sheaf::KeyPointInvalid>(|arguments| arguments.key.alpha[0] += base_modulus());
    refused::<Sheaf::KeyPointInvalid>(|arguments| arguments.key.beta[0] += one);
    refused::<Sheaf::KeyPointInvalid>(|arguments| arguments.key.gamma[3] += base_modulus());
    refused::<Sheaf::KeyPointInvalid>(|arguments| arguments.shapes[1].delta[2] += one);
    refused::<Sheaf::KeyPointInvalid>(|arguments| arguments.shapes[1].ic[7] += one);
    refused::<Sheaf::KeyPointInvalid>(|arguments| arguments.shapes[0].ic[0] += base_modulus());
}

#[test]
fn other_bad_arguments_are_refused() {
    refused::<Sheaf::ShapeCountOutOfRange>(|arguments| arguments.shapes.clear());
    refused::<Sheaf::ShapeCountOutOfRange>(|arguments| arguments.shapes = vec![arguments.shapes[0].clone(); 17]);
    deploy(TEST_CHAIN_ID, |arguments| arguments.shapes = vec![arguments.shapes[0].clone(); 16]).1.unwrap();
    refused::<Sheaf::ShapeWithoutSlots>(|arguments| arguments.shapes[1].slots = 0);
    refused::<Sheaf::RootOutOfField>(|arguments| arguments.genesis_root = modulus());
    refused::<Sheaf::AddressZero>(|arguments| arguments.admin = Address::ZERO);
    refused::<Sheaf::AddressZero>(|arguments| arguments.operator = Address::ZERO);
}

#[test]
fn a_fresh_contract_says_what_it_is() {
    let mut rollup = Rollup::new();
    let domain = l1::domain(TEST_CHAIN_ID, rollup.sheaf);
    assert_eq!(rollup.view(Sheaf::domainCall {}), u256_from_field(domain));
    assert_eq!(rollup.view(Sheaf::rootCall {}), U256::from(7));
    assert_eq!(rollup.view(Sheaf::batchNumberCall {}), 0);
    assert_eq!(rollup.view(Sheaf::lastTimestampCall {}), 0);
    assert_eq!(rollup.view(Sheaf::queueHeadCall {}), 0);
    assert_eq!(rollup.view(Sheaf::queueTailCall {}), 0);
    assert_eq!(rollup.view(Sheaf::queueFeeCall {}), FEE);
    assert_eq!(rollup.view(Sheaf::shapeCountCall {}), U256::from(SLOTS.len()));
    assert_eq!(rollup.view(Sheaf::transcriptCall {}), B256::ZERO);
    assert_eq!(rollup.view(Sheaf::adminCall {}), ADMIN);
    assert_eq!(rollup.view(Sheaf::operatorCall {}), OPERATOR);
    assert_eq!(rollup.view(Sheaf::tokenCountCall {}), 1);
    assert_eq!(rollup.view(Sheaf::tokensCall { token: 0 }), Address::ZERO);
}

#[test]
fn tokens_are_listed_once_by_the_admin_up_to_61() {
    let mut rollup = Rollup::new();
    let (token, erc20) = rollup.list_token();
    assert_eq!((token, rollup.view(Sheaf::tokensCall { token })), (1, erc20));
    let list = |erc20| Sheaf::listTokenCall { erc20 };
    refusal::<Sheaf::TokenAlreadyListed>(&rollup.send(ADMIN, 0, &list(erc20)));
    refusal::<Sheaf::TokenHasNoCode>(&rollup.send(ADMIN, 0, &list(ALICE)));
    for caller in [ALICE, OPERATOR] {
        assert_eq!(refusal::<Sheaf::NotAdmin>(&rollup.send(caller, 0, &list(erc20))).caller, caller);
    }
    while rollup.view(Sheaf::tokenCountCall {}) < 61 {
        let erc20 = rollup.chain.deploy(ALICE, FeeToken::BYTECODE.clone()).unwrap();
        rollup.send(ADMIN, 0, &list(erc20)).unwrap();
    }
    let erc20 = rollup.chain.deploy(ALICE, FeeToken::BYTECODE.clone()).unwrap();
    refusal::<Sheaf::TokenListFull>(&rollup.send(ADMIN, 0, &list(erc20)));
}

#[test]
fn the_admin_replaces_the_operator_at_once() {
    let mut rollup = Rollup::new();
    let replace = |operator_| Sheaf::setOperatorCall { operator_ };
    refusal::<Sheaf::NotAdmin>(&rollup.send(OPERATOR, 0, &replace(BOB)));
    refusal::<Sheaf::AddressZero>(&rollup.send(ADMIN, 0, &replace(Address::ZERO)));
    let receipt = rollup.send(ADMIN, 0, &replace(BOB)).unwrap();
    assert_eq!(receipt.event::<Sheaf::OperatorChanged>().operator, BOB);

    let batch = rollup.batch(&[]);
    assert_eq!(refusal::<Sheaf::NotOperator>(&rollup.submit(&batch)).caller, OPERATOR);
    rollup.send(BOB, 0, &Sheaf::submitCall { batches: vec![batch] }).unwrap();
}
