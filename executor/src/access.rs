//! Which accounts an operation names, and how.

use crate::executor::Job;
use crate::words::Words;
use sheaf_core::amount::PackedFee;
use sheaf_core::geometry::ARITY;
use sheaf_core::operation::Operation;
use sheaf_core::slot::{Context, token_word};
use sheaf_core::types::FIRST_BALANCE_WORD;

/// What an operation does to an account, beyond its key hash and owner, which nobody reads while they change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Reads and writes what other operations write: one at a time, in order.
    Exclusive,
    /// As `Exclusive`, and may change the key hash or owner, which a credit reads.
    Keys,
    /// Adds to one balance, whatever it is.
    Credit,
}

/// The accounts of an operation. Sender, receiver and fee account may be one account: then it stands once, as the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Accesses {
    /// The sender, or the account of an L1 operation.
    pub(crate) owner: Option<(u32, Kind)>,
    /// The receiver.
    pub(crate) receiver: Option<(u32, Kind)>,
    /// What the fee account is credited with.
    pub(crate) fee: Option<PackedFee>,
    /// The token's word.
    pub(crate) word: u8,
}

impl Accesses {
    /// Whether all words are among the first of an account below `accounts`.
    #[inline]
    pub(crate) fn within(&self, accounts: u32) -> bool {
        let below = |access: Option<(u32, Kind)>| access.is_none_or(|(account, _)| account < accounts);
        accounts > 0 && self.word < ARITY as u8 && below(self.owner) && below(self.receiver)
    }
}

/// The accounts that `operation` names; `None` if it may change the fee account's key hash, which every idle port of every
/// operation reads.
///
/// A deposit may create its account. Whether it does is not asked here, so that a plan can be made while the
/// operations before it still run.
#[inline]
pub(crate) fn accesses(ctx: &Context, operation: &Operation) -> Option<Accesses> {
    if token_word(operation).is_some_and(|word| u32::from(word.get()) < FIRST_BALANCE_WORD) {
        // Refused by its form, before memory is looked at.
        return Some(Accesses { owner: None, receiver: None, fee: None, word: 0 });
    }
    let fee_account = ctx.fee_account.get();
    let (owner, receiver, fee, word) = match *operation {
        Operation::Noop | Operation::DepositRefund { .. } => (None, None, None, 0),
        Operation::Deposit { account, token, .. } => (Some((account.get(), Kind::Keys)), None, None, token.get()),
        Operation::SetKey { account, .. } => (Some((account.get(), Kind::Keys)), None, None, 0),
        Operation::ForcedExit { account, token, .. } => (Some((account.get(), Kind::Exclusive)), None, None, token.get()),
        Operation::Withdraw { from, token, fee, .. } => (Some((from.get(), Kind::Exclusive)), None, Some(fee), token.get()),
        Operation::Transfer { from, to, token, fee, .. } => {
            let receiver = (to != from).then_some((to.get(), Kind::Credit));
            (Some((from.get(), Kind::Exclusive)), receiver, Some(fee), token.get())
        }
        Operation::TransferNew { from, to, token, fee, .. } if to == from => {
            (Some((from.get(), Kind::Keys)), None, Some(fee), token.get())
        }
        Operation::TransferNew { from, to, token, fee, .. } => {
            (Some((from.get(), Kind::Exclusive)), Some((to.get(), Kind::Keys)), Some(fee), token.get())
        }
    };
    let changes_fee_keys = |access: Option<(u32, Kind)>| access == Some((fee_account, Kind::Keys));
    if changes_fee_keys(owner) || changes_fee_keys(receiver) {
        return None;
    }
    let fee = fee.filter(|_| owner.is_none_or(|(account, _)| account != fee_account));
    Some(Accesses { owner, receiver, fee, word })
}

/// Has the words of jobs fetched from memory all at once, and not one after the other when each job comes to them.
pub(crate) fn touch(words: &Words, jobs: &[Job]) {
    let mut sum = 0;
    for job in jobs {
        if let Operation::Transfer { from, to, .. } = job.operation {
            sum ^= words.touch(from.get()) ^ words.touch(to.get());
        }
    }
    // The sum means nothing, but must seem to be needed.
    std::hint::black_box(sum);
}
