//! What the plan knows of each account that the window names: an open-addressed table that is never cleared.

use crate::schedule::NONE;

/// The state of one account while its window is planned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tail {
    pub(crate) account: u32,
    stamp: u32,
    /// The last exclusive access, or [`NONE`].
    pub(crate) exclusive: u32,
    /// The first and last credit since; both [`NONE`] if there is none.
    pub(crate) first_credit: u32,
    /// See `first_credit`.
    pub(crate) last_credit: u32,
    /// The longest chain of operations that ends at an operation that named the account.
    pub(crate) depth: u32,
    /// Whether a key hash or owner may have changed in this window, so that credits must wait too.
    pub(crate) keys: bool,
}

impl Tail {
    /// An account that nobody named yet.
    pub(crate) const fn new(account: u32, stamp: u32) -> Self {
        Self { account, stamp, exclusive: NONE, first_credit: NONE, last_credit: NONE, depth: 0, keys: false }
    }
}

/// Tails by account, and that of the fee account, which every operation needs, at a place of its own. It is as large as a window, not as the state, so that it stays in the processor's cache.
pub(crate) struct Table {
    tails: Vec<Tail>,
    /// The fee account.
    fee_account: u32,
    /// Tails with another stamp are of an earlier window, and count as free.
    stamp: u32,
}

impl Table {
    /// A table for up to `accounts` accounts a window.
    pub(crate) fn new(accounts: usize) -> Self {
        let slots = (2 * accounts).next_power_of_two();
        Self { tails: vec![Tail::new(0, 0); slots + 1], fee_account: 0, stamp: 0 }
    }

    /// Forgets every account.
    pub(crate) fn clear(&mut self, fee_account: u32) {
        self.fee_account = fee_account;
        self.stamp = self.stamp.wrapping_add(1);
        if self.stamp == 0 {
            self.tails.fill(Tail::new(0, 0));
            self.stamp = 1;
        }
        let fee = self.fee_place();
        self.tails[fee] = Tail::new(fee_account, self.stamp);
    }

    /// The place of the fee account's tail.
    #[inline]
    pub(crate) fn fee_place(&self) -> usize {
        self.tails.len() - 1
    }

    /// The place of `account`'s tail, for [`Table::tail`].
    #[inline]
    pub(crate) fn find(&mut self, account: u32) -> usize {
        if account == self.fee_account {
            return self.fee_place();
        }
        let mask = self.tails.len() - 2;
        // Fibonacci hashing: the high bits of the product are the good ones.
        let mut place = (account.wrapping_mul(0x9E37_79B9) as usize >> 7) & mask;
        loop {
            let tail = &mut self.tails[place];
            if tail.stamp != self.stamp {
                *tail = Tail::new(account, self.stamp);
                return place;
            }
            if tail.account == account {
                return place;
            }
            place = (place + 1) & mask;
        }
    }

    /// The tail at a place that [`Table::find`] gave since the last [`Table::clear`].
    #[inline]
    pub(crate) fn tail(&mut self, place: usize) -> &mut Tail {
        &mut self.tails[place]
    }
}
