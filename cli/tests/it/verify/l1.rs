//! On a chain: what the contract refuses is refused under the same name, and settled batches are verified from L1 alone.

use super::chain::Chain;
use super::http;
use super::world::{FIELDS, changed, data, deployment, genesis, operations, prove, width};
use alloy::primitives::U256;
use sheaf_cli::verify::check::{Line, check};
use sheaf_cli::verify::l1::Reader;
use sheaf_core::F;
use sheaf_core::operation::Operation;
use std::path::Path;
use std::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_refuses_every_change_under_the_same_name() {
    let chain = Chain::new().await;
    let (honest, deployment) = (chain.first(), deployment(chain.contract));
    check(&honest, &deployment, &mut Vec::new()).unwrap();
    assert_eq!(chain.refusal(&honest.batch).await, "accepted");
    let mut names = std::collections::BTreeSet::new();
    for field in FIELDS {
        // Of the long words of one kind every 8th byte, else all of them.
        let step = if width(&honest.batch, field) == 32 || field == "proof" { 8 } else { 1 };
        for (at, mask) in (0..width(&honest.batch, field)).step_by(step).flat_map(|at| [(at, 1), (at, 0x84)]) {
            let mut case = honest.clone();
            case.batch = changed(&honest.batch, field, at, mask);
            let found = check(&case, &deployment, &mut Vec::new()).map_or_else(|refusal| refusal.code(), |_| "accepted");
            // The contract leaves such bits to the proof.
            let expected = if found == "unused_bits" { "invalid_proof" } else { found };
            assert_eq!(expected, chain.refusal(&case.batch).await, "{field}, byte {at}, {mask:#x}");
            names.insert(found);
        }
    }
    assert!(!names.contains("accepted") && names.len() >= 12, "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settled_batches_are_verified_from_l1_alone_and_again_from_files() {
    let chain = Chain::new().await;
    let second: Vec<Operation> = operations().into_iter().filter(|o| o.code().is_l2()).collect();
    let batches = [([genesis(), F::from(8)], operations()), ([F::from(8), F::from(9)], second)];
    let batches = batches.map(|(roots, operations)| prove(&data(chain.contract, roots, chain.timestamp, operations)));
    chain.operator.submit(batches.to_vec()).send().await.unwrap().watch().await.unwrap();

    let reader = Reader::connect(&chain.anvil.url(), chain.contract, 0).await.unwrap();
    let deployment = reader.deployment().await.unwrap();
    for (number, batch) in [1, 2].into_iter().zip(&batches) {
        let case = reader.case(number).await.unwrap();
        assert_eq!(case.batch, *batch);
        let mut lines = Vec::new();
        check(&case, &deployment, &mut lines).unwrap();
        assert!(lines.iter().all(|line| matches!(line, Line::Held(_))), "batch {number}: {lines:#?}");
    }
    assert!(reader.case(3).await.unwrap_err().to_string().contains("no batch 3"));

    let (url, dir) = (chain.anvil.url(), chain.dir.path().join("export"));
    let (status, text) = chain.verify(&["--l1", &url, "--batch", "2", "--export", dir.to_str().unwrap()]).await;
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("ok           the proof holds"), "{text}");
    files(&chain, &dir).await;
    let (status, text) = chain.verify(&["--l1", &url, "--batch", "3"]).await;
    assert_eq!(status, 1, "{text}");
}

/// The exported batch holds without a network, and with a byte changed it does not.
async fn files(chain: &Chain, dir: &Path) {
    let path = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let (batch, keys) = (path("batch.json"), path("keys.json"));
    let arguments = ["--file", &batch, "--keys", &keys, "--chain-id", "31337"];
    let (status, text) = chain.verify(&arguments).await;
    assert_eq!(status, 3, "what is on L1 alone is not known: {text}");
    assert!(text.contains("not checked  the timestamp against its block's") && text.contains("incomplete"), "{text}");
    let (status, text) = chain.verify(&["--file", &batch, "--l1", &chain.anvil.url()]).await;
    assert!(status == 0 && text.contains("ok           it is the batch that L1 accepted"), "{text}");
    let script = sheaf_devkit::paths::repository().join("scripts/verify-snarkjs.mjs");
    let snarkjs = ["verification_key.json", "public.json", "proof.json"].map(path);
    assert!(Command::new("node").arg(script).args(snarkjs).status().unwrap().success());
    let (status, text) = chain.verify(&[&arguments[..4], &["--chain-id", "1337"]].concat()).await;
    assert!(status == 1 && text.contains("invalid_proof"), "{text}");
    let mut json: serde_json::Value = serde_json::from_slice(&std::fs::read(&batch).unwrap()).unwrap();
    json["fee_account"] = 0x0100_0001.into();
    std::fs::write(&batch, json.to_string()).unwrap();
    let (status, text) = chain.verify(&arguments).await;
    assert!(status == 1 && text.contains("refused      header_out_of_range"), "{text}");
}

/// A node that searches one block at a time, as real ones search a thousand.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_searches_few_blocks_is_asked_in_pieces_and_what_is_not_found_is_no_refusal() {
    let chain = Chain::new().await;
    let batch = prove(&data(chain.contract, [genesis(), F::from(8)], chain.timestamp, operations()));
    chain.operator.submit(vec![batch]).send().await.unwrap().watch().await.unwrap();
    let address = chain.anvil.address();
    let stingy = http::serve(move |path, body| {
        let request: serde_json::Value = serde_json::from_str(body).unwrap();
        let number = |name: &str| request["params"][0][name].as_str().unwrap().parse::<U256>().unwrap();
        if request["method"] == "eth_getLogs" && number("toBlock") > number("fromBlock") {
            let error = serde_json::json!({ "code": -32005, "message": "query returned more than 1 blocks" });
            return serde_json::json!({ "jsonrpc": "2.0", "id": request["id"], "error": error }).to_string();
        }
        http::post(address, path, body)
    });
    let (status, text) = chain.verify(&["--l1", &stingy, "--batch", "1"]).await;
    assert_eq!(status, 0, "{text}");
    // The deposit and the exit are in the two blocks before the batch's.
    let head = chain.head().await;
    for (from, code) in [(head - 1, "queue_events_missing"), (head + 1, "batch_event_missing")] {
        let (status, text) = chain.verify(&["--l1", &stingy, "--batch", "1", "--from-block", &from.to_string()]).await;
        assert!(status == 1 && text.contains(code) && !text.contains("refused"), "{text}");
    }
    let (status, text) = chain.verify(&["--l1", &stingy, "--batch", "1", "--from-block", &(head - 2).to_string()]).await;
    assert_eq!(status, 0, "{text}");
}
