//! What the API serves as receipts is the operator's promise, also of what was taken back since.

use crate::support::{CHAIN_ID, CONTRACT, World, alice, bob, signed, transfer};
use alloy_primitives::{Address, B256};
use serde_json::{Value, json};
use sheaf_api::model::{Status, SubmitResult, Submitted};
use sheaf_core::receipt::ReceiptJson;
use std::collections::BTreeSet;

fn signer() -> Address {
    sheaf_devkit::keys::RECEIPT_SIGNER.parse().unwrap()
}

fn verify(hash: &str, receipt: &ReceiptJson) {
    receipt.verify(hash.parse().unwrap(), CHAIN_ID, CONTRACT, signer()).unwrap();
}

/// Eight transactions, two in a request, so that blocks have several.
async fn executed(world: &World) -> Vec<Submitted> {
    let many: Vec<Value> = (0..8).map(|nonce| signed(transfer(nonce, &bob()), &alice())).collect();
    let mut taken = Vec::new();
    for two in many.chunks(2) {
        let (status, answer) = world.post(&json!({ "transactions": two })).await;
        assert_eq!(status, 200, "{answer}");
        let results: Vec<SubmitResult> = serde_json::from_value(answer["results"].clone()).unwrap();
        taken.extend(results.into_iter().map(|result| match result {
            SubmitResult::Taken(submitted) => submitted,
            refused @ SubmitResult::Refused { .. } => panic!("{refused:?}"),
        }));
    }
    taken
}

#[tokio::test(flavor = "multi_thread")]
async fn each_executed_transaction_has_a_receipt_that_stays_the_same() {
    let world = World::new().await;
    assert_eq!(world.client.info().await.unwrap().receipt_signer.parse::<Address>().unwrap(), signer());
    let mut places = BTreeSet::new();
    for submitted in executed(&world).await {
        let receipt = submitted.receipt.unwrap();
        verify(&submitted.hash, &receipt);
        assert_eq!((submitted.block, submitted.batch), (Some(receipt.block), Some(receipt.batch)));
        assert_eq!(submitted.position, Some(receipt.position));
        let found = world.client.transaction(submitted.hash.parse().unwrap()).await.unwrap();
        let shown = found.executed.unwrap();
        assert_eq!(shown.receipt.as_ref(), Some(&receipt));
        assert_eq!((shown.block, shown.batch, shown.position), (receipt.block, receipt.batch, receipt.position));
        places.insert((receipt.block, receipt.index));
        // It is of this transaction alone.
        let other = B256::repeat_byte(9);
        assert_eq!(receipt.verify(other, CHAIN_ID, CONTRACT, signer()).unwrap_err().code(), "receipt_wrong_signer");
    }
    assert_eq!(places.len(), 8, "each has a place of its own");
    assert!(places.iter().any(|(_, index)| *index > 0), "a block had several");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_without_a_valid_signature_has_no_receipts() {
    let world = World::new().await;
    let submitted = executed(&world).await.remove(0);
    let hash = submitted.hash.parse().unwrap();
    let receipt = async || world.client.transaction(hash).await.unwrap().executed.unwrap().receipt;
    assert!(receipt().await.is_some());
    world.sql("UPDATE transactions SET position = position + 1").await;
    assert_eq!(receipt().await, None, "what would not verify is not served");
    world.sql("UPDATE transactions SET position = position - 1; UPDATE blocks SET signature = NULL").await;
    assert_eq!(receipt().await, None, "blocks from before receipts have none");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_back_never_vanishes() {
    let world = World::new().await;
    let all = executed(&world).await;
    let block = all.iter().map(|s| s.block).find(|block| all.iter().filter(|s| s.block == *block).count() > 1);
    let (first, last) = {
        let mut of_block = all.iter().filter(|s| Some(s.block) == block);
        (of_block.next().unwrap(), of_block.next_back().unwrap())
    };
    let hash: B256 = last.hash.parse().unwrap();
    // What an unwinding does with the last one of the block.
    world.sql("INSERT INTO unwindings (to_batch, reason) VALUES (0, 'too old for L1')").await;
    for statement in [
        "INSERT INTO unwound_leaves SELECT block, batch, position, hash, 1 FROM transactions WHERE hash = $1",
        "INSERT INTO replays (seq, unwinding, hash, batch, position, block)
         SELECT 1, 1, hash, batch, position, block FROM transactions WHERE hash = $1",
        "DELETE FROM transactions WHERE hash = $1",
    ] {
        sqlx::query(statement).bind(hash.to_vec()).execute(&world.pool).await.unwrap();
    }
    let found = world.client.transaction(hash).await.unwrap();
    assert_eq!((found.status, found.executed, found.rejection), (Status::Reverting, None, None));
    let place = found.taken_back.unwrap();
    assert_eq!((place.reason.as_str(), Some(place.block), Some(place.batch)), ("too old for L1", last.block, last.batch));
    assert_eq!(Some(place.position), last.position);
    // The rest of its block keeps its receipts.
    let kept = world.client.transaction(first.hash.parse().unwrap()).await.unwrap();
    assert_eq!(kept.executed.unwrap().receipt, first.receipt);

    for statement in [
        "INSERT INTO dropped_transactions (hash, code, message, unwinding, batch, position, block, posted)
         SELECT hash, 'expired', 'it expired', unwinding, batch, position, block, '' FROM replays WHERE hash = $1",
        "DELETE FROM replays WHERE hash = $1",
    ] {
        sqlx::query(statement).bind(hash.to_vec()).execute(&world.pool).await.unwrap();
    }
    let found = world.client.transaction(hash).await.unwrap();
    assert_eq!((found.status, found.executed.is_none()), (Status::Reverted, true));
    let rejection = found.rejection.unwrap();
    assert_eq!((rejection.code.as_str(), rejection.message.as_str()), ("expired", "it expired"));
    assert_eq!(found.taken_back, Some(place));
}
