//! `kill -9` at every step of the pipeline and at moments that nobody chose: nothing is lost, nothing happens twice.
//!
//! Rounds, each of which kills a sequencer at another [`Step`], while users keep sending and the queue of L1 keeps growing. In
//! some, another sequencer stands by and takes over; in some, executed work is taken back meanwhile. `make test` runs as
//! many rounds as there are steps, `make soak` more. `SHEAF_SOAK_ROUNDS` says how many, `SHEAF_SOAK_SEED` which.

use crate::support::audit::{Audit, all_done, audit};
use crate::support::crowd::Crowd;
use crate::support::process::{Doom, Process, configure};
use crate::support::queue::Queue;
use crate::support::{World, check_jobs, request_unwinding};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sheaf_sequencer::Step;
use sheaf_sequencer::client::Client;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const ROUNDS_VARIABLE: &str = "SHEAF_SOAK_ROUNDS";
const SEED_VARIABLE: &str = "SHEAF_SOAK_SEED";
const SEED: u64 = 20_261_121;
const SENDERS: u16 = 4;
/// How long a round may take to reach its step.
const STEP_TIME_MAX: Duration = Duration::from_secs(40);
/// How long somebody who stands by may take to lead and to acknowledge something.
const TAKEOVER_TIME_MAX: Duration = Duration::from_secs(10);
/// Attempts of a round whose sequencer ends for another reason that is in order.
const ATTEMPTS: u32 = 3;

/// One kill, and what goes on around it.
#[derive(Clone, Copy, Debug)]
struct Round {
    step: Step,
    /// At which visit of the step.
    count: u32,
    /// Whether another sequencer stands by.
    standby: bool,
    /// Whether the leader freezes instead, and wakes when the other one has taken over.
    freezes: bool,
    /// Whether executed work is taken back meanwhile.
    unwinding: bool,
    /// After how long the one that comes after it is killed, too.
    again_after: Option<Duration>,
}

impl Round {
    fn new(step: Step, rng: &mut ChaCha8Rng) -> Self {
        let once = step.is_of_takeover() || step.is_of_unwinding() && step != Step::ReplayCut;
        let rare = [Step::ChunksCommitted, Step::LogCut, Step::ReplayCut].contains(&step);
        let count_max = if once {
            1
        } else if rare {
            2
        } else {
            12
        };
        Self {
            step,
            count: rng.random_range(1..=count_max),
            standby: rng.random_bool(0.4),
            freezes: rng.random_bool(0.4),
            unwinding: step.is_of_unwinding() || rng.random_bool(0.2),
            again_after: rng.random_bool(0.3).then(|| Duration::from_millis(rng.random_range(0..500))),
        }
    }
}

/// What was done in all rounds.
#[derive(Debug, Default)]
struct Tally {
    /// Kills at each step.
    at: BTreeMap<String, u32>,
    at_any_moment: u32,
    frozen: u32,
    with_standby: u32,
    with_unwinding: u32,
}

impl Tally {
    fn note(&mut self, round: &Round) {
        *self.at.entry(format!("{:?}", round.step)).or_default() += 1;
        let in_office = !round.step.is_of_takeover();
        self.frozen += u32::from(round.standby && round.freezes && in_office);
        self.with_standby += u32::from(round.standby);
        self.with_unwinding += u32::from(round.unwinding);
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_or_repeated_wherever_the_process_is_killed() {
    let rounds = variable(ROUNDS_VARIABLE).unwrap_or(Step::ALL.len() as u64) as usize;
    let seed = variable(SEED_VARIABLE).unwrap_or(SEED);
    println!("{rounds} rounds with seed {seed}: {SEED_VARIABLE}={seed} {ROUNDS_VARIABLE}={rounds}");
    let mut tally = Tally::default();
    let (mut done, mut transactions, mut taken_back) = (0, 0, 0);
    let began = Instant::now();
    // A database for as many rounds as there are steps: what has to be checked stays small.
    while done < rounds {
        let count = Step::ALL.len().min(rounds - done);
        let found = rounds_on_one_database(seed + done as u64, done, count, &mut tally).await;
        (done, transactions, taken_back) = (done + count, transactions + found.transactions, taken_back + found.taken_back);
    }
    let unvisited: Vec<_> = Step::ALL.iter().filter(|step| !tally.at.contains_key(&format!("{step:?}"))).collect();
    assert!(rounds < Step::ALL.len() || unvisited.is_empty(), "no process was killed at {unvisited:?}");
    println!(
        "SOAK passed: {rounds} rounds, {tally:?}, {transactions} transactions, {taken_back} executed again, {:?}, seed {seed}",
        began.elapsed()
    );
}

async fn rounds_on_one_database(seed: u64, before: usize, count: usize, tally: &mut Tally) -> Audit {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut world = World::stopped(configure).await;
    let mut crowd = Crowd::start(&mut world, SENDERS, seed).await;
    let queue = Queue::start(world.pool.clone(), world.entries(), SENDERS, seed);
    let mut steps = Step::ALL;
    steps.shuffle(&mut rng);
    for (number, step) in steps.into_iter().take(count).enumerate() {
        let round = Round::new(step, &mut rng);
        let (began, acknowledged) = (Instant::now(), crowd.board.acknowledged());
        play(&world, &crowd, &round, &mut rng).await;
        tally.note(&round);
        if let Some(after) = round.again_after {
            let mut next = Process::start(&world, Doom { stand_by: rng.random(), ..Doom::default() });
            tokio::time::sleep(after).await;
            next.kill();
            tally.at_any_moment += 1;
        }
        crowd.check().await;
        check_jobs(&world.pool).await;
        let acknowledged = crowd.board.acknowledged() - acknowledged;
        println!("round {}: {round:?}, {acknowledged} acknowledged, {:?}", before + number + 1, began.elapsed());
    }
    let entries = queue.end().await;
    let mut last = Process::start(&world, Doom::default());
    crowd.board.show(&[&last.client().await]);
    let senders = crowd.end().await;
    all_done(&world).await;
    drop(last);
    let began = Instant::now();
    let found = audit(&world, &senders, entries).await;
    println!("{found:?}, checked in {:?}", began.elapsed());
    let Audit { transactions, entries, batches, acknowledged, .. } = found;
    assert!(transactions > 5 * count && entries > 5 * count as u64 && batches > 5 * count as u64, "there was a load");
    assert_eq!(acknowledged, transactions, "everything was acknowledged in the end");
    found
}

/// Plays a round, and leaves no process.
async fn play(world: &World, crowd: &Crowd, round: &Round, rng: &mut ChaCha8Rng) {
    for _ in 0..ATTEMPTS {
        let died = match round.step.is_of_takeover() {
            true => die_in_take_over(world, crowd, round, rng).await,
            false => die_in_office(world, crowd, round, rng).await,
        };
        if died {
            return;
        }
        println!("{round:?}: once more");
    }
    panic!("{:?} is never reached", round.step);
}

/// Kills a sequencer that leads at the round's step.
async fn die_in_office(world: &World, crowd: &Crowd, round: &Round, rng: &mut ChaCha8Rng) -> bool {
    let step = Some((round.step, round.count));
    let freezes = round.standby && round.freezes;
    let mut leader = Process::start(world, Doom { step, freezes, stand_by: rng.random() });
    // It may die before it serves, if there is work left.
    let Some(address) = leader.line("LISTENING ", Duration::from_secs(15)).await else { return reached(&mut leader, round) };
    let client = Client::new(address);
    let mut second = if round.standby { Some(Process::start(world, Doom { stand_by: true, ..Doom::default() })) } else { None };
    let second_client = match &mut second {
        Some(second) => Some(second.client().await),
        None => None,
    };
    crowd.board.show(&std::iter::once(&client).chain(&second_client).collect::<Vec<_>>());
    if round.unwinding {
        tokio::time::sleep(Duration::from_millis(rng.random_range(50..400))).await;
        request_unwinding(world, rng.random_range(1..8)).await;
    }
    if leader.line("REACHED", STEP_TIME_MAX).await.is_none() {
        crowd.board.show(&[]);
        return false;
    }
    if let Some(client) = second_client {
        takes_over(crowd, &client, second.as_ref().expect("it was started")).await;
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..300))).await;
    }
    if freezes {
        leader.wake();
        let said = gives_way(&mut leader).await;
        println!("{:?}: it was frozen, and said: {said}", round.step);
    }
    crowd.board.show(&[]);
    true
}

/// Waits until whoever was passed by while it was frozen ends, or, if it was only about to lead, stands by again. What it says.
async fn gives_way(leader: &mut Process) -> String {
    const STANDS_BY: &str = "a term could not begin: this sequencer stands by";
    let began = Instant::now();
    loop {
        if let Some(failure) = leader.line("FAILED ", Duration::from_millis(200)).await {
            assert!(failure.contains("lost the leadership") || failure.contains("another sequencer"), "{failure}");
            return failure;
        }
        if leader.log().contains(STANDS_BY) {
            return STANDS_BY.to_owned();
        }
        assert!(began.elapsed() < TAKEOVER_TIME_MAX, "whoever was passed by goes on:\n{}", leader.log());
    }
}

/// Kills a sequencer that takes over from one that dies, or from one that died before.
async fn die_in_take_over(world: &World, crowd: &Crowd, round: &Round, rng: &mut ChaCha8Rng) -> bool {
    let mut leader = None;
    if round.standby {
        let mut process = Process::start(world, Doom::default());
        crowd.board.show(&[&process.client().await]);
        leader = Some(process);
    }
    if round.unwinding && world.count("SELECT count(*) FROM unwindings WHERE done_at IS NULL").await == 0 {
        request_unwinding(world, rng.random_range(1..8)).await;
    }
    let mut next = Process::start(world, Doom { step: Some((round.step, 1)), stand_by: true, ..Doom::default() });
    if let Some(mut leader) = leader {
        next.client().await;
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..300))).await;
        leader.kill();
    }
    let died = next.line("REACHED", STEP_TIME_MAX).await.is_some();
    crowd.board.show(&[]);
    died
}

fn reached(leader: &mut Process, round: &Round) -> bool {
    // One that has just reached its step may have closed its connections, and not be dead yet.
    let began = Instant::now();
    while !round.freezes && !leader.is_dead() && began.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let log = leader.log();
    assert!(leader.is_dead() || round.freezes, "{round:?}: it does not serve:\n{log}");
    leader.kill();
    leader.was_killed()
}

/// Waits until whoever stood by leads and acknowledges.
async fn takes_over(crowd: &Crowd, client: &Client, second: &Process) {
    let (began, before) = (Instant::now(), crowd.board.acknowledged());
    while !client.health().await.is_ok_and(|health| health.ready) || crowd.board.acknowledged() == before {
        assert!(began.elapsed() < TAKEOVER_TIME_MAX, "it does not take over:\n{}", second.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
