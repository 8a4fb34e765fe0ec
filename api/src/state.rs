//! What all requests share.

use crate::Config;
use crate::error::ApiError;
use crate::queries::{self, Chain};
use crate::sequencers::Sequencers;
use sheaf_sequencer::store::Balances;
use sheaf_sequencer::wire::Status;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use std::str::FromStr;
use std::time::Duration;
use tokio::sync::OnceCell;

/// How long a request waits for a database connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct AppState {
    pub(crate) config: Config,
    pub(crate) pool: PgPool,
    pub(crate) sequencers: Sequencers,
    pub(crate) balances: Balances,
    chain: OnceCell<Chain>,
}

impl AppState {
    pub(crate) fn new(config: Config) -> anyhow::Result<Self> {
        // The API can't write, whatever it is asked.
        let options = PgConnectOptions::from_str(&config.database_url)?.options([("default_transaction_read_only", "on")]);
        let pool = PgPoolOptions::new().max_connections(config.database_connections).acquire_timeout(ACQUIRE_TIMEOUT);
        let sequencers = Sequencers::new(&config.sequencer_urls)?;
        let pool = pool.connect_lazy_with(options);
        Ok(Self { pool, sequencers, balances: Balances::default(), chain: OnceCell::new(), config })
    }

    /// What this database belongs to; written once, by the sequencer.
    pub(crate) async fn chain(&self) -> Result<&Chain, ApiError> {
        self.chain.get_or_try_init(|| queries::chain(&self.pool)).await
    }

    /// Transactions of one request at most: the smaller of our limit and the sequencer's.
    pub(crate) fn max_transactions(&self, status: &Status) -> usize {
        self.config.max_transactions.min(status.limits.request_transactions_max)
    }
}
