//! When batches are sealed, what time they have, and what the builder makes of them.

use crate::support::{
    START, TOKEN, User, World, check_batches, eventually, json, one_shape, root_from_sql, sign, transfer, withdraw,
};
use alloy_primitives::Address;
use sheaf_core::shapes::Shapes;
use sheaf_core::transaction::Payload;
use sheaf_core::types::TokenId;
use sheaf_sequencer::wire::SubmitResult;
use sqlx::Row;
use std::time::Duration;

/// On a tree of depth 5: 16 accounts, paths of 5.
fn small(slots: usize, leaf_rows: usize, node_rows: usize) -> Shapes {
    one_shape(slots, leaf_rows, node_rows)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_sealed_when_its_slots_are_full() {
    let mut world = World::with(|config| (config.depth, config.shapes) = (5, small(3, 64, 200))).await;
    let (alice, bob) = (User::new(1), User::new(2));
    world.fund(&alice, TokenId::ETH, 10_000).await;
    let mut places = Vec::new();
    for nonce in 0..7 {
        places.push(world.execute(transfer(2, nonce, &bob, 1, 50), &alice).await);
    }
    assert_eq!(places, [(1, 1), (1, 2), (2, 0), (2, 1), (2, 2), (3, 0), (3, 1)]);
    world.all_built().await;
    assert_eq!(check_batches(&world.pool, &world.config).await.1, 2);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_sealed_when_its_rows_are_full() {
    // Room for one operation whatever it touches, and hardly more.
    for shapes in [small(100, 8, 200), small(100, 64, 20)] {
        let mut world = World::with(|config| (config.depth, config.shapes) = (5, shapes)).await;
        let users: Vec<_> = (1..=10).map(User::new).collect();
        for (i, user) in users.iter().enumerate() {
            // Balances that lie apart.
            let token = TokenId::new(20 + 4 * i as u8).unwrap();
            world.list(token).await;
            world.fund(user, token, 10_000).await;
        }
        eventually("the tokens are known", || async {
            let payload = Payload { token: TokenId::new(56).unwrap(), ..transfer(11, 0, &users[9], 1, 10) };
            matches!(world.submit(&sign(payload, &users[9])).await, SubmitResult::Executed { .. }).then_some(())
        })
        .await;
        for (i, user) in users[..9].iter().enumerate() {
            let token = TokenId::new(20 + 4 * i as u8).unwrap();
            world.execute(Payload { token, ..transfer(i as u32 + 2, 0, &users[(i + 5) % 10], 1, 10) }, user).await;
        }
        world.all_built().await;
        let (_, built) = check_batches(&world.pool, &world.config).await;
        assert!(built >= 4, "{built} batches");
        let widest = world.count("SELECT max(op_count)::bigint FROM batches").await;
        assert!(widest < 10, "{widest} operations in one batch");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_sealed_by_the_timer_and_an_empty_one_never() {
    let mut world = World::with(|config| config.batch_timeout_ms = 60).await;
    let (alice, bob) = (User::new(1), User::new(2));
    world.fund(&alice, TokenId::ETH, 10_000).await;
    eventually("the timer seals", || async {
        (world.count("SELECT count(*) FROM batches WHERE status = 'sealed'").await == 1).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(world.count("SELECT max(number) FROM batches").await, 2);
    assert_eq!(world.execute(transfer(2, 0, &bob, 1, 50), &alice).await, (2, 0));
    // A batch that was open at a restart is sealed too.
    world.config.batch_timeout_ms = 3_600_000;
    world.restart().await;
    world.config.batch_timeout_ms = 60;
    world.restart().await;
    eventually("the timer seals", || async {
        (world.count("SELECT count(*) FROM batches WHERE status = 'sealed'").await == 2).then_some(())
    })
    .await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timestamp_is_fixed_with_the_first_operation_and_never_goes_back() {
    let mut world = World::with(|config| (config.depth, config.shapes) = (5, small(2, 64, 200))).await;
    let (alice, bob) = (User::new(1), User::new(2));
    world.set_clock(START + 100);
    world.fund(&alice, TokenId::ETH, 10_000).await;
    world.set_clock(START + 200);
    let at = |nonce, expires| Payload { expires, ..transfer(2, nonce, &bob, 1, 50) };
    // The open batch began at 100, but nobody knows before whether it or the next one takes an operation.
    eventually("the status shows it", || async {
        (world.client().status().await.unwrap().timestamp == START + 200).then_some(())
    })
    .await;
    world.refused(json(&sign(at(0, START + 199), &alice)), "expired").await;
    assert_eq!(world.execute(at(0, START + 200), &alice).await, (1, 1));
    // The batch is full, the next one begins at 200.
    world.refused(json(&sign(at(1, START + 150), &alice)), "expired").await;
    world.set_clock(START + 300);
    assert_eq!(world.execute(at(1, START + 300), &alice).await, (2, 0));
    // The clock goes back, the timestamps don't, nor across a restart.
    world.set_clock(START - 50);
    assert_eq!(world.execute(at(2, START + 300), &alice).await, (2, 1));
    world.restart().await;
    assert_eq!(world.client().status().await.unwrap().timestamp, START + 300);
    assert_eq!(world.execute(at(3, START + 300), &alice).await, (3, 0));
    world.refused(json(&sign(at(4, START + 299), &alice)), "expired").await;
    let rows =
        sqlx::query("SELECT timestamp FROM batches WHERE op_count > 0 ORDER BY number").fetch_all(&world.pool).await.unwrap();
    let times: Vec<_> = rows.iter().map(|r| r.get::<i64, _>("timestamp") as u32 - START).collect();
    assert_eq!(times, [100, 300, 300]);
    // An empty batch has no time yet: it moves with the clock.
    world.set_clock(START + 900);
    world.config.batch_timeout_ms = 20;
    world.restart().await;
    eventually("the status shows it", || async {
        (world.client().status().await.unwrap().timestamp == START + 900).then_some(())
    })
    .await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_and_the_built_batches_have_the_same_root() {
    let mut world = World::with(|config| config.batch_timeout_ms = 15).await;
    let users: Vec<_> = (1..=4).map(User::new).collect();
    for user in &users {
        world.fund(user, TokenId::ETH, 100_000).await;
        world.fund(user, TOKEN, 777).await;
    }
    for nonce in 0..6 {
        for (i, user) in users.iter().enumerate() {
            let other = User::new(((i as u16 + nonce as u16) % 7) + 1);
            world.execute(transfer(i as u32 + 2, nonce, &other, 3 + i as u128, 50), user).await;
        }
    }
    world.execute(withdraw(2, 6, Address::repeat_byte(4), 1, 30), &users[0]).await;
    world.seal_and_build().await;
    let (tree, built) = check_batches(&world.pool, &world.config).await;
    assert!(built > 1);
    assert_eq!(tree.root(), root_from_sql(&world.pool, &world.config).await);
    let undo = "SELECT count(DISTINCT batch) FROM batch_undo";
    assert_eq!(world.count(undo).await as u64, built, "what is not settled may have to be taken back");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_builder_that_starts_anew_makes_the_same_commitments() {
    let mut world = World::with(|config| (config.depth, config.shapes) = (5, small(3, 64, 200))).await;
    let (alice, bob) = (User::new(1), User::new(2));
    world.fund(&alice, TokenId::ETH, 10_000).await;
    for nonce in 0..9 {
        world.execute(transfer(2, nonce, &bob, 1, 50), &alice).await;
    }
    world.all_built().await;
    let commitments = "SELECT string_agg(encode(commitment, 'hex'), ' ' ORDER BY number) FROM batches";
    let before: String = sqlx::query_scalar(commitments).fetch_one(&world.pool).await.unwrap();
    world.stop().await;
    world.forget_what_is_built().await;
    world.start().await;
    world.all_built().await;
    let after: String = sqlx::query_scalar(commitments).fetch_one(&world.pool).await.unwrap();
    assert_eq!(before, after);
    check_batches(&world.pool, &world.config).await;
    // And it carries on.
    for nonce in 9..12 {
        let result = world.submit(&sign(transfer(2, nonce, &bob, 1, 50), &alice)).await;
        assert!(matches!(result, SubmitResult::Executed { .. }), "{result:?}");
    }
    world.all_built().await;
    check_batches(&world.pool, &world.config).await;
    world.stop().await;
}
