//! The stages between a verified transaction and a durable block, one by one, for benchmarks: the pipeline's own parts,
//! without its threads and queues, so that each stage's CPU time can be told apart.

use crate::builder::Progress;
use crate::committer::Committer;
use crate::config::Config;
use crate::engine::{Engine, Verified};
use crate::environment::Environment;
use crate::health::Health;
use crate::mempool::{Bounds, Entry, Mempool};
use crate::signer::Signer;
use crate::store::{self, Identity};
use crate::warm::Warm;
use anyhow::Context as _;
use sheaf_core::slot::Signed;
use sheaf_core::transaction::Transaction;
use sqlx::{ConnectOptions, PgPool};
use std::sync::Arc;
use std::time::Instant;

/// Entries of the L1 queue that are executed at once.
const ENTRIES: usize = 256;

/// A transaction whose signature was verified.
#[derive(Clone, Debug)]
pub struct Checked(Verified);

impl Checked {
    /// `hash` is the signed message, 32 big-endian bytes; `signed` what its verification gave.
    pub const fn new(transaction: Transaction, hash: [u8; 32], signed: Signed) -> Self {
        Self(Verified { transaction, hash, signed })
    }
}

/// A transaction in the order of execution.
#[derive(Debug)]
pub struct Ordered(Entry<()>);

/// The stages on one database.
pub struct Stages {
    engine: Engine,
    mempool: Mempool<()>,
    committer: Committer,
    environment: Environment,
    pool: PgPool,
    config: Config,
    next_l1: u64,
}

impl Stages {
    /// Takes over the database as a sequencer does.
    ///
    /// # Errors
    /// As starting a sequencer.
    pub async fn open(config: Config) -> anyhow::Result<Self> {
        config.check()?;
        let environment = Environment::system();
        let options = store::connect_options(&config.database_url)?;
        let mut writer = options.connect().await.context("the database can't be reached")?;
        store::take_writer_lock(&mut writer).await?;
        let pool = store::connect(&config.database_url).await?;
        store::migrate(&pool).await?;
        let epoch = store::begin_epoch(&mut writer, &Identity::of(&config)).await?;
        let (loaded, _) = Warm::load(&pool, &config, &|_| {}).await?.into_parts();
        let mut tx = store::snapshot(&mut writer).await?;
        let resume = store::load_rest(&mut tx, Engine::rules(&config), loaded).await?;
        tx.commit().await?;
        let next_l1 = resume.next_unread_l1();
        let bounds = Bounds { total: config.limits.pending_max, per_account: config.limits.pending_per_account_max };
        let holder = store::myself(&mut writer).await?;
        let committer = Committer {
            signer: Signer::load(&config.receipt_key_file, config.chain_id, config.contract)?,
            options,
            connection: Some(writer),
            holder,
            epoch,
            progress: Arc::new(Progress::default()),
            environment: environment.clone(),
            health: Health::default(),
        };
        let engine = Engine::new(config.clone(), resume);
        Ok(Self { engine, mempool: Mempool::new(bounds), committer, environment, pool, config, next_l1 })
    }

    /// Executes every confirmed entry of the L1 queue, and makes that durable.
    ///
    /// # Errors
    /// If the queue can't be right, or the database fails.
    pub async fn execute_l1(&mut self) -> anyhow::Result<()> {
        loop {
            let entries = store::confirmed_entries(&self.pool, self.config.geometry(), self.next_l1, ENTRIES).await?;
            if entries.is_empty() {
                return Ok(());
            }
            for entry in entries {
                self.next_l1 = entry.index + 1;
                self.engine.offer_l1(entry)?;
            }
            self.engine.tick(self.environment.now(), Instant::now() + self.config.l1_wait());
            self.persist().await?;
        }
    }

    /// Admission and mempool: in with each, out again in the order of execution.
    ///
    /// # Errors
    /// The first refusal.
    pub fn order(&mut self, transactions: Vec<Checked>) -> anyhow::Result<Vec<Ordered>> {
        let now = self.environment.now();
        let count = transactions.len();
        for Checked(verified) in transactions {
            self.engine.admission(&verified, now)?;
            let next = self.engine.next_nonce(verified.transaction.payload.from);
            self.mempool.insert(verified, None, next).map_err(|(_, refusal)| refusal)?;
        }
        Ok(self.mempool.take(count).into_iter().map(Ordered).collect())
    }

    /// Resolves receivers, plans, runs the slots, and records what they did in batches and the draft block.
    ///
    /// # Errors
    /// The first refusal.
    pub fn execute(&mut self, ordered: &[Ordered]) -> anyhow::Result<()> {
        let entries = ordered.iter().map(|Ordered(entry)| &entry.verified);
        let results = self.engine.run(entries, self.environment.now());
        results.into_iter().try_for_each(|result| Ok(result.map(|_| ())?))
    }

    /// Cuts the draft block, signs its receipts, and makes it durable.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn persist(&mut self) -> anyhow::Result<()> {
        if let Some(block) = self.engine.cut() {
            self.committer.commit(&block).await?;
        }
        Ok(())
    }
}
