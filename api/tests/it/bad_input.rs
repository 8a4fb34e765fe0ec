//! Requests that can't be read: a code each, always as JSON, and nothing changes.

use crate::support::{MAX_BODY_BYTES, MAX_TRANSACTIONS, World, alice, api_config, bob, eventually, signed, transfer};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sheaf_api::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The modulus of BN254's scalar field.
const MODULUS: &str = "0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001";

fn with(pointer: &str, value: impl Into<Value>) -> String {
    let mut transaction = signed(transfer(0, &bob()), &alice());
    *transaction.pointer_mut(pointer).unwrap() = value.into();
    transaction.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_json() {
    let world = World::new().await;
    let good = signed(transfer(0, &bob()), &alice());
    for body in ["", "{", "[]", "null", "\"x\"", "{}", "\u{0}", "{\"transactions\": 5}", "{\"transactions\": [{}]}"] {
        world.refused(body.to_owned(), "malformed_json", 400).await;
    }
    world.refused(vec![0xff, 0xfe], "malformed_json", 400).await;
    for (pointer, value) in [
        ("/nonce", json!("0")),
        ("/nonce", json!(-1)),
        ("/nonce", json!(0.5)),
        ("/amount", json!(100)),
        ("/amount", json!("1e3")),
        ("/amount", json!("")),
        ("/amount", json!("-5")),
        ("/fee", json!("0x32")),
        ("/to", json!("0x00")),
        ("/to", json!(null)),
        ("/public_key", json!({})),
    ] {
        world.refused(with(pointer, value), "malformed_json", 400).await;
    }
    let mut unknown = good.clone();
    unknown["expirse"] = json!(1);
    let message = world.refused(unknown.to_string(), "malformed_json", 400).await;
    assert!(message.contains("expirse"), "names the field: {message}");
    let mut both = good.clone();
    both["recipient"] = json!(format!("0x{}", "11".repeat(20)));
    world.refused(both.to_string(), "malformed_json", 400).await;
    let twice = good.to_string().replacen('{', "{\"nonce\":7,", 1);
    world.refused(twice, "malformed_json", 400).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hex_and_field_elements() {
    let world = World::new().await;
    let long = format!("0x{}", "1".repeat(65));
    let short = format!("0x{}", "1".repeat(39));
    let digit = format!("0x{}g", "1".repeat(63));
    let bare = "1".repeat(64);
    let all_ones = format!("0x{}", "f".repeat(64));
    let zero = format!("0x{}", "0".repeat(64));
    for (pointer, value, code) in [
        ("/public_key/x", &long, "hex_length"),
        ("/signature/r8_y", &short, "hex_length"),
        ("/to/owner", &short, "hex_length"),
        ("/public_key/y", &digit, "hex_digit"),
        ("/to/key_hash", &bare, "hex_digit"),
        ("/public_key/x", &MODULUS.to_owned(), "field_out_of_range"),
        ("/signature/r8_x", &MODULUS.to_owned(), "field_out_of_range"),
        ("/signature/r8_y", &all_ones, "field_out_of_range"),
        ("/signature/s", &all_ones, "field_out_of_range"),
        ("/to/key_hash", &MODULUS.to_owned(), "field_out_of_range"),
        ("/to/key_hash", &zero, "field_out_of_range"),
        ("/to/owner", &zero[..42].to_owned(), "field_out_of_range"),
        ("/public_key/x", &zero, "key_not_on_curve"),
    ] {
        let message = world.refused(with(pointer, value.clone()), code, 400).await;
        let name = pointer[1..].replace('/', ".");
        let name = if code == "key_not_on_curve" { "public_key" } else { &name };
        assert!(message.contains(name), "names {name}: {message}");
    }
    for (pointer, value) in [("/from", json!(1 << 24)), ("/expires", json!(1u64 << 32)), ("/amount", json!("9".repeat(39)))] {
        world.refused(with(pointer, value), "field_out_of_range", 400).await;
    }
    // The point of order 2: on the curve, but of no use as a key.
    let mut small = signed(transfer(0, &bob()), &alice());
    let minus_one = "0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000000";
    small["public_key"] = json!({ "x": zero, "y": minus_one });
    world.refused(small.to_string(), "key_not_on_curve", 400).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn amounts_and_tokens() {
    let world = World::new().await;
    let message = world.refused(with("/amount", "123456789012"), "amount_not_representable", 400).await;
    assert!(message.contains("123456789010"), "names the nearest: {message}");
    let message = world.refused(with("/fee", "5119"), "fee_not_representable", 400).await;
    assert!(message.contains("5110"), "names the nearest: {message}");
    world.refused(with("/token", 61), "unknown_token", 400).await;
    world.refused(with("/token", 1u64 << 40), "unknown_token", 400).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_at_once() {
    let world = World::new().await;
    let padding = " ".repeat(MAX_BODY_BYTES);
    world.refused(with("/nonce", 0) + &padding, "body_too_large", 413).await;
    world.refused(padding.repeat(1_000), "body_too_large", 413).await;
    assert_eq!(chunked(&world, &padding).await, "body_too_large", "also when the length is not announced");
    let many = vec![signed(transfer(0, &bob()), &alice()); MAX_TRANSACTIONS + 1];
    world.refused(json!({ "transactions": many }).to_string(), "too_many_transactions", 400).await;
    let (status, answer) = world.post(&json!({ "transactions": [] })).await;
    assert_eq!((status, answer), (StatusCode::OK, json!({ "results": [] })));
}

/// Posts a body twice, as two chunks of a request that does not announce its length; answers the code.
async fn chunked(world: &World, part: &str) -> String {
    let mut stream = TcpStream::connect(world.url.strip_prefix("http://").unwrap()).await.unwrap();
    let head = "POST /v1/transactions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = format!("{:x}\r\n{part}\r\n", part.len());
    stream.write_all(format!("{head}{chunk}{chunk}0\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let body: Value = serde_json::from_str(&answer[answer.find('{').unwrap()..]).unwrap();
    body["code"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_and_parameters() {
    let world = World::new().await;
    let unknown_hash = format!("0x{}", "ab".repeat(32));
    for (path, code, status) in [
        ("/", "not_found", 404),
        ("/v1", "not_found", 404),
        ("/v1/nothing", "not_found", 404),
        ("/v2/info", "not_found", 404),
        ("/v1/accounts/x", "malformed_request", 400),
        ("/v1/accounts/-1", "malformed_request", 400),
        ("/v1/accounts/%ff", "malformed_request", 400),
        ("/v1/accounts/99999999999999999999999", "malformed_request", 400),
        ("/v1/accounts/77", "unknown_account", 404),
        ("/v1/accounts/16777216", "unknown_account", 404),
        ("/v1/accounts", "malformed_request", 400),
        ("/v1/accounts?owner=0x12", "hex_length", 400),
        ("/v1/accounts?owner=0x1111111111111111111111111111111111111111&limit=0", "malformed_request", 400),
        ("/v1/accounts?ownre=0x12", "malformed_request", 400),
        (&format!("/v1/accounts?key_hash={MODULUS}"), "field_out_of_range", 400),
        ("/v1/batches/99", "unknown_batch", 404),
        ("/v1/batches/one", "malformed_request", 400),
        ("/v1/batches?limit=1001", "malformed_request", 400),
        ("/v1/withdrawals/1/0", "unknown_withdrawal", 404),
        ("/v1/withdrawals/1", "not_found", 404),
        ("/v1/withdrawals?before=7", "malformed_request", 400),
        ("/v1/transactions/0x12", "hex_length", 400),
        (&format!("/v1/transactions/{unknown_hash}"), "unknown_transaction", 404),
        (&format!("/v1/l1-operations/{unknown_hash}"), "unknown_l1_transaction", 404),
    ] {
        let (found, answer) = world.get(path).await;
        assert_eq!((found.as_u16(), answer["code"].as_str()), (status, Some(code)), "{path}: {answer}");
    }
    let (status, answer) = world.raw(Method::DELETE, "/v1/transactions", "").await;
    assert_eq!((status.as_u16(), answer["code"].as_str()), (405, Some("method_not_allowed")));
    let (status, answer) = world.raw(Method::POST, "/v1/transactions?wait=forever", "{}").await;
    assert_eq!((status.as_u16(), answer["code"].as_str()), (400, Some("malformed_request")));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_behind_it() {
    let mut world = World::new().await;
    world.stop_sequencer().await;
    let body = signed(transfer(0, &bob()), &alice());
    world.refused(body.to_string(), "not_ready", 503).await;
    assert_eq!(world.get("/v1/info").await.1["code"], "not_ready");
    let health = world.client.health().await.unwrap();
    assert_eq!((health.ready, health.database.ready, health.sequencer.ready), (false, true, false));
    assert_eq!(world.get("/v1/health").await.0, 503);
    assert_eq!(world.get("/v1/accounts/2").await.0, 200, "what is stored is still served");

    let nowhere =
        Server::bind(api_config("postgres://nobody@127.0.0.1:1/none", &["http://127.0.0.1:1".to_owned()])).await.unwrap();
    world.url = nowhere.url().unwrap();
    tokio::spawn(nowhere.serve(std::future::pending()));
    let answer = eventually("an answer", || async { Some(world.get("/v1/accounts/2").await) }).await;
    assert_eq!((answer.0.as_u16(), answer.1["code"].as_str()), (503, Some("not_ready")));
}
