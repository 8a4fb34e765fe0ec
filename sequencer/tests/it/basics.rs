//! The ordinary course of things.

use crate::support::{TOKEN, User, World, json, operator, sign, transfer, withdraw};
use alloy_primitives::Address;
use sheaf_core::types::TokenId;
use sheaf_sequencer::wire::SubmitResult;

#[tokio::test(flavor = "multi_thread")]
async fn deposits_transfers_and_withdrawals_are_executed_and_durable() {
    let mut world = World::new().await;
    let (alice, bob) = (User::new(1), User::new(2));
    assert_eq!(world.fund(&alice, TokenId::ETH, 1_000_000).await, 2);
    assert_eq!(world.fund(&alice, TOKEN, 500).await, 2);
    // To somebody who has no account yet, to him again, to oneself, to the operator, out.
    world.execute(transfer(2, 0, &bob, 1_000, 50), &alice).await;
    world.execute(transfer(2, 1, &bob, 1_000, 10), &alice).await;
    world.execute(transfer(2, 2, &alice, 7, 10), &alice).await;
    world.execute(transfer(2, 3, &operator(), 5, 50), &alice).await;
    world.execute(transfer(3, 0, &alice, 300, 20), &bob).await;
    world.execute(withdraw(2, 4, Address::repeat_byte(9), 70, 30), &alice).await;
    world.execute(transfer(1, 0, &alice, 25, 11), &operator()).await;
    assert_eq!(world.balance(1, TokenId::ETH).await, 50 + 10 + 10 + 55 + 20 + 30 - 25);
    assert_eq!(world.balance(3, TokenId::ETH).await, 2_000 - 320);
    assert_eq!(world.balance(2, TokenId::ETH).await, 1_000_000 - 1_050 - 1_010 - 10 - 55 + 300 - 100 + 25);
    assert_eq!(world.balance(2, TOKEN).await, 500);
    let status = world.client().status().await.unwrap();
    assert_eq!((status.fee_account, status.pending), (1, 0));
    assert!(world.client().health().await.unwrap().ready);
    world.restart().await;
    world.execute(transfer(2, 5, &bob, 1, 10), &alice).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_transactions_of_one_sender_are_executed_in_the_order_sent() {
    let mut world = World::new().await;
    let (alice, bob) = (User::new(1), User::new(2));
    world.fund(&alice, TokenId::ETH, 1_000_000).await;
    world.fund(&bob, TokenId::ETH, 1).await;
    let batch: Vec<_> = (0..40).map(|n| json(&sign(transfer(2, n, &bob, 1, 10), &alice))).collect();
    let results = world.client().submit(batch.clone(), true).await.unwrap();
    assert!(results.iter().all(|r| matches!(r, SubmitResult::Executed { .. })), "{results:?}");
    assert_eq!(world.balance(3, TokenId::ETH).await, 41);
    // Again: each is answered as it was the first time.
    let again = world.client().submit(batch, true).await.unwrap();
    assert_eq!(again, results);
    world.all_built().await;
    world.stop().await;
}
