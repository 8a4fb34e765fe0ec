//! Batches with one byte changed, sent to L1 before the honest ones.

use super::l1::{Call, Key, L1};
use super::progress::Progress;
use alloy::primitives::{B256, U256};
use anyhow::Result;
use sheaf_contracts::Sheaf;

/// Gas that a refused batch may use: set by hand, for a node's estimate would refuse it before L1 does.
const GAS_LIMIT: u64 = 3_000_000;

/// Where a byte is changed.
#[derive(Clone, Copy, Debug)]
enum Place {
    NewRoot,
    Ops,
    Proof,
}

impl Place {
    const ALL: [Self; 3] = [Self::NewRoot, Self::Ops, Self::Proof];

    const fn name(self) -> &'static str {
        match self {
            Self::NewRoot => "new root",
            Self::Ops => "operations",
            Self::Proof => "proof",
        }
    }

    /// The errors that L1 may answer with: nothing but the proof tells that the batch is another one. Only a key change or an
    /// exit at its beginning is told by the queue.
    const fn refusals(self) -> &'static [&'static str] {
        match self {
            Self::NewRoot => &["InvalidProof"],
            Self::Ops => &["InvalidProof", "QueueMismatch"],
            Self::Proof => &["InvalidProof", "PointNotOnCurve"],
        }
    }

    /// The same batch with one byte changed.
    fn change(self, honest: &Sheaf::Batch) -> Sheaf::Batch {
        let mut batch = honest.clone();
        match self {
            Self::NewRoot => batch.newRoot ^= U256::from(1),
            Self::Ops => {
                // A byte that the queue does not bind, so that nothing but the proof tells.
                let mut ops = batch.ops.to_vec();
                ops[if batch.l1Count > 0 { DEPOSIT_ACCOUNT_BYTE } else { TRANSFER_RECEIVER_BYTE }] ^= 1;
                batch.ops = ops.into();
            }
            Self::Proof => batch.proof[7] ^= U256::from(1),
        }
        batch
    }
}

/// The account in a deposit's 21 bytes of core is bits 10 to 33 from the end; this byte holds bits 16 to 23.
const DEPOSIT_ACCOUNT_BYTE: usize = 18;
/// The receiver in a transfer's 14 bytes of core is bits 34 to 57 from the end; this byte holds bits 40 to 47.
const TRANSFER_RECEIVER_BYTE: usize = 8;

/// Sends the batches with one call, once for each change of the last one, from the operator's key, and checks that L1 refuses
/// each by name. Answers the transactions.
///
/// # Errors
/// If the node does not answer.
pub async fn refuse_all(
    l1: &L1,
    operator: &Key,
    honest: &[Sheaf::Batch],
    label: &str,
    progress: &mut Progress,
) -> Result<Vec<B256>> {
    let mut sent = Vec::new();
    let root = l1.sheaf().root().call().await?;
    for place in Place::ALL {
        let mut batches = honest.to_vec();
        batches.iter_mut().rev().take(1).for_each(|last| *last = place.change(last));
        let call = Call::new(l1.contract, &Sheaf::submitCall { batches }, 0, GAS_LIMIT);
        let named = l1.refusal(operator.address(), &call).await?;
        let hash = l1.send(operator, &call).await?;
        sent.push(hash);
        let receipt = l1.receipt(hash).await?;
        let unmoved = l1.sheaf().root().call().await? == root;
        let refused = named.as_deref().is_some_and(|error| place.refusals().contains(&error)) && !receipt.status();
        let detail = match &named {
            Some(error) if !receipt.status() => format!("{error}, {} gas", receipt.gas_used),
            _ => "L1 accepted it".to_owned(),
        };
        let name = format!("{label} with a byte of its {} changed is refused by L1", place.name());
        progress.check(name, refused && unmoved, detail);
        progress.report.gas("submit (refused)", receipt.gas_used);
    }
    Ok(sent)
}
