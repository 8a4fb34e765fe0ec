//! A sequencer's life: it stands by or leads, until it is told to stop or another one has taken over.

use crate::config::Config;
use crate::environment::Environment;
use crate::front::Front;
use crate::signer::Signer;
use crate::stages::{End, Leading, Term};
use crate::standby::{Candidate, Ground, Standby, Watched};
use crate::store::{self, Identity, StoreError};
use anyhow::Context;
use sqlx::ConnectOptions;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// A sequencer that runs.
pub struct Sequencer {
    ground: Arc<Ground>,
    server: Server,
    role: Role,
}

enum Role {
    Standing(Box<Standby>),
    Leading(Box<Leading>),
}

/// The task that serves HTTP, which ends with this.
struct Server(JoinHandle<std::io::Result<()>>);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Sequencer {
    /// Listens, and leads if nobody else does; otherwise stands by, unless the configuration forbids that.
    ///
    /// # Errors
    /// A wrong configuration, a database that is unsafe, belongs to another chain or, for one that does not stand by, has a
    /// sequencer already.
    pub async fn start(config: Config, environment: Environment) -> anyhow::Result<Self> {
        config.check()?;
        let signer = Signer::load(&config.receipt_key_file, config.chain_id, config.contract)?;
        let (front, server) = Front::open_socket(config.listen).await?;
        let server = Server(server);
        let options = store::connect_options(&config.database_url)?;
        let mut writer = options.connect().await.context("the database can't be reached")?;
        let pool = store::connect(&config.database_url).await?;
        if !config.allow_unsafe_durability {
            store::check_durability(&pool).await?;
        }
        store::migrate(&pool).await?;
        store::check_identity(&mut writer, &Identity::of(&config)).await?;
        let ground = Arc::new(Ground { config, environment, options, pool, signer, front });
        let role = if ground.config.stand_by {
            drop(writer);
            let mut standby = Box::new(Standby::new(ground.clone()));
            match standby.run(true).await? {
                Watched::Alive => Role::Standing(standby),
                Watched::Candidate(candidate) => lead(&ground, *candidate).await?,
            }
        } else {
            store::take_writer_lock(&mut writer).await?;
            lead(&ground, Candidate { writer, warm: None }).await?
        };
        Ok(Self { ground, server, role })
    }

    /// Where the internal HTTP interface listens.
    pub fn address(&self) -> SocketAddr {
        self.ground.front.address()
    }

    /// Whether it leads, or stands by.
    pub const fn leads(&self) -> bool {
        matches!(self.role, Role::Leading(_))
    }

    /// Stands by and serves until `shutdown`, then makes durable what was executed.
    ///
    /// # Errors
    /// What made it impossible to go on, also that another sequencer has taken over. Nothing was acknowledged that is not
    /// durable.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> anyhow::Result<()> {
        let Self { ground, mut server, mut role } = self;
        tokio::pin!(shutdown);
        loop {
            let turn = async {
                match role {
                    Role::Leading(leading) => match leading.run(&mut shutdown).await? {
                        End::Stopped => Ok(None),
                        End::Unwinding(term) => lead_again(&ground, term).await.map(Some),
                    },
                    Role::Standing(standby) => tokio::select! {
                        () = &mut shutdown => Ok(None),
                        next = take_turn(&ground, standby) => next.map(Some),
                    },
                }
            };
            let next = tokio::select! {
                next = turn => next?,
                served = &mut server.0 => {
                    served??;
                    anyhow::bail!("the HTTP interface stopped");
                }
            };
            match next {
                Some(next) => role = next,
                None => return Ok(()),
            }
        }
    }
}

async fn lead(ground: &Arc<Ground>, candidate: Candidate) -> anyhow::Result<Role> {
    let beginning = Leading::begin(ground.clone(), candidate);
    Ok(Role::Leading(Box::new(store::within(store::LOADING_TIME_MAX, beginning).await?)))
}

/// Stands by until it can lead, and leads.
async fn take_turn(ground: &Arc<Ground>, mut standby: Box<Standby>) -> anyhow::Result<Role> {
    let Watched::Candidate(candidate) = standby.run(false).await? else { return Ok(Role::Standing(standby)) };
    or_stand_by(ground, lead(ground, *candidate).await)
}

/// Leads from the beginning, where requests to take work back are carried out. The last term goes on until the new one has
/// begun, so that nobody else takes over between.
async fn lead_again(ground: &Arc<Ground>, last: Term) -> anyhow::Result<Role> {
    let again = async {
        let mut writer = ground.options.connect().await.map_err(StoreError::from)?;
        store::take_writer_lock(&mut writer).await?;
        lead(ground, Candidate { writer, warm: None }).await
    };
    let role = again.await;
    drop(last);
    or_stand_by(ground, role)
}

fn is_transient(error: &anyhow::Error) -> bool {
    error.downcast_ref::<StoreError>().is_some_and(StoreError::is_transient)
}

/// If the database went away while a term should begin, nothing is lost: then this sequencer stands by.
fn or_stand_by(ground: &Arc<Ground>, role: anyhow::Result<Role>) -> anyhow::Result<Role> {
    match role {
        Err(error) if is_transient(&error) => {
            tracing::warn!(%error, "a term could not begin: this sequencer stands by");
            Ok(Role::Standing(Box::new(Standby::new(ground.clone()))))
        }
        role => role,
    }
}

/// Runs a sequencer until `shutdown`.
///
/// # Errors
/// See [`Sequencer::start`] and [`Sequencer::run`].
pub async fn run(config: Config, shutdown: impl Future<Output = ()> + Send + 'static) -> anyhow::Result<()> {
    tokio::pin!(shutdown);
    let sequencer = tokio::select! {
        sequencer = Sequencer::start(config, Environment::system()) => sequencer?,
        () = &mut shutdown => return Ok(()),
    };
    sequencer.run(shutdown).await
}
