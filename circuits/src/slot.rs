//! The slot as constraints: the twin of [`sheaf_core::slot`], check by check.
//!
//! | group | native |
//! | --- | --- |
//! | `core_width`, `aux1_width`, `unused_bits`, `op_code`, `account_range` | [`sheaf_core::operation::DecodeError`] |
//! | `token_word`, `zero_aux`, `expired`, `key_hash`, `balance`, `receiver`, `not_empty`, `deposit_target`, `exit_amount` | [`sheaf_core::slot::SlotError`] of that name |
//! | the groups of [`eddsa`] | [`sheaf_core::slot::SlotError::Signature`] |
//! | `ports` | [`sheaf_core::slot::evaluate`]: rows that define a value, and hold whenever it was computed |
//!
//! Nonce and signed receiver are bound by the signature over what the ports read, as in
//! [`sheaf_core::slot::verify_signature`], so a wrong one breaks the signature.
//!
//! Every `new` value is a function of the operation's words and the old values. Key, signature and expiry are
//! the prover's choice; they stand in assertions only.

use crate::gadgets::{eddsa, poseidon};
use crate::operation::{Fields, sum};
use crate::r1cs::{Builder, Num, weighted_sum};
use crate::witness::SlotAdvice;
use sheaf_core::F;
use sheaf_core::geometry::{DENSE_WORDS, Geometry};
use sheaf_core::slot::PORTS;

/// Bits of a unix time on the wire.
pub(crate) const TIME_BITS: usize = 32;
/// Bits of a balance.
const BALANCE_BITS: usize = 128;

/// What all slots of a batch share.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) geometry: Geometry,
    pub(crate) domain: Num,
    pub(crate) timestamp: Num,
    pub(crate) fee_account: Num,
}

/// One memory access.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) address: Num,
    pub(crate) old: Num,
    pub(crate) new: Num,
}

/// The seven accesses of the operation in `words`, and every rule for them.
pub(crate) fn slot(b: &mut Builder, ctx: &Context, words: [&Num; 3], advice: &SlotAdvice) -> [Port; PORTS] {
    let old = advice.old.map(|value| b.witness(value));
    let fields = Fields::new(b, ctx.geometry, words);
    let is_owner = b.group("ports", |b| b.is_zero(&(&old[4] - &fields.aux1)));
    let address = b.group("ports", |b| addresses(b, ctx, &fields));
    let new = b.group("ports", |b| new_values(b, &fields, &old, &is_owner));
    check_words(b, &fields);
    check_accounts(b, &fields, &old, &is_owner);
    b.group("balance", |b| {
        let balance = b.mul(&fields.is_l2, &new[2]);
        b.bits(&balance, BALANCE_BITS);
    });
    check_signature(b, ctx, &fields, &old, advice);
    let mut parts = address.into_iter().zip(old).zip(new);
    std::array::from_fn(|_| {
        let ((address, old), new) = parts.next().expect("seven ports");
        Port { address, old, new }
    })
}

/// Where a token word of `account` lives (one row).
fn token_address(b: &mut Builder, geometry: Geometry, fields: &Fields, account: &Num) -> Num {
    let near = &(account * F::from(DENSE_WORDS)) + &fields.token_word;
    let far = &(&fields.token_word * F::from(geometry.account_capacity())) + account;
    b.select(&fields.far, &far, &near)
}

fn addresses(b: &mut Builder, ctx: &Context, fields: &Fields) -> [Num; PORTS] {
    let code = &fields.code;
    let word = |b: &Builder, account: &Num, word: u64| &(account * F::from(DENSE_WORDS)) + &b.constant(F::from(word));
    let idle = word(b, &ctx.fee_account, 0);
    // L1 operations go by the account field alone: `to` overlaps their amount.
    let payment = &code.transfer + &code.transfer_new;
    let account = b.select(&payment, &fields.to, &fields.from);
    let sender_token = token_address(b, ctx.geometry, fields, &fields.from);
    let account_token = token_address(b, ctx.geometry, fields, &account);
    let fee_token = token_address(b, ctx.geometry, fields, &ctx.fee_account);
    let has_key_port = sum([&payment, &code.deposit, &code.set_key]);
    let has_owner_port = &has_key_port + &code.forced_exit;
    let has_balance_port = sum([&payment, &code.deposit, &code.forced_exit]);
    let from = &fields.from;
    let targets = [
        (&fields.is_l2, word(b, from, 0)),
        (&fields.is_l2, word(b, from, 1)),
        (&fields.is_l2, sender_token),
        (&has_key_port, word(b, &account, 0)),
        (&has_owner_port, word(b, &account, 2)),
        (&has_balance_port, account_token),
        (&fields.is_l2, fee_token),
    ];
    targets.map(|(active, target)| b.select(active, &target, &idle))
}

fn new_values(b: &mut Builder, fields: &Fields, old: &[Num; PORTS], is_owner: &Num) -> [Num; PORTS] {
    let code = &fields.code;
    let spent = b.mul(&fields.is_l2, &(&fields.amount + &fields.fee));
    let earned = b.mul(&fields.is_l2, &fields.fee);
    let creates = &code.deposit + &code.transfer_new;
    let replaces = b.mul(&code.set_key, is_owner);
    let key_hash = b.select(&(&creates + &replaces), &fields.aux2, &old[3]);
    let owner = b.select(&creates, &fields.aux1, &old[4]);
    let paid = b.mul(&(&code.transfer + &code.transfer_new), &fields.amount);
    let exact = b.mul(&(&code.deposit - &code.forced_exit), &fields.exact);
    [old[0].clone(), &old[1] + &fields.is_l2, &old[2] - &spent, key_hash, owner, sum([&old[5], &paid, &exact]), &old[6] + &earned]
}

/// What the words must be, whatever the state is.
fn check_words(b: &mut Builder, fields: &Fields) {
    let code = &fields.code;
    b.group("token_word", |b| {
        // w·(w - 1)·(w - 2) is 0 exactly for the words that hold no balance.
        let w = &fields.token_word;
        let (one, two) = (b.one(), b.constant(F::from(2u64)));
        let product = b.mul(w, &(w - &one));
        let product = b.mul(&product, &(w - &two));
        b.enforce_nonzero_if(&fields.moves_token(), &product);
    });
    b.group("zero_aux", |b| {
        b.enforce_nonzero_if(&(&code.transfer_new + &code.withdraw), &fields.aux1);
        b.enforce_nonzero_if(&sum([&code.deposit, &code.set_key, &code.transfer_new]), &fields.aux2);
    });
}

/// What the account of ports 4 to 6 must be.
fn check_accounts(b: &mut Builder, fields: &Fields, old: &[Num; PORTS], is_owner: &Num) {
    let (code, zero) = (&fields.code, Num::default());
    let (key_hash, owner, balance) = (&old[3], &old[4], &old[5]);
    b.group("receiver", |b| b.enforce_nonzero_if(&code.transfer, key_hash));
    b.group("not_empty", |b| {
        b.enforce(&code.transfer_new, key_hash, &zero);
        b.enforce(&code.transfer_new, owner, &zero);
    });
    b.group("deposit_target", |b| {
        // The key hash is 0 or aux2; and key hash · aux1 = owner · aux2, so that, aux2 not being 0, the owner is 0 with the
        // one and aux1 with the other.
        let deposited = b.mul(&code.deposit, key_hash);
        b.enforce(&deposited, &(key_hash - &fields.aux2), &zero);
        let left = b.mul(&deposited, &fields.aux1);
        let right = b.mul(owner, &fields.aux2);
        b.enforce(&code.deposit, &right, &left);
    });
    b.group("exit_amount", |b| {
        let due = b.mul(is_owner, balance);
        b.enforce(&code.forced_exit, &(&due - &fields.exact), &zero);
    });
}

/// Key, expiry and signature of an L2 operation.
fn check_signature(b: &mut Builder, ctx: &Context, fields: &Fields, old: &[Num; PORTS], advice: &SlotAdvice) {
    // Both are needed: an expiry of more than 32 bits would run into the nonce.
    let expires = b.group("expired", |b| {
        let expires = weighted_sum(&b.digits(advice.expires, TIME_BITS));
        b.bits(&(&expires - &ctx.timestamp), TIME_BITS);
        expires
    });
    let key = b.group("signature", |b| {
        let expires_place = F::from(1u128 << 112);
        let nonce_place = expires_place * F::from(1u64 << TIME_BITS);
        let packed = sum([&fields.signed_core, &(&expires * expires_place), &(&old[1] * nonce_place)]);
        let packed = b.alias(&packed);
        let a1 = b.select(&fields.code.transfer, &old[4], &fields.aux1);
        let a2 = b.select(&fields.code.transfer, &old[3], &fields.aux2);
        let message = poseidon(b, &[&ctx.domain, &packed, &a1, &a2]);
        eddsa::verify(b, &fields.is_l2, &advice.signature, &message)
    });
    b.group("key_hash", |b| {
        let hash = poseidon(b, &[&key.x, &key.y]);
        b.enforce(&fields.is_l2, &(&old[0] - &hash), &Num::default());
    });
}
