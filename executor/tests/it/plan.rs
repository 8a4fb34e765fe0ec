//! What a plan lets run at the same time.

use crate::world::{FEE_ACCOUNT, context, people, token, transfer};
use sheaf_core::slot::Context;
use sheaf_executor::{Choice, Executor, Job, Outcome, Path, Statistics};

fn execute(ctx: &Context, accounts: u32, jobs: &[Job], choice: Choice) -> Outcome {
    let mut words = people(ctx, accounts, &[token(0)], 100_000);
    Executor::new(2).execute(ctx, &mut words, jobs, choice)
}

fn plan(jobs: &[Job]) -> Statistics {
    let outcome = execute(&context(8), 900, jobs, Choice::Force(Path::Parallel));
    assert!(outcome.iter().all(|result| result.is_ok()), "every payment is allowed");
    outcome.statistics()
}

/// Payments by 500 people, each one.
fn payments(to: impl Fn(u32) -> u32) -> Vec<Job> {
    (0..500).map(|i| transfer(10 + i, 0, to(i), token(0), 1)).collect()
}

#[test]
fn nobody_waits_for_a_hot_receiver() {
    let Statistics { parallel, critical_path, waits, .. } = plan(&payments(|_| 600));
    assert_eq!((parallel, critical_path, waits), (500, 1, 0));
}

#[test]
fn nobody_waits_for_the_fee_account_as_receiver() {
    let Statistics { critical_path, waits, .. } = plan(&payments(|_| FEE_ACCOUNT));
    assert_eq!((critical_path, waits), (1, 0));
}

#[test]
fn who_spends_waits_for_what_came_in_since_the_last_time() {
    let mut jobs = payments(|_| 600);
    jobs.push(transfer(600, 0, 601, token(0), 1));
    jobs.extend((0..10).map(|i| transfer(700 + i, 0, 600, token(0), 1)));
    jobs.push(transfer(600, 1, 602, token(0), 1));
    let Statistics { critical_path, waits, .. } = plan(&jobs);
    // 500 credits; then the first spending and 10 credits.
    assert_eq!((critical_path, waits), (3, 500 + 11));
}

#[test]
fn the_fee_account_waits_for_its_fees_when_it_spends() {
    let mut jobs = payments(|i| 510 + i % 300);
    jobs.push(transfer(FEE_ACCOUNT, 0, 600, token(0), 1));
    assert!(plan(&jobs).waits >= 500);
}

#[test]
fn a_chain_is_as_long_as_it_is() {
    let jobs: Vec<_> = (0..100).map(|i| transfer(10 + i, 0, 11 + i, token(0), 1)).collect();
    assert_eq!(plan(&jobs).critical_path, 100);
}

#[test]
fn auto_leaves_chains_and_small_calls_to_the_loop() {
    let ctx = context(8);
    let chain: Vec<_> = (0..800).map(|i| transfer(10 + i, 0, 11 + i, token(0), 1)).collect();
    assert_eq!(execute(&ctx, 900, &chain, Choice::Auto).path(), Path::Sequential);
    assert_eq!(execute(&ctx, 900, &payments(|i| 510 + i % 300)[..20], Choice::Auto).path(), Path::Sequential);
}

#[test]
fn auto_takes_all_threads_where_nobody_waits() {
    let ctx = context(8);
    let jobs: Vec<_> = (0..4).flat_map(|round| (0..400).map(move |i| transfer(10 + i, round, 450 + i, token(0), 1))).collect();
    assert_eq!(execute(&ctx, 900, &jobs, Choice::Auto).path(), Path::Parallel);
}

#[test]
fn no_jobs_give_no_results() {
    let outcome = execute(&context(8), 1, &[], Choice::Auto);
    assert!(outcome.is_empty() && outcome.iter().len() == 0);
}
