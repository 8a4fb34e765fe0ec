//! Executed batches are taken back, and what still holds is executed again.

mod kill;
mod mix;

use crate::support::{START, TOKEN, User, World, check_batches, id, root_from_sql, sign, transfer};
use mix::{LATER_S, Mix, Picture, configure, replayed, request};
use sheaf_core::operation::Operation;
use sheaf_core::transaction::Payload;
use sheaf_core::types::TokenId;
use sheaf_sequencer::store;
use sheaf_sequencer::wire::SubmitResult;
use sqlx::Row;
use std::collections::{BTreeMap, BTreeSet};

const DROPPED: &str = "SELECT count(*) FROM dropped_transactions";

async fn last_batch(world: &World) -> i64 {
    world.count("SELECT max(number) FROM batches").await
}

/// Executes everything again from the posted bytes, and compares with the tables.
async fn check_all(world: &mut World) {
    world.seal_and_build().await;
    let (tree, _) = check_batches(&world.pool, &world.config).await;
    assert_eq!(tree.root(), root_from_sql(&world.pool, &world.config).await);
    assert_eq!(world.count("SELECT max(number) - count(*) FROM blocks").await, 0, "block numbers have no gaps");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_same_clock_everything_is_as_it_was_whichever_batch_it_goes_back_to() {
    for seed in [1, 2, 3] {
        let mut world = World::with(configure).await;
        Mix::new(seed).run(&mut world, 60).await;
        world.stop().await;
        let before = Picture::of(&world).await;
        let last = last_batch(&world).await;
        for to_batch in [last - 1, last / 2, 1, 0] {
            let (blocks, kept) = (
                world.count("SELECT max(number) FROM blocks").await,
                sqlx::query_scalar::<_, i64>("SELECT count(*) FROM transactions WHERE batch > $1").bind(to_batch),
            );
            let taken_back = kept.fetch_one(&world.pool).await.unwrap();
            let leaves = world.count("SELECT count(*) FROM unwound_leaves").await;
            request(&world, to_batch).await;
            world.start().await;
            replayed(&world).await;
            world.all_built().await;
            world.stop().await;
            assert_eq!(Picture::of(&world).await, before, "back to {to_batch} of {last}");
            assert!(world.count("SELECT max(number) FROM blocks").await > blocks, "block numbers go on");
            assert_eq!(world.count("SELECT count(*) FROM unwound_leaves").await, leaves + taken_back);
        }
        assert_eq!(world.count(DROPPED).await, 0);
        world.start().await;
        check_all(&mut world).await;
        world.stop().await;
    }
}

/// A transaction that was executed, before anything was taken back.
struct Old {
    hash: String,
    sender: i32,
    expires: i64,
}

async fn transactions(world: &World) -> Vec<Old> {
    let query = "SELECT encode(hash, 'hex') AS hash, sender, expires FROM transactions ORDER BY batch, position";
    let rows = sqlx::query(query).fetch_all(&world.pool).await.unwrap();
    let old = |row: &sqlx::postgres::PgRow| Old { hash: row.get("hash"), sender: row.get("sender"), expires: row.get("expires") };
    rows.iter().map(old).collect()
}

/// What entered with deposits less what left, and what all accounts have.
async fn supply(world: &World, token: TokenId) -> (i128, i128) {
    let mut net = 0i128;
    let posted =
        "SELECT posted, TRUE AS l1 FROM l1_operations WHERE batch IS NOT NULL UNION ALL SELECT posted, FALSE FROM transactions";
    for row in sqlx::query(posted).fetch_all(&world.pool).await.unwrap() {
        let bytes: Vec<u8> = row.get("posted");
        net += match Operation::decode_as(&mut &bytes[..], row.get("l1")).unwrap() {
            Operation::Deposit { token: of, amount, .. } if of == token.word() => amount as i128,
            Operation::ForcedExit { token: of, amount, .. } if of == token.word() => -(amount as i128),
            Operation::Withdraw { token: of, amount, .. } if of == token.word() => -(amount.value().unwrap() as i128),
            _ => 0,
        };
    }
    let everybody: Vec<_> = (0..64).map(id).collect();
    let holdings = store::Balances::default().read(&world.pool, &everybody).await.unwrap();
    (net, holdings.iter().map(|h| h.balances.get(&token).copied().unwrap_or(0) as i128).sum())
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_later_clock_what_no_longer_holds_is_dropped_with_its_dependents_and_reasons() {
    for seed in [11, 12, 13, 14] {
        let mut world = World::with(configure).await;
        Mix::new(seed).run(&mut world, 70).await;
        world.stop().await;
        let (before, old) = (Picture::of(&world).await, transactions(&world).await);
        let kept = "SELECT encode(hash, 'hex') FROM transactions WHERE batch <= 2";
        let kept: BTreeSet<String> = sqlx::query_scalar(kept).fetch_all(&world.pool).await.unwrap().into_iter().collect();
        world.set_clock(START + LATER_S);
        request(&world, 2).await;
        world.start().await;
        replayed(&world).await;
        check_all(&mut world).await;
        world.stop().await;

        let after = Picture::of(&world).await;
        let executed: BTreeSet<_> = after.order.iter().cloned().collect();
        let still = |name: &String| executed.contains(name);
        let (entries, was): (Vec<_>, Vec<_>) = (
            after.order.iter().filter(|n| n.starts_with("entry")).collect(),
            before.order.iter().filter(|n| n.starts_with("entry")).collect(),
        );
        assert_eq!(entries, was, "every entry of the L1 queue, in its order");
        assert_eq!(after.order, before.order.iter().filter(|n| still(n)).cloned().collect::<Vec<_>>(), "the old order");

        let query = "SELECT encode(hash, 'hex') AS hash, code, message, unwinding FROM dropped_transactions";
        let rows = sqlx::query(query).fetch_all(&world.pool).await.unwrap();
        let dropped: BTreeMap<String, (String, String)> =
            rows.iter().map(|row| (row.get("hash"), (row.get("code"), row.get("message")))).collect();
        assert!(!dropped.is_empty() && dropped.len() < old.len() - kept.len(), "{} of {}", dropped.len(), old.len());
        let mut broken = BTreeSet::new();
        for Old { hash, sender, expires } in &old {
            assert_ne!(still(hash), dropped.contains_key(hash), "{hash} is either executed or dropped");
            if kept.contains(hash) {
                assert!(still(hash));
                continue;
            }
            if let Some((code, message)) = dropped.get(hash) {
                assert!(!message.is_empty());
                let expired = *expires < i64::from(START + LATER_S);
                let reasons = ["nonce_gap", "insufficient_balance", "unknown_account", "wrong_key", "receiver_retired"];
                assert!(expired || reasons.contains(&code.as_str()), "{code}: {message}");
                assert!(!expired || code != "expired" || message.contains("expire"), "{message}");
                broken.insert(*sender);
            } else {
                assert!(!broken.contains(sender), "what comes after a dropped transaction of its sender is dropped, too");
                assert!(*expires >= i64::from(START + LATER_S), "what has expired is not executed");
            }
        }
        for token in [TokenId::ETH, TOKEN] {
            let (net, held) = supply(&world, token).await;
            assert_eq!(net, held, "nothing of {token:?} comes from nowhere or vanishes");
        }
    }
}

fn expiring(payload: Payload, expires: u32) -> Payload {
    Payload { expires, ..payload }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_whose_creation_is_dropped_comes_back_where_it_was_with_the_next_credit() {
    let mut world = World::with(|_| {}).await;
    let [alice, bob, carol, dave] = [1, 2, 3, 4].map(User::new);
    let (soon, later) = (START + 100, START + 50_000);
    assert_eq!(world.fund(&alice, TokenId::ETH, 10_000).await, 2);
    assert_eq!(world.fund(&bob, TokenId::ETH, 10_000).await, 3);
    // Account 4 is dave's and account 5 carol's; both creations expire.
    world.execute(expiring(transfer(2, 0, &dave, 100, 50), soon), &alice).await;
    world.execute(expiring(transfer(2, 1, &carol, 1_000, 50), soon), &alice).await;
    world.execute(expiring(transfer(3, 0, &carol, 500, 50), later), &bob).await;
    // Carol can pay this out of what bob gave her alone, and the next one not.
    world.execute(expiring(transfer(5, 0, &bob, 300, 10), later), &carol).await;
    world.execute(expiring(transfer(5, 1, &bob, 300, 10), later), &carol).await;
    world.execute(expiring(transfer(5, 2, &bob, 1, 10), later), &carol).await;
    // Alice's last one is good for long, but comes after two that are not.
    world.execute(expiring(transfer(2, 2, &bob, 1, 10), later), &alice).await;
    // Erin gets account 6, whatever became of 4.
    assert_eq!(world.fund(&User::new(5), TokenId::ETH, 7).await, 6);
    world.stop().await;
    world.set_clock(START + 1_000);
    request(&world, 0).await;
    world.start().await;
    replayed(&world).await;

    let codes = "SELECT code FROM dropped_transactions ORDER BY batch, position";
    let codes: Vec<String> = sqlx::query_scalar(codes).fetch_all(&world.pool).await.unwrap();
    assert_eq!(codes, ["expired", "nonce_gap", "insufficient_balance", "nonce_gap", "nonce_gap"]);
    assert_eq!(world.count("SELECT count(*) FROM accounts WHERE id = 4").await, 0);
    let of = |account| world.balance(account, TokenId::ETH);
    assert_eq!((of(2).await, of(3).await, of(5).await, of(6).await), (10_000, 10_000 - 550 + 300, 500 - 310, 7));
    assert_eq!(of(1).await, 60, "the fees of two");
    // The gap at 4 is filled with the next one, and alice goes on where she was before.
    world.execute(expiring(transfer(2, 0, &dave, 100, 50), later), &alice).await;
    assert_eq!(world.balance(4, TokenId::ETH).await, 100);
    check_all(&mut world).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_sequencer_takes_back_by_itself_and_goes_on() {
    let mut world = World::with(configure).await;
    let mut mix = Mix::new(21);
    mix.run(&mut world, 40).await;
    let before = Picture::of(&world).await;
    request(&world, 3).await;
    replayed(&world).await;
    assert_eq!(Picture::of(&world).await.order, before.order);
    crate::support::eventually("it takes transactions again", || async {
        world.client().health().await.is_ok_and(|health| health.ready).then_some(())
    })
    .await;
    assert_eq!(Picture::of(&world).await, before);
    mix.run(&mut world, 20).await;
    check_all(&mut world).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_l1_has_is_not_taken_back_and_a_batch_that_is_not_there_is_not_gone_to() {
    let mut world = World::with(configure).await;
    Mix::new(31).run(&mut world, 40).await;
    world.all_built().await;
    world.stop().await;
    sqlx::query("UPDATE batches SET status = 'settled' WHERE number <= 3").execute(&world.pool).await.unwrap();
    let before = Picture::of(&world).await;
    let batches = "SELECT string_agg(number || status || timestamp, ' ' ORDER BY number) FROM batches";
    let batches = || async { sqlx::query_scalar::<_, String>(batches).fetch_one(&world.pool).await.unwrap() };
    let (stood, open) = (batches().await, last_batch(&world).await);
    for to_batch in [0, 2, open, open + 7] {
        request(&world, to_batch).await;
    }
    world.running = None;
    let environment = world.environment();
    let running = crate::support::Running::start(world.config.clone(), environment).await.unwrap();
    replayed(&world).await;
    running.stop().await;
    assert_eq!(Picture::of(&world).await, before);
    assert_eq!(batches().await, stood);
    assert_eq!(world.count("SELECT count(*) FROM blocks WHERE unwinding IS NOT NULL").await, 0);
    // The batch after the last one on L1 can be taken back.
    request(&world, 3).await;
    world.start().await;
    replayed(&world).await;
    assert_eq!(Picture::of(&world).await, before);
    assert_eq!(world.count("SELECT count(*) FROM blocks WHERE unwinding IS NOT NULL").await, 1);
    let late = sign(transfer(2, 0, &User::new(1), 1, 10), &User::new(1));
    let SubmitResult::Rejected { .. } = world.submit(&late).await else { panic!("an old nonce") };
    world.stop().await;
}
