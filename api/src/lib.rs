//! The HTTP API of Sheaf: what wallets and explorers talk to. Described for its users in `docs/api.md`.
//!
//! ```text
//!  client ──HTTP /v1──▶ routes ──▶ queries ──▶ Postgres (read only)
//!                         │
//!                         └──▶ sequencers ──▶ the sequencer that leads (submission, what is pending)
//! ```
//!
//! Everything that can go wrong reaches the client as a status and `{code, message}` of
//! [`error::CODES`]; internals go to the log. Users' signatures are never served. [`client`] is the typed
//! Rust client of all this; the wallet uses it.

pub mod client;
pub mod error;
mod extract;
pub mod model;
mod queries;
mod routes;
mod sequencers;
mod state;

use serde::Deserialize;
use state::AppState;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

/// What the API needs to run.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The Postgres that the sequencer writes. Only read here.
    pub database_url: String,
    /// Base URLs of the internal HTTP of the sequencers: the one that leads, and those that stand by.
    pub sequencer_urls: Vec<String>,
    /// Bytes of a request's body at most.
    #[serde(default = "default_max_body_bytes")]
    pub max_body_bytes: usize,
    /// Transactions of one request at most.
    #[serde(default = "default_max_transactions")]
    pub max_transactions: usize,
    /// Connections to the database at most.
    #[serde(default = "default_database_connections")]
    pub database_connections: u32,
}

/// One MiB: some 1,300 transactions.
pub const fn default_max_body_bytes() -> usize {
    1 << 20
}

/// The default of [`Config::max_transactions`].
pub const fn default_max_transactions() -> usize {
    1000
}

/// The default of [`Config::database_connections`].
pub const fn default_database_connections() -> u32 {
    8
}

/// An API that has its port, and does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    state: Arc<AppState>,
}

impl Server {
    /// Takes the port. The database and the sequencer may come up later: until then requests are
    /// answered with `not_ready`.
    ///
    /// # Errors
    /// If the address is in use or the database URL can't be read.
    pub async fn bind(config: Config) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(config.listen).await?;
        Ok(Self { listener, state: Arc::new(AppState::new(config)?) })
    }

    /// The URL at which it answers, without `/v1`.
    ///
    /// # Errors
    /// If the socket is gone.
    pub fn url(&self) -> std::io::Result<String> {
        Ok(format!("http://{}", self.listener.local_addr()?))
    }

    /// Answers until `shutdown`, then finishes what it has begun.
    ///
    /// # Errors
    /// If the socket fails.
    pub async fn serve(self, shutdown: impl Future<Output = ()> + Send + 'static) -> anyhow::Result<()> {
        let router = routes::router(self.state);
        axum::serve(self.listener, router).with_graceful_shutdown(shutdown).await?;
        Ok(())
    }
}

/// Binds and serves.
///
/// # Errors
/// Those of [`Server::bind`] and [`Server::serve`].
pub async fn run(config: Config, shutdown: impl Future<Output = ()> + Send + 'static) -> anyhow::Result<()> {
    let server = Server::bind(config).await?;
    tracing::info!(url = server.url()?, "the API is listening");
    server.serve(shutdown).await
}
