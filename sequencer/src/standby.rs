//! Stands by while another sequencer leads, and takes the leadership when that one is gone.

use crate::config::Config;
use crate::environment::{Environment, Step};
use crate::front::Front;
use crate::leader::{Verdict, Vigil, beat_interval};
use crate::signer::Signer;
use crate::store::{self, Sighting, StoreError};
use crate::warm::{Followed, Warm};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection, PgPool};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often the leader and its blocks are looked at.
const POLL: Duration = Duration::from_millis(100);
/// How long the server may take to end the connection of a leader that was deposed.
const DEPOSE_TIME_MAX: Duration = Duration::from_secs(3);
const DEPOSE_POLL: Duration = Duration::from_millis(20);
/// How long it may take to read everything.
const LOAD_TIME_MAX: Duration = Duration::from_secs(600);

/// What every role stands on.
pub(crate) struct Ground {
    pub(crate) config: Config,
    pub(crate) environment: Environment,
    pub(crate) options: PgConnectOptions,
    pub(crate) pool: PgPool,
    pub(crate) signer: Signer,
    pub(crate) front: Front,
}

/// Who may lead next: the connection that holds the writer's lock, and the state as far as it was followed.
pub(crate) struct Candidate {
    pub(crate) writer: PgConnection,
    pub(crate) warm: Option<Warm>,
}

/// What came of standing by for a while.
pub(crate) enum Watched {
    /// A leader has shown that it lives.
    Alive,
    /// Nobody leads any more.
    Candidate(Box<Candidate>),
}

/// A sequencer that stands by.
pub(crate) struct Standby {
    ground: Arc<Ground>,
    vigil: Vigil,
    /// The connection that looks, and that later holds the lock.
    connection: Option<PgConnection>,
    warm: Option<Warm>,
    last: Option<Sighting>,
}

impl Standby {
    pub(crate) fn new(ground: Arc<Ground>) -> Self {
        let vigil = Vigil::new(ground.config.takeover_after());
        Self { ground, vigil, connection: None, warm: None, last: None }
    }

    /// Follows the leader until it can be replaced or, if `once`, until it is seen to live.
    ///
    /// # Errors
    /// [`StoreError`], if what is stored can't be right. While the database is away, it waits.
    pub(crate) async fn run(&mut self, once: bool) -> Result<Watched, StoreError> {
        loop {
            match self.step().await {
                Ok(Some(writer)) => {
                    let warm = self.warm.take();
                    return Ok(Watched::Candidate(Box::new(Candidate { writer, warm })));
                }
                Ok(None) if once && self.vigil.sees_life() => return Ok(Watched::Alive),
                Ok(None) => {}
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, "standing by without the database");
                    self.ground.front.close(format!("standing by, but the database is away: {error}"), None);
                    self.vigil.interrupted();
                    self.connection = None;
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// One look, and what follows from it: the connection with the writer's lock, if that could be had.
    async fn step(&mut self) -> Result<Option<PgConnection>, StoreError> {
        let time_max = 2 * beat_interval(self.ground.config.takeover_after());
        let sighting = store::within(time_max, sight(&mut self.connection, &self.ground.options)).await?;
        let verdict = self.vigil.look(sighting.clone(), Instant::now());
        self.tell(&sighting);
        let tries_until = match (verdict, &sighting.holder) {
            (Verdict::Wait, _) => {
                self.follow().await?;
                return Ok(None);
            }
            (Verdict::Depose, Some(holder)) => {
                tracing::warn!(?sighting, "the leader shows no life: its connection is ended");
                store::depose(self.connection.as_mut().expect("it has looked"), holder).await?;
                Instant::now() + DEPOSE_TIME_MAX
            }
            _ => Instant::now(),
        };
        self.seize(&sighting, tries_until).await
    }

    /// Takes the lock, unless the leader was seen since.
    async fn seize(&mut self, sighting: &Sighting, tries_until: Instant) -> Result<Option<PgConnection>, StoreError> {
        let connection = self.connection.as_mut().expect("it has looked");
        while !store::try_writer_lock(connection).await? {
            if Instant::now() >= tries_until {
                return Ok(None);
            }
            tokio::time::sleep(DEPOSE_POLL).await;
        }
        if store::sight_leader(connection).await?.beat != sighting.beat {
            store::release_writer_lock(connection).await?;
            return Ok(None);
        }
        self.ground.environment.reached(Step::LockTaken);
        tracing::info!("nobody leads: this sequencer takes over");
        Ok(self.connection.take())
    }

    /// Keeps the state warm.
    async fn follow(&mut self) -> Result<(), StoreError> {
        let ground = &self.ground;
        let Some(warm) = &mut self.warm else {
            let leader = leader(self.last.as_ref());
            let tell = |what: &str| ground.front.close(format!("standing by: {what}"), leader.clone());
            self.warm = Some(store::within(LOAD_TIME_MAX, Warm::load(&ground.pool, &ground.config, &tell)).await?);
            return Ok(());
        };
        if warm.follow(&ground.pool, &ground.config).await? == Followed::Stale {
            tracing::info!("executed work was taken back: the state is read again");
            self.warm = None;
        }
        Ok(())
    }

    fn tell(&mut self, sighting: &Sighting) {
        if self.last.as_ref().map(|s| &s.holder) != Some(&sighting.holder) {
            tracing::info!(leader = leader(Some(sighting)), held = sighting.holder.is_some(), "standing by");
        }
        let reason = self.warm.as_ref().map_or_else(|| "standing by".to_owned(), |warm| format!("standing by: {warm}"));
        self.ground.front.close(reason, leader(Some(sighting)));
        self.last = Some(sighting.clone());
    }
}

fn leader(sighting: Option<&Sighting>) -> Option<String> {
    sighting?.beat.as_ref()?.address.clone()
}

async fn sight(connection: &mut Option<PgConnection>, options: &PgConnectOptions) -> Result<Sighting, StoreError> {
    let connection = match connection {
        Some(connection) => connection,
        empty => empty.insert(options.connect().await?),
    };
    store::sight_leader(connection).await
}
