//! What is measured: a durable Postgres, a sequencer and an API as processes of their own, and accounts with money.
//!
//! Settlement does not run: its part, the confirmed entries of the L1 queue, is inserted here, as settlement would.

use crate::cpu;
use crate::people::Crowd;
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
use sheaf_sequencer::Config;
use sqlx::postgres::{PgPool, PgPoolOptions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const CHAIN_ID: u64 = 31_337;
const CONTRACT: Address = Address::repeat_byte(0xCC);
const OPERATOR: Address = Address::repeat_byte(0x0A);
const RECEIPT_KEY: &str = "receipts.key";
const READY_LIMIT: Duration = Duration::from_secs(60);
const FUNDING_LIMIT: Duration = Duration::from_secs(600);
/// Entries of the L1 queue inserted at once.
const ENTRIES: usize = 1_000;

/// The processes, and a connection to look behind them.
pub(crate) struct Services {
    /// The API and the sequencer, if they run.
    processes: Option<[Service; 2]>,
    postgres: Server,
    pub(crate) pool: PgPool,
    pub(crate) url: String,
    dir: PathBuf,
    database: String,
    shape: Shape,
    entries: u64,
}

/// CPU time of each process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CpuTimes {
    pub(crate) generator: Duration,
    pub(crate) api: Duration,
    pub(crate) sequencer: Duration,
    pub(crate) postgres: Duration,
}

impl CpuTimes {
    /// What was used since `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            generator: self.generator.saturating_sub(before.generator),
            api: self.api.saturating_sub(before.api),
            sequencer: self.sequencer.saturating_sub(before.sequencer),
            postgres: self.postgres.saturating_sub(before.postgres),
        }
    }
}

/// The domain that the crowd signs for.
pub(crate) fn signing_domain() -> F {
    domain(CHAIN_ID, CONTRACT)
}

impl Services {
    /// Starts a database, and nothing else.
    pub(crate) async fn database(shape: Shape) -> Result<Self> {
        let dir = paths::fresh_bench()?;
        let cluster_dir = dir.join("postgres");
        let start = move || Server::start(&cluster_dir, ClusterOptions { temporary: true, ..ClusterOptions::default() });
        let postgres = tokio::task::spawn_blocking(start).await??;
        let database = postgres.own_database(&dir)?;
        let pool = PgPoolOptions::new().max_connections(4).connect(&database).await?;
        write_key(&dir.join(RECEIPT_KEY))?;
        Ok(Self { processes: None, postgres, pool, url: String::new(), dir, database, shape, entries: 0 })
    }

    /// Starts a database, a sequencer and an API.
    pub(crate) async fn start(shape: Shape) -> Result<Self> {
        let mut services = Self::database(shape).await?;
        let [sequencer_at, api_at] = [(); 2].map(|()| SocketAddr::from(([127, 0, 0, 1], http::free_port())));
        let config = services.dir.join("sheaf.toml");
        std::fs::write(&config, services.configuration(sequencer_at, api_at))?;
        let sequencer = spawn("sequencer", &services.dir, &config)?;
        await_ready(&sequencer, sequencer_at, "/status").await?;
        let api = spawn("api", &services.dir, &config)?;
        await_ready(&api, api_at, "/v1/health").await?;
        services.processes = Some([api, sequencer]);
        services.url = format!("http://{api_at}");
        Ok(services)
    }

    /// The configuration of a sequencer on this database.
    pub(crate) fn sequencer_config(&self) -> Result<Config> {
        let json = serde_json::json!({
            "database_url": self.database,
            "listen": "127.0.0.1:0",
            "chain_id": CHAIN_ID,
            "contract": CONTRACT,
            "shapes": [self.shape],
            "fee_owner": OPERATOR,
            "fee_key_hash": operator_key_hash(),
            "receipt_key_file": self.dir.join(RECEIPT_KEY),
        });
        Ok(serde_json::from_value(json)?)
    }

    /// The settings that decide whether a commit survives a power cut, as the server has them.
    pub(crate) async fn durability(&self) -> Result<String> {
        let mut settings = Vec::new();
        for name in ["fsync", "full_page_writes", "synchronous_commit"] {
            let value: String = sqlx::query_scalar("SELECT current_setting($1)").bind(name).fetch_one(&self.pool).await?;
            settings.push(format!("{name} = {value}"));
        }
        Ok(settings.join(", "))
    }

    /// Appends everybody's deposit to the L1 queue.
    pub(crate) async fn queue(&mut self, crowd: &Crowd) -> Result<()> {
        for people in crowd.people.chunks(ENTRIES) {
            let mut tx = self.pool.begin().await?;
            for person in people {
                insert_entry(&mut tx, self.entries, &person.deposit()).await?;
                self.entries += 1;
            }
            sqlx::query("NOTIFY l1_operations").execute(&mut *tx).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Gives everybody in `crowd` an account with money.
    pub(crate) async fn fund(&mut self, crowd: &Crowd) -> Result<()> {
        self.queue(crowd).await?;
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
    pub(crate) async fn batches(&self) -> Result<(i64, i64)> {
        let query = "SELECT count(*) FILTER (WHERE status <> 'open'), count(commitment) FROM batches";
        Ok(sqlx::query_as(query).fetch_one(&self.pool).await?)
    }

    /// CPU time that Postgres used so far; 0 if it is not ours, it may then be on another machine.
    pub(crate) fn postgres_cpu(&self) -> Duration {
        match &self.postgres {
            Server::Private(cluster) => cpu::of_tree(cluster.id()),
            Server::Given(_) => Duration::ZERO,
        }
    }

    /// CPU time used so far.
    pub(crate) fn cpu(&self) -> CpuTimes {
        let [api, sequencer] = match &self.processes {
            Some(processes) => processes.each_ref().map(|process| cpu::of_tree(process.id())),
            None => [Duration::ZERO; 2],
        };
        CpuTimes { generator: cpu::own(), api, sequencer, postgres: self.postgres_cpu() }
    }

    /// Stops everything.
    pub(crate) async fn stop(self) -> Result<()> {
        let Self { processes, mut postgres, pool, .. } = self;
        pool.close().await;
        let stop = move || {
            processes.into_iter().flatten().for_each(|mut process| {
                process.stop();
            });
            postgres.stop();
        };
        Ok(tokio::task::spawn_blocking(stop).await?)
    }

    fn configuration(&self, sequencer: SocketAddr, api: SocketAddr) -> String {
        let Shape { id, slots, leaf_rows, node_rows } = self.shape;
        format!(
            "[database]\nurl = \"{}\"\n\
             [l1]\nrpc_url = \"http://127.0.0.1:1\"\nchain_id = {CHAIN_ID}\ncontract = \"{CONTRACT}\"\nconfirmations = 1\n\
             [chain]\nkeys = \"none\"\nfee_owner = \"{OPERATOR}\"\nfee_key_hash = \"{}\"\n\
             shapes = [{{ id = {id}, slots = {slots}, leaf_rows = {leaf_rows}, node_rows = {node_rows} }}]\n\
             [sequencer]\nlisten = \"{sequencer}\"\nreceipt_key_file = \"{}\"\n\
             minimum_fees = [{{ token = 0, transfer = \"10\", transfer_new = \"50\", withdraw = \"30\" }}]\n\
             [api]\nlisten = \"{api}\"\n",
            self.database,
            operator_key_hash(),
            self.dir.join(RECEIPT_KEY).display(),
        )
    }
}

fn operator_key_hash() -> B256 {
    B256::from(field_to_bytes(SecretKey::from_seed(&[0x0A; 32]).public_key().key_hash()))
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

/// Writes a private key for this run only.
fn write_key(path: &Path) -> Result<()> {
    let mut bytes = [0; 32];
    ChaCha8Rng::from_os_rng().fill_bytes(&mut bytes);
    std::fs::write(path, alloy_primitives::hex::encode(bytes))?;
    Ok(std::fs::set_permissions(path, PermissionsExt::from_mode(0o600))?)
}

/// Unix time.
pub(crate) fn now_s() -> Result<u32> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs().try_into()?)
}

/// A batch of `slots` with rows for them; 256 of them fill about 2^22 constraints.
pub(crate) const fn shape(slots: u32) -> Shape {
    let development = Shape::DEVELOPMENT;
    if slots as usize == development.slots {
        return development;
    }
    let slots = slots as usize;
    Shape { id: 0, slots, leaf_rows: 6 + 4 * slots, node_rows: 71 + 16 * slots }
}
