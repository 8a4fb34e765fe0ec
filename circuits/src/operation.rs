//! An operation's three words, taken apart: the twin of [`sheaf_core::operation::Operation::from_words`].

use crate::r1cs::{Builder, Num, weighted_sum};
use ark_ff::{One, Zero};
use sheaf_core::F;
use sheaf_core::amount::EXPONENT_BITS;
use sheaf_core::geometry::{ACCOUNT_BITS, Geometry};
use sheaf_core::operation::OpCode;

/// Bits of `core`, the wider of its two forms.
const CORE_BITS: usize = 162;
/// Bits of an L2 `core`; those above are 0.
const L2_CORE_BITS: usize = 112;
/// Bits of an L1 address.
const ADDRESS_BITS: usize = 160;
/// Bits of the mantissa of an amount.
const AMOUNT_MANTISSA: usize = 35;
/// Bits of the mantissa of a fee.
const FEE_MANTISSA: usize = 9;

/// One boolean for each operation code; exactly one is 1, and the code alone says which.
#[derive(Debug)]
#[allow(missing_docs, reason = "the fields are the operations")]
pub(crate) struct Codes {
    pub(crate) noop: Num,
    pub(crate) deposit: Num,
    pub(crate) set_key: Num,
    pub(crate) forced_exit: Num,
    pub(crate) transfer: Num,
    pub(crate) transfer_new: Num,
    pub(crate) withdraw: Num,
    pub(crate) refund: Num,
}

/// The words of a slot and what stands in them.
#[derive(Debug)]
pub(crate) struct Fields {
    pub(crate) code: Codes,
    /// 1 for Transfer, TransferNew and Withdraw.
    pub(crate) is_l2: Num,
    /// The token word, 6 bits.
    pub(crate) token_word: Num,
    /// 1 if the token word is 16 or above, so that it does not lie with the account's first words.
    pub(crate) far: Num,
    /// The sender, or the account of an L1 operation.
    pub(crate) from: Num,
    /// The receiver of an L2 operation. Overlaps the amount of an L1 operation.
    pub(crate) to: Num,
    /// Amount of an L2 operation, below 2^139.
    pub(crate) amount: Num,
    /// Fee of an L2 operation, below 2^113.
    pub(crate) fee: Num,
    /// Amount of an L1 operation, below 2^128.
    pub(crate) exact: Num,
    /// `core'` of an L2 operation: `core`, or for a payment `core` with op 4 and without `to`.
    pub(crate) signed_core: Num,
    pub(crate) aux1: Num,
    pub(crate) aux2: Num,
}

impl Fields {
    /// Takes the words apart and binds every bit of them.
    pub(crate) fn new(b: &mut Builder, geometry: Geometry, [core, aux1, aux2]: [&Num; 3]) -> Self {
        let bits = b.group("core_width", |b| b.bits(core, CORE_BITS));
        let code = b.group("op_code", |b| codes(b, &weighted_sum(&bits[..4])));
        let is_l2 = &(&code.transfer + &code.transfer_new) + &code.withdraw;
        let token_word = weighted_sum(&bits[4..10]);
        let (from, to) = (weighted_sum(&bits[10..34]), weighted_sum(&bits[34..58]));
        let exact = weighted_sum(&bits[34..CORE_BITS]);
        let one = b.one();
        let near = b.mul(&(&one - &bits[8]), &(&one - &bits[9]));
        let amount = decimal(b, &bits[58..98], AMOUNT_MANTISSA);
        let fee = decimal(b, &bits[98..L2_CORE_BITS], FEE_MANTISSA);
        // The code's own place in `core'`: 4 for both payments, 6 for a withdrawal, whose `to` is 0.
        let op = &(&(&code.transfer + &code.transfer_new) * F::from(4u64)) + &(&code.withdraw * F::from(6u64));
        let above_op = [&vec![Num::default(); 4], &bits[4..34], &vec![Num::default(); 24], &bits[58..L2_CORE_BITS]].concat();
        let signed_core = &weighted_sum(&above_op) + &op;
        let fields = Self {
            is_l2,
            token_word,
            far: &one - &near,
            from,
            to,
            amount,
            fee,
            exact,
            signed_core,
            aux1: aux1.clone(),
            aux2: aux2.clone(),
            code,
        };
        fields.bind_widths(b, core, &weighted_sum(&bits[L2_CORE_BITS..]));
        fields.bind_accounts(b, geometry, &bits);
        fields
    }

    /// Whatever an operation does not have is 0.
    fn bind_widths(&self, b: &mut Builder, core: &Num, above_l2: &Num) {
        let (code, zero, one) = (&self.code, Num::default(), b.one());
        b.group("aux1_width", |b| b.bits(&self.aux1, ADDRESS_BITS));
        b.group("core_width", |b| b.enforce(&self.is_l2, above_l2, &zero));
        b.group("unused_bits", |b| {
            b.enforce(&code.noop, core, &zero);
            // Both are sums of bits with positive weights, so the sum is 0 only if both are.
            b.enforce(&code.set_key, &(&self.token_word + &(&self.exact * F::from(64u64))), &zero);
            b.enforce(&code.withdraw, &self.to, &zero);
            b.enforce(&code.refund, &self.from, &zero);
            let no_aux1 = &code.noop + &code.transfer;
            b.enforce(&no_aux1, &self.aux1, &zero);
            let has_aux2 = sum([&code.deposit, &code.set_key, &code.transfer_new, &code.refund]);
            b.enforce(&(&one - &has_aux2), &self.aux2, &zero);
        });
    }

    /// On a tree that is smaller than the protocol's, account indices are smaller than their fields.
    fn bind_accounts(&self, b: &mut Builder, geometry: Geometry, bits: &[Num]) {
        let width = geometry.account_bits() as usize;
        if width == ACCOUNT_BITS as usize {
            return;
        }
        let payment = &self.code.transfer + &self.code.transfer_new;
        b.group("account_range", |b| {
            let (one, zero) = (b.one(), Num::default());
            b.enforce(&weighted_sum(&bits[10 + width..34]), &one, &zero);
            b.enforce(&weighted_sum(&bits[34 + width..58]), &payment, &zero);
        });
    }

    /// 1 if the operation moves a balance.
    pub(crate) fn moves_token(&self) -> Num {
        &(&self.is_l2 + &self.code.deposit) + &self.code.forced_exit
    }
}

/// The sum of several forms.
pub(crate) fn sum<'a>(parts: impl IntoIterator<Item = &'a Num>) -> Num {
    parts.into_iter().fold(Num::default(), |sum, part| &sum + part)
}

fn codes(b: &mut Builder, op: &Num) -> Codes {
    let (one, mut rest, mut named) = (b.one(), b.one(), Num::default());
    let mut flag = |b: &mut Builder, code: OpCode| {
        let code = F::from(code as u8);
        let flag = b.boolean(op.value() == code);
        rest = &rest - &flag;
        named.add_scaled(code, &flag);
        flag
    };
    let deposit = flag(b, OpCode::Deposit);
    let set_key = flag(b, OpCode::SetKey);
    let forced_exit = flag(b, OpCode::ForcedExit);
    let transfer = flag(b, OpCode::Transfer);
    let transfer_new = flag(b, OpCode::TransferNew);
    let withdraw = flag(b, OpCode::Withdraw);
    let refund = flag(b, OpCode::DepositRefund);
    let noop = rest;
    b.enforce(&noop, &(&one - &noop), &Num::default());
    b.enforce_equal(&named, op);
    Codes { noop, deposit, set_key, forced_exit, transfer, transfer_new, withdraw, refund }
}

/// `mantissa · 10^exponent` of a number whose exponent stands above its mantissa (5 rows).
fn decimal(b: &mut Builder, bits: &[Num], mantissa: usize) -> Num {
    let (mantissa, exponent) = bits.split_at(mantissa);
    assert_eq!(exponent.len(), EXPONENT_BITS as usize);
    let mut power: Option<Num> = None;
    for (i, bit) in exponent.iter().enumerate() {
        // 10^(2^i) if the bit is set, else 1.
        let mut factor = b.one();
        factor.add_scaled(F::from(10u128.pow(1 << i)) - F::one(), bit);
        power = Some(match power {
            Some(power) => b.mul(&power, &factor),
            None => factor,
        });
    }
    let power = power.expect("an exponent has bits");
    debug_assert!(!power.value().is_zero());
    b.mul(&weighted_sum(mantissa), &power)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::r1cs::Mode;

    /// Codes 1 and 2 add up to 3: only the row that says that there is no more than one of them is in the way.
    #[test]
    fn two_codes_that_add_up_to_a_third_are_refused() {
        let mut b = Builder::new(Mode::Check);
        let op = b.witness(F::from(OpCode::ForcedExit as u8));
        codes(&mut b, &op);
        assert_eq!(b.first_failure(), None);
        let [deposit, set_key, forced_exit] = [1, 2, 3];
        for (flag, value) in [(deposit, 1u64), (set_key, 1), (forced_exit, 0)] {
            b.private_mut()[flag] = F::from(value);
        }
        assert_eq!(b.failures().count(), 1);
    }
}
