//! The watcher: what it reads, when it counts, and what it does when the chain changes its mind.

use crate::world::{Proof, USER, World, look, signer, transfer};
use sheaf_core::l1::{QUEUE_PREIMAGE_BYTES, queue_preimage};
use sheaf_core::operation::Operation;
use sheaf_core::types::{AccountId, TokenId};
use sheaf_settlement::{Error, Next};

const ENTRIES: &str = "SELECT string_agg(index || ':' || confirmed, ' ' ORDER BY index) FROM l1_operations";
const AMOUNTS: &str =
    "SELECT string_agg(encode(substring(preimage FROM 1 FOR 21), 'hex'), ' ' ORDER BY index) FROM l1_operations";

/// What the contract hashes for a deposit of the test user.
fn deposit_preimage(amount: u128) -> [u8; QUEUE_PREIMAGE_BYTES] {
    let account = AccountId::new(0).expect("in range");
    let (token, owner) = (TokenId::ETH.word(), signer(USER).address());
    let deposit = Operation::Deposit { account, token, amount, owner, key_hash: sheaf_core::F::from(5u64) };
    queue_preimage(&deposit).expect("a deposit is from L1")
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_are_shown_at_once_and_confirmed_later_also_across_restarts() {
    let world = World::new().await;
    world.deposit(100).await;
    world.deposit(200).await;
    let mut watcher = world.watcher(2);
    look(&mut watcher).await;
    assert_eq!(world.text(ENTRIES).await, "0:false 1:false");
    world.deposit(300).await;
    look(&mut watcher).await;
    assert_eq!(world.text(ENTRIES).await, "0:true 1:false 2:false");

    // A new process goes on where the old one was; nothing is repeated.
    drop(watcher);
    let mut watcher = world.watcher(2);
    world.mine(7).await;
    look(&mut watcher).await;
    assert_eq!(world.text(ENTRIES).await, "0:true 1:true 2:true");
    assert_eq!(watcher.look().await.expect("looks"), Next::Wait, "nothing new");
    let preimage: Vec<u8> =
        sqlx::query_scalar("SELECT preimage FROM l1_operations WHERE index = 2").fetch_one(&world.pool).await.expect("read");
    assert_eq!(preimage, deposit_preimage(300));
    let token = "SELECT symbol || ' ' || decimals || ' ' || encode(address, 'hex') FROM tokens WHERE id = 1";
    assert_eq!(world.text(token).await, format!("TST 18 {:x}", world.deployed.tokens[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn confirmed_entries_wake_the_sequencer() {
    let world = World::new().await;
    let mut listener = sqlx::postgres::PgListener::connect_with(&world.pool).await.expect("connects");
    listener.listen("l1_operations").await.expect("listens");
    world.deposit(100).await;
    look(&mut world.watcher(0)).await;
    let heard = tokio::time::timeout(std::time::Duration::from_secs(5), listener.recv()).await;
    heard.expect("in time").expect("announced");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reorg_of_unconfirmed_blocks_replaces_their_entries() {
    let world = World::new().await;
    let mut watcher = world.watcher(2);
    world.mine(3).await;
    let snapshot = world.node("evm_snapshot", ()).await;
    world.deposit(100).await;
    world.deposit(200).await;
    look(&mut watcher).await;
    assert_eq!(world.text(ENTRIES).await, "0:false 1:false");
    world.node("evm_revert", (snapshot,)).await;
    look(&mut watcher).await;
    assert_eq!(world.text(ENTRIES).await, "", "the entries are gone with their blocks");
    world.deposit(300).await;
    world.mine(2).await;
    look(&mut watcher).await;
    assert_eq!(world.text(ENTRIES).await, "0:true");
    assert_eq!(world.text(AMOUNTS).await, alloy::hex::encode(&deposit_preimage(300)[..21]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reorg_below_the_confirmations_halts() {
    let world = World::new().await;
    let mut watcher = world.watcher(1);
    let snapshot = world.node("evm_snapshot", ()).await;
    world.deposit(100).await;
    world.mine(2).await;
    look(&mut watcher).await;
    assert_eq!(world.text(ENTRIES).await, "0:true");
    world.node("evm_revert", (snapshot,)).await;
    // While the node is merely behind, it is waited for.
    assert_eq!(watcher.look().await.expect("looks"), Next::Wait);
    world.deposit(200).await;
    world.mine(4).await;
    let error = watcher.look().await.expect_err("the chain is another one");
    assert!(matches!(error, Error::Reorg { confirmations: 1, .. }) && error.halts(), "{error}");
    assert_eq!(world.text(ENTRIES).await, "0:true", "nothing is changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_counts_as_settled_only_when_it_is_confirmed() {
    let world = World::new().await;
    let mut watcher = world.watcher(2);
    world.store(1, &[transfer(1)], Proof::Right).await;
    world.submitter().submit_next().await.expect("submits");
    look(&mut watcher).await;
    assert_eq!(world.text("SELECT status FROM batches").await, "proven");
    world.mine(2).await;
    look(&mut watcher).await;
    assert_eq!(world.text("SELECT status FROM batches").await, "settled");
    let sent = world.text("SELECT encode(settled_tx, 'hex') FROM batches").await;
    assert_eq!(sent, world.text("SELECT encode(hash, 'hex') FROM l1_transactions").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_not_ours_halts() {
    let changes = [
        ("UPDATE batches SET new_root = decode(repeat('01', 32), 'hex')", "roots"),
        ("UPDATE batches SET timestamp = timestamp + 1", "header"),
        ("UPDATE batches SET ops = ops || '\\x00'", "operations"),
        ("DELETE FROM batches", "no such batch"),
    ];
    let world = World::new().await;
    world.store(1, &[transfer(1)], Proof::Right).await;
    world.submitter().submit_next().await.expect("submits");
    let execute = async |sql: &'static str| {
        sqlx::query(sql).execute(&world.pool).await.expect(sql);
    };
    execute("CREATE TABLE kept AS SELECT * FROM batches").await;
    for (change, named) in changes {
        execute(change).await;
        let mut watcher = world.watcher(0);
        let error = loop {
            match watcher.look().await {
                Ok(Next::Again) => {}
                Ok(Next::Wait) => panic!("{named}: not noticed"),
                Err(error) => break error,
            }
        };
        assert!(matches!(&error, Error::ForeignBatch { batch: 1, reason } if reason.contains(named)), "{named}: {error}");
        assert!(error.halts());
        execute("DELETE FROM batches").await;
        execute("INSERT INTO batches SELECT * FROM kept").await;
    }
    look(&mut world.watcher(0)).await;
    assert_eq!(world.text("SELECT status FROM batches").await, "settled");
}
