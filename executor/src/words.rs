//! The state as words: dense blocks by account, and a map for the tokens that few accounts hold.

use ark_ff::{BigInt, Zero};
use sheaf_core::F;
use sheaf_core::geometry::{DENSE_WORDS, Geometry};
use sheaf_core::slot::Memory;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Accounts whose blocks are allocated together.
const CHUNK_ACCOUNTS: u32 = 4096;

/// One word, in Montgomery form. Threads share words without locks: whoever runs two operations on one account in
/// order (the scheduler, or a loop) also orders their reads and writes here, so that no read sees half a word.
#[derive(Default)]
pub(crate) struct Word([AtomicU64; 4]);

impl Word {
    pub(crate) fn get(&self) -> F {
        let [a, b, c, d] = &self.0;
        F::new_unchecked(BigInt([a.load(Relaxed), b.load(Relaxed), c.load(Relaxed), d.load(Relaxed)]))
    }

    pub(crate) fn set(&self, value: F) {
        for (limb, value) in self.0.iter().zip(value.0.0) {
            limb.store(value, Relaxed);
        }
    }
}

/// The dense words of an account: eight whole cache lines.
#[derive(Default)]
#[repr(align(64))]
struct Block([Word; DENSE_WORDS as usize]);

/// Addresses are well spread by one multiplication.
#[derive(Default)]
struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32((*byte).into()));
    }

    fn write_u32(&mut self, value: u32) {
        let product = (self.0 ^ u64::from(value)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = product ^ product >> 32;
    }
}

/// The state: a word for every address, zero at first.
///
/// Words 0 to 15 of an account stand in one block of 512 bytes; blocks come in chunks, and a chunk that nobody wrote
/// takes no memory. The other words stand one by one. Room is made only through `&mut self`.
pub struct Words {
    geometry: Geometry,
    /// Where the addresses of dense words end.
    dense_end: u32,
    chunks: Vec<Option<Box<[Block]>>>,
    sparse: Vec<Word>,
    sparse_place: HashMap<u32, u32, BuildHasherDefault<AddressHasher>>,
}

impl Words {
    /// An empty state.
    pub fn new(geometry: Geometry) -> Self {
        let dense_end = DENSE_WORDS * geometry.account_capacity();
        Self { geometry, dense_end, chunks: Vec::new(), sparse: Vec::new(), sparse_place: HashMap::default() }
    }

    /// The state's geometry.
    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// The word at `address`, 0 where nothing was written.
    pub fn get(&self, address: u32) -> F {
        self.word(address).map_or_else(F::zero, Word::get)
    }

    /// Replaces the word at `address`, and makes room for it.
    ///
    /// # Panics
    /// If `address` is outside of the geometry.
    pub fn set(&mut self, address: u32, value: F) {
        if let Some(word) = self.word(address) {
            return word.set(value);
        }
        if !value.is_zero() {
            self.reserve(address);
            self.word(address).expect("room was just made").set(value);
        }
    }

    /// Makes room for the word at `address`.
    ///
    /// # Panics
    /// If `address` is outside of the geometry.
    pub fn reserve(&mut self, address: u32) {
        assert!(u64::from(address) < self.geometry.word_count(), "address out of range");
        if address >= self.dense_end {
            let place = self.sparse.len() as u32;
            if *self.sparse_place.entry(address).or_insert(place) == place {
                self.sparse.push(Word::default());
            }
            return;
        }
        let chunk = (address / (DENSE_WORDS * CHUNK_ACCOUNTS)) as usize;
        if chunk >= self.chunks.len() {
            self.chunks.resize_with(chunk + 1, || None);
        }
        let blocks = CHUNK_ACCOUNTS.min(self.geometry.account_capacity());
        self.chunks[chunk].get_or_insert_with(|| (0..blocks).map(|_| Block::default()).collect());
    }

    /// Account indices that have room for their dense words.
    pub fn accounts(&self) -> u32 {
        self.chunks.iter().flatten().map(|chunk| chunk.len() as u32).sum()
    }

    /// Every word that is not zero, with its address: the dense ones by address, then the others by address.
    pub fn nonzero(&self) -> impl Iterator<Item = (u32, F)> + '_ {
        let dense = self.chunks.iter().enumerate().filter_map(|(i, chunk)| Some((i as u32 * CHUNK_ACCOUNTS, chunk.as_ref()?)));
        let dense = dense
            .flat_map(|(first, blocks)| (first..).zip(blocks))
            .flat_map(|(account, block)| (DENSE_WORDS * account..).zip(&block.0).map(|(address, word)| (address, word.get())));
        let mut places: Vec<_> = self.sparse_place.iter().map(|(address, place)| (*address, *place)).collect();
        places.sort_unstable();
        let sparse = places.into_iter().map(|(address, place)| (address, self.sparse[place as usize].get()));
        dense.chain(sparse).filter(|(_, value)| !value.is_zero())
    }

    /// Bytes that the words take.
    pub fn memory_bytes(&self) -> usize {
        let map_entry = size_of::<(u32, u32)>() + 1;
        self.accounts() as usize * size_of::<Block>()
            + self.sparse.capacity() * size_of::<Word>()
            + self.sparse_place.capacity() * map_entry
    }

    /// The place of the word at `address`, if there is room for it.
    pub(crate) fn word(&self, address: u32) -> Option<&Word> {
        if address < self.dense_end {
            let blocks = self.chunks.get((address / (DENSE_WORDS * CHUNK_ACCOUNTS)) as usize)?.as_ref()?;
            let block = blocks.get((address / DENSE_WORDS % CHUNK_ACCOUNTS) as usize)?;
            Some(&block.0[(address % DENSE_WORDS) as usize])
        } else {
            self.sparse_place.get(&address).map(|place| &self.sparse[*place as usize])
        }
    }
}

impl Memory for Words {
    fn read(&self, address: u32) -> F {
        self.get(address)
    }

    fn write(&mut self, address: u32, value: F) {
        self.set(address, value);
    }
}
