//! A plain model of the rules: a map of accounts, written without words, ports or batches.

use super::id;
use crate::state::State;
use alloy_primitives::Address;
use ark_ff::Zero;
use sheaf_core::F;
use sheaf_core::operation::Operation;
use sheaf_core::transaction::{Pair, Payload, Target};
use sheaf_core::types::{AccountId, TokenId};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Person {
    pub(super) key_hash: F,
    pub(super) owner: Address,
    pub(super) nonce: u64,
    balances: BTreeMap<u8, u128>,
}

impl Person {
    pub(super) fn balance(&self, token: TokenId) -> u128 {
        self.balances.get(&token.get()).copied().unwrap_or(0)
    }
}

#[derive(Clone)]
pub(super) struct Model {
    people: BTreeMap<u32, Person>,
    retired: BTreeSet<(Address, F)>,
    operator: Pair,
    capacity: u32,
    /// Deposited less what left, by token.
    inside: BTreeMap<u8, u128>,
}

impl Model {
    pub(super) fn new(operator: Pair, capacity: u32) -> Self {
        Self { people: BTreeMap::new(), retired: BTreeSet::new(), operator, capacity, inside: BTreeMap::new() }
    }

    pub(super) fn account(&self, index: AccountId) -> Person {
        self.people.get(&index.get()).cloned().unwrap_or_default()
    }

    fn is_empty(&self, index: u32) -> bool {
        self.people.get(&index).is_none_or(|p| p.key_hash.is_zero())
    }

    /// The index of a pair, and whether it is a new one.
    pub(super) fn find(&self, pair: &Pair) -> Result<(u32, bool), &'static str> {
        let has = |p: &Person| p.owner == pair.owner && p.key_hash == pair.key_hash;
        if let Some((index, _)) = self.people.iter().find(|(_, p)| has(p)) {
            return Ok((*index, false));
        }
        if self.retired.contains(&(pair.owner, pair.key_hash)) {
            return Err("receiver_retired");
        }
        let first = if *pair == self.operator && self.is_empty(1) { 1 } else { 2 };
        (first..self.capacity).find(|index| self.is_empty(*index)).map(|index| (index, true)).ok_or("no_free_account")
    }

    /// Creates at `at` instead, if that is allowed.
    fn put_at(&self, (index, new): (u32, bool), pair: &Pair, at: Option<AccountId>) -> (u32, bool) {
        let Some(at) = at.map(AccountId::get).filter(|_| new) else { return (index, new) };
        let first = if *pair == self.operator { 1 } else { 2 };
        assert!((first..self.capacity).contains(&at), "index {at} for {pair:?}");
        assert!(self.is_empty(at), "index {at} is empty");
        (at, true)
    }

    fn credit(&mut self, index: u32, pair: Option<&Pair>, token: TokenId, amount: u128) {
        let person = self.people.entry(index).or_default();
        if let Some(pair) = pair {
            (person.owner, person.key_hash) = (pair.owner, pair.key_hash);
        }
        *person.balances.entry(token.get()).or_default() += amount;
    }

    fn debit(&mut self, index: u32, token: TokenId, amount: u128) {
        *self.people.get_mut(&index).unwrap().balances.get_mut(&token.get()).unwrap() -= amount;
    }

    /// Applies an entry of the L1 queue, and says what it did. An account that it creates gets the index that the entry
    /// names, if it names one that is empty and for everybody, or else the lowest.
    pub(super) fn apply(&mut self, entry: &Operation) -> &'static str {
        match *entry {
            Operation::Deposit { account, token, amount, owner, key_hash } => {
                let (token, pair) = (token.token().unwrap(), Pair { owner, key_hash });
                let inside = self.inside.get(&token.get()).copied().unwrap_or(0);
                let (Some(sum), Ok((index, new))) = (inside.checked_add(amount), self.find(&pair)) else { return "refunded" };
                let index =
                    if new && index > 1 && account.get() > 1 && self.is_empty(account.get()) { account.get() } else { index };
                self.inside.insert(token.get(), sum);
                self.credit(index, Some(&pair), token, amount);
                if new { "created" } else { "deposited" }
            }
            Operation::SetKey { account, caller, key_hash } => {
                let Some(person) = self.people.get_mut(&account.get()).filter(|p| p.owner == caller) else { return "key_kept" };
                if person.key_hash == key_hash {
                    return "key_kept";
                }
                self.retired.insert((caller, person.key_hash));
                person.key_hash = key_hash;
                "key_set"
            }
            Operation::ForcedExit { account, token, caller, .. } => {
                let token = token.token().unwrap();
                let Some(person) = self.people.get_mut(&account.get()).filter(|p| p.owner == caller) else { return "stranger" };
                let amount = person.balances.remove(&token.get()).unwrap_or(0);
                *self.inside.entry(token.get()).or_default() -= amount;
                "exited"
            }
            _ => unreachable!("no such entry"),
        }
    }

    /// Executes a transaction, or says why not. An account that it creates gets the index `at`, which has to be an empty
    /// one for everybody, or else the lowest.
    pub(super) fn execute(
        &mut self,
        payload: &Payload,
        signer: F,
        now: u32,
        at: Option<AccountId>,
        promised: bool,
    ) -> Result<&'static str, &'static str> {
        let (from, token) = (payload.from.get(), payload.token);
        let sender = self.people.get(&from).filter(|p| !p.key_hash.is_zero()).ok_or("unknown_account")?;
        let refuse = |when: bool, code| if when { Err(code) } else { Ok(()) };
        refuse(sender.key_hash != signer, "wrong_key")?;
        refuse(payload.nonce < sender.nonce, "nonce_too_old")?;
        refuse(payload.nonce > sender.nonce, "nonce_gap")?;
        refuse(payload.expires < now, "expired")?;
        refuse(!promised && payload.expires > now + 86_400, "expires_too_far")?;
        refuse(!promised && !super::TOKENS.contains(&token.get()), "unknown_token")?;
        let (amount, fee) = (payload.amount.value().unwrap(), payload.fee.value().unwrap());
        let receiver = match &payload.target {
            Target::L1(_) => None,
            Target::Account(pair) => Some((self.find(pair).map(|found| self.put_at(found, pair, at))?, *pair)),
        };
        let minimum = match receiver {
            _ if token != TokenId::ETH => 0,
            None => 3,
            Some(((_, true), _)) => 5,
            Some(_) => 2,
        };
        refuse(!promised && fee < minimum, "fee_too_small")?;
        refuse(sender.balance(token) < amount + fee, "insufficient_balance")?;
        self.people.get_mut(&from).unwrap().nonce += 1;
        if amount + fee > 0 {
            self.debit(from, token, amount + fee);
        }
        match receiver {
            Some(((index, _), pair)) => self.credit(index, Some(&pair), token, amount),
            None => *self.inside.entry(token.get()).or_default() -= amount,
        }
        self.credit(1, None, token, fee);
        Ok("executed")
    }

    /// Checks that the state is the model's, and that no token came from nowhere.
    pub(super) fn compare(&self, state: &State) {
        for index in 0..self.capacity {
            let (found, expected) = (state.account(id(index)), self.account(id(index)));
            let person = (found.key_hash, found.owner, found.nonce);
            assert_eq!(person, (expected.key_hash, expected.owner, expected.nonce), "account {index}");
            for number in super::TOKENS {
                let token = TokenId::new(number).unwrap();
                assert_eq!(state.balance(id(index), token), expected.balance(token), "token {number} of {index}");
            }
        }
        for (token, inside) in &self.inside {
            let token = TokenId::new(*token).unwrap();
            let sum: u128 = (0..self.capacity).map(|i| state.balance(id(i), token)).sum();
            assert_eq!(sum, *inside, "token {token} is conserved");
            assert_eq!(state.supply(token), *inside);
        }
    }
}
