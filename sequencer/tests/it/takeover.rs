//! One writer at a time, on a database that keeps what it acknowledges, over connections that break.

use crate::support::{Running, User, World, check_batches, json, one_shape, root_from_sql, sign, transfer, with_slots};
use sheaf_core::types::TokenId;
use sheaf_sequencer::wire::SubmitResult;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

async fn start_error(world: &World) -> String {
    let Err(error) = Running::start(world.config.clone(), world.environment()).await else { panic!("it must not start") };
    format!("{error:#}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_sequencer_is_refused() {
    let mut world = World::with(|config| config.stand_by = false).await;
    assert!(start_error(&world).await.contains("another sequencer runs"));
    world.fund(&User::new(1), TokenId::ETH, 1).await;
    world.stop().await;
    world.start().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_stands_by_takes_over_at_once_from_a_leader_that_stops() {
    let mut world = World::with(|config| config.takeover_after_ms = 60_000).await;
    let (alice, bob) = (User::new(1), User::new(2));
    world.fund(&alice, TokenId::ETH, 1_000).await;
    let standby = Running::start(world.config.clone(), world.environment()).await.unwrap();
    world.execute(transfer(2, 0, &bob, 3, 50), &alice).await;
    let refused = standby.client.submit(vec![json(&sign(transfer(2, 1, &bob, 3, 10), &alice))], true).await.unwrap_err();
    assert_eq!((refused.code(), refused.to_string().contains("leads")), ("not_ready", true), "{refused}");
    let health = standby.client.health().await.unwrap();
    assert!(!health.ready && health.reason.as_ref().unwrap().contains("standing by"), "{health:?}");
    world.stop().await;
    world.running = Some(standby);
    is_ready(&world).await;
    world.execute(transfer(2, 1, &bob, 3, 10), &alice).await;
    assert_eq!(world.balance(3, TokenId::ETH).await, 6);
    world.stop().await;
}

async fn is_ready(world: &World) {
    crate::support::eventually("it is ready", || async { world.client().health().await.unwrap().ready.then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sequencer_that_was_passed_by_commits_nothing_more() {
    // It does not look who leads for minutes: nothing but the block's own transaction keeps it from writing.
    let mut world = World::with(|config| config.takeover_after_ms = 600_000).await;
    let alice = User::new(1);
    world.fund(&alice, TokenId::ETH, 1_000).await;
    // As a later one does when it starts.
    sqlx::query("UPDATE chain SET epoch = epoch + 1").execute(&world.pool).await.unwrap();
    let before = world.snapshot().await;
    let result = world.client().submit(vec![json(&sign(transfer(2, 0, &alice, 1, 10), &alice))], true).await;
    assert!(!matches!(result.as_deref(), Ok([SubmitResult::Executed { .. }])), "{result:?}");
    let failure = world.running.take().unwrap().failure().await;
    assert!(format!("{failure:#}").contains("another sequencer runs"), "{failure:#}");
    assert!(world.snapshot().await == before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_another_chain_is_refused() {
    let mut world = World::new().await;
    world.stop().await;
    world.config.chain_id += 1;
    assert!(start_error(&world).await.contains("belongs to another chain"));
    world.config.chain_id -= 1;
    world.config.shapes = with_slots(17);
    assert!(start_error(&world).await.contains("belongs to another chain"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_may_lose_what_it_acknowledged_is_refused() {
    let mut world = World::stopped(|config| config.allow_unsafe_durability = false).await;
    let name: String = sqlx::query_scalar("SELECT current_database()").fetch_one(&world.pool).await.unwrap();
    let alter = format!("ALTER DATABASE \"{name}\" SET synchronous_commit = off");
    sqlx::query(&alter).execute(&world.pool).await.unwrap();
    assert!(start_error(&world).await.contains("may lose what it acknowledged"));
    world.config.allow_unsafe_durability = true;
    world.start().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_configuration_is_refused() {
    let mut world = World::stopped(|config| config.shapes = one_shape(16, 5, 380)).await;
    assert!(start_error(&world).await.contains("shape 0 is too small"));
    world.config.shapes = with_slots(16);
    world.config.fee_key_hash = alloy_primitives::B256::repeat_byte(0xFF);
    assert!(start_error(&world).await.contains("fee_key_hash"));
}

const PASS: u8 = 0;
/// The commit does not reach the server.
const CUT_BEFORE: u8 = 1;
/// The commit reaches the server, the answer nobody.
const CUT_AFTER: u8 = 2;
/// The server is gone.
const DOWN: u8 = 3;

/// The commit does not reach the server, and from then on it is gone.
const CUT_AND_DOWN: u8 = 4;
/// Nothing arrives any more, in neither direction.
const STALLED: u8 = 5;

/// A wire to the database that breaks when it is told to.
struct Wire {
    address: SocketAddr,
    mode: Arc<AtomicU8>,
    cuts: Arc<AtomicUsize>,
}

impl Wire {
    async fn lay(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mode, cuts) = (Arc::new(AtomicU8::new(PASS)), Arc::new(AtomicUsize::new(0)));
        let (told, counted) = (mode.clone(), cuts.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if told.load(Ordering::SeqCst) != DOWN {
                    tokio::spawn(carry(client, TcpStream::connect(server.clone()).await.unwrap(), told.clone(), counted.clone()));
                }
            }
        });
        Self { address, mode, cuts }
    }

    fn set(&self, mode: u8) {
        self.mode.store(mode, Ordering::SeqCst);
    }
}

async fn carry(mut client: TcpStream, mut server: TcpStream, mode: Arc<AtomicU8>, cuts: Arc<AtomicUsize>) {
    let (mut up, mut down) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        while mode.load(Ordering::SeqCst) == STALLED {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::select! {
            read = client.read(&mut up) => {
                let Ok(count @ 1..) = read else { return };
                let commits = up[..count].windows(7).any(|w| w == b"COMMIT\0");
                let cut = |only: u8, then: u8| mode.compare_exchange(only, then, Ordering::SeqCst, Ordering::SeqCst).is_ok();
                if commits && (cut(CUT_BEFORE, PASS) || cut(CUT_AND_DOWN, DOWN)) {
                    cuts.fetch_add(1, Ordering::SeqCst);
                    return;
                }
                let after = commits && cut(CUT_AFTER, PASS);
                if server.write_all(&up[..count]).await.is_err() {
                    return;
                }
                if after {
                    let _ = server.read(&mut down).await;
                    cuts.fetch_add(1, Ordering::SeqCst);
                    return;
                }
            }
            read = server.read(&mut down) => {
                let Ok(count @ 1..) = read else { return };
                if client.write_all(&down[..count]).await.is_err() {
                    return;
                }
            }
            () = tokio::time::sleep(Duration::from_millis(20)) => {
                if mode.load(Ordering::SeqCst) == DOWN {
                    return;
                }
            }
        }
    }
}

/// A sequencer that reaches its database over a [`Wire`].
async fn wired() -> (World, Wire) {
    let mut world = World::stopped(|config| (config.depth, config.shapes) = (6, with_slots(3))).await;
    let url = world.config.database_url.clone();
    let after_at = url.rfind('@').map_or(url.find("://").unwrap() + 3, |at| at + 1);
    let server = url[after_at..].split('/').next().unwrap().to_owned();
    let server = if server.contains(':') { server } else { format!("{server}:5432") };
    let wire = Wire::lay(server.clone()).await;
    world.config.database_url =
        format!("{}{}{}", &url[..after_at], wire.address, url[after_at..].strip_prefix(server.as_str()).unwrap());
    world.start().await;
    (world, wire)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_cut_at_the_commit_loses_and_repeats_nothing() {
    let (mut world, wire) = wired().await;
    let (alice, bob) = (User::new(1), User::new(2));
    assert_eq!(world.fund(&alice, TokenId::ETH, 100_000).await, 2);
    for nonce in 0..12 {
        wire.set([CUT_BEFORE, CUT_AFTER][nonce as usize % 2]);
        // The one that is cut waits until it is durable; others are told to come again while the database is away.
        let transaction = json(&sign(transfer(2, nonce, &bob, 3, 50), &alice));
        let mut answer = world.client().submit(vec![transaction.clone()], true).await;
        while answer.as_ref().is_err_and(|error| error.code() == "not_ready") {
            tokio::time::sleep(Duration::from_millis(20)).await;
            answer = world.client().submit(vec![transaction.clone()], true).await;
        }
        assert!(matches!(&answer.as_deref().unwrap()[0], SubmitResult::Executed { .. }), "{answer:?}");
    }
    assert!(wire.cuts.load(Ordering::SeqCst) >= 10, "{:?}", wire.cuts);
    wire.set(PASS);
    assert_eq!(world.count("SELECT count(*) FROM transactions").await, 12);
    assert_eq!(world.balance(3, TokenId::ETH).await, 36);
    assert_eq!(world.count("SELECT max(number) - count(*) FROM blocks").await, 0);
    world.seal_and_build().await;
    let (tree, _) = check_batches(&world.pool, &world.config).await;
    assert_eq!(tree.root(), root_from_sql(&world.pool, &world.config).await);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_nothing_is_acknowledged() {
    let (mut world, wire) = wired().await;
    let (alice, bob) = (User::new(1), User::new(2));
    world.fund(&alice, TokenId::ETH, 100_000).await;
    wire.set(CUT_AND_DOWN);
    let client = world.client().clone();
    let first = json(&sign(transfer(2, 0, &bob, 3, 50), &alice));
    let waiting = tokio::spawn(async move { client.submit(vec![first], true).await });
    crate::support::eventually("it says that it is not ready", || async {
        (!world.client().health().await.unwrap().ready).then_some(())
    })
    .await;
    let refused = world.client().submit(vec![json(&sign(transfer(2, 1, &bob, 3, 50), &alice))], true).await.unwrap_err();
    assert_eq!(refused.code(), "not_ready");
    assert!(refused.retry_after_ms().is_some_and(|pause| pause > 0), "{refused:?}");
    assert!(!waiting.is_finished());
    assert_eq!(world.count("SELECT count(*) FROM transactions").await, 0);
    wire.set(PASS);
    let answer = waiting.await.unwrap().unwrap();
    assert!(matches!(answer[0], SubmitResult::Executed { .. }), "{answer:?}");
    crate::support::eventually("it is ready again", || async { world.client().health().await.unwrap().ready.then_some(()) })
        .await;
    world.execute(transfer(2, 1, &bob, 3, 10), &alice).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_away_is_no_reason_to_take_over() {
    let (mut world, wire) = wired().await;
    let (alice, bob) = (User::new(1), User::new(2));
    world.fund(&alice, TokenId::ETH, 100_000).await;
    world.config.takeover_after_ms = 1_500;
    world.restart().await;
    let standby = Running::start(world.config.clone(), world.environment()).await.unwrap();
    let epoch = world.count("SELECT epoch FROM chain").await;
    for (nonce, away) in (0..).zip([DOWN, STALLED, DOWN]) {
        wire.set(away);
        tokio::time::sleep(Duration::from_millis(3_500)).await;
        wire.set(PASS);
        is_ready(&world).await;
        world.execute(transfer(2, nonce, &bob, 3, 50), &alice).await;
        tokio::time::sleep(Duration::from_millis(1_000)).await;
        assert!(!standby.client.health().await.unwrap().ready);
        assert_eq!(world.count("SELECT epoch FROM chain").await, epoch, "nobody has taken over");
    }
    world.stop().await;
    world.running = Some(standby);
    is_ready(&world).await;
    world.execute(transfer(2, 3, &bob, 3, 10), &alice).await;
    world.stop().await;
}
