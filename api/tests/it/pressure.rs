//! A sequencer that takes no more: the client is told when to come again, and nothing is lost on the way.

use crate::stub::Stub;
use crate::support::{World, alice, api_config, bob, signed, transfer};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sheaf_api::Server;

const NOWHERE: &str = "postgres://nobody@127.0.0.1:1/nothing";

fn full(retry_after_ms: Value) -> Value {
    let hash = format!("0x{}", "12".repeat(32));
    json!({ "status": "rejected", "hash": hash, "code": "pool_full", "message": "full", "retry_after_ms": retry_after_ms })
}

fn executed() -> Value {
    json!({ "status": "executed", "hash": format!("0x{}", "34".repeat(32)), "block": 1, "batch": 1, "position": 0 })
}

fn refused(code: &str) -> Value {
    json!({ "status": "rejected", "code": code, "message": "refused" })
}

/// An API whose sequencer answers this; gives the answer to `body` with its Retry-After.
async fn ask(status: u16, answer: Value, body: Value) -> (StatusCode, Option<String>, Value) {
    let stub = Stub::start(status, answer).await;
    let server = Server::bind(api_config(NOWHERE, &[stub.url])).await.unwrap();
    let url = format!("{}/v1/transactions", server.url().unwrap());
    tokio::spawn(server.serve(std::future::pending()));
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = http.post(url).body(body.to_string()).send().await.unwrap();
    let retry_after = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    (response.status(), retry_after, serde_json::from_str(&response.text().await.unwrap()).unwrap())
}

fn one() -> Value {
    signed(transfer(0, &bob()), &alice())
}

fn many(count: u64) -> Value {
    let all: Vec<_> = (0..count).map(|nonce| signed(transfer(nonce, &bob()), &alice())).collect();
    json!({ "transactions": all })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_pool_is_429_with_the_time_to_come_again() {
    for (ms, seconds) in [(json!(2_001), "3"), (json!(2_000), "2"), (json!(20), "1"), (json!(0), "1"), (json!(null), "1")] {
        let (status, retry_after, answer) = ask(200, json!({ "results": [full(ms.clone())] }), one()).await;
        assert_eq!((status.as_u16(), retry_after.as_deref()), (429, Some(seconds)), "{ms}");
        assert_eq!(answer, json!({ "code": "pool_full", "message": "full" }));
    }
    // The sequencer has no room even to read the request.
    let whole = json!({ "code": "pool_full", "message": "full", "retry_after_ms": 1_500 });
    for body in [one(), many(2)] {
        let (status, retry_after, _) = ask(503, whole.clone(), body).await;
        assert_eq!((status.as_u16(), retry_after.as_deref()), (429, Some("2")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_each_is_answered_unless_none_can_be_taken() {
    let (all, mixed) = ([full(json!(1_000)), full(json!(4_000))], [full(json!(1_000)), executed()]);
    let (status, retry_after, answer) = ask(200, json!({ "results": all }), many(2)).await;
    assert_eq!((status.as_u16(), retry_after.as_deref(), &answer["code"]), (429, Some("4"), &json!("pool_full")));
    let (status, retry_after, answer) = ask(200, json!({ "results": mixed }), many(2)).await;
    assert_eq!((status.as_u16(), retry_after), (200, None));
    assert_eq!((&answer["results"][0]["code"], &answer["results"][1]["status"]), (&json!("pool_full"), &json!("executed")));
    // Something is wrong with one of them: coming again with the same is of no use.
    let (status, retry_after, answer) = ask(200, json!({ "results": [full(json!(1_000)), refused("expired")] }), many(2)).await;
    assert_eq!((status.as_u16(), retry_after, &answer["results"][1]["code"]), (200, None, &json!("expired")));
    let (status, retry_after, answer) =
        ask(200, json!({ "results": [refused("not_ready"), refused("not_ready")] }), many(2)).await;
    assert_eq!((status.as_u16(), retry_after.as_deref(), &answer["code"]), (503, Some("1"), &json!("not_ready")));
    let (status, _, answer) = ask(200, json!({ "results": [] }), json!({ "transactions": [] })).await;
    assert_eq!((status.as_u16(), answer), (200, json!({ "results": [] })));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_final_says_nothing_of_coming_again() {
    for (code, status) in [("expired", 422), ("replaced", 409), ("replacement_underpriced", 409), ("nonce_too_far", 422)] {
        let (found, retry_after, answer) = ask(200, json!({ "results": [refused(code)] }), one()).await;
        assert_eq!((found.as_u16(), retry_after, &answer["code"]), (status, None, &json!(code)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_higher_fee_takes_the_place_of_what_waits() {
    let world = World::new().await;
    // Its nonce is not the next one: it waits.
    let with_fee = |fee: u128| {
        let fee = sheaf_core::amount::PackedFee::encode(fee).unwrap();
        signed(sheaf_core::transaction::Payload { fee, ..transfer(3, &bob()) }, &alice())
    };
    let send = async |transaction: &Value| {
        let path = "/v1/transactions?wait=none";
        world.raw(reqwest::Method::POST, path, transaction.to_string()).await
    };
    let (status, first) = send(&with_fee(50)).await;
    assert_eq!((status.as_u16(), first["status"].as_str()), (200, Some("pending")));
    let message = world.refused(with_fee(51).to_string(), "replacement_underpriced", 409).await;
    assert!(message.contains("fee of at least"), "{message}");
    let (status, second) = send(&with_fee(500)).await;
    assert_eq!((status.as_u16(), second["status"].as_str()), (200, Some("pending")));
    let look = async |answer: &Value| world.get(&format!("/v1/transactions/{}", answer["hash"].as_str().unwrap())).await.1;
    let replaced = crate::support::eventually("the first is replaced", || async {
        Some(look(&first).await).filter(|found| found["status"] == "rejected")
    })
    .await;
    assert_eq!(replaced["rejection"]["code"], "replaced");
    assert_eq!(look(&second).await["status"], "pending");
}
