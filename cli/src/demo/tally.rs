//! What every balance must be, kept only from what the scenario itself sent.
//!
//! The tally knows nothing of Sheaf's code: it is double-entry book-keeping over three places where
//! money can be (an L2 pair, a claimable of the contract, an L1 address). What a service answers never
//! enters it, but for the gas of the scenario's own L1 transactions, which L1's receipts tell.

use alloy::primitives::Address;
use sheaf_core::transaction::Pair;
use std::collections::HashMap;

/// A token's number on L2; 0 is ETH.
pub type Token = u8;

/// ETH's number.
pub const ETH: Token = 0;

/// More was taken from somewhere than is there: the scenario itself is wrong.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the scenario takes {amount} of token {token} from {place}, which holds {held}")]
pub struct Overdrawn {
    place: String,
    token: Token,
    amount: u128,
    held: u128,
}

/// The books: every amount in the token's smallest unit.
#[derive(Debug)]
pub struct Tally {
    fee_pair: Pair,
    operator: Address,
    queue_fee_wei: u128,
    l2: HashMap<(Pair, Token), u128>,
    claimable: HashMap<(Address, Token), u128>,
    l1: HashMap<(Address, Token), u128>,
}

impl Tally {
    /// Opens the books: L2 fees go to `fee_pair`, the fee of each queue entry to what `operator` may claim.
    pub fn new(fee_pair: Pair, operator: Address, queue_fee_wei: u128) -> Self {
        Self { fee_pair, operator, queue_fee_wei, l2: HashMap::new(), claimable: HashMap::new(), l1: HashMap::new() }
    }

    /// Notes what an L1 address holds before the scenario begins, or is given from outside.
    pub fn fund(&mut self, who: Address, token: Token, amount: u128) {
        *self.l1.entry((who, token)).or_default() += amount;
    }

    /// Notes gas that an address paid for a transaction of its own.
    ///
    /// # Errors
    /// [`Overdrawn`].
    pub fn gas(&mut self, payer: Address, wei: u128) -> Result<(), Overdrawn> {
        take(&mut self.l1, (payer, ETH), wei, || format!("{payer} on L1"))
    }

    /// Notes a deposit: `payer` pays the amount and the queue's fee, `to` is credited on L2.
    ///
    /// # Errors
    /// [`Overdrawn`].
    pub fn deposit(&mut self, payer: Address, token: Token, amount: u128, to: Pair) -> Result<(), Overdrawn> {
        self.queue_entry(payer)?;
        take(&mut self.l1, (payer, token), amount, || format!("{payer} on L1"))?;
        *self.l2.entry((to, token)).or_default() += amount;
        Ok(())
    }

    /// Notes a key change: all that `old` holds belongs to `new`.
    ///
    /// # Errors
    /// [`Overdrawn`], when the caller can't pay the queue's fee.
    pub fn set_key(&mut self, caller: Address, old: Pair, new: Pair) -> Result<(), Overdrawn> {
        self.queue_entry(caller)?;
        let moved: Vec<_> = self.l2.iter().filter(|((pair, _), _)| *pair == old).map(|((_, t), a)| (*t, *a)).collect();
        for (token, amount) in moved {
            self.l2.remove(&(old, token));
            *self.l2.entry((new, token)).or_default() += amount;
        }
        Ok(())
    }

    /// Notes a forced exit by the owner of `pair`: the whole balance of a token leaves to it.
    ///
    /// # Errors
    /// [`Overdrawn`], when the caller can't pay the queue's fee.
    pub fn forced_exit(&mut self, pair: Pair, token: Token) -> Result<u128, Overdrawn> {
        self.queue_entry(pair.owner)?;
        let amount = self.l2.insert((pair, token), 0).unwrap_or(0);
        *self.claimable.entry((pair.owner, token)).or_default() += amount;
        Ok(amount)
    }

    /// Notes an L2 transfer.
    ///
    /// # Errors
    /// [`Overdrawn`].
    pub fn transfer(&mut self, from: Pair, to: Pair, token: Token, amount: u128, fee: u128) -> Result<(), Overdrawn> {
        self.pay(from, token, amount, fee)?;
        *self.l2.entry((to, token)).or_default() += amount;
        Ok(())
    }

    /// Notes an L2 withdrawal: the amount becomes what `recipient` may claim.
    ///
    /// # Errors
    /// [`Overdrawn`].
    pub fn withdraw(&mut self, from: Pair, recipient: Address, token: Token, amount: u128, fee: u128) -> Result<(), Overdrawn> {
        self.pay(from, token, amount, fee)?;
        *self.claimable.entry((recipient, token)).or_default() += amount;
        Ok(())
    }

    /// Notes a claim: what `owner` may claim of a token is paid to `to`. Answers how much.
    pub fn claim(&mut self, owner: Address, token: Token, to: Address) -> u128 {
        let amount = self.claimable.insert((owner, token), 0).unwrap_or(0);
        *self.l1.entry((to, token)).or_default() += amount;
        amount
    }

    /// What a pair holds on L2, over all of its accounts.
    pub fn l2_balance(&self, pair: Pair, token: Token) -> u128 {
        self.l2.get(&(pair, token)).copied().unwrap_or(0)
    }

    /// What an address holds on L1.
    pub fn l1_balance(&self, who: Address, token: Token) -> u128 {
        self.l1.get(&(who, token)).copied().unwrap_or(0)
    }

    /// What an address may claim from the contract.
    pub fn claimable(&self, who: Address, token: Token) -> u128 {
        self.claimable.get(&(who, token)).copied().unwrap_or(0)
    }

    /// What the contract must hold of a token: all that is on L2 and all that is claimable.
    pub fn held(&self, token: Token) -> u128 {
        let l2: u128 = self.l2.iter().filter(|((_, t), _)| *t == token).map(|(_, a)| a).sum();
        let claimable: u128 = self.claimable.iter().filter(|((_, t), _)| *t == token).map(|(_, a)| a).sum();
        l2 + claimable
    }

    fn queue_entry(&mut self, payer: Address) -> Result<(), Overdrawn> {
        take(&mut self.l1, (payer, ETH), self.queue_fee_wei, || format!("{payer} on L1"))?;
        *self.claimable.entry((self.operator, ETH)).or_default() += self.queue_fee_wei;
        Ok(())
    }

    fn pay(&mut self, from: Pair, token: Token, amount: u128, fee: u128) -> Result<(), Overdrawn> {
        take(&mut self.l2, (from, token), amount + fee, || format!("the pair of {} on L2", from.owner))?;
        *self.l2.entry((self.fee_pair, token)).or_default() += fee;
        Ok(())
    }
}

/// Takes `amount` from one place; nothing changes when it is not there.
fn take<K: std::hash::Hash + Eq + HasToken>(
    book: &mut HashMap<K, u128>,
    key: K,
    amount: u128,
    place: impl FnOnce() -> String,
) -> Result<(), Overdrawn> {
    let token = key.token();
    let held = book.entry(key).or_default();
    *held = held.checked_sub(amount).ok_or_else(|| Overdrawn { place: place(), token, amount, held: *held })?;
    Ok(())
}

/// A place and a token: the key of a book.
trait HasToken {
    fn token(&self) -> Token;
}

impl<P> HasToken for (P, Token) {
    fn token(&self) -> Token {
        self.1
    }
}
