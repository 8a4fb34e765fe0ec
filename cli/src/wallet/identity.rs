//! A person's two keys. The L2 key is derived from the L1 key, so one secret is kept and backed up.
//!
//! The L1 key signs a fixed message (EIP-191 `personal_sign`, deterministic nonce of RFC 6979), and the
//! L2 seed is `keccak256(r ‖ s)` of that signature. Any wallet that signs deterministically can derive the
//! same key, as is usual since Loopring and zkSync Lite. Whoever gets that signature has the L2 key: it is
//! never sent anywhere, and the message says so. The key's number leads to a fresh key after a key change.

use super::WalletError;
use alloy::primitives::{B256, keccak256};
use alloy::signers::SignerSync;
use alloy::signers::local::PrivateKeySigner;
use sheaf_core::eddsa::SecretKey;
use sheaf_core::transaction::Pair;

/// The L1 key, the L2 key, and the pair by which others address them.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Signs L1 transactions.
    pub signer: PrivateKeySigner,
    /// Signs L2 transactions.
    pub key: SecretKey,
}

/// The message whose signature leads to the L2 key with this number.
pub fn message(key_number: u32) -> String {
    format!(
        "Derive my Sheaf layer-2 key.\n\nWhoever has this signature can spend my layer-2 funds: sign only in a wallet that I \
         trust, and give the signature to nobody.\n\nKey number: {key_number}"
    )
}

impl Identity {
    /// Derives the L2 key with a number (0 unless it was changed) from the L1 key.
    ///
    /// # Errors
    /// [`WalletError::Keystore`] if the key can't sign.
    pub fn new(signer: PrivateKeySigner, key_number: u32) -> Result<Self, WalletError> {
        let signature =
            signer.sign_message_sync(message(key_number).as_bytes()).map_err(|error| WalletError::Keystore(error.to_string()))?;
        // Without the parity, which wallets write in two ways.
        let seed: B256 = keccak256(&signature.as_bytes()[..64]);
        Ok(Self { signer, key: SecretKey::from_seed(&seed.0) })
    }

    /// How others address this person.
    pub fn pair(&self) -> Pair {
        Pair { owner: self.signer.address(), key_hash: self.key.public_key().key_hash() }
    }
}

#[cfg(test)]
mod tests {
    use super::Identity;
    use alloy::primitives::B256;
    use alloy::signers::local::PrivateKeySigner;
    use sheaf_core::json::field_to_hex;

    /// Made with `ethers` (the signature), `@zk-kit/eddsa-poseidon` (the key) and `circomlibjs` (its hash): people's
    /// keys depend on it, so it never changes.
    #[test]
    fn other_wallets_derive_the_same_l2_key() {
        let key = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
        let pair = Identity::new(key.parse().unwrap(), 0).unwrap().pair();
        assert_eq!(field_to_hex(pair.key_hash), "0x2963a57d680bb6ba52792f92be9e5b434a117d4ce31082d10515e838123c09b1");
    }

    #[test]
    fn l2_key_is_a_function_of_l1_key_and_number() {
        let signer = |byte| PrivateKeySigner::from_bytes(&B256::repeat_byte(byte)).unwrap();
        let pair = |byte, number| Identity::new(signer(byte), number).unwrap().pair();
        assert_eq!(pair(1, 0), pair(1, 0));
        assert_eq!(pair(1, 0).owner, pair(1, 1).owner);
        assert_ne!(pair(1, 0).key_hash, pair(1, 1).key_hash);
        assert_ne!(pair(1, 0).key_hash, pair(2, 0).key_hash);
    }
}
