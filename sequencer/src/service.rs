//! Starts the parts in order, and stops them.

use crate::builder::{Builder, Progress};
use crate::committer::Committer;
use crate::config::Config;
use crate::driver::{Driver, View};
use crate::engine::Engine;
use crate::environment::Environment;
use crate::health::Health;
use crate::intake::Gate;
use crate::journal::Journal;
use crate::mempool::Mempool;
use crate::rpc::{Shared, router};
use crate::store::{self, Identity};
use crate::watcher::{ENTRIES_MAX, Watcher};
use anyhow::Context;
use sqlx::ConnectOptions;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

/// A sequencer that runs.
pub struct Sequencer {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    driver: tokio::task::JoinHandle<anyhow::Result<()>>,
    /// The parts that only end by failing.
    parts: JoinSet<anyhow::Result<()>>,
}

impl Sequencer {
    /// Takes over the database, reads the state, and begins to serve.
    ///
    /// # Errors
    /// A wrong configuration, a database that is unsafe, belongs to another chain or has a sequencer already.
    pub async fn start(config: Config, environment: Environment) -> anyhow::Result<Self> {
        config.check()?;
        let options = store::connect_options(&config.database_url)?;
        let mut writer = options.connect().await.context("the database can't be reached")?;
        store::take_writer_lock(&mut writer).await?;
        let pool = store::connect(&config.database_url).await?;
        if !config.allow_unsafe_durability {
            store::check_durability(&pool).await?;
        }
        store::migrate(&pool).await?;
        let epoch = store::begin_epoch(&pool, &Identity::of(&config)).await?;
        let resume = store::load_resume(&mut writer, Engine::rules(&config), config.operator()).await?;
        let health = Health::default();
        let progress = Arc::new(Progress::default());
        let builder = Builder::start(pool.clone(), &config, epoch, environment.clone(), health.clone(), progress.clone()).await?;
        let listener = TcpListener::bind(config.listen).await.with_context(|| format!("can't listen on {}", config.listen))?;
        let address = listener.local_addr()?;

        let (news_sender, news) = mpsc::channel(ENTRIES_MAX);
        let (submissions_sender, submissions) = mpsc::channel(config.limits.pending_max.max(1));
        let watcher = Watcher {
            pool: pool.clone(),
            geometry: config.geometry(),
            next: resume.next_l1,
            tokens: resume.tokens.clone(),
            news: news_sender,
            environment: environment.clone(),
            health: health.clone(),
        };
        let (last_block, now) = (resume.last_block, environment.now());
        let engine = Engine::new(config.clone(), resume);
        let (view, viewed) = watch::channel(View { timestamp: engine.open().timestamp(now), open_batch: engine.open().number() });
        let (journal, journal_task) = Journal::new(pool.clone(), config.limits.rejections_max);
        let gate = Gate {
            domain: Engine::rules(&config).domain,
            pool: Mempool::new(&config.limits),
            submissions: submissions_sender,
            verifying: Arc::new(Semaphore::new(config.limits.pending_max)),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        };
        let shared = Shared { config: config.clone(), gate, health: health.clone(), view: viewed, pool, journal, receipt_signer: config.fee_owner };
        let committer = Committer {
            options,
            connection: Some(writer),
            shape: config.shape.id,
            epoch,
            environment: environment.clone(),
            health,
        };
        let driver = Driver { config, engine, environment, submissions, news, view, progress };

        let (stop, stopped) = watch::channel(false);
        let driver = tokio::spawn(driver.run(committer, stopped));
        let mut parts = JoinSet::new();
        parts.spawn(builder.run());
        parts.spawn(async { watcher.run().await.map_err(Into::into) });
        parts.spawn(async { axum::serve(listener, router(shared)).await.map_err(Into::into) });
        tokio::spawn(journal_task);
        tracing::info!(%address, epoch, block = %last_block, "sequencer started");
        Ok(Self { address, stop, driver, parts })
    }

    /// Where the internal HTTP interface listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown`, then makes durable what was executed.
    ///
    /// # Errors
    /// What made it impossible to go on. Nothing was acknowledged that is not durable.
    pub async fn run(mut self, shutdown: impl Future<Output = ()> + Send) -> anyhow::Result<()> {
        let failure = tokio::select! {
            () = shutdown => None,
            result = &mut self.driver => return result?.and_then(|()| anyhow::bail!("the driver stopped")),
            part = self.parts.join_next() => part,
        };
        let _ = self.stop.send(true);
        let last = (&mut self.driver).await?;
        // The answers are on their way out: let whoever waited for the last block have them.
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        self.parts.shutdown().await;
        if let Some(part) = failure {
            part??;
            anyhow::bail!("a part of the sequencer stopped");
        }
        last
    }
}

/// Runs a sequencer until `shutdown`.
///
/// # Errors
/// See [`Sequencer::start`] and [`Sequencer::run`].
pub async fn run(config: Config, shutdown: impl Future<Output = ()> + Send + 'static) -> anyhow::Result<()> {
    Sequencer::start(config, Environment::system()).await?.run(shutdown).await
}
