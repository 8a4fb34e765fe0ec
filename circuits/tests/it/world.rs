//! A small state with people in it, and random batches that its rules allow.

use alloy_primitives::Address;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use sheaf_core::F;
use sheaf_core::amount::{PackedAmount, PackedFee};
use sheaf_core::eddsa::SecretKey;
use sheaf_core::geometry::Geometry;
use sheaf_core::operation::Operation;
use sheaf_core::shape::Shape;
use sheaf_core::slot::{Context, Memory, apply};
use sheaf_core::trace::{BatchHeader, BatchWitness, SlotInput, build};
use sheaf_core::transaction::{Pair, Payload, Resolution, Target};
use sheaf_core::tree::Tree;
use sheaf_core::types::{AccountId, TokenId, u128_from_field};
use std::collections::BTreeMap;
use std::sync::OnceLock;

pub(crate) const NOW: u32 = 1_800_000_000;
/// Sixteen accounts.
pub(crate) const GEOMETRY: Geometry = Geometry::new(5);
pub(crate) const SHAPE: Shape = Shape { id: 3, slots: 6, leaf_rows: 20, node_rows: 40 };
/// People who have keys.
pub(crate) const PEOPLE: u8 = 12;
const DOMAIN: u64 = 77;

pub(crate) fn id(index: u32) -> AccountId {
    AccountId::new(index).unwrap()
}

pub(crate) fn key(person: u8) -> &'static SecretKey {
    static KEYS: OnceLock<Vec<SecretKey>> = OnceLock::new();
    &KEYS.get_or_init(|| (0..=PEOPLE).map(|seed| SecretKey::from_seed(&[seed; 32])).collect())[usize::from(person)]
}

pub(crate) fn pair(person: u8) -> Pair {
    Pair { owner: Address::repeat_byte(person), key_hash: key(person).public_key().key_hash() }
}

pub(crate) fn header() -> BatchHeader {
    BatchHeader { domain: F::from(DOMAIN), timestamp: NOW, fee_account: id(1) }
}

pub(crate) fn context() -> Context {
    Context { geometry: GEOMETRY, domain: F::from(DOMAIN), timestamp: NOW, fee_account: id(1) }
}

pub(crate) fn unsigned(operation: Operation) -> SlotInput {
    SlotInput { operation, signature: None }
}

pub(crate) fn deposit(account: u32, person: u8, token: TokenId, amount: u128) -> Operation {
    let Pair { owner, key_hash } = pair(person);
    Operation::Deposit { account: id(account), token: token.word(), amount, owner, key_hash }
}

pub(crate) fn payload(from: u32, nonce: u64, value: u128, target: Target) -> Payload {
    let (amount, fee) = (PackedAmount::encode(value).unwrap(), PackedFee::encode(3).unwrap());
    Payload { from: id(from), nonce, expires: NOW + 5, token: TokenId::ETH, amount, fee, target }
}

pub(crate) fn signed(payload: Payload, person: u8, to: Resolution) -> SlotInput {
    let transaction = payload.sign(F::from(DOMAIN), key(person));
    SlotInput { operation: payload.operation(to), signature: Some(transaction.slot_signature()) }
}

/// Accounts 1 (fees), 2 and 3 of persons 1, 2 and 3, each with 1,000 of ETH.
pub(crate) fn people() -> Tree {
    let mut tree = Tree::new(GEOMETRY);
    let inputs: Vec<_> = (1..=3u8).map(|i| unsigned(deposit(i.into(), i, TokenId::ETH, 1000))).collect();
    build(&mut tree, SHAPE, header(), &inputs).unwrap();
    tree
}

/// One batch with an operation of nearly every kind, padding too.
pub(crate) fn mixed() -> BatchWitness {
    mixed_in(SHAPE)
}

/// [`mixed`] in another shape.
pub(crate) fn mixed_in(shape: Shape) -> BatchWitness {
    let inputs = [
        unsigned(deposit(2, 2, TokenId::ETH, 500)),
        unsigned(Operation::SetKey { account: id(3), caller: pair(2).owner, key_hash: pair(9).key_hash }),
        signed(payload(2, 0, 100, Target::Account(pair(3))), 2, Resolution::Existing(id(3))),
        signed(payload(3, 0, 50, Target::Account(pair(8))), 3, Resolution::Create(id(7))),
        signed(payload(2, 1, 20, Target::L1(pair(5).owner)), 2, Resolution::Create(id(0))),
    ];
    build(&mut people(), shape, header(), &inputs).unwrap()
}

/// A memory of the slot function.
#[derive(Clone, Debug)]
pub(crate) struct Map(BTreeMap<u32, F>);

impl Map {
    pub(crate) fn of(tree: &Tree) -> Self {
        Self(tree.words().collect())
    }
}

impl Memory for Map {
    fn read(&self, address: u32) -> F {
        self.0.get(&address).copied().unwrap_or_default()
    }
    fn write(&mut self, address: u32, value: F) {
        self.0.insert(address, value);
    }
}

/// Makes random batches, one after the other.
#[derive(Debug)]
pub(crate) struct Random {
    rng: ChaCha8Rng,
    pub(crate) tree: Tree,
    /// How often each kind was made.
    pub(crate) made: BTreeMap<&'static str, usize>,
}

pub(crate) const KINDS: [&str; 16] = [
    "noop",
    "deposit_new",
    "deposit_existing",
    "set_key_owner",
    "set_key_stranger",
    "exit_owner",
    "exit_stranger",
    "refund",
    "transfer",
    "transfer_self",
    "transfer_to_fee_account",
    "transfer_from_fee_account",
    "transfer_new",
    "withdraw",
    "withdraw_all",
    "far_token",
];

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed), tree: people(), made: BTreeMap::new() }
    }

    fn below(&mut self, n: u32) -> u32 {
        self.rng.next_u32() % n
    }

    fn word(memory: &Map, account: u32, word: u32) -> F {
        memory.read(GEOMETRY.address(account, word))
    }

    fn accounts(memory: &Map, empty: bool) -> Vec<u32> {
        (1..GEOMETRY.account_capacity()).filter(|a| (Self::word(memory, *a, 0) == F::from(0u64)) == empty).collect()
    }

    fn pick(&mut self, from: &[u32]) -> Option<u32> {
        (!from.is_empty()).then(|| from[self.below(from.len() as u32) as usize])
    }

    /// The person whose key an account has.
    fn person(memory: &Map, account: u32) -> Option<u8> {
        (1..=PEOPLE).find(|p| pair(*p).key_hash == Self::word(memory, account, 0))
    }

    fn pair_of(memory: &Map, account: u32) -> Option<Pair> {
        let owner = sheaf_core::types::address_from_field(Self::word(memory, account, 2))?;
        Some(Pair { owner, key_hash: Self::word(memory, account, 0) })
    }

    fn token(&mut self) -> TokenId {
        TokenId::new([0, 0, 0, 1, 12, 13, 60][self.below(7) as usize]).unwrap()
    }

    fn l1(&mut self, memory: &Map) -> Option<(&'static str, SlotInput)> {
        let existing = Self::accounts(memory, false);
        let account = self.pick(&existing)?;
        let token = self.token();
        let owner = Self::pair_of(memory, account)?.owner;
        let amount = u128::from(self.rng.next_u64());
        let person = 1 + self.below(u32::from(PEOPLE)) as u8;
        let stranger = if pair(person).owner == owner { Address::repeat_byte(99) } else { pair(person).owner };
        let key_hash = pair(person).key_hash;
        let exit = |caller, amount| Operation::ForcedExit { account: id(account), token: token.word(), amount, caller };
        let set = |caller| Operation::SetKey { account: id(account), caller, key_hash };
        let (kind, operation) = match self.below(7) {
            0 => {
                let empty = Self::accounts(memory, true);
                ("deposit_new", deposit(self.pick(&empty)?, person, token, amount))
            }
            1 => {
                let Pair { owner, key_hash } = Self::pair_of(memory, account)?;
                let account = id(account);
                ("deposit_existing", Operation::Deposit { account, token: token.word(), amount, owner, key_hash })
            }
            2 => ("set_key_owner", set(owner)),
            3 => ("set_key_stranger", set(stranger)),
            4 => {
                let balance = Self::word(memory, account, token.word().get().into());
                ("exit_owner", exit(owner, u128_from_field(balance)?))
            }
            5 => ("exit_stranger", exit(stranger, 0)),
            _ => ("refund", Operation::DepositRefund { token: token.word(), amount, owner, key_hash }),
        };
        Some((kind, unsigned(operation)))
    }

    fn l2(&mut self, memory: &Map) -> Option<(&'static str, SlotInput)> {
        let existing = Self::accounts(memory, false);
        let kind = self.below(7);
        let from = if kind == 2 { 1 } else { self.pick(&existing)? };
        let person = Self::person(memory, from)?;
        let token = self.token();
        let balance = u128_from_field(Self::word(memory, from, token.word().get().into()))?;
        let nonce = u64::try_from(u128_from_field(Self::word(memory, from, 1))?).ok()?;
        let fee = PackedFee::encode(u128::from(self.below(500)).min(balance)).ok()?;
        let rest = balance - fee.value()?;
        let value = if kind == 6 { rest } else { rest.min(u128::from(self.rng.next_u64() >> self.below(64))) };
        let amount = PackedAmount::encode(value).or_else(|e| PackedAmount::encode(e.nearest)).ok()?;
        if amount.value()? > rest {
            return None;
        }
        let expires = NOW + self.below(2) * 1000;
        let (name, target, to) = match kind {
            0 | 2 => {
                let to = self.pick(&existing)?;
                let name = if kind == 2 { "transfer_from_fee_account" } else { "transfer" };
                (name, Target::Account(Self::pair_of(memory, to)?), Resolution::Existing(id(to)))
            }
            1 => ("transfer_self", Target::Account(Self::pair_of(memory, from)?), Resolution::Existing(id(from))),
            3 => ("transfer_to_fee_account", Target::Account(Self::pair_of(memory, 1)?), Resolution::Existing(id(1))),
            4 => {
                let empty = Self::accounts(memory, true);
                let receiver = pair(1 + self.below(u32::from(PEOPLE)) as u8);
                ("transfer_new", Target::Account(receiver), Resolution::Create(id(self.pick(&empty)?)))
            }
            _ => {
                let name = if kind == 6 { "withdraw_all" } else { "withdraw" };
                (name, Target::L1(Address::repeat_byte(7)), Resolution::Create(id(0)))
            }
        };
        let payload = Payload { from: id(from), nonce, expires, token, amount, fee, target };
        Some((name, signed(payload, person, to)))
    }

    /// The next batch, of up to the shape's slots; the tree moves on.
    pub(crate) fn batch(&mut self) -> BatchWitness {
        let mut memory = Map::of(&self.tree);
        let mut inputs = Vec::new();
        let slots = SHAPE.slots as u32;
        let l1 = self.below(slots + 1);
        let padding = self.below(3);
        for slot in 0..slots - padding.min(slots - l1) {
            let made = (0..50).find_map(|_| if slot < l1 { self.l1(&memory) } else { self.l2(&memory) });
            let Some((kind, input)) = made else { continue };
            let ports = sheaf_core::slot::evaluate(&context(), &input.operation, &mut memory.clone());
            let checked = input.signature.map(|s| {
                sheaf_core::slot::verify_signature(&context(), &input.operation, &ports, &s).expect("signed by its key")
            });
            apply(&context(), &input.operation, checked.as_ref(), &mut memory).expect("the rules allow it");
            *self.made.entry(kind).or_default() += 1;
            if ports[5].address >= 16 * GEOMETRY.account_capacity() {
                *self.made.entry("far_token").or_default() += 1;
            }
            inputs.push(input);
        }
        *self.made.entry("noop").or_default() += SHAPE.slots - inputs.len();
        build(&mut self.tree, SHAPE, header(), &inputs).expect("the batch fits")
    }
}

/// A batch of the development shape in the protocol's own geometry, with every L2 operation and two L1 ones.
pub(crate) fn wide_batch() -> BatchWitness {
    let far = TokenId::new(60).unwrap();
    let mut inputs = vec![unsigned(deposit(1, 1, TokenId::ETH, 1000)), unsigned(deposit(2, 2, TokenId::ETH, 5000))];
    inputs.push(unsigned(deposit((1 << 24) - 1, 3, far, u128::MAX)));
    for nonce in 0..4 {
        let pay = payload(2, 2 * nonce, 100, Target::Account(pair(1)));
        inputs.push(signed(pay, 2, Resolution::Existing(id(1))));
        let create = payload(2, 2 * nonce + 1, 7, Target::Account(pair(9)));
        inputs.push(signed(create, 2, Resolution::Create(id(10 + nonce as u32))));
    }
    inputs.push(signed(payload(2, 8, 20, Target::L1(pair(5).owner)), 2, Resolution::Create(id(0))));
    build(&mut Tree::new(Geometry::PROTOCOL), Shape::DEVELOPMENT, header(), &inputs).unwrap()
}
