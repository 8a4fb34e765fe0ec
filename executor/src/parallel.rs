//! One window on several threads: run, fold, patch.

use crate::access::touch;
use crate::executor::Job;
use crate::outcome::{Buffer, REFUSED, Unpatched};
use crate::plan::{Node, OWNER, Plan, RECEIVER};
use crate::schedule::{NONE, Tasks};
use crate::view::{NO_ADDRESS, View, room};
use crate::words::{Word, Words};
use ark_ff::Zero;
use sheaf_core::F;
use sheaf_core::amount::PackedFee;
use sheaf_core::geometry::Geometry;
use sheaf_core::operation::Operation;
use sheaf_core::slot::{Context, apply};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Lists of credits that a thread takes at a time.
const FOLD_CHUNK: usize = 64;

/// What the threads share in a window.
#[derive(Clone, Copy)]
pub(crate) struct Window<'a> {
    pub(crate) ctx: &'a Context,
    pub(crate) words: &'a Words,
    /// The window's jobs.
    pub(crate) jobs: &'a [Job],
    pub(crate) plan: &'a Plan,
    pub(crate) credits: &'a Credits,
    /// Where the results of the window's jobs are.
    pub(crate) places: &'a [AtomicU64],
}

/// The deferred credits of a window, receivers' and the fee account's: of each operation, the balance before it.
pub(crate) type Credits = [Vec<Word>; 2];

/// One thread at work in a window.
struct Worker<'a, 'b> {
    window: Window<'a>,
    thread: usize,
    buffer: &'b mut Buffer,
}

impl Window<'_> {
    /// Runs operations until none is left to take.
    pub(crate) fn run(self, thread: usize, buffer: &mut Buffer) {
        let mut stack = std::mem::take(&mut buffer.stack);
        self.plan.schedule.work(&mut Worker { window: self, thread, buffer }, &mut stack);
        buffer.stack = stack;
    }

    /// Adds the credits that nobody read in the window, until no list is left to take.
    pub(crate) fn fold_open(self) {
        let open = &self.plan.open;
        loop {
            // The first list, the fee account's, is as long as the window: one thread's share by itself.
            let chunk = self.plan.fold_cursor.fetch_add(1, Relaxed);
            let start = if chunk == 0 { 0 } else { 1 + (chunk - 1) * FOLD_CHUNK };
            let end = (1 + chunk * FOLD_CHUNK).min(open.len());
            if start >= open.len() {
                return;
            }
            open[start..end].iter().for_each(|list| self.fold(list.account, list.first));
        }
    }

    /// Adds a list of credits to the balances of `account`, in order, and leaves the balance before it with each of them.
    fn fold(&self, account: u32, first: u32) {
        let mut entry = first;
        while entry != NONE {
            let word = self.plan.nodes[(entry / 4) as usize].word;
            let balance = room(self.words, self.words.geometry().address(account, word.into()));
            entry = self.fold_token(balance, entry, word);
        }
    }

    /// Adds the credits from `entry` on, as long as they are of token `word`, to one balance. Gives the next entry.
    fn fold_token(&self, balance: &Word, mut entry: u32, word: u8) -> u32 {
        let mut sum = balance.get();
        // Fees are often alike: the last one as it stands in its node, and its value.
        let (mut fee, mut fee_value) = (0, F::zero());
        while entry != NONE {
            let (operation, k) = ((entry / 4) as usize, entry % 4);
            let node = &self.plan.nodes[operation];
            if node.word != word {
                break;
            }
            if self.places[operation].load(Relaxed) & REFUSED == 0 {
                self.credits[k as usize - 1][operation].set(sum);
                if k == RECEIVER {
                    sum += amount(&self.jobs[operation]);
                } else {
                    if node.fee != fee {
                        fee = node.fee;
                        fee_value = PackedFee::from_bits(fee.into()).expect("a fee has 14 bits").to_field();
                    }
                    sum += fee_value;
                }
            }
            entry = node.list[k as usize];
        }
        balance.set(sum);
        entry
    }

    /// The balances that `job` credits without waiting.
    fn deferred(&self, job: &Job, node: &Node) -> [u32; 2] {
        let geometry: Geometry = self.ctx.geometry;
        let mut addresses = [NO_ADDRESS; 2];
        if node.deferred[0] {
            addresses[0] = geometry.address(receiver(job), node.word.into());
        }
        if node.deferred[1] {
            addresses[1] = geometry.address(self.ctx.fee_account.get(), node.word.into());
        }
        addresses
    }
}

/// The account that a job pays.
fn receiver(job: &Job) -> u32 {
    match job.operation {
        Operation::Transfer { to, .. } | Operation::TransferNew { to, .. } => to.get(),
        _ => unreachable!("only a transfer has a receiver"),
    }
}

/// What a transfer pays.
fn amount(job: &Job) -> F {
    match job.operation {
        Operation::Transfer { amount, .. } => amount.to_field(),
        _ => unreachable!("only a transfer credits without waiting"),
    }
}

/// The account that comes first with a job.
fn owner(job: &Job) -> u32 {
    use Operation as O;
    match job.operation {
        O::Transfer { from, .. } | O::TransferNew { from, .. } | O::Withdraw { from, .. } => from.get(),
        O::Deposit { account, .. } | O::SetKey { account, .. } | O::ForcedExit { account, .. } => account.get(),
        O::Noop | O::DepositRefund { .. } => unreachable!("an operation without accounts has no credits to fold"),
    }
}

impl Tasks for Worker<'_, '_> {
    fn run(&mut self, task: u32) {
        let operation = task as usize;
        let Window { ctx, words, jobs, plan, places, .. } = self.window;
        let (job, node) = (&jobs[operation], &plan.nodes[operation]);
        if node.list[OWNER as usize] != NONE {
            self.window.fold(owner(job), node.list[OWNER as usize]);
        }
        if !node.deferred[0] && node.list[RECEIVER as usize] != NONE {
            self.window.fold(receiver(job), node.list[RECEIVER as usize]);
        }
        let mut view = View { words, deferred: self.window.deferred(job, node) };
        let result = apply(ctx, &job.operation, job.signed.as_ref(), &mut view);
        if result.is_ok() && node.deferred != [false; 2] {
            let record = self.buffer.ports.len() as u32;
            self.buffer.unpatched.push(Unpatched { record, operation: task, deferred: node.deferred });
        }
        places[operation].store(self.buffer.push(self.thread, result), Relaxed);
    }

    fn approach(&mut self, tasks: Range<usize>) {
        touch(self.window.words, &self.window.jobs[tasks]);
    }

    fn successors(&self, task: u32) -> [u32; 3] {
        self.window.plan.nodes[task as usize].next
    }
}

/// Gives the deferred ports of a thread's records in the last window their balances, which by now are folded.
pub(crate) fn patch(buffer: &mut Buffer, credits: &Credits) {
    for Unpatched { record, operation, deferred } in buffer.unpatched.drain(..) {
        let ports = &mut buffer.ports[record as usize];
        for k in (0..2).filter(|k| deferred[*k]) {
            let port = &mut ports[5 + k];
            port.old = credits[k][operation as usize].get();
            port.new += port.old;
        }
    }
}
