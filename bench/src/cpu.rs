//! CPU time of processes, as Linux counts it.

use anyhow::{Context, Result};
use std::fs;
use std::time::Duration;

/// `USER_HZ`: what `/proc` counts in, the same on every Linux.
const TICKS_A_SECOND: u64 = 100;

/// Fields of `/proc/PID/stat` behind the name.
fn fields(pid: u32) -> Option<Vec<u64>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    // The first is the state, a letter; the second the parent's number.
    Some(rest.split(' ').skip(1).map(|field| field.trim().parse().unwrap_or(0)).collect())
}

/// User and system time of a process and its children, dead or alive; 0 for one that is gone.
pub(crate) fn of_tree(pid: u32) -> Duration {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers: Vec<u32> = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    let mut ticks = 0;
    for number in numbers {
        let Some(fields) = fields(number) else { continue };
        if number == pid || fields[0] == u64::from(pid) {
            // utime, stime; and of children that ended, cutime and cstime.
            ticks += fields[10..14].iter().sum::<u64>();
        }
    }
    Duration::from_millis(ticks * 1_000 / TICKS_A_SECOND)
}

/// User and system time of this very process, without its children.
pub(crate) fn own() -> Duration {
    let ticks = fields(std::process::id()).map_or(0, |fields| fields[10] + fields[11]);
    Duration::from_millis(ticks * 1_000 / TICKS_A_SECOND)
}

/// Time on a CPU so far, to the nanosecond, from a `schedstat` file.
fn exact(path: &str) -> Result<Duration> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {path}"))?;
    let first = text.split(' ').next().context("an empty schedstat")?;
    Ok(Duration::from_nanos(first.parse()?))
}

/// Of this very thread, to the nanosecond.
pub(crate) fn of_thread() -> Result<Duration> {
    exact("/proc/thread-self/schedstat")
}

/// Of all threads of this process that live, to the nanosecond.
pub(crate) fn own_exact() -> Result<Duration> {
    let threads = fs::read_dir("/proc/self/task").context("reading /proc/self/task")?;
    threads.map(|thread| exact(&format!("{}/schedstat", thread?.path().display()))).sum()
}
