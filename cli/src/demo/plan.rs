//! Which transfers the scenario sends: made from a seed, so that a run can be had again.

use super::tally::Token;

/// How much the scenario does.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    /// Users that deposit.
    pub users: usize,
    /// Accounts that come to be by a transfer.
    pub newcomers: usize,
    /// Transfers before, while and after the L1 operations on accounts are under way.
    pub waves: [usize; 3],
}

impl Counts {
    /// The whole demo: 8 users and 100 transfers.
    pub const FULL: Self = Self { users: 8, newcomers: 5, waves: [60, 18, 22] };
    /// The same scenario, small enough for a test.
    pub const QUICK: Self = Self { users: 4, newcomers: 2, waves: [14, 4, 6] };

    /// Transfers in all.
    pub const fn transfers(&self) -> usize {
        self.waves[0] + self.waves[1] + self.waves[2]
    }
}

/// A transfer that is still to be signed. People are named by their place in the scenario's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Who pays.
    pub from: usize,
    /// Who gets it.
    pub to: usize,
    /// In which token.
    pub token: Token,
    /// How much, in the token's smallest unit.
    pub amount: u128,
    /// What the operator gets, as a multiple of the least that it takes.
    pub fee_factor: u128,
    /// Whether the receiver has no account yet.
    pub creates: bool,
}

/// Random choices from a seed (SplitMix64: nothing here is secret).
#[derive(Clone, Debug)]
pub struct Choices(u64);

impl Choices {
    /// Starts from a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`.
    ///
    /// # Panics
    /// If `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        assert!(bound > 0, "nothing to choose from");
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ z >> 31) % bound as u64) as usize
    }

    /// One of these.
    ///
    /// # Panics
    /// If there are none.
    pub fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
}

/// Who takes part in a wave, by place in the scenario's list.
#[derive(Clone, Debug)]
pub struct Wave<'a> {
    /// Who sends.
    pub senders: &'a [usize],
    /// Who receives; the first is hot: it gets every third transfer.
    pub receivers: &'a [usize],
    /// Who has no account yet, and gets one transfer each.
    pub newcomers: &'a [usize],
    /// Who sends one transfer to oneself.
    pub to_oneself: Option<usize>,
    /// Transfers in all.
    pub count: usize,
}

impl Wave<'_> {
    /// Makes the wave's transfers: ETH and the token in turns, amounts of a few thousandths.
    ///
    /// # Panics
    /// If there are fewer transfers than the wave promises receivers.
    pub fn plan(&self, choices: &mut Choices) -> Vec<Transfer> {
        let special = self.newcomers.len() + usize::from(self.to_oneself.is_some());
        assert!(self.count >= special, "a wave is too small for its receivers");
        let mut transfers: Vec<_> = (0..self.count - special).map(|i| self.ordinary(i, choices)).collect();
        for (i, &to) in self.newcomers.iter().enumerate() {
            let from = choices.one_of(self.senders);
            transfers.push(Transfer { creates: true, ..transfer(from, to, i, choices) });
        }
        transfers.extend(self.to_oneself.map(|who| transfer(who, who, 0, choices)));
        transfers
    }

    fn ordinary(&self, i: usize, choices: &mut Choices) -> Transfer {
        let hot = self.receivers[0];
        loop {
            let from = choices.one_of(self.senders);
            let to = if i.is_multiple_of(3) { hot } else { choices.one_of(self.receivers) };
            if from != to {
                return transfer(from, to, i, choices);
            }
        }
    }
}

/// A thousandth of a token of 18 decimals.
const MILLI: u128 = 1_000_000_000_000_000;

fn transfer(from: usize, to: usize, i: usize, choices: &mut Choices) -> Transfer {
    Transfer {
        from,
        to,
        token: (i % 2) as Token,
        amount: (1 + choices.below(9)) as u128 * MILLI,
        fee_factor: (1 + choices.below(3)) as u128,
        creates: false,
    }
}
