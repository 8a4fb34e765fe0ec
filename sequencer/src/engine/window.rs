//! Windows: runs of operations that are executed together, because none depends on what another creates.
//!
//! A window ends before an operation that names an account or pair that the window creates, before one whose refusal
//! depends on how an earlier operation of its sender ends, and, while entries of the L1 queue wait for the open batch to
//! fill, where that batch is full. Results are therefore those of execution one after the other, but for one thing: an
//! index that a refused creation would have taken stays empty until the next window.

use super::{Engine, Verified};
use crate::block::TransactionRow;
use crate::config::Config;
use crate::error::Refusal;
use crate::state::{State, Unresolved};
use crate::types::Placement;
use ark_ff::Zero;
use sheaf_core::operation::Operation;
use sheaf_core::shape::RowCounter;
use sheaf_core::slot::{Context, PORTS, Port, addresses};
use sheaf_core::transaction::{Pair, Resolution, Target};
use sheaf_core::types::AccountId;
use sheaf_executor::Job;
use std::collections::{HashMap, HashSet};
use std::time::Instant;

/// A transaction that a window may take.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) verified: &'a Verified,
    /// The index that it creates if it is empty, when it creates one.
    pub(super) created_at: Option<AccountId>,
    /// Whether it was executed before, and so needs to meet the protocol's rules only, not the operator's.
    pub(super) promised: bool,
}

/// Accounts that a window creates.
#[derive(Default)]
pub(super) struct Creations {
    pairs: HashSet<Pair>,
    indices: HashSet<AccountId>,
    /// Empty indices below it are given out.
    from: u32,
}

impl Creations {
    /// Whether the window creates an account for this pair.
    pub(super) fn names(&self, pair: &Pair) -> bool {
        self.pairs.contains(pair)
    }

    /// Where a credit to `pair`, which the window does not create, goes: a new account gets the wished index if that is
    /// empty and for everybody, or else the lowest one that is not given out.
    pub(super) fn resolve(&self, state: &State, pair: &Pair, wish: Option<AccountId>) -> Result<Resolution, Unresolved> {
        let lowest = match state.resolve(pair)? {
            Resolution::Create(index) => index,
            existing => return Ok(existing),
        };
        // The operator's own index is given to no other pair, and the operator gets no other one while it is empty.
        if lowest == Config::FEE_ACCOUNT {
            return Ok(Resolution::Create(lowest));
        }
        let free = |index: &AccountId| !self.indices.contains(index);
        let empty =
            |index: &AccountId| *index > Config::FEE_ACCOUNT && state.contains(*index) && state.key_hash(*index).is_zero();
        if let Some(wish) = wish.filter(free).filter(empty) {
            return Ok(Resolution::Create(wish));
        }
        let mut index = state.empty_index(self.from);
        while let Some(taken) = index.filter(|index| !free(index)) {
            index = state.empty_index(taken.get() + 1);
        }
        index.map(Resolution::Create).ok_or(Unresolved::Full)
    }

    /// Gives an index out.
    pub(super) fn add(&mut self, state: &State, pair: Pair, index: AccountId) {
        self.pairs.insert(pair);
        self.indices.insert(index);
        if state.empty_index(self.from) == Some(index) {
            self.from = index.get() + 1;
        }
    }
}

/// Transactions that are executed together.
struct Window {
    jobs: Vec<Job>,
    /// What each transaction that was taken is refused for; none for the next of the jobs.
    refusals: Vec<Option<Refusal>>,
    /// The next nonce of each sender, if all jobs succeed.
    nonces: HashMap<AccountId, u64>,
    creations: Creations,
    /// The open batch as it would be, where the window must not go beyond it.
    rows: Option<RowCounter>,
}

/// Why a transaction does not become a job of the window.
enum Kept {
    /// It is refused, whatever becomes of the jobs so far.
    Refused(Refusal),
    /// What becomes of it depends on the jobs so far, or the open batch is full.
    Later,
}

impl Engine {
    /// The longest window that these transactions begin with. Empty only if the open batch has no room for the first one and
    /// entries of the L1 queue wait for the next batch.
    fn plan(&self, requests: &[Request<'_>], now: u32) -> Window {
        let ctx = self.context(now);
        // What is replayed came before what waits.
        let l1_is_next = !self.ready_l1.is_empty() && requests.iter().all(|request| !request.promised);
        let rows = l1_is_next.then(|| self.ledger.open.rows().clone());
        let (jobs, refusals, nonces, creations) = Default::default();
        let mut window = Window { jobs, refusals, nonces, creations, rows };
        for request in requests {
            match self.consider(&mut window, request, &ctx, now) {
                Ok(operation) => {
                    let created = self.take(&mut window, operation, request);
                    window.refusals.push(None);
                    // Idle ports read the fee account, so nothing goes beside the operation that creates it.
                    if created == Some(Config::FEE_ACCOUNT) {
                        break;
                    }
                }
                Err(Kept::Refused(refusal)) => window.refusals.push(Some(refusal)),
                Err(Kept::Later) => break,
            }
        }
        window
    }

    /// The operation that a transaction becomes after the jobs so far, if all of them succeed.
    fn consider(&self, window: &mut Window, request: &Request<'_>, ctx: &Context, now: u32) -> Result<Operation, Kept> {
        let payload = &request.verified.transaction.payload;
        let creations = &window.creations;
        let receiver = match &payload.target {
            Target::Account(pair) => Some(pair),
            Target::L1(_) => None,
        };
        if creations.indices.contains(&payload.from) || receiver.is_some_and(|pair| creations.names(pair)) {
            return Err(Kept::Later);
        }
        let planned = window.nonces.get(&payload.from).copied();
        let operation = self.admit(request, planned, creations, ctx.timestamp, now).map_err(|refusal| {
            let depends = planned.is_some() || refusal == Refusal::NoFreeAccount && !creations.indices.is_empty();
            if depends { Kept::Later } else { Kept::Refused(refusal) }
        })?;
        let first = window.jobs.is_empty();
        if !first && matches!(operation, Operation::TransferNew { to: Config::FEE_ACCOUNT, .. }) {
            return Err(Kept::Later);
        }
        if let Some(rows) = &mut window.rows
            && !rows.try_add(&addresses(ctx, &operation))
        {
            return Err(Kept::Later);
        }
        Ok(operation)
    }

    /// Makes an operation the next job, and gives the index that it creates.
    fn take(&self, window: &mut Window, operation: Operation, request: &Request<'_>) -> Option<AccountId> {
        let Verified { transaction, signed, .. } = request.verified;
        window.nonces.insert(transaction.payload.from, transaction.payload.nonce + 1);
        window.jobs.push(Job { operation, signed: Some(*signed) });
        let Operation::TransferNew { to, owner, key_hash, .. } = operation else { return None };
        window.creations.add(&self.ledger.state, Pair { owner, key_hash }, to);
        Some(to)
    }

    /// Executes transactions in order, window by window, and gives what became of each.
    pub(super) fn run_requests(&mut self, requests: &[Request<'_>], now: u32) -> Vec<Result<Placement, Refusal>> {
        let mut results = Vec::with_capacity(requests.len());
        while results.len() < requests.len() {
            let rest = &requests[results.len()..];
            let window = self.plan(rest, now);
            if window.refusals.is_empty() {
                self.ledger.seal(now);
                self.drain_l1(now, Instant::now());
            } else {
                self.execute(window, rest, now, &mut results);
            }
        }
        results
    }

    fn execute(&mut self, window: Window, requests: &[Request<'_>], now: u32, results: &mut Vec<Result<Placement, Refusal>>) {
        let ctx = self.context(now);
        let outcome = self.executor.execute(&ctx, self.ledger.state.words_mut(), &window.jobs, self.choice);
        let mut jobs = window.jobs.iter().enumerate();
        for (request, refusal) in requests.iter().zip(window.refusals) {
            results.push(refusal.map_or_else(
                || {
                    let (i, job) = jobs.next().expect("every transaction is refused or a job");
                    match outcome.get(i) {
                        Ok(ports) => Ok(self.record(request.verified, &job.operation, ports, now)),
                        Err(error) => Err(self.refusal(request.verified, ctx.timestamp, error)),
                    }
                },
                Err,
            ));
        }
        self.executor.recycle(outcome);
    }

    fn record(&mut self, verified: &Verified, operation: &Operation, ports: &[Port; PORTS], now: u32) -> Placement {
        let (batch, position) = self.ledger.record(operation, ports, now);
        let Verified { transaction, hash, .. } = *verified;
        let draft = &mut self.ledger.draft;
        draft.transactions.push(TransactionRow { hash, transaction, operation: *operation, batch, position });
        Placement { block: draft.number, batch, position }
    }
}
