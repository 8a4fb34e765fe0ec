//! Where private services keep their data: everything below one directory.
//!
//! ```text
//! $SHEAF_HOME, or .sheaf in the repository
//! ├── keys/           development keys, made once and shared
//! ├── up/             data of `sheaf up`, carried on from run to run
//! ├── demo-<pid>/     data of one `sheaf demo`
//! ├── bench-<pid>/    data of one `sheaf bench`
//! └── test-pg-<pid>/  the Postgres server of one test program
//! ```

use crate::{Error, Result};
use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// Returns the repository's root: the first directory from the current one upwards that holds the workspace's lock
/// file and the Node tools' manifest, else the place where this program was built.
pub fn repository() -> PathBuf {
    let built_at = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the repository");
    let is_root = |dir: &&Path| dir.join("Cargo.lock").is_file() && dir.join("package.json").is_file();
    let current = std::env::current_dir().unwrap_or_default();
    current.ancestors().find(is_root).unwrap_or(built_at).to_owned()
}

/// Returns the directory that holds all data: `$SHEAF_HOME`, or `.sheaf` in the repository. It need not exist yet.
pub fn home() -> PathBuf {
    match std::env::var_os("SHEAF_HOME") {
        Some(home) if !home.is_empty() => std::path::absolute(&home).unwrap_or_else(|_| home.into()),
        _ => repository().join(".sheaf"),
    }
}

/// Returns where the development keys are kept.
pub fn keys() -> PathBuf {
    home().join("keys")
}

/// Returns the directory of `sheaf up`.
pub fn up() -> PathBuf {
    home().join("up")
}

/// Creates an empty directory for one run of the demo, and removes those of runs that have ended.
///
/// The directory outlives the run, for its logs; the next run removes it.
///
/// # Errors
/// When directories cannot be created or removed.
pub fn fresh_demo() -> Result<PathBuf> {
    fresh("demo-")
}

/// Creates an empty directory for the services of one benchmark, and removes those of runs that have ended.
///
/// # Errors
/// When directories cannot be created or removed.
pub fn fresh_bench() -> Result<PathBuf> {
    fresh("bench-")
}

/// Creates an empty directory `<prefix><own pid>`, and removes those whose process has ended.
pub(crate) fn fresh(prefix: &str) -> Result<PathBuf> {
    let home = home();
    create(&home)?;
    let own = std::process::id();
    for entry in std::fs::read_dir(&home).map_err(Error::io("reading", &home))? {
        let path = entry.map_err(Error::io("reading", &home))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let owner = name.strip_prefix(prefix).and_then(|pid| pid.parse::<u32>().ok());
        if owner.is_some_and(|pid| pid == own || !is_running(pid)) {
            // Another process may be removing the same leftover: what counts is that it goes.
            let _ = std::fs::remove_dir_all(&path);
        }
    }
    let path = home.join(format!("{prefix}{own}"));
    create(&path)?;
    Ok(path)
}

/// Creates a directory, and what leads to it, that only its owner may look into.
///
/// # Errors
/// When the system refuses.
pub fn create(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(Error::io("creating", path))
}

/// Takes a data directory for this process; the lock is held until the returned file is dropped.
///
/// # Errors
/// When another process has it, or it cannot be created.
pub fn lock(path: &Path) -> Result<File> {
    create(path)?;
    let file_path = path.join("lock");
    let file = File::create(&file_path).map_err(Error::io("creating", &file_path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let reason = "in use by another process; set SHEAF_HOME to have a second one".to_owned();
            Err(Error::DataDirectory { path: path.to_owned(), reason })
        }
        Err(TryLockError::Error(source)) => Err(Error::Io { action: "locking", path: file_path, source }),
    }
}

/// Tells whether a process with this number exists.
pub(crate) fn is_running(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}
