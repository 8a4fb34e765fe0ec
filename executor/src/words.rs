//! The state as words: arrays by account for the first 16 words, and a map for the tokens that few accounts hold.

use ark_ff::{BigInt, Zero};
use sheaf_core::F;
use sheaf_core::geometry::{ARITY, DENSE_WORDS, Geometry};
use sheaf_core::slot::Memory;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Accounts whose words are allocated together.
const CHUNK_ACCOUNTS: u32 = 4096;
/// Words of a quad.
const QUAD_WORDS: u32 = ARITY as u32;
/// Quads of an account's dense words.
const QUADS: u32 = DENSE_WORDS / QUAD_WORDS;

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

/// Four neighbouring words of an account, the leaf of a tree: two cache lines, which processors fetch together.
#[derive(Default)]
#[repr(align(128))]
struct Quad([Word; ARITY]);

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
/// Words 0 to 15 of an account stand in four quads. The same quads of 4,096 accounts make a chunk, and a chunk
/// that nobody wrote takes no memory: an account that holds only token 0 takes 128 bytes, and these stand close
/// to those of other accounts. The other words stand one by one. Room is made only through `&mut self`.
pub struct Words {
    geometry: Geometry,
    /// Where the addresses of dense words end.
    dense_end: u32,
    /// By account, then by quad.
    chunks: Vec<Option<Box<[Quad]>>>,
    sparse: Vec<Word>,
    sparse_place: HashMap<u32, u32, BuildHasherDefault<AddressHasher>>,
}

/// The chunk, the place in it and the place in the quad of a dense word.
const fn dense_place(address: u32) -> (usize, usize, usize) {
    let (account, word) = (address / DENSE_WORDS, address % DENSE_WORDS);
    let chunk = account / CHUNK_ACCOUNTS * QUADS + word / QUAD_WORDS;
    (chunk as usize, (account % CHUNK_ACCOUNTS) as usize, (word % QUAD_WORDS) as usize)
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
    #[inline]
    pub fn get(&self, address: u32) -> F {
        self.word(address).map_or_else(F::zero, Word::get)
    }

    /// Replaces the word at `address`, and makes room for it.
    ///
    /// # Panics
    /// If `address` is outside of the geometry.
    #[inline]
    pub fn set(&mut self, address: u32, value: F) {
        if let Some(word) = self.word(address) {
            return word.set(value);
        }
        if !value.is_zero() {
            self.set_new(address, value);
        }
    }

    #[cold]
    fn set_new(&mut self, address: u32, value: F) {
        self.reserve(address);
        self.word(address).expect("room was just made").set(value);
    }

    /// Replaces the word at `address` through a shared reference: for executors that order the accesses of their threads
    /// themselves. Without such an order, a reader may see half of a word.
    ///
    /// # Panics
    /// If no room was made for the word.
    pub fn set_shared(&self, address: u32, value: F) {
        self.word(address).expect("room was made").set(value);
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
        let (chunk, ..) = dense_place(address);
        if chunk >= self.chunks.len() {
            self.chunks.resize_with(chunk + 1, || None);
        }
        let quads = CHUNK_ACCOUNTS.min(self.geometry.account_capacity());
        self.chunks[chunk].get_or_insert_with(|| (0..quads).map(|_| Quad::default()).collect());
    }

    /// Reads a limb of both cache lines of an account's first quad, so that they are on their way when they are needed.
    #[inline]
    pub(crate) fn touch(&self, account: u32) -> u64 {
        let chunk = self.chunks.get((account / CHUNK_ACCOUNTS * QUADS) as usize).and_then(Option::as_ref);
        match chunk.and_then(|quads| quads.get((account % CHUNK_ACCOUNTS) as usize)) {
            Some(quad) => quad.0[0].0[0].load(Relaxed) ^ quad.0[QUAD_WORDS as usize - 1].0[0].load(Relaxed),
            None => 0,
        }
    }

    /// The index below which every account has room for its first quad.
    pub(crate) fn roomy_accounts(&self) -> u32 {
        let chunks = self.chunks.iter().step_by(QUADS as usize).take_while(|chunk| chunk.is_some());
        chunks.count() as u32 * CHUNK_ACCOUNTS
    }

    /// Account indices that have room for their first words.
    pub fn accounts(&self) -> u32 {
        self.chunks.iter().step_by(QUADS as usize).flatten().map(|chunk| chunk.len() as u32).sum()
    }

    /// Every word that is not zero, with its address: the dense ones by address, then the others by address.
    pub fn nonzero(&self) -> impl Iterator<Item = (u32, F)> + '_ {
        let accounts = self.chunks.len() as u32 / QUADS * CHUNK_ACCOUNTS + CHUNK_ACCOUNTS;
        let dense = (0..(accounts * DENSE_WORDS).min(self.dense_end)).map(|address| (address, self.get(address)));
        let mut places: Vec<_> = self.sparse_place.iter().map(|(address, place)| (*address, *place)).collect();
        places.sort_unstable();
        let sparse = places.into_iter().map(|(address, place)| (address, self.sparse[place as usize].get()));
        dense.chain(sparse).filter(|(_, value)| !value.is_zero())
    }

    /// Bytes that the words take.
    pub fn memory_bytes(&self) -> usize {
        let map_entry = size_of::<(u32, u32)>() + 1;
        self.chunks.iter().flatten().map(|chunk| size_of_val(&**chunk)).sum::<usize>()
            + self.sparse.capacity() * size_of::<Word>()
            + self.sparse_place.capacity() * map_entry
    }

    /// The place of the word at `address`, if there is room for it.
    #[inline]
    pub(crate) fn word(&self, address: u32) -> Option<&Word> {
        if address < self.dense_end {
            let (chunk, quad, word) = dense_place(address);
            Some(&self.chunks.get(chunk)?.as_ref()?.get(quad)?.0[word])
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
