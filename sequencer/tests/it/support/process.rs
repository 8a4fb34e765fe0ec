//! A sequencer as a process of its own: this very test binary, which is told to run [`child`] only.

use super::{START, World};
use sheaf_sequencer::client::Client;
use sheaf_sequencer::{Config, Environment, Sequencer, Step};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

const URL_VARIABLE: &str = "SHEAF_TEST_PROCESS_URL";
const STEP_VARIABLE: &str = "SHEAF_TEST_PROCESS_STEP";
const COUNT_VARIABLE: &str = "SHEAF_TEST_PROCESS_COUNT";
const FREEZE_VARIABLE: &str = "SHEAF_TEST_PROCESS_FREEZE";
const STAND_BY_VARIABLE: &str = "SHEAF_TEST_PROCESS_STAND_BY";
/// Lines of a log that are kept.
const LOG_LINES_MAX: usize = 400;

/// Small batches, and everything that is done now and then is done often.
pub(crate) fn configure(config: &mut Config) {
    config.depth = 7;
    config.shapes = super::two_shapes(3, 5);
    config.batch_timeout_ms = 40;
    config.l1_wait_ms = 20;
    config.limits.block_operations_max = 12;
    config.limits.state_log_bytes_max = 3_000;
    config.takeover_after_ms = 1_500;
}

/// The child's whole life; nothing when the tests are run by hand.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Ok(url) = std::env::var(URL_VARIABLE) else { return };
    let log = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .with_env_filter("info,sheaf_sequencer::builder=warn,sqlx=warn");
    log.init();
    let number = |name| std::env::var(name).ok().map(|value| value.parse::<u32>().unwrap());
    let step = number(STEP_VARIABLE).map(|index| Step::ALL[index as usize]);
    let freezes = number(FREEZE_VARIABLE).is_some();
    let left = AtomicU32::new(number(COUNT_VARIABLE).unwrap_or(1));
    let mut config = super::config(&url);
    configure(&mut config);
    config.stand_by = number(STAND_BY_VARIABLE).is_some();
    let observer = move |reached| {
        if Some(reached) == step && left.fetch_sub(1, Ordering::SeqCst) == 1 {
            say("REACHED");
            let signal = if freezes { "-STOP" } else { "-KILL" };
            Command::new("kill").args([signal, &std::process::id().to_string()]).status().unwrap();
            assert!(freezes, "nobody survives that");
        }
    };
    let environment = Environment::system().with_clock(|| START).with_observer(observer);
    let failure = match Sequencer::start(config, environment).await {
        Ok(sequencer) => {
            say(&format!("LISTENING http://{}", sequencer.address()));
            sequencer.run(std::future::pending()).await.unwrap_err()
        }
        Err(error) => error,
    };
    say(&format!("FAILED {failure:#}"));
    panic!("it ended by itself");
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{line}").and_then(|()| out.flush()).unwrap();
}

/// What a process does besides leading.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Doom {
    /// Where it kills itself with SIGKILL, and at which visit.
    pub(crate) step: Option<(Step, u32)>,
    /// Whether it freezes there instead, with SIGSTOP.
    pub(crate) freezes: bool,
    /// Whether it stands by while another one leads; otherwise it leads at once or fails.
    pub(crate) stand_by: bool,
}

/// A sequencer that runs.
pub(crate) struct Process {
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
    log: Arc<Mutex<VecDeque<String>>>,
}

impl Process {
    pub(crate) fn start(world: &World, doom: Doom) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["support::process::child", "--exact", "--nocapture"]).env(URL_VARIABLE, &world.config.database_url);
        if let Some((step, count)) = doom.step {
            let index = Step::ALL.iter().position(|s| *s == step).unwrap();
            command.env(STEP_VARIABLE, index.to_string()).env(COUNT_VARIABLE, count.to_string());
        }
        if doom.freezes {
            command.env(FREEZE_VARIABLE, "1");
        }
        if doom.stand_by {
            command.env(STAND_BY_VARIABLE, "1");
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = mpsc::unbounded_channel();
        read_lines(child.stdout.take().unwrap(), move |line| drop(sender.send(line)));
        let log = Arc::<Mutex<VecDeque<String>>>::default();
        let kept = log.clone();
        read_lines(child.stderr.take().unwrap(), move |line| {
            let mut kept = kept.lock().unwrap();
            kept.push_back(line);
            if kept.len() > LOG_LINES_MAX {
                kept.pop_front();
            }
        });
        Self { child, lines, log }
    }

    /// Waits for a line that begins with `prefix`, and gives its rest; `None` if it ends or takes too long.
    pub(crate) async fn line(&mut self, prefix: &str, time_max: Duration) -> Option<String> {
        let search = async {
            loop {
                let line = self.lines.recv().await?;
                if let Some(rest) = line.strip_prefix(prefix) {
                    return Some(rest.to_owned());
                }
                if line.starts_with("FAILED") {
                    println!("{line}");
                }
            }
        };
        tokio::time::timeout(time_max, search).await.ok().flatten()
    }

    /// Waits until it serves.
    pub(crate) async fn client(&mut self) -> Client {
        let address = self.line("LISTENING ", Duration::from_secs(30)).await;
        Client::new(address.unwrap_or_else(|| panic!("it does not start:\n{}", self.log())))
    }

    /// Lets it go on where it is frozen.
    pub(crate) fn wake(&self) {
        Command::new("kill").args(["-CONT", &self.child.id().to_string()]).status().unwrap();
    }

    pub(crate) fn is_dead(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Whether a signal ended it that nobody can catch; waits for its end.
    pub(crate) fn was_killed(&mut self) -> bool {
        self.child.wait().unwrap().signal() == Some(9)
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }

    /// What it has logged, as far as that is kept.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().iter().map(|line| format!("{line}\n")).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            println!("process {}:\n{}", self.child.id(), self.log());
        }
    }
}

fn read_lines(input: impl Read + Send + 'static, mut take: impl FnMut(String) + Send + 'static) {
    std::thread::spawn(move || BufReader::new(input).lines().map_while(Result::ok).for_each(&mut take));
}
