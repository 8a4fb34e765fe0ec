//! Which index an (owner, key hash) has, and which one it would get.

use sheaf_core::transaction::{Pair, Resolution};
use sheaf_core::types::AccountId;
use std::collections::{HashMap, HashSet};

/// Why a pair has no index and gets none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unresolved {
    /// A SetKey replaced it.
    Retired,
    /// Every index is taken.
    Full,
}

/// The first index for everybody but the operator.
const FIRST_OPEN_INDEX: u32 = 2;

/// The indices of all pairs. A pair is no key of the state: SetKey makes duplicates, and then the lowest counts.
#[derive(Clone, Debug)]
pub(crate) struct PairIndex {
    /// The lowest index of each pair.
    lowest: HashMap<Pair, u32>,
    /// The others, of the few pairs that have several, in ascending order.
    higher: HashMap<Pair, Vec<u32>>,
    /// Taken indices above the first empty one.
    taken: HashSet<u32>,
    retired: HashSet<Pair>,
    operator: Pair,
    fee_account: u32,
    fee_account_taken: bool,
    capacity: u32,
    /// No index from [`FIRST_OPEN_INDEX`] up to here is empty: an account never goes away.
    next_empty: u32,
}

impl PairIndex {
    pub(crate) fn new(operator: Pair, fee_account: u32, capacity: u32) -> Self {
        Self {
            lowest: HashMap::new(),
            higher: HashMap::new(),
            taken: HashSet::new(),
            retired: HashSet::new(),
            operator,
            fee_account,
            fee_account_taken: false,
            capacity,
            next_empty: FIRST_OPEN_INDEX,
        }
    }

    /// Number of pairs that have an account.
    pub(crate) fn len(&self) -> usize {
        self.lowest.len()
    }

    /// Makes room for more pairs.
    pub(crate) fn reserve(&mut self, pairs: usize) {
        self.lowest.reserve(pairs);
    }

    pub(crate) fn insert(&mut self, pair: Pair, index: u32) {
        let lowest = self.lowest.entry(pair).or_insert(index);
        let higher = index.max(*lowest);
        *lowest = index.min(*lowest);
        if higher != *lowest {
            let others = self.higher.entry(pair).or_default();
            if let Err(place) = others.binary_search(&higher) {
                others.insert(place, higher);
            }
        }
        self.fee_account_taken |= index == self.fee_account;
        if index >= self.next_empty {
            self.taken.insert(index);
        }
        while self.taken.remove(&self.next_empty) {
            self.next_empty += 1;
        }
    }

    /// The account at `index` gets another pair.
    pub(crate) fn remove(&mut self, pair: &Pair, index: u32) {
        let Some(lowest) = self.lowest.get_mut(pair) else { return };
        let others = self.higher.get_mut(pair);
        match others {
            Some(others) if *lowest == index => *lowest = others.remove(0),
            Some(others) => others.retain(|other| *other != index),
            None if *lowest == index => {
                self.lowest.remove(pair);
            }
            None => {}
        }
        if self.higher.get(pair).is_some_and(Vec::is_empty) {
            self.higher.remove(pair);
        }
    }

    /// Says whether the pair was not retired before.
    pub(crate) fn retire(&mut self, pair: Pair) -> bool {
        self.retired.insert(pair)
    }

    pub(crate) fn resolve(&self, pair: &Pair) -> Result<Resolution, Unresolved> {
        if let Some(lowest) = self.lowest.get(pair) {
            return Ok(Resolution::Existing(id(*lowest)));
        }
        if self.retired.contains(pair) {
            return Err(Unresolved::Retired);
        }
        let own = *pair == self.operator && !self.fee_account_taken;
        let index = if own { Some(id(self.fee_account)) } else { self.empty_index(0) };
        index.map(Resolution::Create).ok_or(Unresolved::Full)
    }

    /// The lowest empty index from `from` on that is not kept for the operator.
    pub(crate) fn empty_index(&self, from: u32) -> Option<AccountId> {
        let mut index = from.max(self.next_empty);
        while self.taken.contains(&index) {
            index += 1;
        }
        (index < self.capacity).then(|| id(index))
    }
}

fn id(index: u32) -> AccountId {
    AccountId::new(index).expect("indices are below 2^24")
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::Address;
    use sheaf_core::F;

    fn pair(n: u64) -> Pair {
        Pair { owner: Address::from_word(alloy_primitives::U256::from(n).into()), key_hash: F::from(n) }
    }

    fn id(n: u32) -> AccountId {
        AccountId::new(n).unwrap()
    }

    #[test]
    fn the_lowest_index_counts_and_gaps_are_filled_first() {
        let mut index = PairIndex::new(pair(99), 1, 8);
        assert_eq!(index.resolve(&pair(1)), Ok(Resolution::Create(id(2))));
        index.insert(pair(1), 4);
        index.insert(pair(1), 2);
        assert_eq!(index.resolve(&pair(1)), Ok(Resolution::Existing(id(2))));
        assert_eq!(index.resolve(&pair(2)), Ok(Resolution::Create(id(3))));
        index.insert(pair(2), 3);
        assert_eq!(index.resolve(&pair(3)), Ok(Resolution::Create(id(5))));
        index.insert(pair(3), 6);
        assert_eq!(index.empty_index(0), Some(id(5)));
        assert_eq!(index.empty_index(6), Some(id(7)));
        assert_eq!(index.empty_index(8), None);
        index.remove(&pair(1), 2);
        index.insert(pair(7), 2);
        assert_eq!(index.resolve(&pair(1)), Ok(Resolution::Existing(id(4))));
    }

    #[test]
    fn the_operators_index_is_kept_for_it() {
        let mut index = PairIndex::new(pair(99), 1, 4);
        assert_eq!(index.resolve(&pair(99)), Ok(Resolution::Create(id(1))));
        index.insert(pair(5), 2);
        index.insert(pair(6), 3);
        assert_eq!(index.resolve(&pair(7)), Err(Unresolved::Full));
        assert_eq!(index.resolve(&pair(99)), Ok(Resolution::Create(id(1))));
    }

    #[test]
    fn a_retired_pair_gets_no_new_index() {
        let mut index = PairIndex::new(pair(99), 1, 8);
        assert!(index.retire(pair(1)));
        assert!(!index.retire(pair(1)));
        assert_eq!(index.resolve(&pair(1)), Err(Unresolved::Retired));
        index.insert(pair(1), 2);
        assert_eq!(index.resolve(&pair(1)), Ok(Resolution::Existing(id(2))));
    }
}
