//! Transactions that can be read but not executed: a code each, at once, and nothing changes.

use crate::support::{FUNDS, User, World, alice, bob, signed, transfer};
use alloy_primitives::Address;
use serde_json::json;
use sheaf_core::F;
use sheaf_core::amount::{PackedAmount, PackedFee};
use sheaf_core::json::TransactionJson;
use sheaf_core::l1::domain;
use sheaf_core::operation::Operation;
use sheaf_core::transaction::{Payload, Target};
use sheaf_core::types::{AccountId, TokenId};

#[tokio::test(flavor = "multi_thread")]
async fn signature_and_domain() {
    let world = World::new().await;
    let good = signed(transfer(0, &bob()), &alice());
    let mut changed = good.clone();
    changed["amount"] = json!("101");
    world.refused(changed.to_string(), "invalid_signature", 422).await;
    let mut s = good.clone();
    s["signature"]["s"] = json!(format!("0x{:064x}", 5));
    world.refused(s.to_string(), "invalid_signature", 422).await;
    let mut off_curve = good.clone();
    off_curve["signature"]["r8_x"] = json!(format!("0x{:064x}", 5));
    world.refused(off_curve.to_string(), "invalid_signature", 422).await;

    let elsewhere = domain(1, Address::repeat_byte(0xCC));
    let foreign = serde_json::to_value(TransactionJson::from(&transfer(0, &bob()).sign(elsewhere, &alice().key))).unwrap();
    world.refused(foreign.to_string(), "invalid_signature", 422).await;
    let mut named = foreign;
    named["domain"] = json!(sheaf_core::json::field_to_hex(elsewhere));
    world.refused(named.to_string(), "wrong_domain", 422).await;
    let mut right = good;
    right["domain"] = json!(sheaf_core::json::field_to_hex(crate::support::the_domain()));
    assert_eq!(world.post(&right).await.0, 200, "the right domain may be named");
}

#[tokio::test(flavor = "multi_thread")]
async fn nonce_and_expiry() {
    let world = World::new().await;
    assert_eq!(world.post(&signed(transfer(0, &bob()), &alice())).await.0, 200);
    let another = Payload { amount: PackedAmount::encode(99).unwrap(), ..transfer(0, &bob()) };
    let message = world.refused(signed(another, &alice()).to_string(), "nonce_too_old", 422).await;
    assert!(message.contains('1'), "names the next nonce: {message}");
    let message = world.refused(signed(transfer(1 + 64, &bob()), &alice()).to_string(), "nonce_too_far", 422).await;
    assert!(message.contains("64"), "names the latest nonce: {message}");
    let expires = |expires| signed(Payload { expires, ..transfer(1, &bob()) }, &alice()).to_string();
    world.refused(expires(1_600_000_000), "expired", 422).await;
    world.refused(expires(crate::support::now() + 90_000), "expires_too_far", 422).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn balance_fee_account_and_token() {
    let world = World::new().await;
    let amount = |value| Payload { amount: PackedAmount::encode(value).unwrap(), ..transfer(0, &bob()) };
    world.refused(signed(amount(FUNDS), &alice()).to_string(), "insufficient_balance", 422).await;
    let fee = Payload { fee: PackedFee::encode(49).unwrap(), ..transfer(0, &bob()) };
    let message = world.refused(signed(fee, &alice()).to_string(), "fee_too_small", 422).await;
    assert!(message.contains("50"), "names the minimum of a transfer that creates an account: {message}");
    let small = Payload { fee: PackedFee::encode(29).unwrap(), target: Target::L1(bob().owner), ..transfer(0, &bob()) };
    world.refused(signed(small, &alice()).to_string(), "fee_too_small", 422).await;

    let nobody = Payload { from: AccountId::new(77).unwrap(), ..transfer(0, &bob()) };
    world.refused(signed(nobody, &alice()).to_string(), "unknown_account", 404).await;
    world.refused(signed(transfer(0, &alice()), &bob()).to_string(), "wrong_key", 422).await;
    let unlisted = Payload { token: TokenId::new(60).unwrap(), ..transfer(0, &bob()) };
    world.refused(signed(unlisted, &alice()).to_string(), "unknown_token", 400).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn same_transaction_twice() {
    let world = World::new().await;
    let transaction = signed(transfer(0, &bob()), &alice());
    let first = world.post(&transaction).await;
    assert_eq!((first.0.as_u16(), first.1["status"].as_str()), (200, Some("executed")));
    let before = world.snapshot().await;
    assert_eq!(world.post(&transaction).await, first, "the same is answered, with the same receipt");
    assert_eq!(world.snapshot().await, before);
    let first = first.1;
    let (_, found) = world.get(&format!("/v1/transactions/{}", first["hash"].as_str().unwrap())).await;
    assert_eq!(found["status"], "executed");
}

#[tokio::test(flavor = "multi_thread")]
async fn receiver_whose_key_was_replaced() {
    let world = World::new().await;
    let account = world.deposit(&bob(), 1_000).await;
    let key_hash = F::from(99u64);
    let set_key = Operation::SetKey { account: AccountId::new(account).unwrap(), caller: bob().owner, key_hash };
    let tx_hash = world.queue(&set_key, true).await;
    crate::support::eventually("the key is replaced", || async {
        world.client.l1_operations(tx_hash).await.unwrap().operations[0].batch
    })
    .await;
    world.refused(signed(transfer(0, &bob()), &alice()).to_string(), "receiver_retired", 422).await;
    // The same owner with another key is somebody else.
    let other = User { owner: bob().owner, ..User::new(3) };
    assert_eq!(world.post(&signed(transfer(0, &other), &alice())).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_refusal_among_many_leaves_the_others_alone() {
    let world = World::new().await;
    let mut changed = signed(transfer(1, &bob()), &alice());
    changed["fee"] = json!("51");
    let mut hex = signed(transfer(1, &bob()), &alice());
    hex["public_key"]["x"] = json!("0x12");
    let many = [signed(transfer(0, &bob()), &alice()), changed, hex, signed(transfer(1, &bob()), &alice())];
    let (status, answer) = world.post(&json!({ "transactions": many })).await;
    assert_eq!(status, 200);
    let of = |field: &str| -> Vec<_> { answer["results"].as_array().unwrap().iter().map(|r| r[field].clone()).collect() };
    assert_eq!(of("status"), ["executed", "rejected", "rejected", "executed"]);
    assert_eq!(of("code"), [json!(null), json!("invalid_signature"), json!("hex_length"), json!(null)]);
}
