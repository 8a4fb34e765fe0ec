//! Measurements, printed: `cargo test -p sheaf-executor measure -- --ignored --nocapture`.

use crate::access::accesses;
use crate::executor::{Choice, Executor, Job, WINDOW};
use crate::outcome::Path;
use crate::plan::{Plan, Planner};
use crate::words::Words;
use sheaf_core::F;
use sheaf_core::amount::{PackedAmount, PackedFee};
use sheaf_core::geometry::Geometry;
use sheaf_core::operation::Operation;
use sheaf_core::slot::{Context, Signed};
use sheaf_core::types::{AccountId, TokenId};
use std::time::{Duration, Instant};

const BLOCK: usize = 16_384;
const FEE_ACCOUNT: u32 = 1;

fn id(index: u32) -> AccountId {
    AccountId::new(index).unwrap()
}

/// Numbers that only look random (xorshift64*).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) * u64::from(bound)) >> 32) as u32
    }
}

struct Load {
    ctx: Context,
    accounts: u32,
    jobs: Vec<Job>,
}

/// Who pays whom: `(payer, payee)` of `0..accounts`.
fn load(accounts: u32, blocks: usize, mut pair: impl FnMut(usize, &mut Numbers) -> (u32, u32)) -> Load {
    let ctx = Context { geometry: Geometry::PROTOCOL, domain: F::from(1u64), timestamp: 100, fee_account: id(FEE_ACCOUNT) };
    let mut nonces = vec![0u64; accounts as usize];
    let mut numbers = Numbers(20_261_121);
    let (amount, fee) = (PackedAmount::encode(1_000).unwrap(), PackedFee::encode(3).unwrap());
    let jobs = (0..blocks * BLOCK).map(|i| {
        let (from, to) = pair(i, &mut numbers);
        let nonce = F::from(nonces[from as usize]);
        nonces[from as usize] += 1;
        let (from, to) = (from + 2, to + 2);
        let operation = Operation::Transfer { from: id(from), to: id(to), token: TokenId::ETH.word(), amount, fee };
        let target = [F::from(to + 1_000), F::from(to + 1_000_000_000)];
        let signed = Some(Signed { key_hash: F::from(from + 1_000_000_000), nonce, expires: 200, target });
        Job { operation, signed }
    });
    Load { ctx, accounts, jobs: jobs.collect() }
}

impl Load {
    fn words(&self) -> Words {
        let mut words = Words::new(self.ctx.geometry);
        for account in FEE_ACCOUNT..self.accounts + 2 {
            let address = |word| self.ctx.geometry.address(account, word);
            words.set(address(0), F::from(account + 1_000_000_000));
            words.set(address(2), F::from(account + 1_000));
            words.set(address(3), F::from(10u128.pow(18)));
        }
        words
    }

    /// Executes every block once, and keeps the best time of each.
    fn time(&self, executor: &mut Executor, choice: Choice, best: &mut [Duration]) {
        let mut words = self.words();
        let mut refused = 0;
        for (block, best) in self.jobs.chunks(BLOCK).zip(best) {
            let start = Instant::now();
            let outcome = executor.execute(&self.ctx, &mut words, block, choice);
            *best = start.elapsed().min(*best);
            refused += outcome.iter().filter(|r| r.is_err()).count();
            executor.recycle(outcome);
        }
        assert_eq!(refused, 0, "every payment is allowed");
    }

    /// Nanoseconds an operation.
    fn average(&self, best: &[Duration]) -> f64 {
        best.iter().sum::<Duration>().as_nanos() as f64 / self.jobs.len() as f64
    }

    /// Nanoseconds an operation of the plan alone.
    fn time_plan(&self) -> f64 {
        let words = Words::new(self.ctx.geometry);
        let (mut planner, mut plan) = (Planner::new(WINDOW), Plan::default());
        let start = Instant::now();
        let mut at = 0;
        while at < self.jobs.len() {
            planner.plan(&mut plan, (&self.ctx, &words, &self.jobs), (at, usize::MAX), |_, _, _| true);
            at = plan.range.end;
        }
        start.elapsed().as_nanos() as f64 / self.jobs.len() as f64
    }

    fn report(&self, name: &str, rounds: usize) {
        // On one thread the parallel path does all its work in a row: what it costs, without what it gains.
        let mut executors = [Executor::new(1), Executor::new(2)];
        let parallel = Choice::Force(Path::Parallel);
        let choices = [(1, Choice::Force(Path::Sequential)), (1, parallel), (0, parallel), (1, Choice::Auto)];
        let mut best = vec![vec![Duration::MAX; self.jobs.len() / BLOCK]; choices.len()];
        let mut plan = f64::MAX;
        for _ in 0..rounds {
            for (best, (executor, choice)) in best.iter_mut().zip(choices) {
                self.time(&mut executors[executor], choice, best);
            }
            plan = plan.min(self.time_plan());
        }
        let [sequential, parallel, alone, auto] = [0, 1, 2, 3].map(|i| self.average(&best[i]));
        println!(
            "{name:<17} loop {sequential:5.1}  2 threads {parallel:5.1} ({:.2}x)  1 thread {alone:5.1} ({:.2}x)  auto {auto:5.1} ({:.2}x)  plan {plan:4.1} ns",
            sequential / parallel,
            sequential / alone,
            sequential / auto
        );
    }
}

fn uniform(accounts: u32) -> Load {
    load(accounts, 4, |_, numbers| (numbers.below(accounts), numbers.below(accounts)))
}

#[test]
#[ignore = "measures; says nothing about right or wrong"]
fn measure_uniform() {
    uniform(100_000).report("100,000 accounts", 80);
}

#[test]
#[ignore = "measures; says nothing about right or wrong"]
fn measure_contention() {
    for accounts in [2, 10, 100, 1000, 10_000] {
        uniform(accounts).report(&format!("{accounts} accounts"), 5);
    }
    load(100_000, 4, |_, numbers| (1 + numbers.below(99_999), 0)).report("hot receiver", 5);
    load(100_000, 4, |i, numbers| (if i % 2 == 0 { 0 } else { numbers.below(100_000) }, numbers.below(100_000)))
        .report("hot sender", 5);
    load(100_000, 4, |i, _| (i as u32 % 100_000, (i as u32 + 1) % 100_000)).report("chain", 5);
}

#[test]
#[ignore = "measures; says nothing about right or wrong"]
fn measure_loop() {
    let choice = if std::env::var("PARALLEL").is_ok() { Path::Parallel } else { Path::Sequential };
    let load = uniform(std::env::var("ACCOUNTS").map_or(100_000, |n| n.parse().unwrap()));
    let mut best = vec![Duration::MAX; load.jobs.len() / BLOCK];
    let mut executor = Executor::new(1);
    (0..60).for_each(|_| load.time(&mut executor, Choice::Force(choice), &mut best));
    println!("loop {:.1} ns", load.average(&best));
}

#[test]
#[ignore = "measures; says nothing about right or wrong"]
fn measure_parts() {
    let load = uniform(100_000);
    let start = Instant::now();
    let named = load.jobs.iter().filter_map(|job| accesses(&load.ctx, &job.operation)).filter(|a| a.fee.is_some()).count();
    println!("accesses {:.1} ns ({named})", start.elapsed().as_nanos() as f64 / load.jobs.len() as f64);
    println!("job {} bytes", size_of::<Job>());
}

#[test]
#[ignore = "measures; says nothing about right or wrong"]
fn measure_windows() {
    let load = uniform(100_000);
    for window in [256, 512, 1024, 2048, 4096] {
        let mut executor = Executor::with_window(2, window);
        let mut best = vec![Duration::MAX; load.jobs.len() / BLOCK];
        (0..20).for_each(|_| load.time(&mut executor, Choice::Force(Path::Parallel), &mut best));
        println!("window {window}: {:.1} ns", load.average(&best));
    }
}

#[test]
#[ignore = "measures; says nothing about right or wrong"]
fn measure_plan() {
    let load = uniform(100_000);
    let best = (0..200).map(|_| load.time_plan()).fold(f64::MAX, f64::min);
    println!("plan {best:.1} ns");
}
