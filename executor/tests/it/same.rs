//! Every way to execute gives the same.

use crate::world::{context, map_of, people, token, transfer};
use sheaf_core::slot::apply;
use sheaf_executor::{Choice, Executor, Job, Path};

#[test]
fn a_ring_of_payments() {
    let ctx = context(6);
    let mut nonces = [0; 20];
    let jobs: Vec<Job> = (0..1000u32)
        .map(|i| {
            let from = 2 + i * 7 % 15;
            nonces[from as usize] += 1;
            transfer(from, nonces[from as usize] - 1, 2 + i * 11 % 15, token(0), 10)
        })
        .collect();
    let start = people(&ctx, 16, &[token(0)], 100_000);
    let mut reference = map_of(&start);
    let expected: Vec<_> = jobs.iter().map(|j| apply(&ctx, &j.operation, j.signed.as_ref(), &mut reference)).collect();
    assert!(expected.iter().all(Result::is_ok));
    let mut words = start;
    let mut executor = Executor::with_window(2, 64);
    let outcome = executor.execute(&ctx, &mut words, &jobs, Choice::Force(Path::Parallel));
    assert_eq!(outcome.path(), Path::Parallel);
    let results: Vec<_> = outcome.iter().map(|r| r.copied()).collect();
    assert!(results == expected);
    assert!(map_of(&words) == reference);
}
