//! Every way to execute gives the same, down to each port, as the slot function on the plainest memory.

use crate::arb::{BALANCE, CASE_DEPTH, Mix, TOKENS, arb_jobs};
use crate::world::{Map, context, map_of, people, token, transfer};
use proptest::prelude::*;
use sheaf_core::F;
use sheaf_core::slot::{Context, PORTS, Port, SlotError, apply};
use sheaf_executor::{Choice, Executor, Job, Path, Words};
use std::collections::BTreeMap;

type Results = Vec<Result<[Port; PORTS], SlotError>>;

/// What the definition says.
fn reference(ctx: &Context, start: &Words, jobs: &[Job]) -> (Results, Map) {
    let mut memory = map_of(start);
    let results = jobs.iter().map(|j| apply(ctx, &j.operation, j.signed.as_ref(), &mut memory)).collect();
    (results, memory)
}

fn start(ctx: &Context, mix: Mix) -> Words {
    people(ctx, mix.accounts, &TOKENS.map(token), BALANCE)
}

/// Executes `jobs` from the state of `mix` in calls of `call` jobs.
fn run(ctx: &Context, mix: Mix, jobs: &[Job], executor: &mut Executor, call: usize, choice: Choice) -> (Results, Map) {
    let mut words = start(ctx, mix);
    let mut results = Vec::new();
    for jobs in jobs.chunks(call) {
        let outcome = executor.execute(ctx, &mut words, jobs, choice);
        assert_eq!(outcome.len(), jobs.len());
        results.extend(outcome.iter().map(|result| result.copied()));
        executor.recycle(outcome);
    }
    (results, map_of(&words))
}

fn check(mix: Mix, jobs: &[Job], shapes: &[(usize, usize)]) -> Result<(), TestCaseError> {
    let ctx = context(CASE_DEPTH);
    let (results, memory) = reference(&ctx, &start(&ctx, mix), jobs);
    for &(threads, window) in shapes {
        let mut executor = Executor::with_window(threads, window);
        for (call, choice) in [
            (usize::MAX, Choice::Force(Path::Sequential)),
            (usize::MAX, Choice::Force(Path::Parallel)),
            (37, Choice::Force(Path::Parallel)),
            (usize::MAX, Choice::Auto),
        ] {
            let found = run(&ctx, mix, jobs, &mut executor, call, choice);
            let what = format!("{threads} threads, window {window}, calls of {call}, {choice:?}");
            let first = found.0.iter().zip(&results).position(|(a, b)| a != b);
            prop_assert_eq!(first, None, "{}: another result", &what);
            prop_assert!(found.1 == memory, "{}: another state", &what);
        }
    }
    conserved(&ctx, mix, jobs, &results, &memory)
}

/// Each token's balances add up to what there was, came from L1 and went there.
fn conserved(ctx: &Context, mix: Mix, jobs: &[Job], results: &Results, after: &Map) -> Result<(), TestCaseError> {
    use sheaf_core::operation::Operation as O;
    let sums = |map: &Map| {
        let mut sums: BTreeMap<u32, F> = BTreeMap::new();
        for (address, value) in &map.0 {
            let word = ctx.geometry.locate(*address).1;
            if word > 2 {
                *sums.entry(word).or_default() += value;
            }
        }
        sums
    };
    let mut expected = sums(&map_of(&start(ctx, mix)));
    for (job, _) in jobs.iter().zip(results).filter(|(_, result)| result.is_ok()) {
        match job.operation {
            O::Deposit { token, amount, .. } => *expected.entry(token.get().into()).or_default() += F::from(amount),
            O::ForcedExit { token, amount, .. } => *expected.entry(token.get().into()).or_default() -= F::from(amount),
            O::Withdraw { token, amount, .. } => *expected.entry(token.get().into()).or_default() -= amount.to_field(),
            _ => {}
        }
    }
    prop_assert_eq!(sums(after), expected);
    Ok(())
}

/// Few accounts: everything waits for everything. The fee account, 1, is among them.
const FEW: [u32; 2] = [2, 3];
const MANY: [u32; 3] = [10, 100, 500];

fn arb_mix(accounts: &'static [u32], all_kinds: bool) -> impl Strategy<Value = Mix> {
    (proptest::sample::select(accounts), any::<bool>(), (0..4u8)).prop_map(move |(accounts, faults, chain)| Mix {
        accounts,
        all_kinds,
        faults,
        chain: chain == 0,
    })
}

fn arb_case(accounts: &'static [u32], all_kinds: bool) -> impl Strategy<Value = (Mix, Vec<Job>)> {
    arb_mix(accounts, all_kinds).prop_flat_map(|mix| (Just(mix), arb_jobs(mix, 600)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn transfers_among_few((mix, jobs) in arb_case(&FEW, false)) {
        check(mix, &jobs, &[(2, 64), (3, 4096)])?;
    }

    #[test]
    fn transfers_among_many((mix, jobs) in arb_case(&MANY, false)) {
        check(mix, &jobs, &[(1, 64), (2, 64), (4, 4096)])?;
    }

    #[test]
    fn everything_among_few((mix, jobs) in arb_case(&FEW, true)) {
        check(mix, &jobs, &[(2, 7), (3, 4096)])?;
    }

    #[test]
    fn everything_among_many((mix, jobs) in arb_case(&MANY, true)) {
        check(mix, &jobs, &[(2, 64), (3, 1), (4, 4096)])?;
    }
}

/// As many transfers as a block holds, several times: threads meet in another way each time.
#[test]
fn large_calls_give_the_same_each_time() {
    let ctx = context(CASE_DEPTH);
    for accounts in [3u32, 40, 500] {
        let mix = Mix { accounts, all_kinds: false, faults: false, chain: false };
        let mut nonces = vec![0; accounts as usize + 1];
        let job = |i: u32| {
            let numbers = u64::from(i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 16;
            let (from, to) = (1 + numbers as u32 % accounts, 1 + (numbers >> 24) as u32 % accounts);
            nonces[from as usize] += 1;
            transfer(from, nonces[from as usize] - 1, to, token(0), 1)
        };
        let jobs: Vec<_> = (0..10_000).map(job).collect();
        let expected = reference(&ctx, &start(&ctx, mix), &jobs);
        assert!(expected.0.iter().filter(|result| result.is_ok()).count() > 5_000);
        let mut executor = Executor::new(4);
        for _ in 0..5 {
            assert!(run(&ctx, mix, &jobs, &mut executor, usize::MAX, Choice::Force(Path::Parallel)) == expected);
        }
    }
}
