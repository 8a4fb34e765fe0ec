//! Postgres stopped, killed, frozen, slow and with connections that break, under load: nothing is acknowledged that is not
//! durable, health and log say what is wrong, and the sequencer carries on when Postgres is back, without a restart.

use crate::support::World;
use crate::support::audit::{all_done, audit};
use crate::support::crowd::Crowd;
use crate::support::process::{Doom, Process, configure};
use crate::support::proxy::Proxy;
use crate::support::queue::Queue;
use sheaf_devkit::postgres::{Cluster, ClusterOptions};
use sheaf_sequencer::client::Client;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const SENDERS: u16 = 4;
const SEED: u64 = 7;
/// From a database that is gone to a health that says so.
const NOTICED_MAX: Duration = Duration::from_secs(5);
/// From a database that is back to transactions that are acknowledged.
const BACK_MAX: Duration = Duration::from_secs(40);
/// Acknowledgements that show that there is a load.
const SOME: u64 = 15;

/// A sequencer under load.
struct Scene {
    world: World,
    crowd: Crowd,
    queue: Queue,
    process: Process,
    client: Client,
    epoch: i64,
}

impl Scene {
    async fn open(mut world: World) -> Self {
        let crowd = Crowd::start(&mut world, SENDERS, SEED).await;
        let queue = Queue::start(world.pool.clone(), world.entries(), SENDERS, SEED);
        let mut process = Process::start(&world, Doom { stand_by: true, ..Doom::default() });
        let client = process.client().await;
        crowd.board.show(&[&client]);
        let epoch = world.count("SELECT epoch FROM chain").await;
        let mut scene = Self { world, crowd, queue, process, client, epoch };
        scene.goes_on("at first").await;
        scene
    }

    /// Waits until it is ready and acknowledges.
    async fn goes_on(&mut self, what: &str) {
        let (began, before) = (Instant::now(), self.crowd.board.acknowledged());
        while self.crowd.board.acknowledged() < before + SOME || !self.is_ready().await {
            assert!(!self.process.is_dead(), "{what}: the sequencer has ended:\n{}", self.process.log());
            let (health, log) = (self.client.health().await, self.process.log());
            assert!(began.elapsed() < BACK_MAX, "{what}: it does not carry on: {health:?}\n{log}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.crowd.check().await;
        println!("{what}: it acknowledges after {:?}", began.elapsed());
    }

    async fn is_ready(&self) -> bool {
        self.client.health().await.is_ok_and(|health| health.ready)
    }

    /// Waits until health says that the database is away.
    async fn notices(&mut self, what: &str) {
        let began = Instant::now();
        let reason = loop {
            let health = self.client.health().await.expect("it answers");
            if !health.ready {
                break health.reason.expect("a reason");
            }
            assert!(began.elapsed() < NOTICED_MAX, "{what}: nobody notices:\n{}", self.process.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        println!("{what}: noticed after {:?}: {reason}", began.elapsed());
        let log = self.process.log();
        assert!(log.lines().any(|line| line.contains("WARN")), "{what}: the log says so, too:\n{log}");
    }

    /// Makes sure that nothing is taken or acknowledged for a while.
    async fn stands_still(&mut self, what: &str) {
        self.notices(what).await;
        // Answers that were on their way.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let before = self.crowd.board.acknowledged();
        for _ in 0..5 {
            let refused = self.client.submit(vec![serde_json::json!({})], true).await.expect_err("nothing is taken");
            assert_eq!(refused.code(), "not_ready", "{refused:?}");
            assert!(refused.retry_after_ms().is_some_and(|pause| pause > 0), "{refused:?}");
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        assert_eq!(self.crowd.board.acknowledged(), before, "{what}: nothing is acknowledged");
    }

    async fn close(mut self) {
        let epoch = self.world.count("SELECT epoch FROM chain").await;
        assert_eq!(epoch, self.epoch, "it has led all the time");
        let entries = self.queue.end().await;
        let senders = self.crowd.end().await;
        all_done(&self.world).await;
        assert!(!self.process.is_dead());
        self.process.kill();
        println!("{:?}", audit(&self.world, &senders, entries).await);
    }
}

/// A durable server of one's own.
struct Server {
    folder: tempfile::TempDir,
    cluster: Cluster,
}

fn start(folder: &Path, port: Option<u16>) -> Cluster {
    let began = Instant::now();
    loop {
        let options = ClusterOptions { connections_max: 60, temporary: true, port, ..ClusterOptions::default() };
        match Cluster::start(folder, options) {
            Ok(cluster) => return cluster,
            // What is left of a server that was killed may not have ended yet.
            Err(error) => assert!(began.elapsed() < BACK_MAX, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

impl Server {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cluster = start(folder.path(), None);
        Self { folder, cluster }
    }

    /// Starts it where it was.
    fn start_again(&mut self) {
        self.cluster = start(self.folder.path(), Some(self.cluster.port()));
    }

    /// Sends a signal to all of its processes.
    fn signal(&self, signal: &str) {
        let id = self.cluster.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        let all = std::iter::once(id.to_string()).chain(children.split_whitespace().map(str::to_owned));
        // One that has just ended is none to stop.
        Command::new("kill").arg(signal).args(all).status().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn postgres_may_stop_die_and_freeze() {
    let mut server = Server::new();
    let world = World::on(&server.cluster.url("postgres"), configure).await;
    let mut scene = Scene::open(world).await;

    server.cluster.stop();
    scene.stands_still("stopped").await;
    server.start_again();
    scene.goes_on("started again").await;

    server.cluster.kill();
    scene.stands_still("killed").await;
    server.start_again();
    scene.goes_on("started after a crash").await;

    server.signal("-STOP");
    scene.stands_still("frozen").await;
    server.signal("-CONT");
    scene.goes_on("woken").await;
    scene.close().await;
}

/// Ends all connections to this database but our own.
async fn end_connections(world: &World) {
    let query = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
    // Our own pool's others end, too; one of them may be the one that asks.
    let _ = sqlx::query(query).execute(&world.pool).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_way_to_postgres_may_break_and_be_slow() {
    let mut world = World::stopped(configure).await;
    let (proxy, url) = Proxy::lay(&world.config.database_url).await;
    world.config.database_url = url;
    let mut scene = Scene::open(world).await;

    for round in 0..8 {
        tokio::time::sleep(Duration::from_millis(40 * round)).await;
        end_connections(&scene.world).await;
    }
    scene.goes_on("all connections ended, eight times").await;

    proxy.slow_down(Duration::from_millis(15));
    scene.goes_on("slow").await;
    proxy.slow_down(Duration::from_secs(1));
    scene.notices("too slow").await;
    proxy.slow_down(Duration::ZERO);
    scene.goes_on("fast again").await;

    let built = "SELECT count(*) FROM batches WHERE commitment IS NOT NULL";
    proxy.swallow_what_is_open();
    scene.notices("no connection brings anything").await;
    scene.goes_on("new connections").await;
    let before = scene.world.count(built).await;
    crate::support::eventually("batches are built", || async { (scene.world.count(built).await > before + 3).then_some(()) })
        .await;
    scene.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn connections_may_break_while_work_is_taken_back() {
    let mut scene = Scene::open(World::stopped(configure).await).await;
    for round in 0..10 {
        crate::support::request_unwinding(&scene.world, 1 + round % 4).await;
        tokio::time::sleep(Duration::from_millis(23 * round as u64)).await;
        end_connections(&scene.world).await;
        scene.goes_on(&format!("connections broken in unwinding {round}")).await;
    }
    // Each unwinding begins an epoch.
    scene.epoch = scene.world.count("SELECT epoch FROM chain").await;
    scene.close().await;
}
