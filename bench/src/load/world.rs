//! What is measured: a durable Postgres, a sequencer and an API as processes of their own, and accounts with money.
//!
//! Settlement does not run: its part, the confirmed entries of the L1 queue, is inserted here, as settlement would.

use super::cpu;
use super::people::Crowd;
use alloy_primitives::{Address, B256};
use anyhow::{Context, Result, ensure};
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sheaf_core::F;
use sheaf_core::eddsa::SecretKey;
use sheaf_core::l1::{domain, queue_preimage};
use sheaf_core::operation::Operation;
use sheaf_core::shape::Shape;
use sheaf_core::types::field_to_bytes;
use sheaf_devkit::postgres::{ClusterOptions, Server};
use sheaf_devkit::service::{Service, ServiceOptions};
use sheaf_devkit::{http, paths};
use sqlx::postgres::{PgPool, PgPoolOptions};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const CHAIN_ID: u64 = 31_337;
const CONTRACT: Address = Address::repeat_byte(0xCC);
const READY_LIMIT: Duration = Duration::from_secs(60);
const FUNDING_LIMIT: Duration = Duration::from_secs(600);
/// Entries of the L1 queue inserted at once.
const ENTRIES: usize = 1_000;

/// The processes, and a connection to look behind them.
pub(super) struct World {
    api: Service,
    sequencer: Service,
    postgres: Server,
    pub(super) pool: PgPool,
    pub(super) url: String,
    entries: u64,
}

/// CPU time of each process.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CpuTimes {
    pub(super) generator: Duration,
    pub(super) api: Duration,
    pub(super) sequencer: Duration,
    pub(super) postgres: Duration,
}

impl CpuTimes {
    /// What was used since `before`.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            generator: self.generator.saturating_sub(before.generator),
            api: self.api.saturating_sub(before.api),
            sequencer: self.sequencer.saturating_sub(before.sequencer),
            postgres: self.postgres.saturating_sub(before.postgres),
        }
    }
}

/// The domain that the crowd signs for.
pub(super) fn signing_domain() -> F {
    domain(CHAIN_ID, CONTRACT)
}

impl World {
    /// Starts everything.
    pub(super) async fn start(shape: Shape) -> Result<Self> {
        let dir = paths::fresh_bench()?;
        let cluster_dir = dir.join("postgres");
        let start = move || Server::start(&cluster_dir, ClusterOptions { temporary: true, ..ClusterOptions::default() });
        let postgres = tokio::task::spawn_blocking(start).await??;
        let database = postgres.own_database(&dir)?;
        let [sequencer_at, api_at] = [(); 2].map(|()| SocketAddr::from(([127, 0, 0, 1], http::free_port())));
        let config = dir.join("sheaf.toml");
        std::fs::write(&config, configuration(&dir, &database, shape, sequencer_at, api_at)?)?;
        let sequencer = spawn("sequencer", &dir, &config)?;
        await_ready(&sequencer, sequencer_at, "/status").await?;
        let api = spawn("api", &dir, &config)?;
        await_ready(&api, api_at, "/v1/health").await?;
        let pool = PgPoolOptions::new().max_connections(4).connect(&database).await?;
        Ok(Self { api, sequencer, postgres, pool, url: format!("http://{api_at}"), entries: 0 })
    }

    /// The settings that decide whether a commit survives a power cut, as the server has them.
    pub(super) async fn durability(&self) -> Result<String> {
        let mut settings = Vec::new();
        for name in ["fsync", "full_page_writes", "synchronous_commit"] {
            let value: String = sqlx::query_scalar("SELECT current_setting($1)").bind(name).fetch_one(&self.pool).await?;
            settings.push(format!("{name} = {value}"));
        }
        Ok(settings.join(", "))
    }

    /// Gives everybody in `crowd` an account with money, through the L1 queue.
    pub(super) async fn fund(&mut self, crowd: &Crowd) -> Result<()> {
        for people in crowd.people.chunks(ENTRIES) {
            let mut tx = self.pool.begin().await?;
            for person in people {
                insert_entry(&mut tx, self.entries, &person.deposit()).await?;
                self.entries += 1;
            }
            sqlx::query("NOTIFY l1_operations").execute(&mut *tx).await?;
            tx.commit().await?;
        }
        let began = Instant::now();
        let waiting = "SELECT count(*) FROM l1_operations WHERE batch IS NULL";
        while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&self.pool).await? > 0 {
            ensure!(began.elapsed() < FUNDING_LIMIT, "the deposits are not executed");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let account = crowd.people.last().context("an empty crowd")?.account.get();
        let query = "SELECT account FROM l1_operations ORDER BY index DESC LIMIT 1";
        let last: i32 = sqlx::query_scalar(query).fetch_one(&self.pool).await?;
        ensure!(last.cast_unsigned() == account, "the last deposit made account {last}, not {account}");
        Ok(())
    }

    /// Sealed batches, and those of them that are built.
    pub(super) async fn batches(&self) -> Result<(i64, i64)> {
        let query = "SELECT count(*) FILTER (WHERE status <> 'open'), count(commitment) FROM batches";
        Ok(sqlx::query_as(query).fetch_one(&self.pool).await?)
    }

    /// CPU time used so far.
    pub(super) fn cpu(&self) -> CpuTimes {
        CpuTimes {
            generator: cpu::own(),
            api: cpu::of_tree(self.api.id()),
            sequencer: cpu::of_tree(self.sequencer.id()),
            postgres: match &self.postgres {
                Server::Private(cluster) => cpu::of_tree(cluster.id()),
                // It may be on another machine.
                Server::Given(_) => Duration::ZERO,
            },
        }
    }

    /// Stops everything.
    pub(super) async fn stop(mut self) -> Result<()> {
        self.pool.close().await;
        tokio::task::spawn_blocking(move || {
            self.api.stop();
            self.sequencer.stop();
            self.postgres.stop();
        })
        .await?;
        Ok(())
    }
}

async fn insert_entry(tx: &mut sqlx::PgConnection, index: u64, entry: &Operation) -> Result<()> {
    let preimage = queue_preimage(entry).context("an operation from L1")?;
    sqlx::query(
        "INSERT INTO l1_operations (index, op, sender, preimage, deadline, tx_hash, l1_block, confirmed)
         VALUES ($1, $2, $3, $4, 0, $3, 1, TRUE)",
    )
    .bind(index.cast_signed())
    .bind(entry.code() as i16)
    .bind(entry.aux1().to_vec())
    .bind(&preimage[..])
    .execute(tx)
    .await?;
    Ok(())
}

fn spawn(name: &str, dir: &Path, config: &Path) -> Result<Service> {
    let mut command = Command::new("/proc/self/exe");
    command.arg0("sheaf").arg(name).arg("--config").arg(config).env("NO_COLOR", "1");
    Ok(Service::spawn(name, &mut command, ServiceOptions::new(dir.join(format!("{name}.log"))))?)
}

async fn await_ready(service: &Service, address: SocketAddr, path: &'static str) -> Result<()> {
    let began = Instant::now();
    while !tokio::task::spawn_blocking(move || http::answers(address, path)).await? {
        ensure!(began.elapsed() < READY_LIMIT, service.failure("does not answer"));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// A private key for this run only, in a file.
fn key_file(dir: &Path) -> Result<PathBuf> {
    let mut bytes = [0; 32];
    ChaCha8Rng::from_os_rng().fill_bytes(&mut bytes);
    let path = dir.join("receipts.key");
    std::fs::write(&path, alloy_primitives::hex::encode(bytes))?;
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(path)
}

fn configuration(dir: &Path, database: &str, shape: Shape, sequencer: SocketAddr, api: SocketAddr) -> Result<String> {
    let operator = SecretKey::from_seed(&[0x0A; 32]).public_key().key_hash();
    let Shape { id, slots, leaf_rows, node_rows } = shape;
    Ok(format!(
        "[database]\nurl = \"{database}\"\n\
         [l1]\nrpc_url = \"http://127.0.0.1:1\"\nchain_id = {CHAIN_ID}\ncontract = \"{CONTRACT}\"\nconfirmations = 1\n\
         [chain]\nkeys = \"none\"\nfee_owner = \"{}\"\nfee_key_hash = \"{}\"\n\
         shape = {{ id = {id}, slots = {slots}, leaf_rows = {leaf_rows}, node_rows = {node_rows} }}\n\
         [sequencer]\nlisten = \"{sequencer}\"\nreceipt_key_file = \"{}\"\n\
         minimum_fees = [{{ token = 0, transfer = \"10\", transfer_new = \"50\", withdraw = \"30\" }}]\n\
         [api]\nlisten = \"{api}\"\n",
        Address::repeat_byte(0x0A),
        B256::from(field_to_bytes(operator)),
        key_file(dir)?.display(),
    ))
}
