//! One private Postgres server: made, started, stopped, recovered.

use super::programs::Programs;
use super::random_hex;
use crate::service::{Service, ServiceOptions, StopSignal};
use crate::{Error, Result, http, paths};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

const USER: &str = "sheaf";
const READY_LIMIT: Duration = Duration::from_secs(60);
const PREDECESSOR_LIMIT: Duration = Duration::from_secs(15);
const PORT_ATTEMPTS: usize = 5;

/// How a private server is run.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// Whether commits survive a crash of the machine (`fsync`). Without, they survive a crash of processes only.
    pub durable: bool,
    /// How many connections it accepts.
    pub connections_max: u16,
    /// Whether its directory is removed when its owner ends without stopping it.
    pub temporary: bool,
    /// Where it listens on the loopback; any free port if none is given.
    pub port: Option<u16>,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self { durable: true, connections_max: 100, temporary: false, port: None }
    }
}

/// A running private server, that listens on a loopback port and asks for a random password.
///
/// It has no unix socket: the path of one may have 107 bytes only, and repositories lie deep.
#[derive(Debug)]
pub struct Cluster {
    service: Service,
    port: u16,
    password: String,
}

impl Cluster {
    /// Starts a server with its data in `dir`, which is initialised if it is empty.
    ///
    /// # Errors
    /// When Postgres is not installed, another server works on `dir`, or the server does not start.
    pub fn start(dir: &Path, options: ClusterOptions) -> Result<Self> {
        paths::create(dir)?;
        let data = dir.join("data");
        let programs = Programs::find(&data)?;
        let password = password(dir, &programs)?;
        if !data.join("PG_VERSION").is_file() {
            initialise(dir, &data, &programs)?;
        }
        await_predecessor(&data)?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            match launch(dir, &data, &programs, &options) {
                Ok((service, port)) => return Ok(Self { service, port, password }),
                Err(Error::Service { tail, .. }) if attempt < PORT_ATTEMPTS && tail.contains("could not bind") => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns the URL of a database in this server, existing or not.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    /// Returns the port that it listens on, for a later [`ClusterOptions::port`].
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Returns the server's process number.
    pub fn id(&self) -> u32 {
        self.service.id()
    }

    /// Ends connections, writes everything down and stops the server.
    pub fn stop(&mut self) {
        self.service.stop();
    }

    /// Kills the server as a crash would; a later [`Cluster::start`] recovers the data.
    pub fn kill(&mut self) {
        self.service.kill();
    }
}

/// Returns the password kept in `dir`, making it the first time.
fn password(dir: &Path, programs: &Programs) -> Result<String> {
    let path = dir.join("password");
    if let Ok(password) = std::fs::read_to_string(&path)
        && !password.is_empty()
    {
        return Ok(password);
    }
    let password = random_hex(16)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .map_err(Error::io("creating", &path))?;
    file.write_all(password.as_bytes()).map_err(Error::io("writing", &path))?;
    programs.hand_over(&path)?;
    Ok(password)
}

/// Runs `initdb`; its directory gets its final name only when it is complete.
fn initialise(dir: &Path, data: &Path, programs: &Programs) -> Result<()> {
    let unfinished = dir.join("data.unfinished");
    for leftover in [&unfinished, &data.to_owned()] {
        if leftover.exists() {
            std::fs::remove_dir_all(leftover).map_err(Error::io("removing", leftover))?;
        }
    }
    paths::create(&unfinished)?;
    programs.hand_over(&unfinished)?;
    let (password_path, log_path) = (dir.join("password"), dir.join("initdb.log"));
    let password = File::open(&password_path).map_err(Error::io("opening", &password_path))?;
    let log = File::create(&log_path).map_err(Error::io("creating", &log_path))?;
    let errors = log.try_clone().map_err(Error::io("opening", &log_path))?;
    let status = programs
        .command("initdb", &unfinished)
        .args(["--username", USER, "--auth=scram-sha-256", "--pwfile=/dev/stdin"])
        .args(["--encoding=UTF8", "--locale=C", "--no-sync"])
        .stdin(Stdio::from(password))
        .stdout(log)
        .stderr(errors)
        .status()
        .map_err(Error::io("running initdb for", &unfinished))?;
    if !status.success() {
        let tail = std::fs::read_to_string(&log_path).unwrap_or_default();
        return Err(Error::Service { name: "initdb".to_owned(), what: format!("failed ({status})"), log: log_path, tail });
    }
    std::fs::rename(&unfinished, data).map_err(Error::io("renaming", &unfinished))
}

/// Waits for a server that still shuts down in `data`, and clears the file that a crashed one has left.
///
/// Postgres clears that file itself, unless an unrelated process has got the number which is written in it.
fn await_predecessor(data: &Path) -> Result<()> {
    let start = Instant::now();
    while let Some(pid) = postmaster_file(data).first().and_then(|line| line.parse::<u32>().ok()) {
        let program = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let zombie = std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "));
        if program.trim() != "postgres" || zombie {
            let file = data.join("postmaster.pid");
            return std::fs::remove_file(&file).map_err(Error::io("removing", &file));
        }
        if start.elapsed() > PREDECESSOR_LIMIT {
            let reason = format!("another Postgres server (process {pid}) works on it");
            return Err(Error::DataDirectory { path: data.to_owned(), reason });
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Starts the server on a free port and waits until it takes connections.
fn launch(dir: &Path, data: &Path, programs: &Programs, options: &ClusterOptions) -> Result<(Service, u16)> {
    let port = options.port.unwrap_or_else(http::free_port);
    let durable = if options.durable { "on" } else { "off" };
    let settings = [
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={port}"),
        "unix_socket_directories=".to_owned(),
        // In the data directory, so that no crash leaves anything in /dev/shm.
        "dynamic_shared_memory_type=mmap".to_owned(),
        format!("max_connections={}", options.connections_max),
        format!("fsync={durable}"),
    ];
    let mut command = programs.command("postgres", data);
    for setting in settings {
        command.args(["-c", &setting]);
    }
    let service_options = ServiceOptions {
        stop_signal: StopSignal::Interrupt,
        grace: Duration::from_secs(30),
        remove_when_orphaned: options.temporary.then(|| PathBuf::from(dir)),
        ..ServiceOptions::new(dir.join("postgres.log"))
    };
    let mut service = Service::spawn("postgres", &mut command, service_options)?;
    let own_pid = service.id().to_string();
    service.wait_until(READY_LIMIT, |_| {
        let lines = postmaster_file(data);
        (lines.first() == Some(&own_pid) && lines.get(7).is_some_and(|state| state == "ready")).then_some(())
    })?;
    Ok((service, port))
}

/// Reads the lines of `postmaster.pid`: the first is the server's process number, the eighth its state.
fn postmaster_file(data: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    text.lines().map(|line| line.trim().to_owned()).collect()
}
