//! When proven batches are submitted, and how many of them with one call; when what left is paid out.
//!
//! Several proofs are checked with one pairing, so a call with sixteen batches pays less than a third of the gas a proof that
//! sixteen calls pay: waiting is worth something, but users wait too.

use crate::store::batches::Run;
use alloy::sol_types::SolCall;
use sheaf_contracts::{Sheaf, gas};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The longest call that is sent, bytes: nodes keep no transaction above 128 KiB (geth's `txMaxSize`).
pub const CALL_BYTES_MAX: usize = 120_000;
/// The most gas that a call is planned to take; a transaction may have 2^24 (EIP-7825).
pub const CALL_GAS_MAX: u64 = 15_000_000;

/// When proven batches are submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallPolicy {
    /// Proven batches that are submitted at once when so many wait.
    pub batches: usize,
    /// How long a proven batch waits for others.
    pub after: Duration,
    /// Above this price gas counts as dear: wei.
    pub dear_wei: u128,
    /// How long a proven batch waits at most for gas to become cheaper.
    pub patience: Duration,
}

impl CallPolicy {
    /// How many of the waiting batches to submit with one call now; 0 if it is better to wait.
    pub fn due(&self, run: &Run, gas_price_wei: u128) -> usize {
        let fitting = fitting(&run.batches).min(self.batches);
        if fitting == 0 || (gas_price_wei > self.dear_wei && run.waited < self.patience) {
            return 0;
        }
        let full = fitting == self.batches || fitting < run.batches.len();
        if full || run.waited >= self.after { fitting } else { 0 }
    }
}

/// When what left is credited to its owners, and paid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayoutPolicy {
    /// Withdrawals that are credited with one call.
    pub chunk: usize,
    /// Above this price gas counts as dear: wei.
    pub dear_wei: u128,
    /// How long what left waits at most for gas to become cheaper, from when its batch was settled.
    pub patience: Duration,
    /// Whether what is credited is also paid out, and of which amount on, by the tokens' numbers; of others any amount is.
    pub claims: Option<BTreeMap<u8, u128>>,
}

impl PayoutPolicy {
    /// Whether what left so long ago waits for gas to become cheaper.
    pub fn waits(&self, waited: Duration, gas_price_wei: u128) -> bool {
        gas_price_wei > self.dear_wei && waited < self.patience
    }
}

/// How many of the batches, from the first on, one call has room for. A single one always is a call of its own.
fn fitting(batches: &[Sheaf::Batch]) -> usize {
    let (mut bytes, mut gas_left, mut shapes) = (0, CALL_GAS_MAX - gas::CALL, BTreeSet::new());
    let fits = |batch: &&Sheaf::Batch| {
        // The offset of the batch, its words, and its operations padded to words.
        bytes += 32 + 32 * 18 + batch.ops.len().next_multiple_of(32);
        let shape = if shapes.insert(batch.shape) { gas::SHAPE } else { 0 };
        let left = gas_left.checked_sub(gas::batch_bound(batch) + shape);
        gas_left = left.unwrap_or(0);
        left.is_some() && bytes + Sheaf::submitCall::SELECTOR.len() + 64 <= CALL_BYTES_MAX
    };
    batches.iter().take_while(fits).count().max(batches.len().min(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::U256;

    fn batch(l1: u16, l2: u16) -> Sheaf::Batch {
        let ops = vec![1; 73 * usize::from(l1) + 14 * usize::from(l2)].into();
        let zero = U256::ZERO;
        Sheaf::Batch {
            shape: 0,
            header: 0,
            oldRoot: zero,
            newRoot: zero,
            c: zero,
            l1Count: l1,
            opCount: l1 + l2,
            ops,
            proof: [zero; 8],
        }
    }

    fn run(batches: Vec<Sheaf::Batch>, waited: u64) -> Run {
        Run { batches, waited: Duration::from_secs(waited), parked: None }
    }

    const POLICY: CallPolicy =
        CallPolicy { batches: 4, after: Duration::from_secs(60), dear_wei: 50, patience: Duration::from_secs(600) };

    #[test]
    fn batches_wait_for_others_but_not_for_ever() {
        let due = |count: usize, waited| POLICY.due(&run(vec![batch(0, 16); count], waited), 10);
        assert_eq!((due(0, 100), due(3, 59), due(3, 60), due(4, 0), due(9, 0)), (0, 0, 3, 4, 4));
    }

    #[test]
    fn dear_gas_is_waited_for_within_a_bound() {
        let due = |waited, price| POLICY.due(&run(vec![batch(0, 16); 4], waited), price);
        assert_eq!((due(599, 51), due(599, 50), due(600, 51)), (0, 4, 4));
    }

    #[test]
    fn a_call_stays_within_what_nodes_and_the_chain_take() {
        for (l1, l2) in [(0, 16), (0, 256), (0, 1_024), (256, 0), (16, 48), (0, 0)] {
            let batches = vec![batch(l1, l2); 300];
            let count = fitting(&batches);
            let call = Sheaf::submitCall { batches: batches[..count].to_vec() }.abi_encode();
            assert!(count > 0 && call.len() <= CALL_BYTES_MAX, "{l1} + {l2}: {count} batches, {} bytes", call.len());
            let more = Sheaf::submitCall { batches: batches[..=count].to_vec() }.abi_encode();
            let gas_bound = (count as u64 + 1) * (gas::BATCH + gas::L1_OPERATION * u64::from(l1)) > CALL_GAS_MAX / 2;
            assert!(more.len() > CALL_BYTES_MAX || gas_bound, "{l1} + {l2}: {count} batches are fewer than fit");
        }
        assert_eq!(fitting(&[batch(0, 10_000), batch(0, 1)]), 1, "a single one is always sent");
    }
}
