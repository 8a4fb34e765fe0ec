//! Finds the server's programs, and builds the commands that run them as a user that Postgres accepts.

use crate::{Error, Result};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const MISSING: Error = Error::Missing {
    program: "the Postgres server (initdb, postgres)",
    advice: "on Debian or Ubuntu run `apt-get install postgresql`, elsewhere install Postgres 13 or later and put its bin folder on PATH",
};

/// The user that the server runs as when we are root, and the descriptor through which it reaches its data.
const SERVER_USER: &str = "postgres";
const DATA_DESCRIPTOR: &str = "/proc/self/fd/9";
const WITH_DESCRIPTOR: &str = r#"exec 9<"$1" && shift && exec "$@""#;

/// The folder with the server's programs, and who runs them.
#[derive(Debug)]
pub(super) struct Programs {
    folder: PathBuf,
    as_root: bool,
}

impl Programs {
    /// Finds programs that can work on `data`, of the same major version when it has been initialised before.
    pub(super) fn find(data: &Path) -> Result<Self> {
        let complete = |folder: &PathBuf| folder.join("postgres").is_file() && folder.join("initdb").is_file();
        let mut found: Vec<PathBuf> = candidates().into_iter().filter(complete).collect();
        if found.is_empty() {
            return Err(MISSING);
        }
        if let Ok(version) = std::fs::read_to_string(data.join("PG_VERSION")) {
            let version = version.trim();
            found.retain(|folder| major_version(folder).as_deref() == Some(version));
            if found.is_empty() {
                let reason = format!("made by Postgres {version}, which is not installed: install it, or remove the directory");
                return Err(Error::DataDirectory { path: data.to_owned(), reason });
            }
        }
        let folder = found.swap_remove(0);
        let as_root = std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0);
        Ok(Self { folder, as_root })
    }

    /// Gives a file or directory to the user that the server runs as.
    pub(super) fn hand_over(&self, path: &Path) -> Result<()> {
        if !self.as_root {
            return Ok(());
        }
        let (uid, gid) = (user_number("-u")?, user_number("-g")?);
        std::os::unix::fs::chown(path, Some(uid), Some(gid)).map_err(Error::io("changing the owner of", path))
    }

    /// Builds the command that runs `program -D data` as a user that Postgres accepts.
    pub(super) fn command(&self, program: &str, data: &Path) -> Command {
        let program = self.folder.join(program);
        let mut command;
        if self.as_root {
            command = Command::new("/bin/sh");
            command.args(["-c", WITH_DESCRIPTOR, "sh"]).arg(data);
            command.arg("setpriv").args([format!("--reuid={SERVER_USER}"), format!("--regid={SERVER_USER}")]);
            command.args(["--init-groups", "--"]).arg(program).args(["-D", DATA_DESCRIPTOR]);
        } else {
            command = Command::new(program);
            command.arg("-D").arg(data);
        }
        // A clean environment: variables such as PGDATA, PGPORT or a locale that is not installed change what it does.
        command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
        command.current_dir("/");
        command
    }
}

/// Returns the folders to look in, best first: Debian's, newest version first, then what PATH knows.
fn candidates() -> Vec<PathBuf> {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> =
        debian.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))).collect();
    versions.sort_by(|a, b| b.cmp(a));
    let mut folders: Vec<PathBuf> = versions.into_iter().map(|(_, folder)| folder).collect();
    let configured = Command::new("pg_config").arg("--bindir").output().ok().filter(|output| output.status.success());
    folders.extend(configured.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())));
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    folders
}

/// Asks `postgres --version`, which answers such as `postgres (PostgreSQL) 15.18 (Debian …)`, for its major version.
fn major_version(folder: &Path) -> Option<String> {
    let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text.split_whitespace().nth(2)?;
    Some(version.split('.').next()?.to_owned())
}

/// Asks `id` for the number of the server's user (`-u`) or group (`-g`).
fn user_number(what: &str) -> Result<u32> {
    let output = Command::new("id").args([what, SERVER_USER]).output().map_err(Error::io("running", Path::new("id")))?;
    String::from_utf8_lossy(&output.stdout).trim().parse().map_err(|_| Error::Missing {
        program: "the user `postgres`",
        advice: "Postgres does not run as root; install Debian's package `postgresql`, which makes the user, or run as another user",
    })
}
