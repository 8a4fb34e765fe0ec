//! Several sequencers: whichever leads is found, quickly, and nothing is executed twice.

use crate::stub::{Stub, dead, silent};
use crate::support::{FUNDS, World, alice, api_config, bob, signed, transfer};
use serde_json::json;
use sheaf_api::Server;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn one_that_leads_is_found_among_those_that_do_not() {
    let (nobody, standby) = (dead().await, Stub::standby().await);
    let world = World::behind(|real| vec![nobody, standby.url.clone(), real]).await;
    world.deposit(&alice(), FUNDS).await;
    let since = Instant::now();
    let (status, answer) = world.post(&signed(transfer(0, &bob()), &alice())).await;
    assert_eq!((status.as_u16(), answer["status"].as_str()), (200, Some("executed")), "{answer}");
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    assert!(standby.requests() > 0);
    // From now on the one that answered is asked first.
    let before = standby.requests();
    for nonce in 1..4 {
        assert_eq!(world.post(&signed(transfer(nonce, &bob()), &alice())).await.0, 200);
    }
    world.client.info().await.unwrap();
    assert!(world.client.health().await.unwrap().ready);
    assert_eq!(standby.requests(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_silent_is_left_for_one_that_leads() {
    let stopped = silent().await;
    let world = World::behind(|real| vec![stopped, real]).await;
    world.deposit(&alice(), FUNDS).await;
    let transaction = signed(transfer(0, &bob()), &alice());
    let since = Instant::now();
    let (status, answer) = world.post(&transaction).await;
    assert_eq!((status.as_u16(), answer["status"].as_str()), (200, Some("executed")), "{answer}");
    assert!(since.elapsed() < Duration::from_secs(6), "{:?}", since.elapsed());
    let since = Instant::now();
    assert_eq!(world.post(&transaction).await.1, answer, "sent again, it is answered the same");
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    assert_eq!(world.client.account(2).await.unwrap().nonce, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_one_that_leads_the_client_is_told_to_come_again() {
    let (standby, nobody) = (Stub::standby().await, dead().await);
    let config = api_config("postgres://nobody@127.0.0.1:1/nothing", &[standby.url.clone(), nobody]);
    let server = Server::bind(config).await.unwrap();
    let url = format!("{}/v1/transactions", server.url().unwrap());
    tokio::spawn(server.serve(std::future::pending()));
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let since = Instant::now();
    let response = http.post(url).body(signed(transfer(0, &bob()), &alice()).to_string()).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (503, "1"));
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    let body: serde_json::Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(body["code"], "not_ready");
    assert!(!body["message"].as_str().unwrap().contains("standing by"), "internals go to the log: {body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_the_one_that_leads_is_final() {
    let result = json!({ "status": "rejected", "code": "expired", "message": "late" });
    let leader = Stub::start(200, json!({ "results": [result] })).await;
    let other = Stub::standby().await;
    let config = api_config("postgres://nobody@127.0.0.1:1/nothing", &[leader.url.clone(), other.url.clone()]);
    let server = Server::bind(config).await.unwrap();
    let client = sheaf_api::client::Client::new(&server.url().unwrap());
    tokio::spawn(server.serve(std::future::pending()));
    let transaction = serde_json::from_value(signed(transfer(0, &bob()), &alice())).unwrap();
    assert_eq!(client.submit(&transaction).await.unwrap_err().code(), "expired");
    assert_eq!((leader.requests(), other.requests()), (1, 0));
}

#[tokio::test]
async fn an_api_without_sequencers_does_not_start() {
    let error = Server::bind(api_config("postgres://nobody@127.0.0.1:1/nothing", &[])).await.unwrap_err();
    assert!(error.to_string().contains("sequencer_urls"), "{error}");
}
