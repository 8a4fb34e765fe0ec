//! The memory as one operation of a parallel window sees it.

use crate::words::{Word, Words};
use ark_ff::Zero;
use sheaf_core::F;
use sheaf_core::slot::Memory;

/// No address: those of the protocol have 30 bits.
pub(crate) const NO_ADDRESS: u32 = u32::MAX;

/// Words, but for the balances that the operation only credits: these read as 0 and stay as they are, so that
/// the port's new value is what is to be added.
pub(crate) struct View<'a> {
    pub(crate) words: &'a Words,
    /// The balances of the receiver and the fee account where they are deferred, else [`NO_ADDRESS`].
    pub(crate) deferred: [u32; 2],
}

impl Memory for View<'_> {
    fn read(&self, address: u32) -> F {
        if self.deferred.contains(&address) { F::zero() } else { self.words.get(address) }
    }

    fn write(&mut self, address: u32, value: F) {
        if !self.deferred.contains(&address) {
            room(self.words, address).set(value);
        }
    }
}

/// The place of a word for which the plan made room.
pub(crate) fn room(words: &Words, address: u32) -> &Word {
    words.word(address).expect("the plan makes room for every word that its operations write")
}
