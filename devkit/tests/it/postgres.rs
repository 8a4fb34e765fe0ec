//! The private Postgres server.

use sheaf_devkit::postgres::{Cluster, ClusterOptions, Server, TestDatabase};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use std::path::Path;

async fn count(url: &str) -> i64 {
    let mut connection = PgConnection::connect(url).await.expect("connects");
    sqlx::query_scalar("SELECT count(*) FROM kept").fetch_one(&mut connection).await.expect("counts")
}

async fn fill(url: &str) {
    let mut connection = PgConnection::connect(url).await.expect("connects");
    sqlx::raw_sql("CREATE TABLE kept (number int); INSERT INTO kept SELECT generate_series(1, 1000)")
        .execute(&mut connection)
        .await
        .expect("fills");
}

fn start(dir: &Path) -> Cluster {
    Cluster::start(dir, ClusterOptions::default()).unwrap_or_else(|error| panic!("{error}"))
}

#[tokio::test]
async fn data_survives_a_stop_and_a_crash() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut cluster = start(dir.path());
    fill(&cluster.url("postgres")).await;
    cluster.stop();
    let mut cluster = start(dir.path());
    assert_eq!(count(&cluster.url("postgres")).await, 1000);
    cluster.kill();
    assert!(dir.path().join("data/postmaster.pid").exists(), "a crash leaves the server's file behind");
    let cluster = start(dir.path());
    assert_eq!(count(&cluster.url("postgres")).await, 1000);
}

#[tokio::test]
async fn a_recycled_process_number_does_not_block_the_start() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut cluster = start(dir.path());
    fill(&cluster.url("postgres")).await;
    cluster.kill();
    let file = dir.path().join("data/postmaster.pid");
    let text = std::fs::read_to_string(&file).expect("readable");
    let (_, rest) = text.split_once('\n').expect("lines");
    std::fs::write(&file, format!("{}\n{rest}", std::process::id())).expect("writable");
    let cluster = start(dir.path());
    assert_eq!(count(&cluster.url("postgres")).await, 1000);
}

#[tokio::test]
async fn the_password_is_asked_for() {
    let dir = tempfile::tempdir().expect("a directory");
    let cluster = start(dir.path());
    let url = cluster.url("postgres");
    let (before, after) = (url.find("sheaf:").expect("user"), url.find('@').expect("host"));
    let wrong = format!("{}sheaf:wrong{}", &url[..before], &url[after..]);
    let error = PgConnection::connect(&wrong).await.expect_err("refused").to_string();
    assert!(error.contains("password authentication failed"), "{error}");
}

#[tokio::test]
async fn each_test_has_a_database_of_its_own() {
    let (first, second) = (TestDatabase::create(), TestDatabase::create());
    fill(first.url()).await;
    fill(second.url()).await;
    assert_ne!(first.url(), second.url());
    let gone = first.url().to_owned();
    drop(first);
    assert!(PgConnection::connect(&gone).await.is_err());
    assert_eq!(count(second.url()).await, 1000);
}

#[tokio::test]
async fn a_data_directory_keeps_its_own_database_in_a_given_server() {
    let dir = tempfile::tempdir().expect("a directory");
    let given = start(&dir.path().join("given"));
    let server = Server::Given(given.url("postgres"));
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    let url = server.own_database(&one).expect("created");
    fill(&url).await;
    assert_ne!(server.own_database(&two).expect("created"), url);
    assert_eq!(server.own_database(&one).expect("exists"), url);
    assert_eq!(count(&url).await, 1000);
}

#[test]
fn data_of_a_version_that_is_not_installed_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(dir.path().join("data")).expect("created");
    std::fs::write(dir.path().join("data/PG_VERSION"), "9\n").expect("written");
    let error = Cluster::start(dir.path(), ClusterOptions::default()).expect_err("refused").to_string();
    assert!(error.contains("made by Postgres 9, which is not installed"), "{error}");
}

/// As root the server runs as another user, who may not enter this directory by its path.
#[tokio::test]
async fn a_directory_below_a_private_one_will_do() {
    let dir = tempfile::tempdir().expect("a directory");
    let private = dir.path().join("private");
    sheaf_devkit::paths::create(&private).expect("created");
    let cluster = start(&private.join("server"));
    fill(&cluster.url("postgres")).await;
    assert_eq!(count(&cluster.url("postgres")).await, 1000);
}
