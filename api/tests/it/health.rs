//! What an operator is told by `GET /v1/health`.

use crate::support::{World, alice, bob, eventually, signed, transfer};
use alloy_primitives::Address;
use sheaf_api::model::KeyHealth;
use sheaf_core::json::address_to_hex;
use sheaf_core::operation::Operation;
use sheaf_core::types::{AccountId, TokenId};

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_told_with_what_they_have_and_for_how_long() {
    let world = World::without_funds().await;
    assert_eq!(world.client.health().await.unwrap().keys, [], "settlement only watches");
    world
        .sql(
            "INSERT INTO l1_keys VALUES
                 ('submit', decode(repeat('3c', 20), 'hex'), 9000000000000000000, 41.5, now() - interval '12 seconds'),
                 ('credit', decode(repeat('4d', 20), 'hex'), 100000000000000000000000000000000000000000, NULL, now())",
        )
        .await;
    let health = world.client.health().await.unwrap();
    assert!(health.ready, "{health:?}");
    let [credit, submit] = &health.keys[..] else { panic!("{health:?}") };
    let key = |kind: &str, byte: u8, balance_wei: &str, days_left: Option<f64>, age_seconds: u64| KeyHealth {
        kind: kind.to_owned(),
        address: address_to_hex(Address::repeat_byte(byte)),
        balance_wei: balance_wei.to_owned(),
        days_left,
        age_seconds,
    };
    assert!(credit.age_seconds < 10 && (12..22).contains(&submit.age_seconds), "{health:?}");
    assert_eq!(*credit, key("credit", 0x4d, &format!("1{}", "0".repeat(41)), None, credit.age_seconds), "more than 128 bits");
    assert_eq!(*submit, key("submit", 0x3c, "9000000000000000000", Some(41.5), submit.age_seconds));
    let (_, bare) = world.get("/v1/health").await;
    assert!(bare["keys"][0].get("days_left").is_none() && bare["keys"][1]["days_left"] == 41.5, "{bare}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shape_that_no_prover_has_keys_for_is_named() {
    let world = World::new().await;
    let (status, answer) = world.post(&signed(transfer(0, &bob()), &alice())).await;
    assert_eq!(status, 200, "{answer}");
    let account = AccountId::new(2).unwrap();
    let exit = Operation::ForcedExit { account, token: TokenId::ETH.word(), amount: 0, caller: alice().owner };
    // An operation from L1 seals the batch before it, which is then built.
    world.queue(&exit, true).await;
    eventually("a batch is built", || async {
        let query = "SELECT count(*) FROM proof_jobs WHERE status = 'queued'";
        let built: i64 = sqlx::query_scalar(query).fetch_one(&world.pool).await.unwrap();
        (built > 0).then_some(())
    })
    .await;
    let named = async || {
        let health = world.client.health().await.unwrap();
        assert!(health.ready, "transactions are taken all the same: {health:?}");
        let waiting = health.waiting.unwrap();
        assert_eq!(waiting.parked, 0);
        waiting.shapes_without_prover
    };
    assert_eq!(named().await, [0; 0], "not before a minute is over");
    world.sql("UPDATE proof_jobs SET not_before = now() - interval '61 seconds'").await;
    assert_eq!(named().await, [0]);
    world.sql("INSERT INTO provers VALUES ('large', 1, now() + interval '30 seconds')").await;
    assert_eq!(named().await, [0], "others don't help");
    world.sql("INSERT INTO provers VALUES ('small', 0, now() + interval '30 seconds')").await;
    assert_eq!(named().await, [0; 0]);
    world.sql("UPDATE provers SET alive_until = now() - interval '1 second'").await;
    assert_eq!(named().await, [0], "it has died");
    world.sql("UPDATE proof_jobs SET status = 'done'").await;
    assert_eq!(named().await, [0; 0]);
}
