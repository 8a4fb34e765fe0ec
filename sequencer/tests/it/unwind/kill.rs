//! `kill -9` inside an unwinding and while it is replayed, and a restart: everything is as if nothing had happened.
//!
//! The sequencer runs as a child process: this very test binary, which is told to run [`child`] only.

use super::check_all;
use super::mix::{Mix, Picture, configure, replayed, request};
use crate::support::{START, World};
use sheaf_sequencer::{Environment, Sequencer, Step};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const URL_VARIABLE: &str = "SHEAF_TEST_UNWIND_URL";
const STEP_VARIABLE: &str = "SHEAF_TEST_UNWIND_STEP";
const COUNT_VARIABLE: &str = "SHEAF_TEST_UNWIND_COUNT";
/// How long a child may take to reach its step.
const STEP_TIME_MAX: Duration = Duration::from_secs(30);

/// The child's whole life; nothing when the tests are run by hand.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Ok(url) = std::env::var(URL_VARIABLE) else { return };
    let step = std::env::var(STEP_VARIABLE).ok().map(|s| Step::ALL[s.parse::<usize>().unwrap()]);
    let left = AtomicU32::new(std::env::var(COUNT_VARIABLE).map_or(0, |c| c.parse().unwrap()));
    let mut config = crate::support::config(&url);
    configure(&mut config);
    let observer = move |reached| {
        if Some(reached) == step && left.fetch_sub(1, Ordering::SeqCst) == 1 {
            Command::new("kill").args(["-9", &std::process::id().to_string()]).status().unwrap();
            unreachable!("nobody survives that");
        }
    };
    let environment = Environment::system().with_clock(|| START).with_observer(observer);
    Sequencer::start(config, environment).await.unwrap().run(std::future::pending()).await.unwrap();
}

struct Process(Child);

impl Process {
    fn start(world: &World, step: Option<(Step, u32)>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["unwind::kill::child", "--exact", "--nocapture"]).env(URL_VARIABLE, &world.config.database_url);
        if let Some((step, count)) = step {
            let index = Step::ALL.iter().position(|s| *s == step).unwrap();
            command.env(STEP_VARIABLE, index.to_string()).env(COUNT_VARIABLE, count.to_string());
        }
        Self(command.stdout(std::process::Stdio::null()).spawn().unwrap())
    }

    /// Waits until it has killed itself.
    async fn dies(mut self, step: Step) {
        let began = Instant::now();
        while self.0.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < STEP_TIME_MAX, "{step:?} is never reached");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Those of an unwinding, and those of the blocks that replay what it took back.
fn moments() -> Vec<(Step, u32)> {
    let of_unwinding = Step::ALL.into_iter().filter(|step| step.is_of_unwinding()).map(|step| (step, 1));
    let of_blocks = [Step::BlockBegun, Step::BlockWritten, Step::BlockCommitted, Step::BatchCommitted];
    of_unwinding.chain([(Step::ReplayCut, 3)]).chain(of_blocks.into_iter().flat_map(|step| [(step, 1), (step, 2)])).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_it_is_killed_the_next_start_carries_on() {
    let mut world = World::with(configure).await;
    Mix::new(41).run(&mut world, 50).await;
    world.all_built().await;
    world.stop().await;
    let before = Picture::of(&world).await;
    for (i, (step, count)) in moments().into_iter().enumerate() {
        println!("{step:?} {count}");
        request(&world, 1 + i as i64 % 3).await;
        Process::start(&world, Some((step, count))).dies(step).await;
        let survivor = Process::start(&world, None);
        replayed(&world).await;
        world.all_built().await;
        drop(survivor);
        assert_eq!(Picture::of(&world).await, before, "{step:?} {count}");
    }
    let dropped = world.count("SELECT count(*) FROM dropped_transactions").await;
    assert_eq!(dropped, 0, "nothing was lost on the way");
    world.start().await;
    check_all(&mut world).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_unwinding_left_comes_after_what_the_next_one_takes_back() {
    let mut world = World::with(configure).await;
    Mix::new(42).run(&mut world, 50).await;
    world.all_built().await;
    world.stop().await;
    let before = Picture::of(&world).await;
    for to_batch in [0, 2, 4] {
        request(&world, 1).await;
        Process::start(&world, Some((Step::ReplayCut, 5))).dies(Step::ReplayCut).await;
        let waiting = world.count("SELECT count(*) FROM replays").await;
        let executed = world.count("SELECT max(number) FROM batches WHERE op_count > 0").await;
        assert!(waiting > 0 && executed > 1, "it stands in the middle");
        request(&world, to_batch.min(executed - 1)).await;
        world.start().await;
        replayed(&world).await;
        world.all_built().await;
        world.stop().await;
        assert_eq!(Picture::of(&world).await, before, "{to_batch}");
    }
    assert_eq!(world.count("SELECT count(*) FROM dropped_transactions").await, 0);
    world.start().await;
    check_all(&mut world).await;
    world.stop().await;
}
