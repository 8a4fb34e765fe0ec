//! Who waits for whom: the plan of one window of operations.
//!
//! An *entry* is one access of one operation: `4 · operation + {0: owner, 1: receiver, 2: fee account}`.

use crate::access::{Accesses, Kind, accesses};
use crate::executor::Job;
use crate::schedule::{NONE, Schedule};
use crate::table::{Table, Tail};
use crate::words::Words;
use sheaf_core::geometry::{ARITY, Geometry};
use sheaf_core::slot::Context;
use sheaf_core::types::KEY_HASH_WORD;
use std::ops::Range;
use std::sync::atomic::AtomicUsize;

/// Entry of the sender, or of the account of an L1 operation.
pub(crate) const OWNER: u32 = 0;
/// Entry of the receiver.
pub(crate) const RECEIVER: u32 = 1;
/// Entry of the fee account.
pub(crate) const FEE: u32 = 2;

/// Operations after which a plan first asks whether it is of use, then after each doubling.
const FIRST_LOOK: usize = 256;

/// One operation of a plan: half a cache line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    /// The operations that wait for each entry.
    pub(crate) next: [u32; 3],
    /// Of a credit entry: the next credit of the same account. Of an exclusive entry: the first credit to fold before.
    pub(crate) list: [u32; 3],
    /// The token's word.
    pub(crate) word: u8,
    /// Whether the credits of receiver and fee account are deferred.
    pub(crate) deferred: [bool; 2],
    /// The fee, as on the wire.
    pub(crate) fee: u16,
}

/// Credits that nobody in the window reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    pub(crate) account: u32,
    /// The first entry of the list, or [`NONE`].
    pub(crate) first: u32,
}

/// The plan of the jobs `range.start..range.end`.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) range: Range<usize>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) schedule: Schedule,
    /// Lists to fold after the run, that of the fee account first.
    pub(crate) open: Vec<Open>,
    /// The next list for a thread to fold.
    pub(crate) fold_cursor: AtomicUsize,
    /// Addresses that need room before the run.
    pub(crate) missing: Vec<u32>,
    /// Operations of the longest chain in which each waits for the one before.
    pub(crate) critical_path: u32,
    /// How often an operation waits for another.
    pub(crate) waits: u64,
    /// The job behind the last one can't be planned and has to run alone.
    pub(crate) alone: bool,
    /// The planner gave up: these operations wait for each other too much.
    pub(crate) hopeless: bool,
}

/// Makes plans; keeps what they share.
pub(crate) struct Planner {
    table: Table,
    /// Places of accounts that got a credit.
    credited: Vec<usize>,
    window: usize,
}

impl Planner {
    pub(crate) fn new(window: usize) -> Self {
        Self { table: Table::new(2 * window), credited: Vec::new(), window }
    }

    /// Plans `jobs[start..]`, up to a window or `limit`, fewer if a job has to run alone. Gives up if `useful(operations, critical path,
    /// waits)` says no; such a plan is not to be run.
    pub(crate) fn plan(
        &mut self,
        plan: &mut Plan,
        (ctx, words, jobs): (&Context, &Words, &[Job]),
        (start, limit): (usize, usize),
        useful: impl Fn(usize, u32, u64) -> bool,
    ) {
        plan.clear(start);
        self.table.clear(ctx.fee_account.get());
        self.credited.clear();
        let roomy = Some(words.roomy_accounts()).filter(|accounts| ctx.fee_account.get() < *accounts).unwrap_or(0);
        let mut look = FIRST_LOOK;
        for job in &jobs[start..jobs.len().min(start + self.window.min(limit))] {
            let Some(named) = accesses(ctx, &job.operation) else {
                plan.alone = true;
                break;
            };
            if !named.within(roomy) {
                plan.note_missing(words, ctx, &named);
            }
            self.add(plan, &named);
            if plan.nodes.len() == look {
                look *= 2;
                if !useful(plan.nodes.len(), plan.critical_path, plan.waits) {
                    plan.hopeless = true;
                    break;
                }
            }
        }
        plan.range.end = start + plan.nodes.len();
        self.close(plan);
        plan.hopeless |= !plan.nodes.is_empty() && !useful(plan.nodes.len(), plan.critical_path, plan.waits);
    }

    /// Appends one operation.
    #[inline]
    fn add(&mut self, plan: &mut Plan, named: &Accesses) {
        let operation = plan.nodes.len() as u32;
        let fee = named.fee.map_or(0, |fee| fee.bits() as u16);
        plan.nodes.push(Node { next: [NONE; 3], list: [NONE; 3], word: named.word, deferred: [false; 2], fee });
        let (mut waits, mut depth) = (0, 0);
        let [mut owner, mut receiver] = [None; 2];
        let mut credit = None;
        if let Some((account, kind)) = named.owner {
            let place = self.table.find(account);
            let tail = self.table.tail(place);
            waits += plan.take(tail, operation, OWNER);
            depth = tail.depth;
            tail.keys |= kind == Kind::Keys;
            owner = Some(place);
        }
        if let Some((account, kind)) = named.receiver {
            let place = self.table.find(account);
            let tail = self.table.tail(place);
            if kind == Kind::Credit && !tail.keys {
                credit = Some(place);
            } else {
                waits += plan.take(tail, operation, RECEIVER);
                depth = depth.max(tail.depth);
                tail.keys |= kind == Kind::Keys;
                receiver = Some(place);
            }
        }
        depth += 1;
        for place in [owner, receiver].into_iter().flatten() {
            self.table.tail(place).depth = depth;
        }
        if let Some(place) = credit
            && plan.credit(self.table.tail(place), operation, RECEIVER, depth)
        {
            self.credited.push(place);
        }
        if named.fee.is_some() {
            let place = self.table.fee_place();
            plan.credit(self.table.tail(place), operation, FEE, depth);
        }
        plan.schedule.push(waits);
        plan.waits += u64::from(waits);
        plan.critical_path = plan.critical_path.max(depth);
    }

    /// Collects the credits that are left.
    fn close(&mut self, plan: &mut Plan) {
        self.credited.push(self.table.fee_place());
        // The fee account's list is the longest: it comes first.
        for place in self.credited.drain(..).rev() {
            let tail = self.table.tail(place);
            let first = std::mem::replace(&mut tail.first_credit, NONE);
            if first == NONE {
                continue;
            }
            if first == tail.last_credit && tail.exclusive == NONE {
                // Nobody else in the window names the account: there is nothing to defer the credit for.
                plan.nodes[(first / 4) as usize].deferred[(first % 4 - RECEIVER) as usize] = false;
            } else {
                plan.open.push(Open { account: tail.account, first });
            }
        }
    }
}

impl Plan {
    fn clear(&mut self, start: usize) {
        self.range = start..start;
        self.nodes.clear();
        self.schedule.clear();
        self.open.clear();
        *self.fold_cursor.get_mut() = 0;
        self.missing.clear();
        (self.critical_path, self.waits, self.alone, self.hopeless) = (0, 0, false, false);
    }

    /// Lets `operation` wait for everything that named the account since its last exclusive access, and fold the credits.
    /// Gives the number of entries that it waits for.
    fn take(&mut self, tail: &mut Tail, operation: u32, entry: u32) -> u32 {
        let mut waits = 0;
        if tail.exclusive != NONE {
            *entry_of(&mut self.nodes, tail.exclusive).0 = operation;
            waits += 1;
        }
        let mut credit = tail.first_credit;
        while credit != NONE {
            let (next, list) = entry_of(&mut self.nodes, credit);
            *next = operation;
            credit = *list;
            waits += 1;
        }
        let this = 4 * operation + entry;
        *entry_of(&mut self.nodes, this).1 = tail.first_credit;
        (tail.exclusive, tail.first_credit, tail.last_credit) = (this, NONE, NONE);
        waits
    }

    /// Appends a deferred credit. Says whether it is the first since the account's last exclusive access.
    fn credit(&mut self, tail: &mut Tail, operation: u32, entry: u32, depth: u32) -> bool {
        let this = 4 * operation + entry;
        self.nodes[operation as usize].deferred[entry as usize - 1] = true;
        tail.depth = tail.depth.max(depth);
        let last = std::mem::replace(&mut tail.last_credit, this);
        if last == NONE {
            tail.first_credit = this;
        } else {
            *entry_of(&mut self.nodes, last).1 = this;
        }
        last == NONE
    }

    /// Notes the words that an operation may write and that have no place yet.
    fn note_missing(&mut self, words: &Words, ctx: &Context, named: &Accesses) {
        let account = |access: Option<(u32, Kind)>| access.map(|(account, _)| account);
        let fee = named.fee.map(|_| ctx.fee_account.get());
        for account in [account(named.owner), account(named.receiver), fee].into_iter().flatten() {
            for word in [KEY_HASH_WORD, named.word.into()] {
                if word == KEY_HASH_WORD || named.word >= ARITY as u8 {
                    self.need(words, words.geometry(), account, word);
                }
            }
        }
    }

    fn need(&mut self, words: &Words, geometry: Geometry, account: u32, word: u32) {
        let address = geometry.address(account, word);
        if words.word(address).is_none() {
            self.missing.push(address);
        }
    }
}

/// `next` and `list` of an entry.
fn entry_of(nodes: &mut [Node], entry: u32) -> (&mut u32, &mut u32) {
    let node = &mut nodes[(entry / 4) as usize];
    let k = (entry % 4) as usize;
    (&mut node.next[k], &mut node.list[k])
}
