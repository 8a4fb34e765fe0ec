//! The leader's pipeline: begins an epoch, puts the stages together, and ends them.

use crate::builder::{Builder, Progress};
use crate::committer::Committer;
use crate::driver::{Driver, Ends};
use crate::engine::Engine;
use crate::environment::Step;
use crate::health::Health;
use crate::history::History;
use crate::intake::Gate;
use crate::journal::Journal;
use crate::leader::{Heartbeat, beat_interval};
use crate::rpc::{Shared, router};
use crate::standby::{Candidate, Ground};
use crate::store::{self, Identity, StoreError};
use crate::unwind;
use crate::warm::Warm;
use crate::watcher::{ENTRIES_MAX, Ended, Watcher};
use sqlx::{ConnectOptions, PgConnection};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

/// The answers to a last block are on their way out: let whoever waited for it have them.
const LAST_ANSWERS: Duration = Duration::from_millis(50);

/// A leader's term: its epoch, and the task that shows that it lives.
pub(crate) struct Term {
    epoch: i64,
    heartbeat: JoinHandle<Result<(), StoreError>>,
}

impl Drop for Term {
    fn drop(&mut self) {
        self.heartbeat.abort();
    }
}

/// A sequencer that leads.
pub(crate) struct Leading {
    ground: Arc<Ground>,
    term: Term,
    stop: watch::Sender<bool>,
    driver: JoinHandle<anyhow::Result<()>>,
    /// The stages that only end by failing, but for one that sees that work is to be taken back.
    parts: JoinSet<anyhow::Result<Ended>>,
}

/// How a leader ends that has not failed.
pub(crate) enum End {
    /// It was told to.
    Stopped,
    /// Executed work is to be taken back, which is done at a start. Everything is durable; the term goes on.
    Unwinding(Term),
}

/// Why a leader's stages end.
enum Cause {
    Told,
    Driver(anyhow::Result<()>),
    Part(anyhow::Result<Ended>),
    Fenced(StoreError),
}

impl Term {
    /// Begins an epoch on the connection that holds the lock.
    async fn begin(ground: &Ground, writer: &mut PgConnection, health: &Health) -> anyhow::Result<Self> {
        let mut helper = ground.options.connect().await.map_err(StoreError::from)?;
        let epoch = store::seize_epoch(writer, &mut helper, &Identity::of(&ground.config)).await?;
        ground.environment.reached(Step::EpochBegun);
        ground.front.close("taking over", None);
        let address = ground.config.advertise.clone().unwrap_or_else(|| format!("http://{}", ground.front.address()));
        let interval = beat_interval(ground.config.takeover_after());
        let heartbeat = Heartbeat { options: ground.options.clone(), epoch, address, interval, health: health.clone() };
        Ok(Self { epoch, heartbeat: tokio::spawn(heartbeat.run(helper)) })
    }

    /// Says that this leader has ended in order. If that fails, the next one waits a little longer.
    async fn resign(mut self, ground: &Ground) {
        self.heartbeat.abort();
        let _ = (&mut self.heartbeat).await;
        let resigned = async { store::resign(&mut *ground.pool.acquire().await?, self.epoch).await };
        if let Ok(Err(error)) = tokio::time::timeout(beat_interval(ground.config.takeover_after()), resigned).await {
            tracing::warn!(%error, "whoever stands by could not be told that this sequencer stops");
        }
    }
}

impl Leading {
    /// Begins an epoch, reads what is to be read, and opens the front.
    ///
    /// # Errors
    /// [`StoreError`], and what the stages need and do not get.
    pub(crate) async fn begin(ground: Arc<Ground>, candidate: Candidate) -> anyhow::Result<Self> {
        let Candidate { mut writer, warm } = candidate;
        let (config, environment, pool) = (ground.config.clone(), ground.environment.clone(), ground.pool.clone());
        let health = Health::default();
        let term = Term::begin(&ground, &mut writer, &health).await?;
        unwind::perform_requested(&mut writer, term.epoch, &config, &environment).await?;
        // From here on nobody else changes anything.
        let tell = |what: &str| ground.front.close(format!("taking over: {what}"), None);
        let warm = match warm {
            Some(warm) => warm.catch_up(&pool, &config, &tell).await?,
            None => Warm::load(&pool, &config, &tell).await?,
        };
        let (loaded, base) = warm.into_parts();
        let mut tx = store::snapshot(&mut writer).await?;
        let resume = store::load_rest(&mut tx, Engine::rules(&config), loaded).await?;
        tx.commit().await.map_err(StoreError::from)?;
        let holder = store::myself(&mut writer).await?;
        environment.reached(Step::StateLoaded);
        let progress = Arc::new(Progress::default());
        let builder =
            Builder::new(pool.clone(), &config, term.epoch, environment.clone(), health.clone(), progress.clone(), base);

        let (news_sender, news) = mpsc::channel(ENTRIES_MAX);
        let (gate, messages) = Gate::open(Engine::rules(&config).domain, config.limits.pending_max)?;
        let watcher = Watcher {
            pool: pool.clone(),
            geometry: config.geometry(),
            next: resume.next_unread_l1(),
            tokens: resume.tokens.clone(),
            unsettled: None,
            news: news_sender,
            environment: environment.clone(),
            health: health.clone(),
        };
        let (last_block, now) = (resume.last_block, environment.now());
        let engine = Engine::new(config.clone(), resume);
        let (view, viewed) = watch::channel(Driver::first_view(&engine, now));
        let (journal, journal_task) = Journal::new(pool.clone(), config.limits.rejections_max);
        let shared = Shared {
            config: config.clone(),
            gate,
            health: health.clone(),
            view: viewed,
            history: History::new(pool),
            journal: journal.clone(),
            receipt_signer: ground.signer.address(),
        };
        let epoch = term.epoch;
        let committer = Committer {
            options: ground.options.clone(),
            connection: Some(writer),
            holder,
            epoch,
            signer: ground.signer.clone(),
            progress: progress.clone(),
            environment: environment.clone(),
            health,
        };
        let driver = Driver::new(config, engine, environment, Ends { messages, news, view, progress, journal });

        let (stop, stopped) = watch::channel(false);
        let driver = tokio::spawn(driver.run(committer, stopped));
        let mut parts = JoinSet::new();
        parts.spawn(async { builder.run().await.map(|()| Ended::Unheard) });
        parts.spawn(async { watcher.run().await.map_err(Into::into) });
        tokio::spawn(journal_task);
        ground.front.open(router(shared));
        tracing::info!(address = %ground.front.address(), epoch, block = %last_block, "this sequencer leads");
        Ok(Self { ground, term, stop, driver, parts })
    }

    /// Leads until `shutdown`, then makes durable what was executed and resigns; or until work is to be taken back.
    ///
    /// # Errors
    /// What made it impossible to go on, also that another one has taken over. Nothing was acknowledged that is not durable.
    pub(crate) async fn run(mut self, shutdown: impl Future<Output = ()>) -> anyhow::Result<End> {
        let cause = tokio::select! {
            () = shutdown => Cause::Told,
            result = &mut self.driver => Cause::Driver(result?),
            beat = &mut self.term.heartbeat => Cause::Fenced(beat?.expect_err("a heartbeat only ends by failing")),
            Some(part) = self.parts.join_next() => Cause::Part(part?),
        };
        match cause {
            Cause::Fenced(error) => {
                self.abandon().await;
                Err(lost(error.into()))
            }
            Cause::Driver(result) => {
                self.abandon().await;
                result.map_err(lost)?;
                anyhow::bail!("the driver stopped")
            }
            Cause::Part(Ok(Ended::UnwindingRequested)) => {
                self.ground.front.close("executed work is about to be taken back", None);
                self.drain().await?;
                Ok(End::Unwinding(self.term))
            }
            Cause::Part(result) => {
                self.ground.front.close("stopping", None);
                self.drain().await?;
                result.map_err(lost)?;
                anyhow::bail!("a part of the sequencer stopped")
            }
            Cause::Told => {
                self.ground.front.close("stopping", None);
                self.drain().await?;
                self.term.resign(&self.ground).await;
                Ok(End::Stopped)
            }
        }
    }

    /// Makes durable what was executed, and lets whoever waits for it know.
    async fn drain(&mut self) -> anyhow::Result<()> {
        let _ = self.stop.send(true);
        let last = (&mut self.driver).await?;
        tokio::time::sleep(LAST_ANSWERS).await;
        self.parts.shutdown().await;
        last.map_err(lost)
    }

    /// Ends everything at once: nothing can be made durable any more, and nobody is answered.
    async fn abandon(&mut self) {
        self.ground.front.close("another sequencer has taken over", None);
        self.driver.abort();
        self.parts.shutdown().await;
    }
}

/// Says what it means that this sequencer was fenced.
fn lost(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<StoreError>() {
        Some(StoreError::Fenced) => error.context("this sequencer has lost the leadership and commits nothing more"),
        _ => error,
    }
}
