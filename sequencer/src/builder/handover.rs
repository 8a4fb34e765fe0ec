//! Sealed batches on their way from the committer to the builder, in memory, so that they need not be read back.

use crate::block::{BlockRecord, TransactionRow};
use crate::store::BuildInput;
use crate::types::BatchNumber;
use sheaf_core::slot::SlotSignature;
use sheaf_core::trace::SlotInput;
use std::collections::VecDeque;

/// Slots that wait at most, about 8 MB of them; what comes then is read from the database.
const SLOTS_MAX: usize = 16_384;

/// Collects batches from durable blocks, and keeps the sealed ones for the builder.
#[derive(Debug, Default)]
pub(crate) struct Handover {
    /// The batch that was open after the last block, as far as it is known.
    open: Option<(BatchNumber, Vec<SlotInput>)>,
    sealed: VecDeque<BuildInput>,
    sealed_slots: usize,
}

impl Handover {
    /// Takes in a block that is durable; tells whether it sealed a batch.
    ///
    /// A batch of which a part is not known (it was open when this process began) is left to the database.
    pub(crate) fn take_in(&mut self, block: &BlockRecord) -> bool {
        let (mut l1, mut transactions) = (block.l1.iter().peekable(), block.transactions.iter().peekable());
        for row in &block.batches {
            let (number, mut slots) =
                self.open.take().filter(|(number, _)| *number == row.number).unwrap_or((row.number, Vec::new()));
            let mut put = |position: u32, slot| {
                if slots.len() == position as usize {
                    slots.push(slot);
                }
            };
            while let Some(row) = l1.next_if(|l1| l1.batch == number) {
                put(row.position, SlotInput { operation: row.operation, signature: None });
            }
            while let Some(row) = transactions.next_if(|transaction| transaction.batch == number) {
                put(row.position, slot(row));
            }
            if !row.sealed {
                self.open = Some((number, slots));
            } else if slots.len() == row.op_count as usize && self.sealed_slots + slots.len() <= SLOTS_MAX {
                self.sealed_slots += slots.len();
                self.sealed.push_back(BuildInput { number, timestamp: row.timestamp, slots });
            }
        }
        block.batches.iter().any(|row| row.sealed)
    }

    /// Takes batch `number` out, if it is there.
    pub(crate) fn take_out(&mut self, number: BatchNumber) -> Option<BuildInput> {
        while self.sealed.front().is_some_and(|input| input.number <= number) {
            let input = self.sealed.pop_front()?;
            self.sealed_slots -= input.slots.len();
            if input.number == number {
                return Some(input);
            }
        }
        None
    }
}

fn slot(row: &TransactionRow) -> SlotInput {
    let transaction = &row.transaction;
    let (public_key, signature, expires) = (transaction.public_key, transaction.signature, transaction.payload.expires);
    SlotInput { operation: row.operation, signature: Some(SlotSignature { public_key, signature, expires }) }
}
