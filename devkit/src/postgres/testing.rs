//! A fresh database for each test, in one server for each test program.

use super::{ClusterOptions, Server, random_hex};
use crate::paths;
use std::sync::OnceLock;

/// An empty database that is dropped at the end of the test.
///
/// The first one starts the program's server, in a directory of its own below [`paths::home`]; the server ends with
/// the program, however that ends. With `DATABASE_URL` set, the databases are made in that server instead.
///
/// ```no_run
/// let database = sheaf_devkit::postgres::TestDatabase::create();
/// // connect to database.url(), run migrations, …
/// ```
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
    url: String,
}

impl TestDatabase {
    /// Creates an empty database.
    ///
    /// # Panics
    /// When Postgres is not installed, or the server does not start; the message says why.
    pub fn create() -> Self {
        let name = format!("test_{}", random_hex(8).expect("random bytes"));
        let url = server().create_database(&name).unwrap_or_else(|error| panic!("creating a test database: {error}"));
        Self { name, url }
    }

    /// Returns the URL to connect to.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // Only to save disk space: the whole server goes away at the end.
        let _ = server().drop_database(&self.name);
    }
}

/// Returns this program's server. A static is never dropped: the server's guard stops it and removes its directory.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let options = ClusterOptions { durable: false, connections_max: 300, temporary: true, port: None };
        let started = paths::fresh("test-pg-").and_then(|dir| Server::start(&dir, options));
        started.unwrap_or_else(|error| panic!("starting the tests' Postgres server: {error}"))
    })
}
