//! Bad input: each kind has its code, at once, and changes nothing.

use crate::support::{CHAIN_ID, CONTRACT, START, TOKEN, User, World, eventually, id, json, operator, sign, transfer, withdraw};
use alloy_primitives::Address;
use serde_json::{Value, json as j};
use sheaf_core::amount::PackedFee;
use sheaf_core::l1::domain;
use sheaf_core::operation::Operation;
use sheaf_core::transaction::{Pair, Target};
use sheaf_core::types::TokenId;
use sheaf_sequencer::client::ClientError;
use sheaf_sequencer::wire::SubmitResult;

const DAY: u32 = 86_400;

/// A sequencer with alice (account 2, rich) and bob (account 3).
async fn world() -> (World, User, User) {
    let mut world = World::new().await;
    let (alice, bob) = (User::new(1), User::new(2));
    assert_eq!(world.fund(&alice, TokenId::ETH, 1_000_000).await, 2);
    assert_eq!(world.fund(&bob, TokenId::ETH, 1_000).await, 3);
    (world, alice, bob)
}

fn edited(mut value: Value, pointer: &str, new: Value) -> Value {
    *value.pointer_mut(pointer).expect("the field exists") = new;
    value
}

#[tokio::test(flavor = "multi_thread")]
async fn signatures_and_keys() {
    let (world, alice, bob) = world().await;
    let good = json(&sign(transfer(2, 0, &bob, 100, 10), &alice));
    world.refused(edited(good.clone(), "/amount", j!("101")), "invalid_signature").await;
    let elsewhere = transfer(2, 0, &bob, 100, 10).sign(domain(CHAIN_ID + 1, CONTRACT), &alice.key);
    world.refused(json(&elsewhere), "invalid_signature").await;
    let mut named = good.clone();
    named["domain"] = j!(sheaf_core::json::field_to_hex(domain(CHAIN_ID + 1, CONTRACT)));
    world.refused(named, "wrong_domain").await;
    world.refused(json(&sign(transfer(2, 0, &bob, 100, 10), &bob)), "wrong_key").await;
    world.refused(json(&sign(transfer(9, 0, &bob, 100, 10), &alice)), "unknown_account").await;
    world.refused(json(&sign(transfer(1, 0, &bob, 100, 10), &operator())), "unknown_account").await;
    world.refused(edited(good.clone(), "/public_key/x", j!(format!("0x{:064x}", 5))), "key_not_on_curve").await;
    world.refused(edited(good.clone(), "/public_key/x", j!(format!("0x{}", "ff".repeat(32)))), "field_out_of_range").await;
    world.refused(edited(good.clone(), "/signature/s", j!(format!("0x{}", "ff".repeat(32)))), "field_out_of_range").await;
    world.execute(transfer(2, 0, &bob, 100, 10), &alice).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn form() {
    let (world, alice, bob) = world().await;
    let good = json(&sign(transfer(2, 0, &bob, 100, 10), &alice));
    world.refused(j!("a string"), "malformed_json").await;
    world.refused(edited(good.clone(), "/from", j!(-1)), "malformed_json").await;
    world.refused(edited(good.clone(), "/amount", j!("1e3")), "malformed_json").await;
    let mut unknown = good.clone();
    unknown["memo"] = j!("hello");
    world.refused(unknown, "malformed_json").await;
    world.refused(edited(good.clone(), "/from", j!(1 << 24)), "field_out_of_range").await;
    world.refused(edited(good.clone(), "/to/owner", j!("0x1234")), "hex_length").await;
    world.refused(edited(good.clone(), "/to/owner", j!(format!("0x{}", "zz".repeat(20)))), "hex_digit").await;
    world.refused(edited(good.clone(), "/to/key_hash", j!(format!("0x{}", "ff".repeat(32)))), "field_out_of_range").await;
    world.refused(edited(good.clone(), "/to/key_hash", j!(format!("0x{}", "00".repeat(32)))), "field_out_of_range").await;
    let message = world.refused(edited(good.clone(), "/amount", j!("34359738369123")), "amount_not_representable").await;
    assert!(message.contains("34359738369000") || message.contains("nearest"), "{message}");
    world.refused(edited(good.clone(), "/fee", j!("5121")), "fee_not_representable").await;
    world.refused(edited(good.clone(), "/token", j!(61)), "unknown_token").await;
    let unlisted = sheaf_core::transaction::Payload { token: TokenId::new(30).unwrap(), ..transfer(2, 0, &bob, 0, 0) };
    world.refused(json(&sign(unlisted, &alice)), "unknown_token").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn order() {
    let (world, alice, bob) = world().await;
    world.execute(transfer(2, 0, &bob, 100, 10), &alice).await;
    let message = world.refused(json(&sign(transfer(2, 0, &bob, 101, 10), &alice)), "nonce_too_old").await;
    assert!(message.contains("next one is 1"), "{message}");
    let message = world.refused(json(&sign(transfer(2, 65, &bob, 1, 10), &alice)), "nonce_too_far").await;
    assert!(message.contains("64 is the latest"), "{message}");
    let result = world.client().submit(vec![json(&sign(transfer(2, 64, &bob, 1, 10), &alice))], false).await.unwrap();
    assert!(matches!(result[0], SubmitResult::Pending { .. }), "{result:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn time() {
    let (world, alice, bob) = world().await;
    let timestamp = world.client().status().await.unwrap().timestamp;
    assert_eq!(timestamp, START);
    let at = |expires| json(&sign(sheaf_core::transaction::Payload { expires, ..transfer(2, 0, &bob, 1, 10) }, &alice));
    world.refused(at(START - 1), "expired").await;
    world.refused(at(START + DAY + 1), "expires_too_far").await;
    assert!(matches!(world.submit_json(at(START)).await, SubmitResult::Executed { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn money() {
    let (world, alice, bob) = world().await;
    world.refused(json(&sign(transfer(3, 0, &alice, 991, 10), &bob)), "insufficient_balance").await;
    // An amount that no balance can ever pay.
    let mut huge = transfer(3, 0, &alice, 1, 10);
    huge.amount = sheaf_core::amount::PackedAmount::from_bits((31 << 35) | 0x7_FFFF_FFFF).unwrap();
    world.refused(json(&sign(huge, &bob)), "field_out_of_range").await;
    let message = world.refused(json(&sign(transfer(2, 0, &bob, 1, 9), &alice)), "fee_too_small").await;
    assert!(message.contains("10"), "{message}");
    let message = world.refused(json(&sign(transfer(2, 0, &User::new(50), 1, 49), &alice)), "fee_too_small").await;
    assert!(message.contains("50"), "{message}");
    let message = world.refused(json(&sign(withdraw(2, 0, Address::repeat_byte(1), 1, 29), &alice)), "fee_too_small").await;
    assert!(message.contains("30"), "{message}");
    let zero = sheaf_core::transaction::Payload { fee: PackedFee::ZERO, ..transfer(2, 0, &bob, 1, 0) };
    world.refused(json(&sign(zero, &alice)), "fee_too_small").await;
    let no_token = sheaf_core::transaction::Payload { token: TOKEN, ..transfer(2, 0, &bob, 1, 0) };
    world.refused(json(&sign(no_token, &alice)), "insufficient_balance").await;
    // Exactly everything.
    world.execute(transfer(3, 0, &alice, 990, 10), &bob).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn receivers() {
    let (mut world, alice, bob) = world().await;
    let set_key = Operation::SetKey { account: id(3), caller: bob.owner, key_hash: bob.with_key(77).key_hash() };
    world.apply(&set_key).await;
    world.refused(json(&sign(transfer(2, 0, &bob, 1, 50), &alice)), "receiver_retired").await;
    world.execute(transfer(2, 0, &bob.with_key(77), 1, 10), &alice).await;
    // The old key signs nothing any more.
    world.refused(json(&sign(transfer(3, 0, &alice, 1, 10), &bob)), "wrong_key").await;
    world.execute(transfer(3, 0, &alice, 1, 10), &bob.with_key(77)).await;
    // The same owner with another key, or the same key under another owner, are other people.
    let stranger = User { owner: Address::repeat_byte(0x33), ..alice.clone() };
    world.execute(transfer(2, 1, &stranger, 5, 50), &alice).await;
    assert_eq!(world.balance(4, TokenId::ETH).await, 5);
    let nobody = sheaf_core::transaction::Payload {
        target: Target::Account(Pair { owner: Address::ZERO, ..alice.pair() }),
        ..transfer(2, 2, &bob, 1, 50)
    };
    world.refused(json(&sign(nobody, &alice)), "field_out_of_range").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_index_is_left() {
    // Four indices: 0 is nobody's, 1 the operator's, two for all others.
    let mut world = World::with(|config| config.depth = 4).await;
    let users: Vec<_> = (1..=3).map(User::new).collect();
    assert_eq!(world.fund(&users[0], TokenId::ETH, 1_000).await, 2);
    assert_eq!(world.fund(&users[1], TokenId::ETH, 1_000).await, 3);
    world.refused(json(&sign(transfer(2, 0, &users[2], 1, 50), &users[0])), "no_free_account").await;
    assert_eq!(world.apply(&users[2].deposit(TokenId::ETH, 5)).await, (None, true));
    world.execute(transfer(2, 0, &operator(), 1, 50), &users[0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn queues_are_bounded() {
    let mut world = World::with(|config| {
        config.limits.pending_max = 8;
        config.limits.pending_per_account_max = 3;
        config.limits.request_transactions_max = 20;
        config.block_ms = 300;
    })
    .await;
    let (alice, bob) = (User::new(1), User::new(2));
    world.fund(&alice, TokenId::ETH, 1_000_000).await;
    let many: Vec<_> = (0..5).map(|n| json(&sign(transfer(2, n, &bob, 1, 50), &alice))).collect();
    let results = world.client().submit(many, false).await.unwrap();
    let hashes: Vec<_> =
        results.iter().filter_map(|r| if let SubmitResult::Pending { hash } = r { Some(hash) } else { None }).collect();
    assert_eq!(hashes.len(), 3, "{results:?}");
    assert!(matches!(&results[4], SubmitResult::Rejected { code, .. } if code == "pool_full"), "{results:?}");
    assert!(world.client().is_pending(hashes[0]).await.unwrap());
    eventually("the block is durable", || async { (!world.client().is_pending(hashes[0]).await.unwrap()).then_some(()) }).await;
    assert_eq!(world.count("SELECT count(*) FROM transactions").await, 3);
    let too_many = vec![j!({}); 9];
    let results = world.client().submit(too_many, true).await.unwrap();
    assert!(matches!(&results[0], SubmitResult::Rejected { code, .. } if code == "pool_full"), "{results:?}");
    let body_code = |result: Result<_, ClientError>| result.map(|_: Vec<SubmitResult>| ()).unwrap_err().code().to_owned();
    assert_eq!(body_code(world.client().submit(vec![j!({}); 21], true).await), "body_too_large");
    assert_eq!(body_code(world.client().submit(vec![j!("x".repeat(1 << 20))], true).await), "body_too_large");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_transactions_are_remembered_and_forgotten() {
    let mut world = World::with(|config| config.limits.rejections_max = 3).await;
    let (alice, bob) = (User::new(1), User::new(2));
    world.fund(&alice, TokenId::ETH, 1_000_000).await;
    for amount in 5..12 {
        let SubmitResult::Rejected { .. } = world.submit(&sign(transfer(2, 0, &bob, amount, 49), &alice)).await else { panic!() };
    }
    eventually("three are kept", || async {
        (world.count("SELECT count(*) FROM rejections WHERE code = 'fee_too_small'").await == 3).then_some(())
    })
    .await;
}
