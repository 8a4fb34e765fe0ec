//! The operator's signed promise: that a transaction was executed, and where.
//!
//! ```text
//!  leaf = keccak256(0x00 ‖ hash ‖ block u64 ‖ index u32 ‖ batch u64 ‖ position u32)     one a transaction
//!  node = keccak256(0x01 ‖ left ‖ right)      a node without a right neighbour is taken up as it is
//!  root ─▶ EIP-712 digest of Block(number, count, receipts = root) ─▶ one signature a block
//! ```
//!
//! A receipt is the way from a leaf to the root with the block's signature, so that signing costs the
//! same whatever a block holds. It is proof against the operator: whoever has it and the batch that L1
//! accepted can show everybody that the promised operation is not at the promised position.

use crate::json::{JsonError, hex_bytes};
use alloy_primitives::{Address, B256, Signature, hex, keccak256};
use serde::{Deserialize, Serialize};

/// Most transactions of one block: what bounds a path's length.
pub const COUNT_MAX: u32 = 1 << 20;

/// Bytes of a block's signature: r, s, and 27 or 28.
pub const SIGNATURE_BYTES: usize = 65;

const LEAF: u8 = 0;
const NODE: u8 = 1;

const DOMAIN_TYPE: &str = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
const BLOCK_TYPE: &str = "Block(uint64 number,uint32 count,bytes32 receipts)";

/// What is promised of one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The transaction's hash.
    pub hash: B256,
    /// The block that made it durable.
    pub block: u64,
    /// Its place among the block's transactions, in the order of execution.
    pub index: u32,
    /// Its batch.
    pub batch: u64,
    /// Its slot in the batch.
    pub position: u32,
}

impl Leaf {
    /// The leaf of the tree.
    pub fn digest(&self) -> B256 {
        let mut bytes = [LEAF; 57];
        bytes[1..33].copy_from_slice(self.hash.as_slice());
        bytes[33..41].copy_from_slice(&self.block.to_be_bytes());
        bytes[41..45].copy_from_slice(&self.index.to_be_bytes());
        bytes[45..53].copy_from_slice(&self.batch.to_be_bytes());
        bytes[53..].copy_from_slice(&self.position.to_be_bytes());
        keccak256(bytes)
    }
}

fn node(left: B256, right: B256) -> B256 {
    let mut bytes = [NODE; 65];
    bytes[1..33].copy_from_slice(left.as_slice());
    bytes[33..].copy_from_slice(right.as_slice());
    keccak256(bytes)
}

/// The tree over the transactions of one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// Leaves first, the root last; one empty level for a block without transactions.
    levels: Vec<Vec<B256>>,
}

impl Tree {
    /// The tree over leaves in the order of their index.
    ///
    /// # Panics
    /// Above [`COUNT_MAX`] leaves, or if one does not stand at its index.
    pub fn new(leaves: &[Leaf]) -> Self {
        assert!(leaves.len() <= COUNT_MAX as usize, "a block has at most {COUNT_MAX} transactions");
        let digest = |(at, leaf): (usize, &Leaf)| {
            assert_eq!(leaf.index as usize, at, "leaves come in the order of their index");
            leaf.digest()
        };
        let mut levels = vec![leaves.iter().enumerate().map(digest).collect::<Vec<_>>()];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            let above = below.chunks(2).map(|pair| if let [left, right] = *pair { node(left, right) } else { pair[0] });
            let above = above.collect();
            levels.push(above);
        }
        Self { levels }
    }

    /// How many leaves it has.
    pub fn count(&self) -> u32 {
        self.levels[0].len() as u32
    }

    /// The root; zero without leaves.
    pub fn root(&self) -> B256 {
        self.levels.last().and_then(|top| top.first()).copied().unwrap_or_default()
    }

    /// The neighbours from the leaf at `index` up to the root; a level without a neighbour has none.
    ///
    /// # Panics
    /// If there is no such leaf.
    pub fn path(&self, index: u32) -> Vec<B256> {
        assert!(index < self.count(), "leaf {index} of {}", self.count());
        let neighbour = |(height, level): (usize, &Vec<B256>)| level.get((index as usize >> height) ^ 1).copied();
        self.levels.iter().enumerate().filter_map(neighbour).collect()
    }
}

/// The root that a path leads to.
///
/// # Errors
/// [`ReceiptError::Count`], [`ReceiptError::Index`] or [`ReceiptError::PathLength`].
pub fn root_of(leaf: B256, index: u32, count: u32, path: &[B256]) -> Result<B256, ReceiptError> {
    if count == 0 || count > COUNT_MAX {
        return Err(ReceiptError::Count { found: count });
    }
    if index >= count {
        return Err(ReceiptError::Index { found: index, count });
    }
    let (mut at, mut width, mut root) = (index, count, leaf);
    let mut neighbours = path.iter();
    let short = || ReceiptError::PathLength { found: path.len(), index, count };
    while width > 1 {
        // The last of an odd number has no neighbour.
        if at ^ 1 < width {
            let neighbour = *neighbours.next().ok_or_else(short)?;
            root = if at & 1 == 0 { node(root, neighbour) } else { node(neighbour, root) };
        }
        (at, width) = (at >> 1, width.div_ceil(2));
    }
    if neighbours.next().is_some() { Err(short()) } else { Ok(root) }
}

/// What the operator signs for a block: the EIP-712 digest, in the domain of name `Sheaf`, version `1`,
/// this chain and contract, of `Block(uint64 number,uint32 count,bytes32 receipts)`.
pub fn digest(chain_id: u64, contract: Address, number: u64, count: u32, root: B256) -> B256 {
    let word = |value: u64| B256::left_padding_from(&value.to_be_bytes());
    let hash = |words: &[B256]| keccak256(words.concat());
    let domain = hash(&[
        keccak256(DOMAIN_TYPE),
        keccak256("Sheaf"),
        keccak256("1"),
        word(chain_id),
        B256::left_padding_from(contract.as_slice()),
    ]);
    let block = hash(&[keccak256(BLOCK_TYPE), word(number), word(count.into()), root]);
    keccak256([&[0x19, 0x01], domain.as_slice(), block.as_slice()].concat())
}

/// A receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The block.
    pub block: u64,
    /// The transaction's place among the block's transactions.
    pub index: u32,
    /// How many transactions the block has.
    pub count: u32,
    /// The transaction's batch.
    pub batch: u64,
    /// Its slot in the batch.
    pub position: u32,
    /// The neighbours from the leaf to the root.
    pub path: Vec<B256>,
    /// The operator's signature of the block: r, s, and 27 or 28.
    pub signature: [u8; SIGNATURE_BYTES],
}

impl Receipt {
    /// The receipt of the transaction at `leaf`, of a block that was signed.
    ///
    /// # Panics
    /// If the tree has no such leaf.
    pub fn new(leaf: &Leaf, tree: &Tree, signature: [u8; SIGNATURE_BYTES]) -> Self {
        let Leaf { block, index, batch, position, .. } = *leaf;
        Self { block, index, count: tree.count(), batch, position, path: tree.path(index), signature }
    }

    /// Who signed this for the transaction with this hash, on this chain and contract.
    ///
    /// # Errors
    /// [`ReceiptError`], other than [`ReceiptError::WrongSigner`].
    pub fn signer(&self, hash: B256, chain_id: u64, contract: Address) -> Result<Address, ReceiptError> {
        let Self { block, index, count, batch, position, ref path, ref signature } = *self;
        let leaf = Leaf { hash, block, index, batch, position };
        let root = root_of(leaf.digest(), index, count, path)?;
        // One form only: the low s of EIP-2, and 27 or 28 for the parity.
        let parity = signature[SIGNATURE_BYTES - 1];
        let signature = Signature::from_raw_array(signature).map_err(|_| ReceiptError::Signature)?;
        if !(27..=28).contains(&parity) || signature.normalize_s().is_some() {
            return Err(ReceiptError::Signature);
        }
        let digest = digest(chain_id, contract, block, count, root);
        signature.recover_address_from_prehash(&digest).map_err(|_| ReceiptError::Signature)
    }

    /// Makes sure that `signer` promised this for the transaction with this hash.
    ///
    /// # Errors
    /// [`ReceiptError`]; any field that was changed makes it one.
    pub fn verify(&self, hash: B256, chain_id: u64, contract: Address, signer: Address) -> Result<(), ReceiptError> {
        let found = self.signer(hash, chain_id, contract)?;
        if found == signer { Ok(()) } else { Err(ReceiptError::WrongSigner { expected: signer, found }) }
    }
}

/// A receipt as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptJson {
    /// The block.
    pub block: u64,
    /// The transaction's place among the block's transactions.
    pub index: u32,
    /// How many transactions the block has.
    pub count: u32,
    /// The transaction's batch.
    pub batch: u64,
    /// Its slot in the batch.
    pub position: u32,
    /// The neighbours from the leaf to the root, each 32 bytes of hex.
    pub path: Vec<String>,
    /// The operator's signature of the block, 65 bytes of hex.
    pub signature: String,
}

impl ReceiptJson {
    /// Reads the receipt; it is not verified here.
    ///
    /// # Errors
    /// [`JsonError`] of the first field that is wrong.
    pub fn to_receipt(&self) -> Result<Receipt, JsonError> {
        let Self { block, index, count, batch, position, ref path, ref signature } = *self;
        let path = path.iter().map(|hash| hex_bytes(hash, "receipt.path").map(B256::new)).collect::<Result<_, _>>()?;
        let signature = hex_bytes(signature, "receipt.signature")?;
        Ok(Receipt { block, index, count, batch, position, path, signature })
    }

    /// Makes sure that `signer` promised this for the transaction with this hash.
    ///
    /// # Errors
    /// [`ReceiptError`]; any field that was changed makes it one.
    pub fn verify(&self, hash: B256, chain_id: u64, contract: Address, signer: Address) -> Result<(), ReceiptError> {
        self.to_receipt()?.verify(hash, chain_id, contract, signer)
    }
}

impl From<&Receipt> for ReceiptJson {
    fn from(receipt: &Receipt) -> Self {
        let Receipt { block, index, count, batch, position, ref path, ref signature } = *receipt;
        let path = path.iter().map(hex::encode_prefixed).collect();
        Self { block, index, count, batch, position, path, signature: hex::encode_prefixed(signature) }
    }
}

/// Why a receipt proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// A field can't be read.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A block has at least one transaction and not too many.
    #[error("count is {found}: a block with receipts has 1 to {COUNT_MAX} transactions")]
    Count {
        /// What it is.
        found: u32,
    },
    /// The index is outside the block.
    #[error("index is {found}, of {count} transactions")]
    Index {
        /// What it is.
        found: u32,
        /// The block's transactions.
        count: u32,
    },
    /// The path is too short or too long.
    #[error("path has {found} hashes, which does not fit index {index} of {count}")]
    PathLength {
        /// What it has.
        found: usize,
        /// The transaction's index.
        index: u32,
        /// The block's transactions.
        count: u32,
    },
    /// The signature is none in the form that is taken.
    #[error("signature is no secp256k1 signature with a low s and 27 or 28 at its end")]
    Signature,
    /// Somebody else signed this, or something else was signed.
    #[error("{found} signed this and not the operator, {expected}: it was changed, or is for something else")]
    WrongSigner {
        /// Who should have signed.
        expected: Address,
        /// Who did, as far as the content is what was signed.
        found: Address,
    },
}

impl ReceiptError {
    /// The stable code that users see.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Json(error) => error.code(),
            Self::Count { .. } => "receipt_count",
            Self::Index { .. } => "receipt_index",
            Self::PathLength { .. } => "receipt_path_length",
            Self::Signature => "receipt_signature",
            Self::WrongSigner { .. } => "receipt_wrong_signer",
        }
    }
}
