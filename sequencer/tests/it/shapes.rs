//! Batches get the smallest shape that holds them, and are built with it.

use crate::support::{Running, User, World, check_batches, eventually, json, sign, transfer};
use sheaf_core::geometry::Geometry;
use sheaf_core::shape::Shape;
use sheaf_core::shapes::Shapes;
use sheaf_core::trace::{BatchHeader, BatchWitness, BuildError, SlotInput, build};
use sheaf_core::transaction::Payload;
use sheaf_core::tree::Tree;
use sheaf_core::types::{AccountId, TokenId};
use sheaf_sequencer::wire::SubmitResult;
use sheaf_sequencer::{BatchNumber, store};

/// Of a tree of depth 5.
const DEPTH: u32 = 5;
const SMALL: Shape = Shape { id: 0, slots: 3, leaf_rows: 7, node_rows: 20 };
const LARGE: Shape = Shape { id: 1, slots: 5, leaf_rows: 40, node_rows: 100 };

const SHAPES: &str =
    "SELECT string_agg(number || ':' || shape || ':' || op_count, ' ' ORDER BY number) FROM batches WHERE op_count > 0";

async fn text(world: &World, query: &'static str) -> String {
    sqlx::query_scalar::<_, Option<String>>(query).fetch_one(&world.pool).await.unwrap().unwrap_or_default()
}

/// Tokens whose balances share no quad.
fn far(i: u8) -> TokenId {
    TokenId::new(20 + 4 * i).unwrap()
}

/// Batches of all kinds: few operations, many operations, and few that touch much.
async fn some_batches() -> (World, Vec<User>) {
    let shapes = Shapes::new(vec![SMALL, LARGE]).unwrap();
    let mut world = World::with(|config| (config.depth, config.shapes) = (DEPTH, shapes)).await;
    let users: Vec<_> = (1..=4).map(User::new).collect();
    for i in 0..4 {
        world.list(far(i)).await;
    }
    // Batch 1 fills the large shape's slots, batch 2 takes the rest.
    for user in &users {
        world.fund(user, TokenId::ETH, 10_000).await;
    }
    for i in [1, 2, 3] {
        world.fund(&users[usize::from(i)], far(i), 10_000).await;
    }
    world.seal_and_build().await;
    // Batch 3: one account pays another.
    for nonce in 0..2 {
        world.execute(transfer(2, nonce, &users[1], 1, 10), &users[0]).await;
    }
    world.seal_and_build().await;
    // Batch 4: as many operations, but each touches quads of its own.
    eventually("the tokens are known", || async {
        let payload = Payload { token: far(1), ..transfer(3, 0, &users[2], 1, 10) };
        matches!(world.submit(&sign(payload, &users[1])).await, SubmitResult::Executed { .. }).then_some(())
    })
    .await;
    world.execute(Payload { token: far(2), ..transfer(4, 0, &users[3], 1, 10) }, &users[2]).await;
    world.seal_and_build().await;
    (world, users)
}

async fn witness(world: &World, batch: u64) -> BatchWitness {
    store::load_witness(&world.pool, BatchNumber(batch)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_gets_the_smallest_shape_that_holds_it() {
    let (mut world, users) = some_batches().await;
    assert_eq!(text(&world, SHAPES).await, "1:1:5 2:0:2 3:0:2 4:1:2");
    // What is open has the smallest shape so far.
    for nonce in 2..6 {
        world.execute(transfer(2, nonce, &users[1], 1, 10), &users[0]).await;
        let shape = if nonce < 5 { 0 } else { 1 };
        assert_eq!(world.count("SELECT shape::bigint FROM batches WHERE status = 'open'").await, shape, "nonce {nonce}");
    }
    world.seal_and_build().await;
    assert_eq!(text(&world, SHAPES).await, "1:1:5 2:0:2 3:0:2 4:1:2 5:1:4");
    // Executed again by nothing but its bytes; the witness is padded to the shape.
    assert_eq!(check_batches(&world.pool, &world.config).await.1, 5);
    let (mut tree, geometry) = (Tree::new(Geometry::new(DEPTH)), Geometry::new(DEPTH));
    for number in 1..=5 {
        let found = witness(&world, number).await;
        let shape = found.shape;
        let lengths = (found.trace.slots.len(), found.trace.leaves.len(), found.trace.nodes.len());
        assert_eq!(lengths, (shape.slots, shape.leaf_rows, shape.node_rows));
        let header =
            BatchHeader { domain: found.public.domain, timestamp: found.public.timestamp, fee_account: AccountId::FIRST };
        let pairs = found.public.operations.iter().zip(&found.signatures);
        let inputs: Vec<_> =
            pairs.map(|(operation, signature)| SlotInput { operation: *operation, signature: *signature }).collect();
        if shape == LARGE {
            let refused = build(&mut tree, SMALL, header, &inputs).unwrap_err();
            assert!(matches!(refused, BuildError::Overflow(_)), "batch {number}: {refused}");
        }
        assert_eq!(build(&mut tree, shape, header, &inputs).unwrap(), found, "batch {number}");
        assert_eq!(found.geometry, geometry);
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_built_anew_or_executed_again_has_the_same_shape() {
    let (mut world, users) = some_batches().await;
    let commitments = "SELECT string_agg(encode(commitment, 'hex'), ' ' ORDER BY number) FROM batches";
    let before = (text(&world, SHAPES).await, text(&world, commitments).await);
    world.stop().await;
    world.forget_what_is_built().await;
    world.start().await;
    world.all_built().await;
    assert_eq!((text(&world, SHAPES).await, text(&world, commitments).await), before);
    // Taken back, the operations fill batches anew: those of 2, 3 and 4 would fit into two.
    world.stop().await;
    sqlx::query("INSERT INTO unwindings (to_batch, reason) VALUES (1, 'a test')").execute(&world.pool).await.unwrap();
    world.start().await;
    eventually("everything is executed again", || async {
        (world.count("SELECT count(*) FROM replays").await == 0).then_some(())
    })
    .await;
    world.execute(transfer(2, 2, &users[1], 1, 10), &users[0]).await;
    world.seal_and_build().await;
    let (_, built) = check_batches(&world.pool, &world.config).await;
    let total = world.count("SELECT sum(op_count)::bigint FROM batches").await;
    assert_eq!((total, built > 2), (12, true), "{}", text(&world, SHAPES).await);
    assert!(text(&world, SHAPES).await.starts_with("1:1:5 2:1:"));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_other_shapes_is_refused() {
    let (mut world, users) = some_batches().await;
    world.stop().await;
    let stored = text(&world, "SELECT shapes::text FROM chain").await;
    assert_eq!(serde_json::from_str::<Shapes>(&stored).unwrap(), world.config.shapes);
    let right = world.config.shapes.clone();
    let third = Shape { id: 2, slots: 6, ..LARGE };
    for other in [vec![SMALL], vec![SMALL, Shape { slots: 6, ..LARGE }], vec![SMALL, LARGE, third]] {
        world.config.shapes = Shapes::new(other).unwrap();
        let Err(refusal) = Running::start(world.config.clone(), world.environment()).await else { panic!("it starts") };
        assert!(format!("{refusal:#}").contains("belongs to another chain"), "{refusal:#}");
    }
    world.config.shapes = right;
    world.start().await;
    world.client().submit(vec![json(&sign(transfer(2, 2, &users[1], 1, 10), &users[0]))], true).await.unwrap();
    world.stop().await;
}
