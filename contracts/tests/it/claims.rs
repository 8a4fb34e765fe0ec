//! Paying out, to receivers of every kind.

use alloy::primitives::{Address, U256};
use alloy_sol_types::{SolCall, SolError};
use sheaf_contracts::{Sheaf, TestToken, owner_word};

use crate::chain::refusal;
use crate::hostile::{Agent, CallbackToken};
use crate::rollup::{ADMIN, ALICE, BOB, CAROL, FEE, OPERATOR, Rollup, WEALTH, deposit_call};

const ETH: u8 = 0;

fn claim(owner: Address, token: u8) -> Sheaf::claimCall {
    Sheaf::claimCall { owner, token }
}

/// Makes `amount` wei claimable by `account`: the surplus of a deposit that it makes.
fn make_claimable(rollup: &mut Rollup, account: Address, amount: u128) {
    rollup.send(account, FEE + 1 + amount, &deposit_call(ETH, 1, account, U256::from(5))).unwrap();
}

#[test]
fn anyone_may_claim_for_an_owner_and_only_the_owner_is_paid() {
    let mut rollup = Rollup::new();
    make_claimable(&mut rollup, ALICE, 500);
    let before = rollup.chain.balance(ALICE);
    let receipt = rollup.send(BOB, 0, &claim(ALICE, ETH)).unwrap();
    let event: Sheaf::Claimed = receipt.event();
    assert_eq!((event.owner, event.token, event.amount, event.to), (ALICE, ETH, 500, ALICE));
    assert_eq!(rollup.chain.balance(ALICE), before + 500);
    assert_eq!(rollup.chain.balance(BOB), WEALTH);
    assert_eq!(rollup.view(Sheaf::heldCall { token: ETH }), FEE + 1);
    let error: Sheaf::NothingToClaim = refusal(&rollup.send(BOB, 0, &claim(ALICE, ETH)));
    assert_eq!((error.owner, error.token), (ALICE, ETH));

    rollup.send(CAROL, 0, &claim(OPERATOR, ETH)).unwrap();
    assert_eq!(rollup.chain.balance(OPERATOR), WEALTH + FEE);
}

#[test]
fn claim_to_pays_out_the_callers_own() {
    let mut rollup = Rollup::new();
    make_claimable(&mut rollup, ALICE, 500);
    let to_carol = Sheaf::claimToCall { token: ETH, to: CAROL };
    refusal::<Sheaf::NothingToClaim>(&rollup.send(BOB, 0, &to_carol));
    refusal::<Sheaf::AddressZero>(&rollup.send(ALICE, 0, &Sheaf::claimToCall { token: ETH, to: Address::ZERO }));
    rollup.send(ALICE, 0, &to_carol).unwrap();
    assert_eq!(rollup.chain.balance(CAROL), WEALTH + 500);
}

#[test]
fn a_token_that_left_is_paid_out() {
    let mut rollup = Rollup::new();
    let (token, erc20) = rollup.list_token();
    let receipt = rollup.send(ALICE, FEE, &deposit_call(token, 1_000, ALICE, U256::from(5))).unwrap();
    assert_eq!(receipt.event::<Sheaf::OperationQueued>().index, 0);
    let refund = sheaf_core::operation::Operation::DepositRefund {
        token: sheaf_core::types::TokenId::new(token).unwrap().word(),
        amount: 1_000,
        owner: ALICE,
        key_hash: 5u64.into(),
    };
    rollup.settle(&[refund]);
    let withdrawals = vec![Sheaf::Withdrawal { recipient: ALICE, token, amount: 1_000 }];
    let credit = Sheaf::creditWithdrawalsCall { batch: 1, prefix: Default::default(), withdrawals };
    rollup.send(BOB, 0, &credit).unwrap();

    rollup.send(ALICE, 0, &Sheaf::claimToCall { token, to: OPERATOR }).unwrap();
    let balance = TestToken::balanceOfCall { account: OPERATOR };
    assert_eq!(rollup.chain.view(erc20, &balance), U256::from(1_000));
    assert_eq!(rollup.view(Sheaf::heldCall { token }), 0);
}

#[test]
fn a_receiver_that_refuses_blocks_nobody_and_loses_nothing() {
    let mut rollup = Rollup::new();
    let agent = agent_with_claimable(&mut rollup, 500);
    make_claimable(&mut rollup, ALICE, 300);
    rollup.chain.send(ALICE, agent, 0, &Agent::refuseEthCall { refuses: true }).unwrap();
    assert_eq!(refusal::<Sheaf::TransferFailed>(&rollup.send(BOB, 0, &claim(agent, ETH))).to, agent);
    assert_eq!(rollup.claimable(agent, ETH), 500);
    rollup.send(BOB, 0, &claim(ALICE, ETH)).unwrap();

    // It can still send its money elsewhere.
    act(&mut rollup, agent, 0, &Sheaf::claimToCall { token: ETH, to: CAROL });
    assert_eq!(rollup.chain.balance(CAROL), WEALTH + 500);
    assert_eq!(rollup.claimable(agent, ETH), 0);
}

#[test]
fn a_receiver_can_not_come_back_in() {
    let mut rollup = Rollup::new();
    let withdrawals = Vec::new();
    let calls = [
        claim(ALICE, ETH).abi_encode(),
        Sheaf::claimToCall { token: ETH, to: BOB }.abi_encode(),
        Sheaf::creditWithdrawalsCall { batch: 1, prefix: Default::default(), withdrawals }.abi_encode(),
        deposit_call(ETH, 1, BOB, U256::from(5)).abi_encode(),
        Sheaf::setKeyCall { account: Default::default(), keyHash: U256::from(5) }.abi_encode(),
        Sheaf::requestExitCall { account: Default::default(), token: ETH }.abi_encode(),
    ];
    make_claimable(&mut rollup, ALICE, 300);
    for call in calls {
        let agent = agent_with_claimable(&mut rollup, 500);
        let arm = Agent::armCall { target: rollup.sheaf, call: call.into() };
        rollup.chain.send(ALICE, agent, 0, &arm).unwrap();
        rollup.send(BOB, 0, &claim(agent, ETH)).unwrap();
        let refused = rollup.chain.view(agent, &Agent::refusalCall {});
        assert_eq!(refused[..], Sheaf::ReentrancyGuardReentrantCall::SELECTOR);
        assert!(!rollup.chain.view(agent, &Agent::reenteredCall {}));
        assert_eq!(rollup.chain.balance(agent), 500, "paid once");
    }
    assert_eq!(rollup.claimable(ALICE, ETH), 300);
}

#[test]
fn a_token_that_calls_back_is_not_counted_twice() {
    let mut rollup = Rollup::new();
    let erc20 = rollup.chain.deploy(ADMIN, CallbackToken::BYTECODE.clone()).unwrap();
    let token = rollup.list(erc20);
    // In the middle of the outer deposit's transfer an inner one would raise the measured balance as well.
    let inner = deposit_call(token, 1_000, BOB, U256::from(5)).abi_encode();
    rollup.chain.send(ALICE, erc20, 0, &CallbackToken::armCall { target: rollup.sheaf, call: inner.into() }).unwrap();
    rollup.send(ALICE, FEE, &deposit_call(token, 1_000, ALICE, U256::from(5))).unwrap();
    let refused = rollup.chain.view(erc20, &CallbackToken::refusalCall {});
    assert_eq!(refused[..], Sheaf::ReentrancyGuardReentrantCall::SELECTOR);
    assert_eq!(rollup.view(Sheaf::heldCall { token }), 1_000);
    assert_eq!(rollup.view(Sheaf::queueTailCall {}), 1);
}

/// Deploys an account with code to which `amount` wei is claimable.
fn agent_with_claimable(rollup: &mut Rollup, amount: u128) -> Address {
    let agent = rollup.chain.deploy(ALICE, Agent::BYTECODE.clone()).unwrap();
    let deposit = Sheaf::depositCall { token: ETH, amount: 1, owner: owner_word(agent), keyHash: U256::from(5) };
    act(rollup, agent, FEE + 1 + amount, &deposit);
    assert_eq!(rollup.claimable(agent, ETH), amount);
    agent
}

fn act(rollup: &mut Rollup, agent: Address, wei: u128, call: &impl SolCall) {
    let act = Agent::actCall { target: rollup.sheaf, call: call.abi_encode().into() };
    rollup.chain.send(ALICE, agent, wei, &act).expect("the agent's call goes through");
}
