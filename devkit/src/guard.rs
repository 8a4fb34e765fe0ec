//! Ends a service when its owner is gone.
//!
//! A guard is a small shell that leads the service's process group and reads a pipe whose other end only the owner
//! holds. However the owner ends (return, panic, abort, `SIGKILL`), the kernel closes that end, and the guard stops
//! the group. It signals its own group (`kill … 0`), never a number that it was told, so that a process which got
//! a recycled number is never hit.

use crate::{Error, Result};
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

/// Arguments: stop signal, tenths of a second before SIGKILL, a path to remove at the end or nothing.
const SCRIPT: &str = r#"
trap '' INT TERM HUP QUIT
child=
running() {
    [ -n "$child" ] && kill -0 "$child" 2>/dev/null || return 1
    case $(cat "/proc/$child/stat" 2>/dev/null) in *") Z "*) return 1 ;; esac
}
while read -r word value; do
    case $word in
        child) child=$value ;;
        signal) kill -s "$value" 0 ;;
        done) kill -s KILL 0 ;;
    esac
done
kill -s "$1" 0
tenths=0
while running && [ "$tenths" -lt "$2" ]; do
    sleep 0.1
    tenths=$((tenths + 1))
done
[ -z "$3" ] || rm -rf -- "$3"
kill -s KILL 0
"#;

/// The shell that watches one service.
#[derive(Debug)]
pub(crate) struct Guard {
    shell: Child,
    pipe: ChildStdin,
}

impl Guard {
    /// Starts a guard; the service joins its group, [`Guard::group`].
    ///
    /// # Errors
    /// When `/bin/sh` cannot be started.
    pub(crate) fn start(stop_signal: &str, grace: Duration, remove: Option<&Path>) -> Result<Self> {
        let shell_path = Path::new("/bin/sh");
        let mut shell = {
            use std::os::unix::process::CommandExt as _;
            Command::new(shell_path)
                .args(["-c", SCRIPT, "sheaf-guard", stop_signal, &(grace.as_millis() / 100).to_string()])
                .arg(remove.unwrap_or(Path::new("")))
                .current_dir("/")
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .process_group(0)
                .spawn()
                .map_err(Error::io("starting", shell_path))?
        };
        let pipe = shell.stdin.take().expect("stdin was asked to be a pipe");
        Ok(Self { shell, pipe })
    }

    /// Returns the process group that the service has to join.
    pub(crate) fn group(&self) -> i32 {
        i32::try_from(self.shell.id()).expect("a process number fits 31 bits")
    }

    /// Tells which process to wait for once the owner is gone.
    pub(crate) fn watch(&mut self, child: u32) {
        self.say(&format!("child {child}"));
    }

    /// Sends a signal (`INT`, `TERM`, …) to the whole group; the guard itself ignores it.
    pub(crate) fn signal(&mut self, signal: &str) {
        self.say(&format!("signal {signal}"));
    }

    /// Kills whatever is left of the group and waits for the guard.
    pub(crate) fn finish(&mut self) {
        self.say("done");
        let _ = self.shell.wait();
    }

    /// A guard that is gone has nothing left to be told, hence no error.
    fn say(&mut self, line: &str) {
        let _ = writeln!(self.pipe, "{line}");
    }
}
