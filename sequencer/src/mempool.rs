//! How much may wait: a bound on all transactions that are not durable yet, and on those of one signer.

use crate::block::TransactionHash;
use crate::config::Limits;
use crate::error::Refusal;
use sheaf_core::F;
use sheaf_core::types::AccountId;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who a place is counted against: the account and the hash of the key that signed, so that nobody fills another's share.
type Signer = (AccountId, F);

#[derive(Debug, Default)]
struct Inner {
    total: usize,
    signers: HashMap<Signer, usize>,
    hashes: HashMap<TransactionHash, usize>,
}

/// The places for transactions that wait.
#[derive(Clone, Debug)]
pub(crate) struct Mempool {
    inner: Arc<Mutex<Inner>>,
    pending_max: usize,
    per_account_max: usize,
}

/// One place, given back when dropped: at the refusal, or when the block is durable.
#[derive(Debug)]
pub(crate) struct Place {
    pool: Mempool,
    signer: Signer,
    hash: TransactionHash,
}

impl Mempool {
    pub(crate) fn new(limits: &Limits) -> Self {
        let inner = Arc::new(Mutex::new(Inner::default()));
        Self { inner, pending_max: limits.pending_max, per_account_max: limits.pending_per_account_max }
    }

    /// Takes a place.
    ///
    /// # Errors
    /// [`Refusal::PoolFull`].
    pub(crate) fn enter(&self, account: AccountId, key_hash: F, hash: TransactionHash) -> Result<Place, Refusal> {
        let signer = (account, key_hash);
        let mut inner = self.lock();
        let own = inner.signers.get(&signer).copied().unwrap_or(0);
        if inner.total >= self.pending_max || own >= self.per_account_max {
            return Err(Refusal::PoolFull);
        }
        inner.total += 1;
        *inner.signers.entry(signer).or_default() += 1;
        *inner.hashes.entry(hash).or_default() += 1;
        Ok(Place { pool: self.clone(), signer, hash })
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().total
    }

    /// Whether this one waits.
    pub(crate) fn contains(&self, hash: &TransactionHash) -> bool {
        self.lock().hashes.contains_key(hash)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // The maps are consistent at every point where a panic could happen.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inner = self.pool.lock();
        inner.total -= 1;
        release(&mut inner.signers, &self.signer);
        release(&mut inner.hashes, &self.hash);
    }
}

fn release<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_come_back() {
        let limits = Limits { pending_max: 3, pending_per_account_max: 2, ..Limits::default() };
        let pool = Mempool::new(&limits);
        let enter = |account, n: u8| pool.enter(AccountId::new(account).unwrap(), F::from(1u64), [n; 32]);
        let first = enter(2, 1).unwrap();
        let second = enter(2, 1).unwrap();
        assert_eq!(enter(2, 2).unwrap_err(), Refusal::PoolFull);
        let third = enter(3, 3).unwrap();
        assert_eq!(enter(4, 4).unwrap_err(), Refusal::PoolFull);
        drop(first);
        assert!(pool.contains(&[1; 32]));
        drop((second, third));
        assert!(!pool.contains(&[1; 32]));
        assert_eq!(pool.len(), 0);
    }
}
