//! Nonces and balances as the database keeps them: packed, see `migrations/0002_pipeline.sql`.

use super::StoreError;
use crate::block::{AccountRow, BalanceRow};
use sheaf_core::types::{AccountId, FIRST_BALANCE_WORD, NONCE_WORD, TOKEN_COUNT, TokenId};

/// Accounts of one row of `state_chunks`.
pub(super) const CHUNK_ACCOUNTS: u32 = 256;

/// A nonce or a balance of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StateWord {
    pub(crate) account: AccountId,
    /// Number of the word in its account: [`NONCE_WORD`], or [`FIRST_BALANCE_WORD`] and up.
    pub(crate) word: u8,
    pub(crate) value: u128,
}

impl StateWord {
    /// The token, if it is a balance.
    pub(crate) fn token(&self) -> Option<TokenId> {
        self.word.checked_sub(FIRST_BALANCE_WORD as u8).and_then(TokenId::new)
    }

    /// The chunk that it belongs to.
    pub(super) const fn chunk(&self) -> u32 {
        self.account.get() / CHUNK_ACCOUNTS
    }
}

impl From<&AccountRow> for StateWord {
    fn from(row: &AccountRow) -> Self {
        Self { account: row.id, word: NONCE_WORD as u8, value: row.nonce.into() }
    }
}

impl From<&BalanceRow> for StateWord {
    fn from(row: &BalanceRow) -> Self {
        Self { account: row.account, word: row.token.get() + FIRST_BALANCE_WORD as u8, value: row.amount }
    }
}

/// Appends one word.
pub(crate) fn pack(word: &StateWord, bytes: &mut Vec<u8>) {
    let value = word.value.to_be_bytes();
    let length = 16 - (word.value.leading_zeros() / 8) as usize;
    bytes.extend_from_slice(&word.account.get().to_be_bytes());
    bytes.extend_from_slice(&[word.word, length as u8]);
    bytes.extend_from_slice(&value[16 - length..]);
}

/// Reads packed words in their order.
///
/// # Errors
/// [`StoreError::Damaged`], each item, if they are cut short or name an account or a word that can't be.
pub(crate) fn unpack(bytes: &[u8]) -> impl Iterator<Item = Result<StateWord, StoreError>> + '_ {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let word = take(&mut rest).ok_or_else(|| {
            rest = &[];
            StoreError::Damaged("packed words are cut short or out of range".to_owned())
        });
        Some(word)
    })
}

fn take(rest: &mut &[u8]) -> Option<StateWord> {
    let (account, tail) = rest.split_first_chunk::<4>()?;
    let ([word, length], tail) = tail.split_first_chunk::<2>()?;
    let (digits, tail) = tail.split_at_checked(usize::from(*length))?;
    let mut value = [0; 16];
    value.get_mut(16usize.checked_sub(digits.len())?..)?.copy_from_slice(digits);
    let value = u128::from_be_bytes(value);
    let sound = match u32::from(*word) {
        NONCE_WORD => value <= u128::from(u64::MAX),
        word => word >= FIRST_BALANCE_WORD && word < FIRST_BALANCE_WORD + u32::from(TOKEN_COUNT),
    };
    *rest = tail;
    let account = AccountId::new(u32::from_be_bytes(*account))?;
    sound.then_some(StateWord { account, word: *word, value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};

    fn word(account: u32, word: u8, value: u128) -> StateWord {
        StateWord { account: AccountId::new(account).unwrap(), word, value }
    }

    fn packed(words: &[StateWord]) -> Vec<u8> {
        let mut bytes = Vec::new();
        words.iter().for_each(|word| pack(word, &mut bytes));
        bytes
    }

    #[test]
    fn what_is_packed_comes_back() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        let mut words = vec![word(0, 1, 0), word((1 << 24) - 1, 1, u64::MAX.into()), word(7, 3, u128::MAX), word(7, 63, 1 << 64)];
        words.extend((0..1000).map(|_| {
            word(rng.random_range(0..1 << 24), rng.random_range(3..64), rng.random::<u128>() >> rng.random_range(0..128u32))
        }));
        let read: Vec<_> = unpack(&packed(&words)).collect::<Result<_, _>>().unwrap();
        assert_eq!(read, words);
        assert_eq!(packed(&[word(1, 3, 255)]), [0, 0, 0, 1, 3, 1, 255]);
        assert_eq!(packed(&[word(1, 3, 256)]), [0, 0, 0, 1, 3, 2, 1, 0]);
    }

    #[test]
    fn what_is_damaged_is_said() {
        let whole = packed(&[word(5, 4, 1 << 100)]);
        for end in 1..whole.len() {
            assert!(unpack(&whole[..end]).any(|word| word.is_err()), "{end}");
        }
        let bad = [
            vec![1, 0, 0, 0, 1, 1, 1],
            vec![0, 0, 0, 1, 0, 1, 1],
            vec![0, 0, 0, 1, 2, 1, 1],
            vec![0, 0, 0, 1, 64, 1, 1],
            [&[0, 0, 0, 1, 3, 17][..], &[0; 17]].concat(),
            [&[0, 0, 0, 1, 1, 9][..], &[1; 9]].concat(),
        ];
        for bytes in bad {
            assert!(unpack(&bytes).any(|word| word.is_err()), "{bytes:?}");
        }
    }
}
