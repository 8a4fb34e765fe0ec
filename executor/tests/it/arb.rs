//! Strategies for jobs: anything that can be written down, on few accounts, most of it allowed.

use crate::world::{NOW, amount, context, deposit, fee, id, key_hash, map_of, owner, people, signed, target, token};
use proptest::prelude::*;
use sheaf_core::F;
use sheaf_core::operation::Operation;
use sheaf_core::slot::{Memory, Signed, apply};
use sheaf_core::types::{AccountId, NONCE_WORD, TokenWord, field_from_address, u128_from_field};
use sheaf_executor::Job;

/// What goes wrong with a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    Unsigned,
    Expired,
    Key,
    Nonce,
    Target,
    Amount,
    Token,
}

/// One job, before nonces are known.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    kind: u8,
    from: u32,
    to: u32,
    token: u8,
    value: u64,
    fault: Fault,
}

/// What a case is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mix {
    /// Accounts that exist, from 1 on.
    pub(crate) accounts: u32,
    /// Whether other things than transfers happen.
    pub(crate) all_kinds: bool,
    /// Whether some jobs are wrong.
    pub(crate) faults: bool,
    /// Whether each account pays the next, so that operations form one chain.
    pub(crate) chain: bool,
}

/// Tokens of the cases: in the first quad, in another one, and apart.
pub(crate) const TOKENS: [u8; 4] = [0, 1, 7, 40];

/// What each account has of each token at first.
pub(crate) const BALANCE: u128 = 100_000;
/// Depth of the cases' trees: 1,024 accounts.
pub(crate) const CASE_DEPTH: u32 = 8;

fn arb_fault(faults: bool) -> impl Strategy<Value = Fault> {
    use Fault as W;
    let wrong = [W::Unsigned, W::Expired, W::Key, W::Nonce, W::Target, W::Amount, W::Token];
    (0..if faults { 20usize } else { 1 }).prop_map(move |i| i.checked_sub(13).map_or(W::None, |i| wrong[i]))
}

/// Up to `max` jobs of `mix`, executed in order from [`people`]. Where no fault is meant, the nonce is right.
pub(crate) fn arb_jobs(mix: Mix, max: usize) -> impl Strategy<Value = Vec<Job>> {
    let account = 0..mix.accounts;
    // Most pay the first token; a value of 0 and one above every balance occur too.
    let token = (0usize..8).prop_map(|i| TOKENS[i.saturating_sub(4)]);
    let value = prop_oneof![8 => 1u64..2_000, 1 => Just(0), 1 => 50_000u64..200_000];
    let kind = if mix.all_kinds { 0u8..24 } else { 0..1 };
    let draft = (kind, account.clone(), account, token, value, arb_fault(mix.faults))
        .prop_map(|(kind, from, to, token, value, fault)| Draft { kind, from, to, token, value, fault });
    proptest::collection::vec(draft, 1..max).prop_map(move |drafts| jobs(mix, drafts))
}

fn jobs(mix: Mix, drafts: Vec<Draft>) -> Vec<Job> {
    let ctx = context(CASE_DEPTH);
    let mut memory = map_of(&people(&ctx, mix.accounts, &TOKENS.map(token), BALANCE));
    let job = |(i, mut draft): (usize, Draft)| {
        if mix.chain {
            (draft.from, draft.to) = (i as u32 % mix.accounts, (i as u32 + 1) % mix.accounts);
        }
        let (from, to) = (draft.from + 1, draft.to + 1);
        let nonce = u128_from_field(memory.read(ctx.geometry.address(from, NONCE_WORD))).unwrap() as u64;
        let job = break_it(make(&mix, &draft, from, to, nonce), draft.fault);
        // A refusal is as welcome as a success.
        let _ = apply(&ctx, &job.operation, job.signed.as_ref(), &mut memory);
        job
    };
    drafts.into_iter().enumerate().map(job).collect()
}

/// Index of an account that may or may not exist yet.
fn fresh(mix: &Mix, to: u32) -> u32 {
    mix.accounts + to
}

fn make(mix: &Mix, draft: &Draft, from: u32, to: u32, nonce: u64) -> Job {
    let (from_id, to_id, token) = (id(from), id(to), token(draft.token));
    let (amount, fee) = (amount(draft.value.into()), fee(3));
    let new = fresh(mix, to);
    match draft.kind {
        15 => deposit(to, token, draft.value.into()),
        16 => deposit(new, token, draft.value.into()),
        // Of somebody else.
        17 => {
            let operation =
                Operation::Deposit { account: to_id, token, amount: 5, owner: owner(from), key_hash: key_hash(from + 70_000) };
            Job { operation, signed: None }
        }
        // To the same key, so that later payments still meet it, or to another one.
        18 => Job { operation: Operation::SetKey { account: to_id, caller: owner(from), key_hash: key_hash(to) }, signed: None },
        19 => {
            let key_hash = key_hash(to + 90_000 * u32::from(draft.value.is_multiple_of(2)));
            Job { operation: Operation::SetKey { account: to_id, caller: owner(to), key_hash }, signed: None }
        }
        20 => {
            // Allowed for a stranger with amount 0; with an amount only if it is the whole balance.
            let amount = if draft.value.is_multiple_of(2) { 0 } else { BALANCE };
            let caller = if draft.value.is_multiple_of(3) { owner(to) } else { owner(from + 1) };
            Job { operation: Operation::ForcedExit { account: to_id, token, amount, caller }, signed: None }
        }
        21 => {
            let to = if draft.value.is_multiple_of(5) { to } else { new };
            let (owner, key_hash) = (owner(to), key_hash(to));
            let operation = Operation::TransferNew { from: from_id, to: id(to), token, amount, fee, owner, key_hash };
            Job { operation, signed: signed(from, nonce, target(to)) }
        }
        22 => {
            let operation = Operation::Withdraw { from: from_id, token, amount, fee, recipient: owner(to) };
            Job { operation, signed: signed(from, nonce, [field_from_address(owner(to)), F::from(0u64)]) }
        }
        23 => Job { operation: [Operation::Noop, refund(token, to)][draft.value as usize % 2], signed: None },
        // Pays an account that another operation may create.
        14 => Job { operation: transfer(from_id, id(new), token, draft.value), signed: signed(from, nonce, target(new)) },
        _ => Job { operation: transfer(from_id, to_id, token, draft.value), signed: signed(from, nonce, target(to)) },
    }
}

fn transfer(from: AccountId, to: AccountId, token: TokenWord, value: u64) -> Operation {
    Operation::Transfer { from, to, token, amount: amount(value.into()), fee: fee(3) }
}

fn refund(token: TokenWord, to: u32) -> Operation {
    Operation::DepositRefund { token, amount: 5, owner: owner(to), key_hash: key_hash(to) }
}

fn break_it(mut job: Job, fault: Fault) -> Job {
    let one = F::from(1u64);
    let change = |signed: Signed| match fault {
        Fault::Expired => Signed { expires: NOW - 1, ..signed },
        Fault::Key => Signed { key_hash: signed.key_hash + one, ..signed },
        Fault::Nonce => Signed { nonce: signed.nonce + one, ..signed },
        Fault::Target => Signed { target: [signed.target[0], signed.target[1] + one], ..signed },
        _ => signed,
    };
    job.signed = if fault == Fault::Unsigned { None } else { job.signed.map(change) };
    if let Operation::Transfer { token, amount: value, .. } = &mut job.operation {
        match fault {
            Fault::Amount => *value = amount(10u128.pow(25)),
            Fault::Token => *token = TokenWord::new((value.bits() % 3) as u8).unwrap(),
            _ => {}
        }
    }
    job
}
