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
                self.sealed.push_back(BuildInput { number, timestamp: row.timestamp, shape: row.shape, slots });
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{BatchRow, L1Row};
    use crate::types::BlockNumber;
    use alloy_primitives::Address;
    use sheaf_core::operation::Operation;
    use sheaf_core::types::{AccountId, TokenId};

    const OPERATION: Operation = Operation::ForcedExit {
        account: AccountId::new(3).unwrap(),
        token: TokenId::ETH.word(),
        amount: 0,
        caller: Address::ZERO,
    };

    /// A block that leaves batches at these (number, operations, sealed), and has operations at these (batch, position).
    fn block(batches: &[(u64, u32, bool)], places: &[(u64, u32)]) -> BlockRecord {
        let batch = |&(number, op_count, sealed): &(u64, u32, bool)| BatchRow {
            number: BatchNumber(number),
            timestamp: 9,
            sealed,
            shape: 0,
            l1_count: op_count,
            op_count,
        };
        let row = |&(batch, position): &(u64, u32)| L1Row {
            index: 0,
            preimage: [0; sheaf_core::l1::QUEUE_PREIMAGE_BYTES],
            operation: OPERATION,
            batch: BatchNumber(batch),
            position,
        };
        BlockRecord {
            number: BlockNumber(1),
            batches: batches.iter().map(batch).collect(),
            transactions: Vec::new(),
            l1: places.iter().map(row).collect(),
            accounts: Vec::new(),
            balances: Vec::new(),
            retired: Vec::new(),
            undo: Vec::new(),
            replayed_to: None,
            dropped: Vec::new(),
        }
    }

    fn length(handover: &mut Handover, number: u64) -> Option<usize> {
        handover.take_out(BatchNumber(number)).map(|input| input.slots.len())
    }

    #[test]
    fn batches_are_collected_over_blocks() {
        let mut handover = Handover::default();
        assert!(!handover.take_in(&block(&[(1, 1, false)], &[(1, 0)])));
        let next = block(&[(1, 3, true), (2, 2, true), (3, 0, false)], &[(1, 1), (1, 2), (2, 0), (2, 1)]);
        assert!(handover.take_in(&next));
        assert!(handover.take_in(&block(&[(3, 0, false), (3, 1, true), (4, 0, false)], &[(3, 0)])));
        let found = [1, 2, 3, 4].map(|number| length(&mut handover, number));
        assert_eq!(found, [Some(3), Some(2), Some(1), None]);
        assert_eq!(handover.sealed_slots, 0);
    }

    #[test]
    fn a_batch_that_is_not_known_whole_is_left_to_the_database() {
        let mut handover = Handover::default();
        // Its first operation is from before a restart.
        handover.take_in(&block(&[(7, 3, true), (8, 1, true)], &[(7, 1), (7, 2), (8, 0)]));
        assert_eq!(length(&mut handover, 7), None);
        assert_eq!(length(&mut handover, 8), Some(1), "what comes later is not lost for it");
    }

    #[test]
    fn it_does_not_grow_without_bound() {
        let mut handover = Handover::default();
        let slots = 1_000;
        for number in 1..=40 {
            let places: Vec<_> = (0..slots).map(|position| (number, position)).collect();
            handover.take_in(&block(&[(number, slots, true)], &places));
        }
        assert!(handover.sealed_slots <= SLOTS_MAX);
        let kept = (1..=40).filter(|number| length(&mut handover, *number).is_some()).count();
        assert_eq!(kept, SLOTS_MAX / slots as usize);
    }
}
