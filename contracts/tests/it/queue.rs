//! What enters the queue, what it costs, and what is refused.

use alloy::primitives::aliases::U24;
use alloy::primitives::{Address, U256};
use sheaf_contracts::Sheaf;
use sheaf_core::l1::{queue_hash, queue_preimage};
use sheaf_core::operation::Operation;
use sheaf_core::types::{AccountId, TokenId, field_to_bytes};

use crate::arbitrary::{arb_account, arb_address, arb_key_hash, runner};
use crate::chain::refusal;
use crate::rollup::{ALICE, BOB, FEE, OPERATOR, Rollup, WEALTH, deposit_call, modulus};

const DAY: u64 = 24 * 60 * 60;
const ETH: u8 = 0;

/// The entry of the last operation in the queue is that of `operation`, and the event told its preimage.
#[track_caller]
fn assert_last_entry(rollup: &mut Rollup, event: &Sheaf::OperationQueued, operation: Operation, sender: Address) {
    let preimage = queue_preimage(&operation).expect("an operation from L1");
    let entry = rollup.view(Sheaf::queueCall { index: event.index });
    assert_eq!(entry >> 32 << 32, queue_hash(&preimage));
    assert_eq!(entry & U256::from(u32::MAX), U256::from(event.deadline));
    assert_eq!(rollup.view(Sheaf::queueTailCall {}), event.index + 1);

    let told = [&event.core.to_be_bytes::<21>()[..], event.aux1.as_slice(), &event.aux2.to_be_bytes::<32>()].concat();
    assert_eq!(told, preimage);
    assert_eq!((event.op, event.sender), (operation.code() as u8, sender));
}

#[test]
fn entries_are_what_the_native_code_says() {
    let mut rollup = Rollup::new();
    let (token, _) = rollup.list_token();
    let word = TokenId::new(token).unwrap().word();
    let strategy = (arb_account(), arb_address(), arb_key_hash(), 1..=u128::MAX >> 8);
    let rollup = std::cell::RefCell::new(rollup);
    runner(32)
        .run(&strategy, |(account, owner, key_hash, amount)| {
            let rollup = &mut *rollup.borrow_mut();
            let hash = U256::from_be_bytes(field_to_bytes(key_hash));
            let index = U24::from(account.get());

            let receipt = rollup.send(ALICE, FEE, &deposit_call(token, amount, owner, hash)).unwrap();
            let deposit = Operation::Deposit { account: AccountId::FIRST, token: word, amount, owner, key_hash };
            assert_last_entry(rollup, &receipt.event(), deposit, ALICE);

            let receipt = rollup.send(BOB, FEE, &Sheaf::setKeyCall { account: index, keyHash: hash }).unwrap();
            let set_key = Operation::SetKey { account, caller: BOB, key_hash };
            assert_last_entry(rollup, &receipt.event(), set_key, BOB);

            let receipt = rollup.send(ALICE, FEE, &Sheaf::requestExitCall { account: index, token }).unwrap();
            let exit = Operation::ForcedExit { account, token: word, amount, caller: ALICE };
            assert_last_entry(rollup, &receipt.event(), exit, ALICE);
            Ok(())
        })
        .unwrap();
}

#[test]
fn value_covers_fee_and_amount_and_the_rest_comes_back() {
    let mut rollup = Rollup::new();
    let call = deposit_call(ETH, 1_000, BOB, U256::from(5));
    let receipt = rollup.send(ALICE, FEE + 1_000 + 77, &call).unwrap();
    assert_eq!(rollup.claimable(OPERATOR, ETH), FEE);
    assert_eq!(rollup.claimable(ALICE, ETH), 77);
    assert_eq!(rollup.claimable(BOB, ETH), 0);
    assert_eq!(rollup.view(Sheaf::heldCall { token: ETH }), FEE + 1_000 + 77);
    let credited: Vec<_> = receipt.events::<Sheaf::Credited>().iter().map(|e| (e.owner, e.amount)).collect();
    assert_eq!(credited, [(OPERATOR, FEE), (ALICE, 77)]);
    assert_eq!(rollup.view(Sheaf::queueFeeCall {}), FEE);

    for (paid, required) in [(FEE + 999, FEE + 1_000), (FEE, FEE + 1_000), (0, FEE + 1_000)] {
        let error: Sheaf::InsufficientValue = refusal(&rollup.send(ALICE, paid, &call));
        assert_eq!((error.required, error.sent), (U256::from(required), U256::from(paid)));
    }
    refusal::<Sheaf::InsufficientValue>(&rollup.send(ALICE, FEE - 1, &set_key(1, 5)));
    refusal::<Sheaf::InsufficientValue>(&rollup.send(ALICE, FEE - 1, &request_exit(1, ETH)));
    rollup.send(ALICE, FEE + 3, &set_key(1, 5)).unwrap();
    rollup.send(ALICE, FEE + 4, &request_exit(1, ETH)).unwrap();
    assert_eq!(rollup.claimable(ALICE, ETH), 77 + 3 + 4);
    assert_eq!(rollup.claimable(OPERATOR, ETH), 3 * FEE);
}

#[test]
fn a_token_deposit_is_what_arrives() {
    let mut rollup = Rollup::new();
    let fee_token = rollup.chain.deploy(ALICE, crate::hostile::FeeToken::BYTECODE.clone()).unwrap();
    let token = rollup.list(fee_token);
    let receipt = rollup.send(ALICE, FEE, &deposit_call(token, 10_000, ALICE, U256::from(5))).unwrap();
    let core = U256::from(receipt.event::<Sheaf::OperationQueued>().core);
    assert_eq!(core >> 34, U256::from(9_900));
    assert_eq!(rollup.view(Sheaf::heldCall { token }), 9_900);
}

#[test]
fn what_is_held_never_passes_its_cap_and_gifts_do_not_count() {
    let mut rollup = Rollup::new();
    let (token, erc20) = rollup.list_token();
    let gift = sheaf_contracts::TestToken::transferCall { to: rollup.sheaf, value: U256::from(u128::MAX) };
    rollup.chain.send(BOB, erc20, 0, &gift).unwrap();

    let deposit = |amount| deposit_call(token, amount, ALICE, U256::from(5));
    rollup.send(ALICE, FEE, &deposit(u128::MAX - 1)).unwrap();
    let error: Sheaf::HoldingsCapExceeded = refusal(&rollup.send(crate::rollup::CAROL, FEE, &deposit(2)));
    assert_eq!((error.token, error.total), (token, U256::from(1) << 128));
    rollup.send(crate::rollup::CAROL, FEE, &deposit(1)).unwrap();
    assert_eq!(rollup.view(Sheaf::heldCall { token }), u128::MAX);
}

#[test]
fn bad_deposits_are_refused_by_name() {
    let mut rollup = Rollup::new();
    let (token, _) = rollup.list_token();
    let value = FEE + 1_000;
    let with_owner = |owner| Sheaf::depositCall { token: ETH, amount: 1_000, owner, keyHash: U256::from(5) };
    for owner in [U256::ZERO, U256::from(1) << 160, U256::MAX] {
        let error: Sheaf::OwnerOutOfRange = refusal(&rollup.send(ALICE, value, &with_owner(owner)));
        assert_eq!(error.owner, owner);
    }
    for key_hash in [U256::ZERO, modulus(), U256::MAX] {
        let call = deposit_call(ETH, 1_000, ALICE, key_hash);
        refusal::<Sheaf::KeyHashOutOfRange>(&rollup.send(ALICE, value, &call));
        refusal::<Sheaf::KeyHashOutOfRange>(&rollup.send(
            ALICE,
            value,
            &Sheaf::setKeyCall { account: U24::from(1), keyHash: key_hash },
        ));
    }
    for unlisted in [token + 1, 60, 61, 255] {
        let call = deposit_call(unlisted, 1_000, ALICE, U256::from(5));
        assert_eq!(refusal::<Sheaf::UnlistedToken>(&rollup.send(ALICE, value, &call)).token, unlisted);
        refusal::<Sheaf::UnlistedToken>(&rollup.send(ALICE, value, &request_exit(1, unlisted)));
    }
    for token in [ETH, token] {
        let call = deposit_call(token, 0, ALICE, U256::from(5));
        refusal::<Sheaf::AmountZero>(&rollup.send(ALICE, value, &call));
    }
    assert_eq!(rollup.view(Sheaf::queueTailCall {}), 0);
    assert_eq!(rollup.view(Sheaf::heldCall { token: ETH }), 0);
    assert_eq!(rollup.chain.balance(ALICE), WEALTH);
    // The largest of each is fine.
    let call = Sheaf::depositCall {
        token: ETH,
        amount: 1_000,
        owner: (U256::from(1) << 160) - U256::from(1),
        keyHash: modulus() - U256::from(1),
    };
    rollup.send(ALICE, value, &call).unwrap();
}

#[test]
fn flooding_the_queue_moves_its_deadlines_back() {
    let mut rollup = Rollup::new();
    let start = rollup.chain.time();
    let deadline_of_next = |rollup: &mut Rollup| {
        let receipt = rollup.send(ALICE, FEE, &set_key(1, 5)).unwrap();
        u64::from(receipt.event::<Sheaf::OperationQueued>().deadline)
    };
    assert_eq!(deadline_of_next(&mut rollup), start + 14 * DAY);
    assert_eq!(deadline_of_next(&mut rollup), start + 14 * DAY + 120);
    rollup.chain.set_time(start + 100);
    assert_eq!(deadline_of_next(&mut rollup), start + 14 * DAY + 240);
    rollup.chain.set_time(start + 1_000);
    assert_eq!(deadline_of_next(&mut rollup), start + 14 * DAY + 1_000);
}

fn set_key(account: u32, key_hash: u64) -> Sheaf::setKeyCall {
    Sheaf::setKeyCall { account: U24::from(account), keyHash: U256::from(key_hash) }
}

fn request_exit(account: u32, token: u8) -> Sheaf::requestExitCall {
    Sheaf::requestExitCall { account: U24::from(account), token }
}
