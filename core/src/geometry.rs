//! Where a word lives: the one definition of addresses and of tree node ids.
//!
//! The state is a memory of `4^depth` words under a 4-ary Merkle tree. The protocol's depth is
//! [`DEPTH`]; tests run the same code and circuits on small trees.

/// Depth of the protocol's tree, counted in levels between the root and the words: `4^15 = 2^30` words.
pub const DEPTH: u32 = 15;
/// Children of a tree node, and words of a quad.
pub const ARITY: usize = 4;
/// Words of an account that lie beside each other, under one node.
pub const DENSE_WORDS: u32 = 16;
/// Words of an account: key hash, nonce, owner and the balances of 61 tokens.
pub const ACCOUNT_WORDS: u32 = 64;
/// Bits of an account index on the wire.
pub const ACCOUNT_BITS: u32 = 24;

/// The shape of the state: how deep its tree is, and what follows from that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Geometry {
    depth: u32,
}

impl Geometry {
    /// The protocol's own geometry.
    pub const PROTOCOL: Self = Self { depth: DEPTH };

    /// A geometry with `4^depth` words, for tests on small trees.
    ///
    /// # Panics
    /// Unless `4 <= depth <= 15`: an account needs 64 words, and addresses are 30 bits at most.
    pub const fn new(depth: u32) -> Self {
        assert!(depth >= 4 && depth <= DEPTH, "depth must be 4 to 15");
        Self { depth }
    }

    /// Levels between the root and the words.
    pub const fn depth(self) -> u32 {
        self.depth
    }

    /// Bits of an account index: 24 in the protocol.
    #[inline]
    pub const fn account_bits(self) -> u32 {
        2 * self.depth - 6
    }

    /// Accounts that exist at most, used or not.
    #[inline]
    pub const fn account_capacity(self) -> u32 {
        1 << self.account_bits()
    }

    /// Address of `word` (0..64) of `account`.
    ///
    /// The first 16 words of an account are neighbours, and so share one node above their quads;
    /// the others lie with the same word of the other accounts.
    ///
    /// # Panics
    /// If `account` or `word` is out of range: such an address would alias another account's word.
    #[inline]
    pub const fn address(self, account: u32, word: u32) -> u32 {
        assert!(account < self.account_capacity(), "account index out of range");
        assert!(word < ACCOUNT_WORDS, "word number out of range");
        if word < DENSE_WORDS { DENSE_WORDS * account + word } else { (word << self.account_bits()) + account }
    }

    /// The (account, word) that lives at `address`: the inverse of [`Geometry::address`].
    ///
    /// # Panics
    /// If `address` is not below the number of words.
    pub const fn locate(self, address: u32) -> (u32, u32) {
        assert!((address as u64) < self.word_count(), "address out of range");
        let dense_end = DENSE_WORDS << self.account_bits();
        if address < dense_end {
            (address / DENSE_WORDS, address % DENSE_WORDS)
        } else {
            (address & (self.account_capacity() - 1), address >> self.account_bits())
        }
    }

    /// Number of words of the memory.
    #[inline]
    pub const fn word_count(self) -> u64 {
        1 << (2 * self.depth)
    }

    /// Number of bits of a quad index.
    pub const fn quad_bits(self) -> u32 {
        2 * (self.depth - 1)
    }

    /// Id of the leaf of quad 0: the number of inner nodes above the quads. The leaf of quad `q` is
    /// `first_leaf_id() + q`.
    pub const fn first_leaf_id(self) -> u32 {
        ((1u64 << self.quad_bits()) / 3) as u32
    }

    /// Number of bits of an inner node's id.
    pub const fn node_id_bits(self) -> u32 {
        u32::BITS - (self.first_leaf_id() - 1).leading_zeros()
    }
}

/// Parent of node `id` in the heap numbering (root 0, child `k` of `n` is `4n + k + 1`).
///
/// # Panics
/// If `id` is the root.
pub const fn parent(id: u32) -> u32 {
    assert!(id > 0, "the root has no parent");
    (id - 1) / ARITY as u32
}

/// Which child of its parent node `id` is, 0..4.
///
/// # Panics
/// If `id` is the root.
pub const fn child_number(id: u32) -> usize {
    assert!(id > 0, "the root is no child");
    ((id - 1) % ARITY as u32) as usize
}
