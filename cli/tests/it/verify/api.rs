//! Batches from an API, before and after they are settled: with a node at hand, a forged one is refused.

use super::chain::Chain;
use super::http;
use super::world::{data, genesis, keys, operations, prove};
use alloy::primitives::hex;
use serde_json::{Value, json};
use sheaf_cli::verify::operations::read;
use sheaf_contracts::Sheaf;
use sheaf_core::F;
use sheaf_core::l1::domain;
use sheaf_core::operation::Operation;
use sheaf_core::types::field_to_bytes;

/// What the API answers of a batch.
fn json(chain: &Chain, number: u64, batch: &Sheaf::Batch) -> Value {
    let operations = read(&batch.ops, batch.l1Count, batch.opCount, None).unwrap();
    let operations: Vec<_> = operations.iter().map(sheaf_api::model::Operation::from).collect();
    let domain = hex::encode_prefixed(field_to_bytes(domain(super::world::CHAIN_ID, chain.contract)));
    json!({
        "number": number, "status": "proven", "timestamp": batch.header as u32, "fee_account": batch.header >> 32,
        "shape": batch.shape, "l1_count": batch.l1Count, "op_count": batch.opCount,
        "old_root": batch.oldRoot, "new_root": batch.newRoot, "opened_at": 1, "sealed_at": 2, "proven_at": 3,
        "settled_at": null, "settled_tx": null, "proving_ms": 4, "domain": domain, "ops": batch.ops,
        "commitment": batch.c, "proof": batch.proof, "operations": operations,
    })
}

/// An API that has these batches, from number 1 on.
fn api(chain: &Chain, batches: &[Sheaf::Batch]) -> String {
    let batches: Vec<Value> = (1..).zip(batches).map(|(number, batch)| json(chain, number, batch)).collect();
    http::serve(move |path, _| {
        if let Some(before) = path.strip_prefix("/v1/batches?before=") {
            let before: u64 = before.parse().unwrap();
            // One a page.
            let page: Vec<_> = batches.iter().rev().filter(|b| b["number"].as_u64().unwrap() < before).take(1).collect();
            return json!({ "batches": page, "next": page.first().map(|b| &b["number"]) }).to_string();
        }
        let number = path.strip_prefix("/v1/batches/").and_then(|number| number.parse::<usize>().ok());
        number.and_then(|number| batches.get(number - 1)).map_or_else(String::new, Value::to_string)
    })
}

/// The operations with another amount in the deposit than was paid.
fn forged() -> Vec<Operation> {
    let mut operations = operations();
    let Operation::Deposit { amount, .. } = &mut operations[0] else { panic!("the first one is the deposit") };
    *amount += 1;
    operations
}

/// With a proof that holds: what a prover can do that knows the keys' secrets, or that believes its operator.
fn batch(chain: &Chain, roots: [F; 2], operations: Vec<Operation>) -> Sheaf::Batch {
    prove(&data(chain.contract, roots, chain.timestamp, operations))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_deposit_is_refused_before_it_is_settled() {
    let chain = Chain::new().await;
    let url = chain.anvil.url();
    let roots = [genesis(), F::from(8)];
    let [honest, forged] = [operations(), forged()].map(|operations| api(&chain, &[batch(&chain, roots, operations)]));
    let (status, text) = chain.verify(&["--api", &honest, "--l1", &url, "--batch", "1"]).await;
    assert!(status == 0 && !text.contains("not checked"), "{text}");
    let (status, text) = chain.verify(&["--api", &forged, "--l1", &url, "--batch", "1"]).await;
    assert!(status == 1 && text.contains("refused      queue_mismatch"), "{text}");

    // Nobody but L1 knows the queue: without it, the forged one is not found, and not called verified.
    let keys_file = chain.dir.path().join("keys.json");
    std::fs::write(&keys_file, serde_json::to_vec(keys().words()).unwrap()).unwrap();
    let alone = ["--api", &forged, "--batch", "1", "--chain-id", "31337", "--keys", keys_file.to_str().unwrap()];
    let (status, text) = chain.verify(&alone).await;
    assert!(status == 3 && text.contains("not checked  the operations from L1 against the queue"), "{text}");

    // Nor what is not in the queue at all.
    let twice = [&operations()[..2], &operations()[..2]].concat();
    let twice = api(&chain, &[batch(&chain, roots, twice)]);
    let (status, text) = chain.verify(&["--api", &twice, "--l1", &url, "--batch", "1"]).await;
    assert!(status == 1 && text.contains("operation 2 is not the one that the queue has"), "{text}");

    let elsewhere = api(&chain, &[batch(&chain, [F::from(7), F::from(8)], operations())]);
    let (status, text) = chain.verify(&["--api", &elsewhere, "--l1", &url, "--batch", "1"]).await;
    assert!(status == 1 && text.contains("refused      wrong_old_root"), "{text}");

    let old = prove(&data(chain.contract, roots, chain.timestamp - 4 * 86_400, operations()));
    let (status, text) = chain.verify(&["--api", &api(&chain, &[old]), "--l1", &url, "--batch", "1"]).await;
    assert!(status == 1 && text.contains("refused      timestamp_outside_window"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_batches_that_are_not_settled_the_queues_place_is_counted_and_that_is_said() {
    let chain = Chain::new().await;
    let url = chain.anvil.url();
    let only = |index: usize| operations()[index..=index].to_vec();
    let [first, second, third] = [[genesis(), F::from(8)], [F::from(8), F::from(9)], [F::from(9), F::from(10)]];
    // The queue has the deposit, then the exit.
    let batches = [batch(&chain, first, only(0)), batch(&chain, second, only(2)), batch(&chain, third, only(1))];
    let honest = api(&chain, &batches);
    let (status, text) = chain.verify(&["--api", &honest, "--l1", &url, "--batch", "3"]).await;
    assert!(status == 3 && text.contains("not checked  batches 1 to 2 before it"), "{text}");
    assert!(text.contains("ok           the operations from L1 are the queue's next ones"), "{text}");
    let skipping = api(&chain, &[batch(&chain, first, only(2)), batches[1].clone(), batches[2].clone()]);
    let (status, text) = chain.verify(&["--api", &skipping, "--l1", &url, "--batch", "3"]).await;
    assert!(status == 1 && text.contains("refused      queue_mismatch"), "{text}");

    // With two settled, nothing has to be believed any more.
    chain.operator.submit(batches[..2].to_vec()).send().await.unwrap().watch().await.unwrap();
    let (status, text) = chain.verify(&["--api", &honest, "--l1", &url, "--batch", "3"]).await;
    assert_eq!(status, 0, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settled_batch_must_be_the_one_on_l1() {
    let chain = Chain::new().await;
    let url = chain.anvil.url();
    let honest = batch(&chain, [genesis(), F::from(8)], operations());
    chain.operator.submit(vec![honest.clone()]).send().await.unwrap().watch().await.unwrap();
    let (status, text) = chain.verify(&["--api", &api(&chain, &[honest]), "--l1", &url, "--batch", "1"]).await;
    assert!(status == 0 && !text.contains("not checked"), "{text}");
    let other = batch(&chain, [genesis(), F::from(9)], operations());
    let (status, text) = chain.verify(&["--api", &api(&chain, &[other]), "--l1", &url, "--batch", "1"]).await;
    assert!(status == 1 && text.contains("refused      settled_otherwise"), "{text}");
}
