//! Services end with their owner.

use sheaf_devkit::service::{Service, ServiceOptions};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

fn wait_for_end(pid: u32) {
    let start = Instant::now();
    while is_alive(pid) {
        assert!(start.elapsed() < Duration::from_secs(10), "process {pid} is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn shell(dir: &Path, script: &str) -> Service {
    let mut service = Service::spawn("shell", Command::new("/bin/sh").args(["-c", script]), ServiceOptions::new(dir.join("log")))
        .expect("a shell starts");
    service.wait_until(Duration::from_secs(10), |service| service.logged().contains("ready").then_some(())).expect("ready");
    service
}

#[test]
fn a_service_can_end_in_its_own_way() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut service = shell(dir.path(), "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.05; done");
    assert_eq!(service.stop().code(), Some(7));
    assert!(service.logged().contains("bye"));
    assert!(!is_alive(service.id()));
}

#[test]
fn a_service_that_ignores_the_request_is_killed_with_its_children() {
    let dir = tempfile::tempdir().expect("a directory");
    let options = ServiceOptions { grace: Duration::from_millis(300), ..ServiceOptions::new(dir.path().join("log")) };
    let script = "trap '' TERM; sleep 60 & echo child $!; while :; do sleep 1; done";
    let mut service = Service::spawn("stubborn", Command::new("/bin/sh").args(["-c", script]), options).expect("a shell starts");
    let child = service
        .wait_until(Duration::from_secs(10), |service| service.logged().trim().strip_prefix("child ")?.parse().ok())
        .expect("ready");
    assert_eq!(service.stop().code(), None);
    wait_for_end(child);
}

#[test]
fn a_service_that_ends_early_is_reported_with_its_log() {
    let dir = tempfile::tempdir().expect("a directory");
    let options = ServiceOptions::new(dir.path().join("log"));
    let mut service =
        Service::spawn("short", Command::new("/bin/sh").args(["-c", "echo broken; exit 3"]), options).expect("starts");
    let error = service.wait_until(Duration::from_secs(10), |_| None::<()>).expect_err("it ends").to_string();
    assert!(error.contains("broken") && error.contains("exit status: 3"), "{error}");
}

/// Run by the test below in a process of its own, which it kills; does nothing otherwise.
#[test]
fn owner_that_gets_killed() {
    let Ok(dir) = std::env::var("DEVKIT_OWNER_DIR") else { return };
    let dir = Path::new(&dir);
    let options = ServiceOptions { remove_when_orphaned: Some(dir.join("trash")), ..ServiceOptions::new(dir.join("log")) };
    let service = Service::spawn("sleep", Command::new("sleep").arg("600"), options).expect("starts");
    std::fs::write(dir.join("pid.part"), service.id().to_string()).expect("written");
    std::fs::rename(dir.join("pid.part"), dir.join("pid")).expect("renamed");
    std::thread::sleep(Duration::from_secs(600));
}

#[test]
fn a_service_ends_when_its_owner_is_killed() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(dir.path().join("trash")).expect("created");
    let mut owner = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "service::owner_that_gets_killed"])
        .env("DEVKIT_OWNER_DIR", dir.path())
        .stdout(Stdio::null())
        .spawn()
        .expect("the owner starts");
    let start = Instant::now();
    let pid: u32 = loop {
        if let Ok(text) = std::fs::read_to_string(dir.path().join("pid")) {
            break text.parse().expect("a number");
        }
        assert!(start.elapsed() < Duration::from_secs(20), "the owner does not start its service");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(is_alive(pid));
    owner.kill().expect("killed");
    owner.wait().expect("waited");
    wait_for_end(pid);
    let start = Instant::now();
    while dir.path().join("trash").exists() {
        assert!(start.elapsed() < Duration::from_secs(10), "the guard does not clean up");
        std::thread::sleep(Duration::from_millis(20));
    }
}
