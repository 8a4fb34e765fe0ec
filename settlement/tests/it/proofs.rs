//! Stored proofs that the contract would refuse: they are not sent, but made anew.

use crate::world::{Proof, World, look, transfer, withdraw};
use alloy::primitives::{Address, U256, keccak256};
use alloy::providers::Provider;
use sheaf_settlement::keys::ContractKeys;
use sheaf_settlement::policy::CallPolicy;
use sheaf_settlement::store::batches;
use sheaf_settlement::store::proofs::{TakenBack, take_back};
use sheaf_settlement::{Error, Next};

const BATCHES: &str = "SELECT string_agg(number || ' ' || status || CASE WHEN proof IS NULL THEN ' unproven' ELSE '' END, ', ' ORDER BY number) FROM batches";
const JOBS: &str = "SELECT string_agg(batch || ' ' || status || ' ' || attempts || coalesce(' ' || split_part(last_error, ':', 1), ''), ', ' ORDER BY batch) FROM proof_jobs";

/// Three batches with the jobs that their proofs come from.
async fn three(second: Proof) -> World {
    let world = World::new().await;
    for number in 1..=3 {
        world.store(number, &[transfer(number.into())], if number == 2 { second } else { Proof::Right }).await;
    }
    const DONE: &str = "INSERT INTO proof_jobs (batch, shape, status, attempts) SELECT number, shape, 'done', 1 FROM batches";
    sqlx::query(DONE).execute(&world.pool).await.expect("written");
    world
}

async fn transactions(world: &World) -> u64 {
    let address = crate::world::signer(crate::world::OPERATOR).address();
    world.l1.provider.get_transaction_count(address).await.expect("answers")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_does_not_hold_is_made_anew_and_then_everything_settles() {
    let world = three(Proof::Wrong).await;
    let mut submitter = world.submitter_at(CallPolicy { batches: 3, ..world.config(0).call_policy() });
    let mut listener = sqlx::postgres::PgListener::connect_with(&world.pool).await.expect("connects");
    listener.listen("proof_jobs").await.expect("listens");
    assert_eq!(submitter.submit_next().await.expect("submits what holds"), Next::Again);
    assert_eq!((world.batch_number().await, transactions(&world).await), (1, 1));
    assert_eq!(world.text(BATCHES).await, "1 proven, 2 sealed unproven, 3 proven");
    assert_eq!(world.text(JOBS).await, "1 done 1, 2 queued 1 wrong_proof, 3 done 1");
    assert_eq!(listener.recv().await.expect("provers are woken").payload(), "2");
    assert_eq!(submitter.submit_next().await.expect("waits for the proof"), Next::Wait);

    world.prove_again(2, &[transfer(2)]).await;
    assert_eq!(submitter.submit_next().await.expect("submits"), Next::Again);
    look(&mut world.watcher(0)).await;
    assert_eq!(world.text(BATCHES).await, "1 settled, 2 settled, 3 settled");
    assert_eq!((world.text(JOBS).await.as_str(), transactions(&world).await), ("1 done 1, 2 done 2, 3 done 1", 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_with_wrong_proofs_again_and_again_is_parked() {
    let world = three(Proof::Right).await;
    let mut submitter = world.submitter();
    // Batch 3's proof, points that are none, no words of the field, and the point at infinity.
    for (attempt, wrong) in [
        "(SELECT proof FROM batches WHERE number = 3)",
        "decode(repeat('01', 256), 'hex')",
        "decode(repeat('ff', 256), 'hex')",
        "decode(repeat('00', 256), 'hex')",
        "(SELECT proof FROM batches WHERE number = 3)",
    ]
    .into_iter()
    .enumerate()
    {
        if attempt > 0 {
            world.prove_again(1, &[transfer(1)]).await;
        }
        let store = format!("UPDATE batches SET proof = {wrong} WHERE number = 1");
        sqlx::query(&store).execute(&world.pool).await.expect("stored");
        assert_eq!(submitter.submit_next().await.expect("does not send it"), Next::Wait);
        assert_eq!(world.text(BATCHES).await, "1 sealed unproven, 2 proven, 3 proven", "{wrong}");
        let status = if attempt == 4 { "parked" } else { "queued" };
        assert_eq!(world.text(JOBS).await, format!("1 {status} {} wrong_proof, 2 done 1, 3 done 1", attempt + 1), "{wrong}");
    }
    let run = batches::ready(&world.pool, 1, 9).await.expect("read");
    let why = "wrong_proof: the stored proof does not verify with the contract's key";
    assert_eq!((run.batches.len(), run.parked), (0, Some((1, why.to_owned()))));
    assert_eq!((world.batch_number().await, transactions(&world).await), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_that_is_another_one_by_now_stays() {
    let world = three(Proof::Right).await;
    let run = batches::ready(&world.pool, 1, 9).await.expect("read");
    let taken = take_back(&world.pool, 1, &run.batches[1].proof, 5, "wrong_proof").await.expect("answers");
    assert_eq!((taken, world.text(JOBS).await.as_str()), (TakenBack::Changed, "1 done 1, 2 done 1, 3 done 1"));
    sqlx::query("UPDATE batches SET status = 'settled' WHERE number = 1").execute(&world.pool).await.expect("settled");
    let taken = take_back(&world.pool, 1, &run.batches[0].proof, 5, "wrong_proof").await.expect("answers");
    assert_eq!((taken, world.text(BATCHES).await.as_str()), (TakenBack::Changed, "1 settled, 2 proven, 3 proven"));
    let taken = take_back(&world.pool, 2, &run.batches[1].proof, 5, "wrong_proof").await.expect("answers");
    assert_eq!((taken, world.text(JOBS).await.as_str()), (TakenBack::Queued, "1 done 1, 2 queued 1 wrong_proof, 3 done 1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_part_of_a_batch_is_what_its_proof_is_for() {
    let world = World::new().await;
    world.store(1, &[transfer(1), withdraw(Address::repeat_byte(7), 5)], Proof::Right).await;
    let batch = batches::ready(&world.pool, 1, 1).await.expect("read").batches.remove(0);
    let keys = ContractKeys::read(&world.l1).await.expect("they are there");
    assert!(keys.verifies(&batch));
    type Change = fn(&mut sheaf_contracts::Sheaf::Batch);
    let changes: [(&str, Change); 11] = [
        ("shape", |b| b.shape = 1),
        ("timestamp", |b| b.header += 1),
        ("fee account", |b| b.header += 1 << 32),
        ("bits above", |b| b.header += 1 << 56),
        ("old root", |b| b.oldRoot += U256::from(1)),
        ("new root", |b| b.newRoot = U256::MAX),
        ("commitment", |b| b.c += U256::from(1)),
        ("number from L1", |b| b.l1Count = 1),
        ("number", |b| b.opCount = 3),
        ("operations", |b| b.ops = b.ops.iter().map(|byte| byte ^ 1).collect::<Vec<_>>().into()),
        ("proof", |b| b.proof.swap(6, 7)),
    ];
    for (named, change) in changes {
        let mut changed = batch.clone();
        change(&mut changed);
        assert!(!keys.verifies(&changed), "{named}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn provers_are_told_the_keys_of_the_contract() {
    const HASHES: &str = "SELECT string_agg(shape || ' ' || encode(vk_hash, 'hex'), ', ' ORDER BY shape) FROM contract_keys";
    let world = World::new().await;
    let mut watcher = world.watcher(0);
    look(&mut watcher).await;
    assert_eq!(world.text(HASHES).await, "", "nobody has said yet whose database it is");
    let contract = alloy::primitives::hex::encode(world.deployed.contract);
    let chain = format!(
        "INSERT INTO chain (chain_id, contract, shapes, depth, fee_account) VALUES (31337, decode('{contract}', 'hex'), '[]', 15, 1)"
    );
    sqlx::query(&chain).execute(&world.pool).await.expect("written");
    world.mine(1).await;
    look(&mut watcher).await;
    let (key, shapes) = (world.simulator.key(), world.simulator.shapes());
    let words = [&key.alpha[..], &key.beta, &key.gamma, &shapes[0].delta, &shapes[0].ic].concat();
    let hash = keccak256(words.iter().flat_map(|word| word.to_be_bytes::<32>()).collect::<Vec<u8>>());
    assert_eq!(world.text(HASHES).await, format!("0 {}", alloy::primitives::hex::encode(hash)));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_can_not_be_read_halt() {
    let world = World::new().await;
    let place = sheaf_contracts::StoredKeys::address(world.deployed.contract);
    world.node("anvil_setCode", (place, "0x00ff")).await;
    let error = ContractKeys::read(&world.l1).await.expect_err("they are no keys");
    assert!(matches!(error, Error::BadKeys { .. }) && error.halts() && error.code() == "bad_keys", "{error}");
    world.node("anvil_setCode", (place, "0x")).await;
    let error = ContractKeys::read(&world.l1).await.expect_err("they are not there");
    assert!(matches!(error, Error::L1(_)) && !error.halts(), "a node that is behind: {error}");
}
