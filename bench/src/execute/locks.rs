//! Per-account locks, the field's other usual way: each operation takes the locks of its accounts, runs, and lets go.
//!
//! Plain mutexes would let operations of one account overtake each other, and give another result at each run. These
//! are ticket locks: an account serves its operations in their order, so the result is the sequential one.

use super::baseline::{Fees, Kept, Results, settle_fees};
use sheaf_core::F;
use sheaf_core::operation::Operation;
use sheaf_core::slot::{Context, Memory, apply};
use sheaf_executor::{Job, Words};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// An account and the number that has to come up there.
type Ticket = (u32, u32);

fn accounts(operation: &Operation) -> [Option<u32>; 2] {
    match *operation {
        Operation::Transfer { from, to, .. } | Operation::TransferNew { from, to, .. } => {
            [Some(from.get()), (from != to).then_some(to.get())]
        }
        Operation::Withdraw { from, .. } => [Some(from.get()), None],
        Operation::Deposit { account, .. } | Operation::SetKey { account, .. } | Operation::ForcedExit { account, .. } => {
            [Some(account.get()), None]
        }
        Operation::Noop | Operation::DepositRefund { .. } => [None, None],
    }
}

/// A lock an account.
pub(super) struct Locks {
    issued: Vec<u32>,
    serving: Vec<AtomicU32>,
}

impl Locks {
    /// Locks for accounts below `count`.
    pub(super) fn new(count: usize) -> Self {
        Self { issued: vec![0; count], serving: (0..count).map(|_| AtomicU32::new(0)).collect() }
    }

    fn issue(&mut self, operation: &Operation) -> [Option<Ticket>; 2] {
        accounts(operation).map(|account| {
            account.map(|account| {
                let issued = &mut self.issued[account as usize];
                *issued = issued.wrapping_add(1);
                (account, issued.wrapping_sub(1))
            })
        })
    }

    fn wait(&self, (account, number): Ticket) {
        let mut spins = 0u32;
        while self.serving[account as usize].load(Ordering::Acquire) != number {
            spins += 1;
            if spins.is_multiple_of(1 << 10) {
                std::thread::yield_now();
            }
            std::hint::spin_loop();
        }
    }

    fn release(&self, (account, number): Ticket) {
        self.serving[account as usize].store(number.wrapping_add(1), Ordering::Release);
    }
}

/// The words, with the fee put off.
struct View<'a> {
    words: &'a Words,
    fees: Fees,
}

impl Memory for View<'_> {
    fn read(&self, address: u32) -> F {
        if self.fees.deferred(address) { F::from(0u64) } else { self.words.get(address) }
    }

    fn write(&mut self, address: u32, value: F) {
        if !self.fees.deferred(address) {
            self.words.set_shared(address, value);
        }
    }
}

/// Executes `jobs` in parallel with the result of their order.
pub(super) fn execute(pool: &rayon::ThreadPool, locks: &mut Locks, ctx: &Context, words: &mut Words, jobs: &[Job]) -> Results {
    let tickets: Vec<_> = jobs.iter().map(|job| locks.issue(&job.operation)).collect();
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<Option<Kept>>> = Mutex::new(vec![None; jobs.len()]);
    let (shared, locks): (&Words, &Locks) = (words, locks);
    pool.broadcast(|_| {
        let mut own = Vec::with_capacity(jobs.len());
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(index) else { break };
            tickets[index].iter().flatten().for_each(|ticket| locks.wait(*ticket));
            let mut view = View { words: shared, fees: Fees::of(ctx, &job.operation) };
            own.push((index, apply(ctx, &job.operation, job.signed.as_ref(), &mut view)));
            tickets[index].iter().flatten().for_each(|ticket| locks.release(*ticket));
        }
        let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
        for (index, result) in own {
            done[index] = Some(result);
        }
    });
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut results: Vec<Kept> = done.into_iter().map(|r| r.expect("every operation ran")).collect();
    settle_fees(ctx, words, jobs, &mut results);
    results
}
