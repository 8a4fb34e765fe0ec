//! The operator's receipt key: signs every block before it is committed.

use crate::block::BlockRecord;
use crate::types::BlockNumber;
use alloy_primitives::{Address, B256, Signature};
use anyhow::Context as _;
use k256::ecdsa::SigningKey;
use sheaf_core::receipt::{self, Leaf, Receipt, SIGNATURE_BYTES, Tree};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use zeroize::Zeroizing;

/// Signs blocks for one chain and contract. The same block has the same signature whenever it is signed (RFC 6979).
#[derive(Clone)]
pub(crate) struct Signer {
    key: SigningKey,
    chain_id: u64,
    contract: Address,
}

impl Signer {
    /// Reads the private key from a file of 64 hex digits, with or without `0x`.
    ///
    /// # Errors
    /// If others may read the file, if it can't be read, or if it holds something else. The message never shows the content.
    pub(crate) fn load(path: &Path, chain_id: u64, contract: Address) -> anyhow::Result<Self> {
        let shown = path.display();
        let help = || {
            format!(
                "reading the key that signs receipts, {shown}: \
                 make one with `(umask 077 && openssl rand -hex 32 > {shown})`, and keep a backup"
            )
        };
        let mut file = std::fs::File::open(path).with_context(help)?;
        let mode = file.metadata().with_context(help)?.permissions().mode();
        anyhow::ensure!(mode & 0o077 == 0, "key_readable_by_others: {shown} has mode {:03o}: set it to 600", mode & 0o777);
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text).with_context(help)?;
        let wrong = || format!("{shown} is no private key: 64 hex digits are expected");
        let digits = Zeroizing::new(alloy_primitives::hex::decode_to_array::<_, 32>(text.trim()).ok().with_context(wrong)?);
        let key = SigningKey::from_slice(&digits[..]).ok().with_context(wrong)?;
        Ok(Self { key, chain_id, contract })
    }

    /// Whose signature it is: what wallets know the operator by.
    pub(crate) fn address(&self) -> Address {
        Address::from_private_key(&self.key)
    }

    /// Signs that block `number` has `count` transactions with these receipts: r, s, and 27 or 28.
    pub(crate) fn sign(&self, number: BlockNumber, count: u32, root: B256) -> [u8; SIGNATURE_BYTES] {
        let digest = receipt::digest(self.chain_id, self.contract, number.0, count, root);
        let signature = self.key.sign_prehash_recoverable(digest.as_slice()).expect("a digest has 32 bytes");
        Signature::from(signature).as_bytes()
    }

    /// Signs a block's receipts.
    pub(crate) fn sign_block(&self, block: &BlockRecord) -> SignedBlock {
        let leaves = block.leaves();
        let tree = Tree::new(&leaves);
        let signature = self.sign(block.number, tree.count(), tree.root());
        SignedBlock { leaves, tree, signature }
    }
}

/// The signed receipts of one block.
#[derive(Clone, Debug)]
pub(crate) struct SignedBlock {
    leaves: Vec<Leaf>,
    tree: Tree,
    signature: [u8; SIGNATURE_BYTES],
}

impl SignedBlock {
    /// The root of the block's receipts.
    pub(crate) fn root(&self) -> B256 {
        self.tree.root()
    }

    /// The block's signature.
    pub(crate) const fn signature(&self) -> &[u8; SIGNATURE_BYTES] {
        &self.signature
    }

    /// The receipt of the transaction at `index` of the block.
    ///
    /// # Panics
    /// If there is none.
    pub(crate) fn receipt(&self, index: usize) -> Receipt {
        Receipt::new(&self.leaves[index], &self.tree, self.signature)
    }
}

#[cfg(test)]
mod tests {
    use super::Signer;
    use crate::types::BlockNumber;
    use alloy_primitives::{Address, B256, address};
    use sheaf_core::receipt::{Leaf, Receipt, Tree};
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    const CONTRACT: Address = Address::repeat_byte(0xCC);

    fn load(content: &str) -> anyhow::Result<Signer> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        Signer::load(file.path(), 31_337, CONTRACT)
    }

    #[test]
    fn what_it_signs_is_verified_under_its_address() {
        // The address of this well-known key is known too.
        let signer = load("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80\n").unwrap();
        assert_eq!(signer.address(), address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266"));
        let leaf = |index| Leaf { hash: B256::with_last_byte(9), block: 7, index, batch: 2, position: 4 + index };
        let leaves = [leaf(0), leaf(1), leaf(2)];
        let tree = Tree::new(&leaves);
        let signature = signer.sign(BlockNumber(7), 3, tree.root());
        assert_eq!(signature, signer.sign(BlockNumber(7), 3, tree.root()));
        for leaf in leaves {
            Receipt::new(&leaf, &tree, signature).verify(leaf.hash, 31_337, CONTRACT, signer.address()).unwrap();
        }
        let receipt = Receipt::new(&leaves[0], &tree, signer.sign(BlockNumber(8), 3, tree.root()));
        assert!(receipt.verify(leaves[0].hash, 31_337, CONTRACT, signer.address()).is_err());
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "01".repeat(32)).unwrap();
        for (mode, taken) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o620, false)] {
            std::fs::set_permissions(file.path(), Permissions::from_mode(mode)).unwrap();
            let loaded = Signer::load(file.path(), 31_337, CONTRACT).err().map(|error| error.to_string());
            assert_eq!(loaded.is_none(), taken, "{loaded:?}");
            assert!(
                loaded.is_none_or(|error| error.starts_with("key_readable_by_others: ") && error.contains(&format!("{mode:o}")))
            );
        }
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        let (short, zero) = ("ab".repeat(31), "00".repeat(32));
        let above_the_order = "ff".repeat(32);
        for content in ["", "secret words", &short, &zero, &above_the_order] {
            let error = format!("{:#}", load(content).err().unwrap());
            assert!(error.contains("64 hex digits"), "{error}");
            assert!(content.is_empty() || !error.contains(content), "{error}");
        }
    }

    #[test]
    fn a_missing_key_is_said_with_how_to_make_it() {
        let error = format!("{:#}", Signer::load("/nowhere/receipt.key".as_ref(), 1, CONTRACT).err().unwrap());
        assert!(error.contains("openssl rand -hex 32 > /nowhere/receipt.key"), "{error}");
    }
}
