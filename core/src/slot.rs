//! The slot function: what one operation does to the memory, and when it is allowed.
//!
//! A slot makes seven memory accesses, its *ports*, in a fixed order. [`evaluate`] computes them for
//! any operation whatever, and [`check`] says whether they are allowed. The circuit is built the same way:
//! its witness is `evaluate`, its constraints are `check` and [`verify_signature`], in groups
//! of the same names as the variants of [`SlotError`].
//!
//! ```text
//!  port  word of                 L2 operation          Deposit        SetKey          ForcedExit
//!  1     sender's key hash       = hash of the key     idle           idle            idle
//!  2     sender's nonce          + 1                   idle           idle            idle
//!  3     sender's balance        - amount - fee        idle           idle            idle
//!  4     receiver's key hash     see the protocol      = / → aux2     → aux2 if owner idle
//!  5     receiver's owner        see the protocol      = / → aux1     read            read
//!  6     receiver's balance      + amount              + amount       idle            - amount
//!  7     fee account's balance   + fee                 idle           idle            idle
//! ```
//!
//! An idle port reads word 0 of the fee account and leaves it as it is.

use crate::F;
use crate::eddsa::{PublicKey, Signature};
use crate::geometry::Geometry;
use crate::hash::poseidon;
use crate::operation::{OpCode, Operation};
use crate::types::{
    AccountId, FIRST_BALANCE_WORD, KEY_HASH_WORD, NONCE_WORD, OWNER_WORD, TokenWord, field_from_address, field_from_u256,
    u128_from_field,
};
use alloy_primitives::U256;
use ark_ff::{One, Zero};

/// Memory accesses of a slot.
pub const PORTS: usize = 7;

/// What all slots of a batch share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// Where words live.
    pub geometry: Geometry,
    /// The chain and contract that signatures are made for.
    pub domain: F,
    /// The batch's time, unix seconds.
    pub timestamp: u32,
    /// The account that fees go to.
    pub fee_account: AccountId,
}

/// One memory access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// Address of the word.
    pub address: u32,
    /// Value before.
    pub old: F,
    /// Value after.
    pub new: F,
}

/// A memory of words, all zero at first.
pub trait Memory {
    /// The word at `address`.
    fn read(&self, address: u32) -> F;
    /// Replaces the word at `address`.
    fn write(&mut self, address: u32, value: F);
}

/// The signature of an L2 operation, as the circuit gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotSignature {
    /// The signing key.
    pub public_key: PublicKey,
    /// The signature of [`message`].
    pub signature: Signature,
    /// Last unix second at which the operation may be executed.
    pub expires: u32,
}

/// What a signature that was verified before binds, for [`check`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Hash of the signing key.
    pub key_hash: F,
    /// The nonce that was signed.
    pub nonce: F,
    /// Last unix second at which the operation may be executed.
    pub expires: u32,
    /// `(a1, a2)`: the receiver's owner and key hash, or the recipient and 0.
    pub target: [F; 2],
}

/// Why a slot is refused. Each variant is a group of constraints in the circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlotError {
    /// An L2 operation comes without a signature, or another one with one.
    #[error("an L2 operation needs a signature, and no other operation has one")]
    SignaturePresence,
    /// The token word names no balance.
    #[error("the token word names no token")]
    TokenWord,
    /// A key hash or address that must not be zero is zero.
    #[error("an owner, recipient or key hash is zero")]
    ZeroAux,
    /// The batch's time is past the signed expiry.
    #[error("the transaction expired")]
    Expired,
    /// The sender's key is not the signing key.
    #[error("the account has another key")]
    KeyHash,
    /// The signed nonce is not the sender's.
    #[error("the nonce is not the account's")]
    Nonce,
    /// The sender can't pay amount and fee.
    #[error("the balance is too small")]
    Balance,
    /// The receiver is not the one that was signed.
    #[error("the receiver is not the signed one")]
    Receiver,
    /// The index that is to be created is not empty.
    #[error("the index is not empty")]
    NotEmpty,
    /// A deposit's index is neither empty nor of this owner and key.
    #[error("the deposit's index belongs to somebody else")]
    DepositTarget,
    /// A forced exit does not carry the whole balance (or 0 for a stranger).
    #[error("the exit's amount is not the balance")]
    ExitAmount,
    /// The signature does not verify.
    #[error("the signature does not verify")]
    Signature,
}

/// Performs the seven accesses of `operation` on `mem`, in order, and checks nothing.
///
/// # Panics
/// If an account is outside of the geometry.
#[inline]
pub fn evaluate(ctx: &Context, operation: &Operation, mem: &mut impl Memory) -> [Port; PORTS] {
    let word = |account: AccountId, word: u32| ctx.geometry.address(account.get(), word);
    let balance = |account: AccountId, token: TokenWord| word(account, token.get().into());
    let idle = word(ctx.fee_account, KEY_HASH_WORD);
    match *operation {
        Operation::Noop | Operation::DepositRefund { .. } => std::array::from_fn(|_| keep(mem, idle)),
        Operation::Deposit { account, token, amount, owner, key_hash } => [
            keep(mem, idle),
            keep(mem, idle),
            keep(mem, idle),
            set(mem, word(account, KEY_HASH_WORD), key_hash),
            set(mem, word(account, OWNER_WORD), field_from_address(owner)),
            add(mem, balance(account, token), F::from(amount)),
            keep(mem, idle),
        ],
        Operation::SetKey { account, caller, key_hash } => {
            let owns = mem.read(word(account, OWNER_WORD)) == field_from_address(caller);
            let key_hash_port = word(account, KEY_HASH_WORD);
            [
                keep(mem, idle),
                keep(mem, idle),
                keep(mem, idle),
                if owns { set(mem, key_hash_port, key_hash) } else { keep(mem, key_hash_port) },
                keep(mem, word(account, OWNER_WORD)),
                keep(mem, idle),
                keep(mem, idle),
            ]
        }
        Operation::ForcedExit { account, token, amount, .. } => [
            keep(mem, idle),
            keep(mem, idle),
            keep(mem, idle),
            keep(mem, idle),
            keep(mem, word(account, OWNER_WORD)),
            add(mem, balance(account, token), -F::from(amount)),
            keep(mem, idle),
        ],
        Operation::Transfer { from, to, token, amount, fee } => {
            let (amount, fee) = (amount.to_field(), fee.to_field());
            [
                keep(mem, word(from, KEY_HASH_WORD)),
                add(mem, word(from, NONCE_WORD), F::one()),
                add(mem, balance(from, token), -(amount + fee)),
                keep(mem, word(to, KEY_HASH_WORD)),
                keep(mem, word(to, OWNER_WORD)),
                add(mem, balance(to, token), amount),
                add(mem, balance(ctx.fee_account, token), fee),
            ]
        }
        Operation::TransferNew { from, to, token, amount, fee, owner, key_hash } => {
            let (amount, fee) = (amount.to_field(), fee.to_field());
            [
                keep(mem, word(from, KEY_HASH_WORD)),
                add(mem, word(from, NONCE_WORD), F::one()),
                add(mem, balance(from, token), -(amount + fee)),
                set(mem, word(to, KEY_HASH_WORD), key_hash),
                set(mem, word(to, OWNER_WORD), field_from_address(owner)),
                add(mem, balance(to, token), amount),
                add(mem, balance(ctx.fee_account, token), fee),
            ]
        }
        Operation::Withdraw { from, token, amount, fee, .. } => {
            let (amount, fee) = (amount.to_field(), fee.to_field());
            [
                keep(mem, word(from, KEY_HASH_WORD)),
                add(mem, word(from, NONCE_WORD), F::one()),
                add(mem, balance(from, token), -(amount + fee)),
                keep(mem, idle),
                keep(mem, idle),
                keep(mem, idle),
                add(mem, balance(ctx.fee_account, token), fee),
            ]
        }
    }
}

/// Reads a word.
#[inline]
fn keep(mem: &mut impl Memory, address: u32) -> Port {
    let old = mem.read(address);
    Port { address, old, new: old }
}

/// Replaces a word.
#[inline]
fn set(mem: &mut impl Memory, address: u32, new: F) -> Port {
    let old = mem.read(address);
    if new != old {
        mem.write(address, new);
    }
    Port { address, old, new }
}

/// Adds to a word.
#[inline]
fn add(mem: &mut impl Memory, address: u32, difference: F) -> Port {
    let old = mem.read(address);
    let new = old + difference;
    if !difference.is_zero() {
        mem.write(address, new);
    }
    Port { address, old, new }
}

/// The addresses that [`evaluate`] accesses, which don't depend on what is in the memory.
///
/// # Panics
/// If an account is outside of the geometry.
pub fn addresses(ctx: &Context, operation: &Operation) -> [u32; PORTS] {
    /// A memory in which all is zero and stays so.
    struct Zeros;
    impl Memory for Zeros {
        fn read(&self, _: u32) -> F {
            F::zero()
        }
        fn write(&mut self, _: u32, _: F) {}
    }
    evaluate(ctx, operation, &mut Zeros).map(|port| port.address)
}

/// Says whether the accesses that [`evaluate`] made are allowed: everything but the signature itself.
///
/// # Errors
/// The first [`SlotError`] that applies.
pub fn check(ctx: &Context, operation: &Operation, ports: &[Port; PORTS], signed: Option<&Signed>) -> Result<(), SlotError> {
    check_form(operation, signed)?;
    check_ports(ctx, operation, ports, signed)
}

#[inline]
fn ensure(holds: bool, error: SlotError) -> Result<(), SlotError> {
    if holds { Ok(()) } else { Err(error) }
}

/// The checks that need no memory. They come first: an operation that fails here has no ports worth making.
#[inline]
fn check_form(operation: &Operation, signed: Option<&Signed>) -> Result<(), SlotError> {
    ensure(operation.code().is_l2() == signed.is_some(), SlotError::SignaturePresence)?;
    match token_word(operation) {
        Some(token) => ensure(u32::from(token.get()) >= FIRST_BALANCE_WORD, SlotError::TokenWord),
        None => Ok(()),
    }
}

#[inline]
fn check_ports(ctx: &Context, operation: &Operation, ports: &[Port; PORTS], signed: Option<&Signed>) -> Result<(), SlotError> {
    if let Some(signed) = signed {
        ensure(signed.expires >= ctx.timestamp, SlotError::Expired)?;
        ensure(ports[0].old == signed.key_hash, SlotError::KeyHash)?;
        ensure(ports[1].old == signed.nonce, SlotError::Nonce)?;
        ensure(u128_from_field(ports[2].new).is_some(), SlotError::Balance)?;
    }
    // Made only where it is looked at: a Transfer, the most frequent operation, has no address of its own.
    let aux1 = || field_from_address(operation.aux1());
    let aux2 = operation.aux2();
    let (key_hash, owner) = (&ports[3], &ports[4]);
    match operation.code() {
        OpCode::Noop | OpCode::DepositRefund => Ok(()),
        OpCode::Deposit => {
            ensure(!aux2.is_zero(), SlotError::ZeroAux)?;
            let empty = key_hash.old.is_zero() && owner.old.is_zero();
            ensure(empty || (key_hash.old == aux2 && owner.old == aux1()), SlotError::DepositTarget)
        }
        OpCode::SetKey => ensure(!aux2.is_zero(), SlotError::ZeroAux),
        OpCode::ForcedExit => {
            let Operation::ForcedExit { amount, .. } = *operation else { unreachable!("the code says so") };
            let due = if owner.old == aux1() { ports[5].old } else { F::zero() };
            ensure(F::from(amount) == due, SlotError::ExitAmount)
        }
        OpCode::Transfer => {
            ensure(!key_hash.old.is_zero(), SlotError::Receiver)?;
            ensure(signed.is_some_and(|s| s.target == [owner.old, key_hash.old]), SlotError::Receiver)
        }
        OpCode::TransferNew => {
            let aux1 = aux1();
            ensure(!aux1.is_zero() && !aux2.is_zero(), SlotError::ZeroAux)?;
            ensure(key_hash.old.is_zero() && owner.old.is_zero(), SlotError::NotEmpty)?;
            ensure(signed.is_some_and(|s| s.target == [aux1, aux2]), SlotError::Receiver)
        }
        OpCode::Withdraw => {
            let aux1 = aux1();
            ensure(!aux1.is_zero(), SlotError::ZeroAux)?;
            ensure(signed.is_some_and(|s| s.target == [aux1, aux2]), SlotError::Receiver)
        }
    }
}

/// The token word of an operation that moves a balance.
#[inline]
pub const fn token_word(operation: &Operation) -> Option<TokenWord> {
    match *operation {
        Operation::Noop | Operation::SetKey { .. } | Operation::DepositRefund { .. } => None,
        Operation::Deposit { token, .. }
        | Operation::ForcedExit { token, .. }
        | Operation::Transfer { token, .. }
        | Operation::TransferNew { token, .. }
        | Operation::Withdraw { token, .. } => Some(token),
    }
}

/// Performs `operation` on `mem` if it is allowed, and else leaves `mem` as it was.
///
/// # Errors
/// The first [`SlotError`] that applies, as [`check`] finds it. The signature is taken as verified.
#[inline]
pub fn apply(
    ctx: &Context,
    operation: &Operation,
    signed: Option<&Signed>,
    mem: &mut impl Memory,
) -> Result<[Port; PORTS], SlotError> {
    check_form(operation, signed)?;
    let ports = evaluate(ctx, operation, mem);
    check_ports(ctx, operation, &ports, signed).inspect_err(|_| {
        for port in ports.iter().rev().filter(|port| port.new != port.old) {
            mem.write(port.address, port.old);
        }
    })?;
    Ok(ports)
}

/// `core'`, `a1`, `a2` of an L2 operation: the parts of the signed message that the slot knows.
///
/// The receiver of a Transfer is taken from ports 5 and 4, that of a TransferNew from the operation, so that
/// the signature is the same whether the account exists or not.
pub fn signed_parts(operation: &Operation, ports: &[Port; PORTS]) -> [F; 3] {
    let core = operation.core();
    let to_mask: U256 = U256::from(0xFF_FFFFu32) << 34;
    let core = match operation.code() {
        OpCode::Transfer | OpCode::TransferNew => (core & !(to_mask | U256::from(15u8))) | U256::from(OpCode::Transfer as u8),
        _ => core,
    };
    let core = field_from_u256(core).expect("core is below 2^162");
    match operation.code() {
        OpCode::Transfer => [core, ports[4].old, ports[3].old],
        _ => [core, field_from_address(operation.aux1()), operation.aux2()],
    }
}

/// The signed message `M = Poseidon(domain, core' + expires·2^112 + nonce·2^144, a1, a2)`.
pub fn message(domain: F, parts: [F; 3], expires: u32, nonce: F) -> F {
    let [core, a1, a2] = parts;
    let expires_place = F::from(1u128 << 112);
    let nonce_place = expires_place * F::from(1u64 << 32);
    poseidon(&[domain, core + F::from(expires) * expires_place + nonce * nonce_place, a1, a2])
}

/// Verifies the signature of an L2 slot over what its ports read, exactly as the circuit does.
///
/// # Errors
/// [`SlotError::KeyHash`] if the sender's key is another one, [`SlotError::Expired`], [`SlotError::Signature`].
pub fn verify_signature(
    ctx: &Context,
    operation: &Operation,
    ports: &[Port; PORTS],
    slot: &SlotSignature,
) -> Result<Signed, SlotError> {
    let parts = signed_parts(operation, ports);
    let nonce = ports[1].old;
    let message = message(ctx.domain, parts, slot.expires, nonce);
    slot.signature.verify(&slot.public_key, message).map_err(|_| SlotError::Signature)?;
    Ok(Signed { key_hash: slot.public_key.key_hash(), nonce, expires: slot.expires, target: [parts[1], parts[2]] })
}
