//! A private Postgres server, or a database of one's own in a given server.
//!
//! The server programs are Debian's. This starts them itself, because the crates that manage a Postgres server
//! neither leave the root account, under which Postgres refuses to run, nor end the server when their process is killed.
//!
//! As root, the server runs as the user `postgres` (`setpriv`), and reaches its data directory through an open
//! descriptor (`/proc/self/fd/9`), so that the directory may lie below one which only root may enter.

mod cluster;
mod database;
mod programs;
mod testing;

pub use cluster::{Cluster, ClusterOptions};
pub use testing::TestDatabase;

use crate::{Error, Result, paths};
use std::path::Path;

/// A server that databases can be created in.
#[derive(Debug)]
pub enum Server {
    /// Our own, stopped when dropped.
    Private(Box<Cluster>),
    /// One that `DATABASE_URL` names; it is left running.
    Given(String),
}

impl Server {
    /// Starts a private server with its data in `dir`, unless `DATABASE_URL` names one to be used.
    ///
    /// A server that crashed is recovered from the same directory.
    ///
    /// # Errors
    /// When Postgres is not installed, or does not start.
    pub fn start(dir: &Path, options: ClusterOptions) -> Result<Self> {
        match std::env::var("DATABASE_URL") {
            Ok(url) if !url.is_empty() => Ok(Self::Given(url)),
            _ => Ok(Self::Private(Box::new(Cluster::start(dir, options)?))),
        }
    }

    /// Returns the URL of a database in this server, existing or not.
    pub fn url(&self, database: &str) -> String {
        match self {
            Self::Private(cluster) => cluster.url(database),
            Self::Given(url) => database::with_name(url, database),
        }
    }

    /// Creates a database unless it exists, and returns its URL.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn create_database(&self, name: &str) -> Result<String> {
        database::create(&self.administration_url(), name)?;
        Ok(self.url(name))
    }

    /// Drops a database, ending its connections.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn drop_database(&self, name: &str) -> Result<()> {
        database::drop(&self.administration_url(), name)
    }

    /// Returns the URL of the database that belongs to the data directory `dir`, creating it the first time.
    ///
    /// Its name is random and kept in `dir`, so that several data directories can share one given server.
    ///
    /// # Errors
    /// When the server refuses, or `dir` cannot be written.
    pub fn own_database(&self, dir: &Path) -> Result<String> {
        paths::create(dir)?;
        let file = dir.join("database");
        let name = match std::fs::read_to_string(&file) {
            Ok(name) => name.trim().to_owned(),
            Err(_) => {
                let name = format!("sheaf_{}", random_hex(4)?);
                std::fs::write(&file, &name).map_err(Error::io("writing", &file))?;
                name
            }
        };
        self.create_database(&name)
    }

    /// Stops a private server and waits for it; a given one is left alone.
    pub fn stop(&mut self) {
        if let Self::Private(cluster) = self {
            cluster.stop();
        }
    }

    /// A database that exists in any case, to connect to while others are created.
    fn administration_url(&self) -> String {
        match self {
            Self::Private(cluster) => cluster.url("postgres"),
            Self::Given(url) => url.clone(),
        }
    }
}

/// Returns random bytes as hex digits.
fn random_hex(bytes: usize) -> Result<String> {
    use std::io::Read as _;
    let source = Path::new("/dev/urandom");
    let mut random = vec![0; bytes];
    std::fs::File::open(source).and_then(|mut file| file.read_exact(&mut random)).map_err(Error::io("reading", source))?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}
