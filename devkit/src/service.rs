//! A child process with a log file, that never outlives its owner.
//!
//! ```mermaid
//! stateDiagram-v2
//!     [*] --> running: spawn
//!     running --> stopping: stop, drop, or the owner is gone
//!     stopping --> [*]: ended by itself
//!     stopping --> [*]: SIGKILL after the grace period
//!     running --> [*]: kill, or ended by itself
//! ```
//!
//! Each service is in a process group of its own: Ctrl-C in a terminal reaches the owner only, who stops its services
//! in the order that is right.

use crate::guard::Guard;
use crate::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(20);
const LOG_TAIL_BYTES: u64 = 2_000;

/// The signal that asks a service to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopSignal {
    /// `SIGTERM`, what most programs expect.
    Terminate,
    /// `SIGINT`, Postgres' fast shutdown.
    Interrupt,
}

impl StopSignal {
    fn name(self) -> &'static str {
        match self {
            Self::Terminate => "TERM",
            Self::Interrupt => "INT",
        }
    }
}

/// How a service is started and ended.
#[derive(Clone, Debug)]
pub struct ServiceOptions {
    /// Where its standard output and errors are appended.
    pub log: PathBuf,
    /// What asks it to end.
    pub stop_signal: StopSignal,
    /// How long it may take to end before it is killed.
    pub grace: Duration,
    /// Removed when the owner ends without stopping the service; for data that nobody needs afterwards.
    pub remove_when_orphaned: Option<PathBuf>,
}

impl ServiceOptions {
    /// Returns the usual options: `SIGTERM`, ten seconds of grace, nothing removed.
    pub fn new(log: impl Into<PathBuf>) -> Self {
        Self { log: log.into(), stop_signal: StopSignal::Terminate, grace: Duration::from_secs(10), remove_when_orphaned: None }
    }
}

/// A running child process; dropping it stops it.
#[derive(Debug)]
pub struct Service {
    name: String,
    options: ServiceOptions,
    child: Child,
    guard: Guard,
    log_start: u64,
    ended: Option<ExitStatus>,
}

impl Service {
    /// Starts `command` as a service called `name`.
    ///
    /// ```
    /// use sheaf_devkit::service::{Service, ServiceOptions};
    /// use std::process::Command;
    ///
    /// let dir = tempfile::tempdir()?;
    /// let mut sleeper = Service::spawn("sleeper", Command::new("sleep").arg("60"), ServiceOptions::new(dir.path().join("log")))?;
    /// assert!(sleeper.exited().is_none());
    /// assert!(!sleeper.stop().success()); // ended by SIGTERM
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the log file cannot be opened or the program cannot be started.
    pub fn spawn(name: &str, command: &mut Command, options: ServiceOptions) -> Result<Self> {
        let opening = |source| Error::Io { action: "opening the log file", path: options.log.clone(), source };
        let log = OpenOptions::new().create(true).append(true).open(&options.log).map_err(opening)?;
        let log_start = log.metadata().map_err(opening)?.len();
        let errors = log.try_clone().map_err(opening)?;
        let mut guard = Guard::start(options.stop_signal.name(), options.grace, options.remove_when_orphaned.as_deref())?;
        let child = command
            .process_group(guard.group())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(Error::io("starting", Path::new(command.get_program())))?;
        guard.watch(child.id());
        Ok(Self { name: name.to_owned(), options, child, guard, log_start, ended: None })
    }

    /// Returns the name that it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns its process number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns its log file.
    pub fn log(&self) -> &Path {
        &self.options.log
    }

    /// Returns how it ended, if it has.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().expect("the child is ours to wait for");
        }
        self.ended
    }

    /// Returns what it has logged since this start.
    pub fn logged(&self) -> String {
        read_from(&self.options.log, self.log_start)
    }

    /// Waits until `ready` answers something, and returns that.
    ///
    /// # Errors
    /// When the service ends before, or is not ready after `limit`; with the end of its log.
    pub fn wait_until<T>(&mut self, limit: Duration, mut ready: impl FnMut(&Self) -> Option<T>) -> Result<T> {
        let start = Instant::now();
        loop {
            if let Some(answer) = ready(self) {
                return Ok(answer);
            }
            if let Some(status) = self.exited() {
                return Err(self.failure(format!("ended before it was ready ({status})")));
            }
            if start.elapsed() > limit {
                return Err(self.failure(format!("was not ready after {} s", limit.as_secs())));
            }
            std::thread::sleep(POLL);
        }
    }

    /// Asks it to end, kills it when the grace period is over, and returns how it ended.
    pub fn stop(&mut self) -> ExitStatus {
        if let Some(status) = self.exited() {
            self.guard.finish();
            return status;
        }
        self.guard.signal(self.options.stop_signal.name());
        let start = Instant::now();
        while self.exited().is_none() && start.elapsed() < self.options.grace {
            std::thread::sleep(POLL);
        }
        self.kill()
    }

    /// Kills it at once, as a crash would, and returns how it ended.
    pub fn kill(&mut self) -> ExitStatus {
        if self.ended.is_none() {
            // An error here means that it has just ended, which is what was wanted.
            let _ = self.child.kill();
            self.ended = Some(self.child.wait().expect("the child is ours to wait for"));
        }
        self.guard.finish();
        self.ended.expect("set above")
    }

    /// Builds the error that says how this service failed.
    pub fn failure(&self, what: impl Into<String>) -> Error {
        let length = std::fs::metadata(&self.options.log).map_or(0, |metadata| metadata.len());
        let from = length.saturating_sub(LOG_TAIL_BYTES).max(self.log_start);
        let (name, log) = (self.name.clone(), self.options.log.clone());
        Error::Service { name, what: what.into(), tail: read_from(&log, from), log }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Reads a log from an offset on; an unreadable log reads as empty, for it only serves messages.
fn read_from(log: &Path, offset: u64) -> String {
    let mut bytes = Vec::new();
    let read = |bytes: &mut Vec<u8>| {
        let mut file = File::open(log)?;
        file.seek(SeekFrom::Start(offset))?;
        file.read_to_end(bytes)
    };
    let _ = read(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}
