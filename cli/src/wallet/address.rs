//! The form in which people pass on where they are paid: `sheaf:<owner>:<key hash>:<checksum>`.
//!
//! The pair (owner, key hash) is what a payer signs; an owner alone names nobody. The checksum is the
//! first four bytes of `keccak256("sheaf" ‖ owner ‖ key hash)`: a mistyped address is refused, because
//! what is paid to it would be lost.

use super::WalletError;
use alloy::primitives::{hex, keccak256};
use sheaf_core::json::PairJson;
use sheaf_core::transaction::Pair;
use sheaf_core::types::field_to_bytes;

const PREFIX: &str = "sheaf";
const CHECKSUM_BYTES: usize = 4;

fn checksum(pair: &Pair) -> String {
    let bytes = [PREFIX.as_bytes(), pair.owner.as_slice(), &field_to_bytes(pair.key_hash)].concat();
    hex::encode(&keccak256(bytes)[..CHECKSUM_BYTES])
}

/// Writes a pair as an address.
pub fn format(pair: &Pair) -> String {
    let key_hash = hex::encode(field_to_bytes(pair.key_hash));
    format!("{PREFIX}:{}:{key_hash}:{}", hex::encode(pair.owner), checksum(pair))
}

/// Reads an address, or `0x<owner>:0x<key hash>` from those who do without a checksum.
///
/// # Errors
/// [`WalletError::Address`].
pub fn parse(text: &str) -> Result<Pair, WalletError> {
    let form = || WalletError::Address(format!("{text:?} is no address: it is sheaf:<owner>:<key hash>:<checksum>"));
    let pair = |owner: String, key_hash: String| {
        PairJson { owner, key_hash }.to_pair().map_err(|error| WalletError::Address(error.to_string()))
    };
    match text.split(':').collect::<Vec<_>>()[..] {
        [PREFIX, owner, key_hash, sum] => {
            let pair = pair(format!("0x{owner}"), format!("0x{key_hash}"))?;
            if sum.eq_ignore_ascii_case(&checksum(&pair)) {
                Ok(pair)
            } else {
                Err(WalletError::Address(format!("{text:?} is mistyped: its checksum does not match")))
            }
        }
        [owner, key_hash] if owner.starts_with("0x") => pair(owner.to_owned(), key_hash.to_owned()),
        _ => Err(form()),
    }
}

#[cfg(test)]
mod tests {
    use super::{format, parse};
    use sheaf_core::F;
    use sheaf_core::transaction::Pair;

    #[test]
    fn address_survives_and_any_changed_digit_is_refused() {
        let pair = Pair { owner: [0x5a; 20].into(), key_hash: F::from(7u64) };
        let text = format(&pair);
        assert_eq!(parse(&text).unwrap(), pair);
        assert_eq!(parse(&text.to_uppercase().replacen("SHEAF", "sheaf", 1)).unwrap(), pair);
        for (at, digit) in text.char_indices().skip("sheaf:".len()).filter(|(_, c)| *c != ':') {
            let other = if digit == '0' { "1" } else { "0" };
            let mut changed = text.clone();
            changed.replace_range(at..=at, other);
            assert_eq!(parse(&changed).unwrap_err().code(), "malformed_address", "digit {at} of {text}");
        }
    }

    #[test]
    fn pair_without_checksum_is_read_but_zero_is_refused() {
        let pair = format!("0x{}:0x{:064x}", "11".repeat(20), 9);
        assert_eq!(parse(&pair).unwrap().key_hash, F::from(9u64));
        let nobody = format!("0x{}:0x{:064x}", "11".repeat(20), 0);
        assert_eq!(parse(&nobody).unwrap_err().code(), "malformed_address");
    }
}
