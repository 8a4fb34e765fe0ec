//! Creates and drops databases.
//!
//! All blocking, on a thread and a runtime of their own, so that synchronous and asynchronous callers can use them.

use crate::Result;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

/// SQLSTATE 42P04, `duplicate_database`.
const DUPLICATE_DATABASE: &str = "42P04";

/// Creates a database unless it exists.
pub(super) fn create(server_url: &str, name: &str) -> Result<()> {
    match execute(server_url, format!("CREATE DATABASE {} TEMPLATE template0", quoted(name))) {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(DUPLICATE_DATABASE) => Ok(()),
        other => Ok(other?),
    }
}

/// Drops a database if it exists, ending its connections.
pub(super) fn drop(server_url: &str, name: &str) -> Result<()> {
    Ok(execute(server_url, format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(name)))?)
}

/// Replaces the database's name in a URL.
pub(super) fn with_name(url: &str, name: &str) -> String {
    let (address, query) = url.split_once('?').map_or((url, String::new()), |(address, query)| (address, format!("?{query}")));
    let authority = address.find("://").map_or(0, |scheme_end| scheme_end + 3);
    let end = address[authority..].find('/').map_or(address.len(), |slash| authority + slash);
    format!("{}/{name}{query}", &address[..end])
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn execute(server_url: &str, statement: String) -> sqlx::Result<()> {
    std::thread::scope(|scope| {
        let blocking = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(sqlx::Error::Io)?;
            runtime.block_on(async {
                let mut connection = PgConnection::connect(server_url).await?;
                sqlx::raw_sql(&statement).execute(&mut connection).await?;
                connection.close().await
            })
        });
        blocking.join().expect("the thread that talks to Postgres does not panic")
    })
}

#[cfg(test)]
mod tests {
    use super::with_name;

    #[test]
    fn the_name_in_a_url_is_replaced() {
        assert_eq!(with_name("postgres://u:p@h:1/old", "new"), "postgres://u:p@h:1/new");
        assert_eq!(with_name("postgres://u:p@h:1", "new"), "postgres://u:p@h:1/new");
        assert_eq!(with_name("postgresql://h/old?application_name=a/b", "new"), "postgresql://h/new?application_name=a/b");
        assert_eq!(with_name("postgres:///old?host=/run/x", "new"), "postgres:///new?host=/run/x");
    }
}
