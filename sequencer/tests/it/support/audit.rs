//! Holds everything that a crowd was told to what the database has, and that to itself.

use super::crowd::{Place, Sender};
use super::{TOKEN, World, check_batches, eventually, id, root_from_sql};
use alloy_primitives::B256;
use sheaf_core::operation::Operation;
use sheaf_core::types::{TokenId, TokenWord};
use sheaf_sequencer::store;
use sqlx::Row;
use std::collections::{BTreeMap, BTreeSet};

/// A transaction as the database has it.
struct Found {
    place: Place,
    sender: u32,
    nonce: u64,
    posted: Vec<u8>,
}

/// What was found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Audit {
    pub(crate) transactions: usize,
    pub(crate) entries: u64,
    pub(crate) batches: u64,
    pub(crate) acknowledged: usize,
    /// Transactions that were executed again after they were taken back, once for each time.
    pub(crate) taken_back: i64,
}

/// Waits until a sequencer that runs has done all that there is to do.
pub(crate) async fn all_done(world: &World) {
    eventually("everything is executed and built", || async {
        let left = "SELECT (SELECT op_count::bigint FROM batches WHERE status = 'open')
            + (SELECT count(*) FROM batches WHERE status <> 'open' AND commitment IS NULL)
            + (SELECT count(*) FROM l1_operations WHERE batch IS NULL) + (SELECT count(*) FROM replays)
            + (SELECT count(*) FROM unwindings WHERE done_at IS NULL)";
        (world.count(left).await == 0).then_some(())
    })
    .await;
}

/// Checks everything, after [`all_done`].
///
/// # Panics
/// If something was lost, repeated, moved or made out of nothing.
pub(crate) async fn audit(world: &World, senders: &[Sender], entries: u64) -> Audit {
    assert_eq!(world.count("SELECT max(number) - count(*) FROM blocks").await, 0, "block numbers have no gaps");
    assert_eq!(world.count("SELECT max(number) - count(*) FROM batches").await, 0, "nor batch numbers");
    assert_eq!(world.count("SELECT count(*) FROM dropped_transactions").await, 0, "with the same clock everything holds");
    let query = "SELECT hash, block, batch, position, sender, nonce, posted FROM transactions ORDER BY batch, position";
    let rows = sqlx::query(query).fetch_all(&world.pool).await.unwrap();
    let mut found = BTreeMap::<B256, Found>::new();
    let mut nonces = BTreeMap::<u32, u64>::new();
    for row in &rows {
        let hash = B256::from_slice(row.get("hash"));
        let place = (row.get::<i64, _>("block") as u64, row.get::<i64, _>("batch") as u64, row.get::<i32, _>("position") as u32);
        let (sender, nonce) = (row.get::<i32, _>("sender") as u32, row.get::<i64, _>("nonce") as u64);
        let next = nonces.entry(sender).or_default();
        assert_eq!(nonce, *next, "account {sender}: each nonce once and in order");
        *next += 1;
        let twice = found.insert(hash, Found { place, sender, nonce, posted: row.get("posted") });
        assert!(twice.is_none(), "{hash} is there twice");
    }
    let acknowledged = check_senders(world, senders, &found).await;
    let (tree, batches) = check_batches(&world.pool, &world.config).await;
    assert_eq!(tree.root(), root_from_sql(&world.pool, &world.config).await, "the state in SQL has the batches' root");
    check_entries(world, entries).await;
    let posted = check_posted(world, &found).await;
    for token in [TokenId::ETH, TOKEN] {
        check_supply(world, token, &posted).await;
    }
    let taken_back = world.count("SELECT count(*) FROM unwound_leaves").await;
    Audit { transactions: found.len(), entries, batches, acknowledged, taken_back }
}

/// Everything that was acknowledged is there once, at its place or at one where it was before it was taken back, and nothing
/// that was refused is.
async fn check_senders(world: &World, senders: &[Sender], found: &BTreeMap<B256, Found>) -> usize {
    let query = "SELECT hash, block, batch, position FROM unwound_leaves";
    let left: BTreeSet<(B256, Place)> = sqlx::query(query)
        .fetch_all(&world.pool)
        .await
        .unwrap()
        .iter()
        .map(|row| {
            let (block, batch): (i64, i64) = (row.get("block"), row.get("batch"));
            (B256::from_slice(row.get("hash")), (block as u64, batch as u64, row.get::<i32, _>("position") as u32))
        })
        .collect();
    let mut all = 0;
    for sender in senders {
        let sent = found.values().filter(|found| found.sender == sender.account).count() as u64;
        assert_eq!(sent, sender.next_nonce, "account {}: all that was sent, and nothing else", sender.account);
        for (hash, places) in &sender.acknowledged {
            let there = found.get(hash).unwrap_or_else(|| panic!("{hash} was acknowledged at {places:?} and is gone"));
            assert_eq!(there.sender, sender.account);
            for place in places {
                let kept = there.place == *place || left.contains(&(*hash, *place));
                assert!(kept, "{hash} (nonce {}) was acknowledged at {place:?}, and is at {:?}", there.nonce, there.place);
            }
        }
        for hash in &sender.refused {
            assert!(!found.contains_key(hash), "{hash} was refused or replaced, and was executed");
        }
        assert_eq!(sender.acknowledged.len() as u64, sent, "everything was acknowledged in the end");
        all += sender.acknowledged.len();
    }
    all
}

/// Every entry of the queue was executed once, in the queue's order.
async fn check_entries(world: &World, entries: u64) {
    let query = "SELECT index FROM l1_operations WHERE batch IS NOT NULL ORDER BY batch, position";
    let order: Vec<i64> = sqlx::query_scalar(query).fetch_all(&world.pool).await.unwrap();
    assert!(order.iter().copied().eq(0..entries as i64), "the queue's order: {order:?}");
}

/// All operations as they are posted, after holding every transaction and entry to its place in a batch.
async fn check_posted(world: &World, found: &BTreeMap<B256, Found>) -> Vec<Operation> {
    let query = "SELECT number, ops, l1_count, op_count FROM batches WHERE commitment IS NOT NULL ORDER BY number";
    let mut posted = BTreeMap::new();
    for row in sqlx::query(query).fetch_all(&world.pool).await.unwrap() {
        let (l1, all) = (row.get::<i32, _>("l1_count") as usize, row.get::<i32, _>("op_count") as usize);
        let operations = Operation::decode_all(&row.get::<Vec<u8>, _>("ops"), l1, all).unwrap();
        let batch = row.get::<i64, _>("number") as u64;
        posted.extend(operations.into_iter().zip(0u32..).map(|(operation, position)| ((batch, position), operation)));
    }
    let mut named = BTreeSet::new();
    for (hash, Found { place: (_, batch, position), posted: bytes, .. }) in found {
        let operation = Operation::decode_as(&mut &bytes[..], false).unwrap();
        assert_eq!(posted.get(&(*batch, *position)), Some(&operation), "{hash} is posted where it is said to be");
        assert!(named.insert((*batch, *position)), "two transactions have one place");
    }
    let query = "SELECT batch, position, posted FROM l1_operations WHERE batch IS NOT NULL";
    for row in sqlx::query(query).fetch_all(&world.pool).await.unwrap() {
        let place = (row.get::<i64, _>("batch") as u64, row.get::<i32, _>("position") as u32);
        let operation = Operation::decode_as(&mut &row.get::<Vec<u8>, _>("posted")[..], true).unwrap();
        assert_eq!(posted.get(&place), Some(&operation));
        assert!(named.insert(place), "two operations have one place");
    }
    assert_eq!(named.len(), posted.len(), "every posted operation is somebody's");
    posted.into_values().collect()
}

/// What entered with deposits less what left is what all accounts have.
async fn check_supply(world: &World, token: TokenId, posted: &[Operation]) {
    let net: i128 = posted.iter().map(|operation| enters(operation, token.word())).sum();
    let everybody: Vec<_> = (0..1 << (2 * world.config.depth - 6)).map(id).collect();
    let holdings = store::Balances::default().read(&world.pool, &everybody).await.unwrap();
    let held: i128 = holdings.iter().map(|h| h.balances.get(&token).copied().unwrap_or(0) as i128).sum();
    assert_eq!(net, held, "nothing of {token:?} comes from nowhere or vanishes");
}

fn enters(operation: &Operation, word: TokenWord) -> i128 {
    match operation {
        Operation::Deposit { token, amount, .. } if *token == word => *amount as i128,
        Operation::ForcedExit { token, amount, .. } if *token == word => -(*amount as i128),
        Operation::Withdraw { token, amount, .. } if *token == word => -(amount.value().unwrap() as i128),
        _ => 0,
    }
}
