//! Sequencers as processes of their own: this very test binary, which is told to run [`child`] only.

use super::configure;
use crate::support::{START, World};
use sheaf_sequencer::client::Client;
use sheaf_sequencer::{Environment, Sequencer, Step};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;

const URL_VARIABLE: &str = "SHEAF_TEST_STANDBY_URL";
const STEP_VARIABLE: &str = "SHEAF_TEST_STANDBY_STEP";
const SIGNAL_VARIABLE: &str = "SHEAF_TEST_STANDBY_SIGNAL";
const TAKEOVER_VARIABLE: &str = "SHEAF_TEST_STANDBY_TAKEOVER_MS";
const DEPTH_VARIABLE: &str = "SHEAF_TEST_STANDBY_DEPTH";
/// How long a process may take for what it is to print.
const LINE_TIME_MAX: Duration = Duration::from_secs(180);
/// How often a step is reached before the signal comes.
const COUNT: u32 = 3;

/// The child's whole life; nothing when the tests are run by hand.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Ok(url) = std::env::var(URL_VARIABLE) else { return };
    let step = std::env::var(STEP_VARIABLE).ok().map(|s| Step::ALL[s.parse::<usize>().unwrap()]);
    let signal = std::env::var(SIGNAL_VARIABLE).unwrap_or_default();
    let left = AtomicU32::new(if step.is_some_and(Step::is_of_takeover) { 1 } else { COUNT });
    let mut config = crate::support::config(&url);
    configure(&mut config);
    config.depth = std::env::var(DEPTH_VARIABLE).unwrap().parse().unwrap();
    config.takeover_after_ms = std::env::var(TAKEOVER_VARIABLE).unwrap().parse().unwrap();
    let observer = move |reached| {
        if Some(reached) == step && left.fetch_sub(1, Ordering::SeqCst) == 1 {
            println!("\nREACHED");
            Command::new("kill").args([&signal, &std::process::id().to_string()]).status().unwrap();
        }
    };
    let environment = Environment::system().with_clock(|| START).with_observer(observer);
    let sequencer = Sequencer::start(config, environment).await.unwrap();
    println!("\nLISTENING http://{}", sequencer.address());
    let failure = sequencer.run(std::future::pending()).await.unwrap_err();
    println!("\nFAILED {failure:#}");
}

/// A sequencer as a process of its own.
pub(super) struct Process {
    pub(super) child: Child,
    pub(super) client: Client,
    /// What it has printed since.
    lines: mpsc::Receiver<String>,
}

impl Process {
    pub(super) fn start(world: &World) -> Self {
        Self::start_with(world, None)
    }

    /// One that sends itself `signal` when it reaches a step, for the third time if that can be.
    pub(super) fn start_with(world: &World, step: Option<(Step, &str)>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["standby::process::child", "--exact", "--nocapture"]).env(URL_VARIABLE, &world.config.database_url);
        command.env(DEPTH_VARIABLE, world.config.depth.to_string());
        command.env(TAKEOVER_VARIABLE, world.config.takeover_after_ms.to_string());
        if let Some((step, signal)) = step {
            let index = Step::ALL.iter().position(|s| *s == step).unwrap();
            command.env(STEP_VARIABLE, index.to_string()).env(SIGNAL_VARIABLE, signal);
        }
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut process = Self { child, client: Client::new(""), lines };
        process.client = Client::new(process.line("LISTENING ").expect("it listens"));
        process
    }

    /// Waits for a line that begins with `prefix`, and gives its rest; `None` if it ends without.
    pub(super) fn line(&self, prefix: &str) -> Option<String> {
        loop {
            let line = self.lines.recv_timeout(LINE_TIME_MAX).ok()?;
            if let Some(rest) = line.strip_prefix(prefix) {
                return Some(rest.to_owned());
            }
        }
    }

    pub(super) fn signal(&self, signal: &str) {
        let killed = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
    }

    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(super) async fn leads(&self) -> bool {
        self.client.health().await.is_ok_and(|health| health.ready)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
