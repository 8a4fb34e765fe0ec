//! Transactions, deposits, exits and withdrawals from their beginning to their end.

use crate::support::{FUNDS, World, alice, bob, eventually, operator, signed, the_domain, transfer};
use alloy_primitives::{Address, B256};
use serde_json::{Value, json};
use sheaf_api::model::{Operation as Shown, Status, Transaction, WithdrawalRef};
use sheaf_core::amount::PackedAmount;
use sheaf_core::json::field_to_hex;
use sheaf_core::operation::Operation;
use sheaf_core::transaction::{Payload, Target};
use sheaf_core::types::{AccountId, TokenId};

const RECIPIENT: Address = Address::repeat_byte(0x77);

fn hash_of(answer: &Value) -> B256 {
    answer["hash"].as_str().unwrap().parse().unwrap()
}

async fn look(world: &World, hash: B256) -> Transaction {
    world.client.transaction(hash).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn wallet_learns_all_that_it_needs_to_sign() {
    let world = World::new().await;
    let info = world.client.info().await.unwrap();
    assert_eq!((info.chain_id, info.contract.as_str()), (31_337, format!("0x{}", "cc".repeat(20)).as_str()));
    assert_eq!((info.domain, info.fee_account), (field_to_hex(the_domain()), 1));
    assert_eq!(
        info.tokens.iter().map(|t| (t.id, t.symbol.as_str(), t.decimals)).collect::<Vec<_>>(),
        [(0, "ETH", 18), (7, "TEST", 6)]
    );
    assert_eq!(info.minimum_fees[0].transfer_new, "50");
    assert!(info.batch.timestamp.abs_diff(crate::support::now()) < 60);
    assert_eq!((info.limits.max_expiry_seconds, info.limits.max_transactions), (86_400, 8));
    assert_eq!(world.client.tokens().await.unwrap().tokens, info.tokens);

    world
        .sql("INSERT INTO l1_cursor VALUES (TRUE, 120, now() - interval '30 seconds', 118, decode(repeat('00', 32), 'hex'))")
        .await;
    let health = world.client.health().await.unwrap();
    assert!(health.ready && health.database.ready && health.sequencer.ready, "{health:?}");
    let l1 = health.l1.unwrap();
    assert_eq!((l1.head, l1.confirmed), (120, 118));
    assert!((30..40).contains(&l1.head_age_seconds));
}

#[tokio::test(flavor = "multi_thread")]
async fn deposit_is_followed_from_l1_to_its_account() {
    let world = World::without_funds().await;
    let nobody = AccountId::new(0).unwrap();
    let (owner, key_hash) = (alice().owner, alice().pair().key_hash);
    let deposit = Operation::Deposit { account: nobody, token: TokenId::ETH.word(), amount: 5, owner, key_hash };
    world.sql("INSERT INTO l1_cursor VALUES (TRUE, 100, now(), 97, decode(repeat('00', 32), 'hex'))").await;
    let tx_hash = world.queue(&deposit, false).await;
    let seen = &world.client.l1_operations(tx_hash).await.unwrap().operations[0];
    assert_eq!((seen.status, seen.confirmations_left, seen.account), (Status::Confirming, 3, None));
    assert_eq!((seen.kind.as_str(), seen.amount.as_deref(), seen.refunded), ("deposit", Some("5"), false));
    assert_eq!(seen.to.as_ref().unwrap().key_hash, field_to_hex(key_hash));

    world.sql("UPDATE l1_operations SET confirmed = TRUE; NOTIFY l1_operations").await;
    let credited = eventually("the deposit is executed", || async {
        let operation = world.client.l1_operations(tx_hash).await.unwrap().operations.remove(0);
        (operation.status == Status::Executed).then_some(operation)
    })
    .await;
    assert_eq!((credited.account, credited.confirmations_left, credited.batch), (Some(2), 0, Some(1)));
    let account = world.client.account(2).await.unwrap();
    assert_eq!((account.balance(0), account.nonce, account.owner), (5, 0, format!("0x{}", "01".repeat(20))));
    let found = world.client.accounts(Some(owner), None).await.unwrap();
    assert_eq!(found, world.client.accounts(None, Some(key_hash)).await.unwrap());
    assert_eq!(found, world.client.accounts(Some(owner), Some(key_hash)).await.unwrap());
    assert_eq!(found.len(), 1);
    assert!(world.client.accounts(Some(bob().owner), Some(key_hash)).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn transfer_lives_from_executed_to_settled() {
    let world = World::new().await;
    let sent = signed(transfer(0, &bob()), &alice());
    let (_, answer) = world.post(&sent).await;
    let hash = hash_of(&answer);
    let found = look(&world, hash).await;
    let executed = found.executed.clone().unwrap();
    assert_eq!((found.status, executed.kind.as_str(), executed.to_account), (Status::Executed, "transfer_new", Some(3)));
    assert_eq!(answer["batch"], executed.batch);
    assert_eq!(answer["position"], executed.position);
    assert_eq!((executed.amount.as_str(), executed.fee.as_str()), ("100", "50"));
    assert_eq!(world.client.account(2).await.unwrap().balance(0), FUNDS - 150);
    assert_eq!(world.client.account(3).await.unwrap().balance(0), 100);

    for (statement, status) in [
        ("UPDATE batches SET status = 'sealed', sealed_at = now()", Status::Sealed),
        ("UPDATE batches SET status = 'proven'", Status::Proven),
        ("UPDATE batches SET status = 'settled', settled_tx = decode(repeat('5e', 32), 'hex')", Status::Settled),
    ] {
        world.sql(statement).await;
        assert_eq!(look(&world, hash).await.status, status);
    }
    assert_eq!(look(&world, hash).await.executed.unwrap().settled_tx.unwrap(), format!("0x{}", "5e".repeat(32)));
}

#[tokio::test(flavor = "multi_thread")]
async fn open_batch_shows_its_operations_and_nobody_sees_a_signature() {
    let world = World::new().await;
    let sent = signed(transfer(0, &bob()), &alice());
    let hash = hash_of(&world.post(&sent).await.1);
    let batch = look(&world, hash).await.executed.unwrap().batch;
    let found = world.client.batch(batch).await.unwrap();
    assert_eq!((found.summary.status.as_str(), found.summary.number), ("open", batch));
    assert_eq!(found.summary.op_count as usize, found.operations.len());
    let last = found.operations.last().unwrap();
    assert!(matches!(last, Shown::TransferNew { from: 2, to: 3, amount, .. } if amount == "100"), "{last:?}");
    let listed = world.client.batches(None).await.unwrap();
    assert_eq!(listed.batches[0], found.summary);
    assert_eq!((listed.batches.last().unwrap().number, listed.next), (1, None));

    let secrets = [&sent["signature"]["s"], &sent["signature"]["r8_x"], &sent["public_key"]["x"]];
    for path in [format!("/v1/transactions/{hash}"), format!("/v1/batches/{batch}"), "/v1/accounts/2".to_owned()] {
        let text = world.get(&path).await.1.to_string();
        for secret in secrets {
            assert!(!text.contains(secret.as_str().unwrap()), "{path} serves a part of a signature");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn withdrawal_and_exit_are_followed_until_they_are_claimed() {
    let world = World::new().await;
    let withdraw = Payload { target: Target::L1(RECIPIENT), ..transfer(0, &bob()) };
    let hash = hash_of(&world.post(&signed(withdraw, &alice())).await.1);
    let account = AccountId::new(2).unwrap();
    let exit = Operation::ForcedExit { account, token: TokenId::ETH.word(), amount: 0, caller: alice().owner };
    // An operation from L1 seals the batch before it, which is then built.
    let exit_tx = world.queue(&exit, true).await;
    let sealed = eventually("the batch is built", || async {
        look(&world, hash).await.executed.filter(|executed| executed.withdrawal.is_some())
    })
    .await;
    let WithdrawalRef { batch, index } = sealed.withdrawal.unwrap();
    assert_eq!((sealed.kind.as_str(), sealed.recipient.as_deref()), ("withdraw", Some(&*format!("0x{}", "77".repeat(20)))));
    assert_eq!(look(&world, hash).await.status, Status::Sealed);
    let built = world.client.batch(batch).await.unwrap();
    assert!(built.ops.is_some() && built.commitment.is_some() && built.proof.is_none());
    assert_ne!(built.summary.old_root, built.summary.new_root);

    for (statement, status) in [
        ("UPDATE batches SET status = 'settled' WHERE status = 'sealed'", Status::Settled),
        ("UPDATE withdrawals SET status = 'claimable', credit_tx = decode(repeat('c0', 32), 'hex')", Status::Claimable),
        ("UPDATE withdrawals SET status = 'claimed', claim_tx = decode(repeat('c1', 32), 'hex')", Status::Claimed),
    ] {
        world.sql(statement).await;
        assert_eq!(look(&world, hash).await.status, status);
        let withdrawal = world.client.withdrawal(batch, index).await.unwrap();
        assert_eq!((withdrawal.status, withdrawal.amount.as_str()), (status, "100"));
    }
    let listed = world.client.withdrawals(RECIPIENT).await.unwrap();
    assert_eq!(listed, [world.client.withdrawal(batch, index).await.unwrap()]);
    assert!(world.client.withdrawals(bob().owner).await.unwrap().is_empty());

    let left = eventually("the exit is executed", || async {
        world.client.l1_operations(exit_tx).await.unwrap().operations.into_iter().find(|o| o.status >= Status::Executed)
    })
    .await;
    assert_eq!((left.kind.as_str(), left.account), ("forced_exit", Some(2)));
    assert_eq!(left.amount.unwrap(), (FUNDS - 150).to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn not_waiting_is_answered_pending_and_leads_to_the_same_end() {
    let world = World::new().await;
    let sent = signed(transfer(0, &bob()), &alice());
    let (status, answer) = world.raw(reqwest::Method::POST, "/v1/transactions?wait=none", sent.to_string()).await;
    assert_eq!((status.as_u16(), answer["status"].as_str()), (200, Some("pending")), "{answer}");
    eventually("it is executed", || async {
        let found = look(&world, hash_of(&answer)).await;
        assert!([Status::Pending, Status::Executed].contains(&found.status));
        (found.status == Status::Executed).then_some(())
    })
    .await;
    // What is refused later is told later.
    let poor = Payload { amount: PackedAmount::encode(FUNDS).unwrap(), ..transfer(1, &bob()) };
    let poor = signed(poor, &alice()).to_string();
    let (_, answer) = world.raw(reqwest::Method::POST, "/v1/transactions?wait=none", poor).await;
    let refused = eventually("the refusal is known", || async {
        match answer["hash"].as_str() {
            None => Some(answer["code"].as_str().unwrap().to_owned()),
            Some(hash) => world.client.transaction(hash.parse().unwrap()).await.ok()?.rejection.map(|error| error.code),
        }
    })
    .await;
    assert_eq!(refused, "insufficient_balance");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_executed_in_order() {
    let world = World::new().await;
    let many: Vec<Value> = (0..8).map(|nonce| signed(transfer(nonce, &operator()), &alice())).collect();
    let (status, answer) = world.post(&json!({ "transactions": many })).await;
    assert_eq!(status, 200);
    assert!(answer["results"].as_array().unwrap().iter().all(|r| r["status"] == "executed"), "{answer}");
    assert_eq!(world.client.account(2).await.unwrap().nonce, 8);
    assert_eq!(world.client.account(2).await.unwrap().balance(0), FUNDS - 8 * 150);
}
