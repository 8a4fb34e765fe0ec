//! The operator's receipts, kept beside the keystore, and whom the wallet takes for the operator.
//!
//! ```text
//!  sheaf-wallet.json             the keystore
//!  sheaf-wallet.json.operators   who signs receipts, by chain and contract: what was seen first, and what was accepted later
//!  sheaf-wallet.json.receipts    one receipt a line, only ever appended to
//! ```
//!
//! A receipt is worth something only if it was signed by who is known as the operator: the address that
//! the API names is pinned when it is first seen, and a later change of it is said.

use super::WalletError;
use alloy::primitives::{Address, B256};
use serde::{Deserialize, Serialize};
use sheaf_api::model::Info;
use sheaf_core::receipt::ReceiptJson;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// Who promises: an operator is known for one contract on one chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// The L1 chain.
    pub chain_id: u64,
    /// The contract on it.
    pub contract: Address,
    /// Whose signature receipts have.
    pub signer: Address,
}

impl Operator {
    /// The operator that an API names.
    ///
    /// # Errors
    /// [`WalletError::Address`].
    pub fn of(info: &Info) -> Result<Self, WalletError> {
        let address = super::ops::parse_address;
        Ok(Self { chain_id: info.chain_id, contract: address(&info.contract)?, signer: address(&info.receipt_signer)? })
    }

    /// Makes sure that a receipt is this operator's, for the transaction with this hash.
    ///
    /// # Errors
    /// [`WalletError::Receipt`].
    pub fn check(&self, hash: B256, receipt: &ReceiptJson) -> Result<(), WalletError> {
        let checked = receipt.verify(hash, self.chain_id, self.contract, self.signer);
        checked.map_err(|error| WalletError::Receipt { hash: hash.to_string(), error })
    }
}

/// A receipt with what it is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The transaction.
    pub hash: B256,
    /// Who promised.
    pub operator: Operator,
    /// The promise.
    pub receipt: ReceiptJson,
}

/// The files.
#[derive(Clone, Debug)]
pub struct Book {
    operators: PathBuf,
    receipts: PathBuf,
}

impl Book {
    /// The files that belong to a keystore.
    pub fn beside(keystore: &Path) -> Self {
        let with = |ending: &str| {
            let mut name = keystore.as_os_str().to_owned();
            name.push(ending);
            PathBuf::from(name)
        };
        Self { operators: with(".operators"), receipts: with(".receipts") }
    }

    /// Who was pinned for this chain and contract, last.
    ///
    /// # Errors
    /// [`WalletError::Book`].
    pub fn pinned(&self, chain_id: u64, contract: Address) -> Result<Option<Operator>, WalletError> {
        Ok(self.operators()?.into_iter().rfind(|known| (known.chain_id, known.contract) == (chain_id, contract)))
    }

    /// Whether this operator was ever pinned: what it promised then still counts.
    ///
    /// # Errors
    /// [`WalletError::Book`].
    pub fn knows(&self, operator: &Operator) -> Result<bool, WalletError> {
        Ok(self.operators()?.contains(operator))
    }

    /// Pins an operator, after those that were pinned before.
    ///
    /// # Errors
    /// [`WalletError::Book`].
    pub fn pin(&self, operator: Operator) -> Result<(), WalletError> {
        let mut known = self.operators()?;
        known.retain(|other| *other != operator);
        known.push(operator);
        let text = serde_json::to_vec_pretty(&known).expect("operators are JSON");
        // Whole or as it was.
        let folder = self.operators.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let failed = |error: &dyn std::fmt::Display| self.failed(&self.operators, error);
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|e| failed(&e))?;
        file.write_all(&text).and_then(|()| file.as_file().sync_all()).map_err(|e| failed(&e))?;
        file.persist(&self.operators).map_err(|e| failed(&e)).map(drop)
    }

    /// Keeps a receipt, unless it is kept already.
    ///
    /// # Errors
    /// [`WalletError::Book`].
    pub fn keep(&self, kept: &Kept) -> Result<(), WalletError> {
        if self.find(kept.hash)?.contains(kept) {
            return Ok(());
        }
        let line = serde_json::to_string(kept).expect("a receipt is JSON") + "\n";
        let append = || {
            let mut file = OpenOptions::new().append(true).create(true).open(&self.receipts)?;
            file.write_all(line.as_bytes())?;
            file.sync_all()
        };
        append().map_err(|error| self.failed(&self.receipts, &error))
    }

    /// All receipts of a transaction, in the order in which they came: it has several if it was taken back and executed again.
    ///
    /// # Errors
    /// [`WalletError::Book`].
    pub fn find(&self, hash: B256) -> Result<Vec<Kept>, WalletError> {
        let text = self.read(&self.receipts)?;
        // A line that a crash cut short is no receipt, and no reason to lose the others.
        let kept = text.lines().filter_map(|line| serde_json::from_str::<Kept>(line).ok());
        Ok(kept.filter(|kept| kept.hash == hash).collect())
    }

    fn operators(&self) -> Result<Vec<Operator>, WalletError> {
        let text = self.read(&self.operators)?;
        if text.is_empty() {
            return Ok(Vec::new());
        }
        serde_json::from_str(&text).map_err(|error| self.failed(&self.operators, &error))
    }

    fn read(&self, path: &Path) -> Result<String, WalletError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(self.failed(path, &error)),
        }
    }

    fn failed(&self, path: &Path, error: &dyn std::fmt::Display) -> WalletError {
        WalletError::Book(format!("{}: {error}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Book, Kept, Operator};
    use alloy::primitives::{Address, B256};
    use sheaf_core::receipt::ReceiptJson;

    fn operator(signer: u8) -> Operator {
        Operator { chain_id: 1, contract: Address::repeat_byte(7), signer: Address::repeat_byte(signer) }
    }

    fn kept(hash: u8, batch: u64) -> Kept {
        let signature = format!("0x{}", "00".repeat(65));
        let receipt = ReceiptJson { block: 1, index: 0, count: 1, batch, position: 2, path: vec![], signature };
        Kept { hash: B256::repeat_byte(hash), operator: operator(1), receipt }
    }

    #[test]
    fn operators_are_pinned_by_chain_and_contract() {
        let folder = tempfile::tempdir().unwrap();
        let book = Book::beside(&folder.path().join("wallet.json"));
        let pinned = |chain_id, contract| book.pinned(chain_id, Address::repeat_byte(contract)).unwrap();
        assert_eq!(pinned(1, 7), None);
        book.pin(operator(1)).unwrap();
        let elsewhere = Operator { chain_id: 2, ..operator(3) };
        book.pin(elsewhere).unwrap();
        assert_eq!((pinned(1, 7), pinned(2, 7), pinned(1, 8)), (Some(operator(1)), Some(elsewhere), None));
        book.pin(operator(2)).unwrap();
        assert_eq!((pinned(1, 7), pinned(2, 7)), (Some(operator(2)), Some(elsewhere)));
        assert!(book.knows(&operator(1)).unwrap() && book.knows(&operator(2)).unwrap() && !book.knows(&operator(3)).unwrap());
        book.pin(operator(1)).unwrap();
        assert_eq!(pinned(1, 7), Some(operator(1)));
        std::fs::write(folder.path().join("wallet.json.operators"), "damaged").unwrap();
        assert_eq!(book.pinned(1, Address::ZERO).unwrap_err().code(), "receipts_file");
        assert_eq!(book.pin(operator(1)).unwrap_err().code(), "receipts_file");
    }

    #[test]
    fn receipts_are_kept_once_each_and_survive_a_cut_line() {
        let folder = tempfile::tempdir().unwrap();
        let book = Book::beside(&folder.path().join("wallet.json"));
        assert_eq!(book.find(B256::repeat_byte(1)).unwrap(), []);
        for receipt in [kept(1, 5), kept(2, 5), kept(1, 5), kept(1, 6)] {
            book.keep(&receipt).unwrap();
        }
        assert_eq!(book.find(B256::repeat_byte(1)).unwrap(), [kept(1, 5), kept(1, 6)]);
        let file = folder.path().join("wallet.json.receipts");
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text.lines().count(), 3);
        std::fs::write(&file, format!("{text}{{\"hash\":\"0x01\n")).unwrap();
        book.keep(&kept(3, 1)).unwrap();
        assert_eq!(book.find(B256::repeat_byte(3)).unwrap(), [kept(3, 1)]);
        assert_eq!(book.find(B256::repeat_byte(2)).unwrap(), [kept(2, 5)]);
    }
}
