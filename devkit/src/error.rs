//! What can go wrong while a development service is started.

use std::path::{Path, PathBuf};

/// A failure to set up a private service; its text says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program is not installed.
    #[error("{program} was not found: {advice}")]
    Missing {
        /// Which program.
        program: &'static str,
        /// How to get it.
        advice: &'static str,
    },
    /// The operating system refused something.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A service ended by itself, or did not become ready in time.
    #[error("{name} {what}; the end of {}:\n{tail}", log.display())]
    Service {
        /// The service's name.
        name: String,
        /// What happened.
        what: String,
        /// Its log file.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// A data directory cannot be used.
    #[error("{}: {reason}", path.display())]
    DataDirectory {
        /// Which directory.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The Postgres server refused a statement.
    #[error("postgres: {0}")]
    Database(#[from] sqlx::Error),
}

/// The result of setting something up.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Wraps an operating system's error, to be used with `map_err`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}
