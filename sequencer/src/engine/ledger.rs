//! What executed operations change besides the words: the state's index, the open batch and the draft block.

use super::Draft;
use crate::batcher::OpenBatch;
use crate::block::{RetiredRow, UndoRow};
use crate::state::State;
use crate::types::BatchNumber;
use ark_ff::Zero;
use sheaf_core::operation::Operation;
use sheaf_core::slot::{PORTS, Port};

/// The state with the batch and the block that record how it came about.
pub(super) struct Ledger {
    pub(super) state: State,
    pub(super) open: OpenBatch,
    pub(super) draft: Draft,
}

impl Ledger {
    /// Puts an operation that was executed into the open batch, or into a new one if it does not fit. Operations come in
    /// the order in which they were executed.
    ///
    /// # Panics
    /// If a batch is too small for any operation: the configuration was checked.
    pub(super) fn record(&mut self, operation: &Operation, ports: &[Port; PORTS], now: u32) -> (BatchNumber, u32) {
        let addresses = ports.map(|port| port.address);
        let position = self.open.put(operation, &addresses, now).unwrap_or_else(|| {
            self.seal(now);
            self.open.put(operation, &addresses, now).expect("an empty batch holds any operation")
        });
        let batch = self.open.number();
        // Ports 1 to 3 are the sender's, who exists; port 4 reads the key hash of the account that the others are about.
        let existed = [true, !ports[3].old.is_zero()];
        for (i, port) in ports.iter().enumerate().filter(|(_, port)| port.old != port.new) {
            if self.open.first_change(port.address) {
                self.draft.undo(UndoRow { batch, address: port.address, old: port.old });
            }
            let place = self.state.words().geometry().locate(port.address);
            self.draft.touch(place, existed[usize::from(i > 2)]);
        }
        if let Some(pair) = self.state.note(operation, ports) {
            self.draft.retired.push(RetiredRow { pair, batch });
        }
        self.draft.batch(self.open.row(false));
        (batch, position)
    }

    /// Seals the open batch and opens the next one.
    ///
    /// # Panics
    /// If the batch is empty: the circuit and the contract take no such batch.
    pub(super) fn seal(&mut self, now: u32) {
        assert!(self.open.op_count() > 0, "an empty batch is not sealed");
        let row = self.open.seal(now);
        self.draft.batch(row);
        self.draft.batch(self.open.row(false));
    }
}
