//! `h·Q` for a point `Q` of order `l` and the canonical integer `h` below `p`.
//!
//! # Digits
//!
//! The scalar of the chain is not `h` but an odd `g = h + m·l`, which gives the same multiple, in signed bits:
//!
//! ```text
//!  g = 2^254 + 2^253 + Σ s_i·2^i over i = 0..252,  s_i = ±1,  so  2^254 < g < 2^255
//!    = 2^254 + 2·B + 1  with  B = Σ b_i·2^i,  s_i = 2·b_i - 1
//! ```
//!
//! A digit costs one row: its variable is `s_i·v(Q)`, the very `v` of the point that is added, bound by
//! `(w - v)·(w + v) = 0`. `v(Q)` is not 0, so a run of digits gives its number `T = Σ b_i·2^i` by one row,
//! `v·(2T - 2^n + 1) = Σ w_i·2^i`: eight limbs `T` of 31 digits, and one of the last 5.
//!
//! # No exception
//!
//! `P = k·Q` becomes `2·P ± Q` in two incomplete additions, `(P ± Q) + P`. They are exceptional if `k = ±1` or
//! `2k ± 1 = 0` modulo `l` (`±1 = 0` and `k = 0` aside). After digit `i` the chain is at
//! `k_i = 3·2^(253-i) + Σ_{j>=i} s_j·2^(j-i)`, so whatever the digits are, `2^(254-i) < k_i < 2^(255-i)`: the chain starts at
//! `3·Q` (`i = 253`), and stays between 3 and `2^250 < l - 1` up to digit 5. Digits 4 to 0 follow in complete Edwards
//! additions, where nothing can go wrong. So none of `k`, `k ± 1` and the results `2k ± 1` up to there is 0 modulo
//! `l`. `3·Q = 2·Q + Q` needs `v(Q)` not 0 and `Q` not `±2·Q`: both hold in odd order above 3.
//!
//! # The canonical h
//!
//! The rows say `g - m·l = h` modulo `p`, so the integer `V = g - m·l` is `h`, or `h` plus or minus a multiple
//! of `p`, which would be another multiple of `Q` (a third of all `h` have a second form below 2^254). `V` is in `0..p` by
//! its limits. `m = 9 + e + 6·t` for two boolean variables, and `8·l` is above `p` by less than 2^126:
//!
//! ```text
//!  t = 1:  m is 15 or 16.  V <  2^255 - 15·l < 6.2·l < p.   V >= 0  is enforced:  g >= m·l
//!  t = 0:  m is 9 or 10.   V >  2^254 - 10·l > 0.           V <  p  is enforced:  g <= m·l + p - 1
//! ```
//!
//! *Every `h` has such a form:* `e` makes `g` odd; if `h + (15 + e)·l < 2^255`, take `t = 1` (`15·l > 2^254`), otherwise
//! `t = 0`: then `h >= 5·l`, so `g >= 14·l > 2^254`, and `g < p + 10·l < 2^255`.
//!
//! The limit is compared limb by limb from the top: one of nine selectors names the limb that decides; those above it
//! are equal to the limit's, and its own is on the right side by a 31-bit range check.
//!
//! `t`, `e` and the selectors are the prover's, but choose among forms of one and the same `h`: the result is `h·Q`
//! for all of them.

use super::advice::{self, Coordinates, bits_from, coordinates, minus, plus, power_of_two, times};
use super::curve::{Edwards, Montgomery};
use crate::r1cs::{Builder, Num};
use ark_ff::{BigInt, BigInteger, Field, One, PrimeField};
use sheaf_core::F;
use sheaf_core::eddsa::Scalar;

/// Digits of a limb in the incomplete chain, and bits of the comparison's range check.
const LIMB_BITS: usize = 31;
/// Limbs in the incomplete chain.
const LIMBS: usize = 8;
/// Digits in complete additions, the lowest ones, which are one more limb.
const TAIL_BITS: usize = 5;
/// Signed digits that are free: two more on top are fixed at 1.
const DIGITS: usize = LIMBS * LIMB_BITS + TAIL_BITS;

/// `g` with the choices that lead to it: advice, bound by the rows.
struct Form {
    /// `B`, the digits.
    digits: BigInt<4>,
    /// `e`.
    odd: bool,
    /// `t`.
    low: bool,
    /// The limb, counted from the top, that decides the comparison with the limit.
    decisive: usize,
}

impl Form {
    /// A form with the limb that decides its comparison: the first that differs, or the last.
    fn new(digits: BigInt<4>, odd: bool, low: bool) -> Self {
        let limit = limit(odd, low);
        let differs = |(lowest, width)| bits_from(&digits, lowest, width) != bits_from(&limit, lowest, width);
        let decisive = limbs().position(differs).unwrap_or(LIMBS);
        Self { digits, odd, low, decisive }
    }
}

/// `m = 9 + e + 6·t`.
fn multiple_of_order(odd: bool, low: bool) -> u64 {
    9 + u64::from(odd) + 6 * u64::from(low)
}

/// The form of `h` that the argument above picks.
fn form_of(h: F) -> Form {
    let h = h.into_bigint();
    let odd = h.is_odd();
    let g = |low| plus(h, times(Scalar::MODULUS, multiple_of_order(odd, low)));
    let low = g(true) < power_of_two(255);
    let mut digits = minus(g(low), power_of_two(254));
    digits.div2();
    Form::new(digits, odd, low)
}

/// The least (`low`) or greatest `B` that is allowed.
fn limit(odd: bool, low: bool) -> BigInt<4> {
    let multiple = times(Scalar::MODULUS, multiple_of_order(odd, low));
    let mut limit = if low {
        // g >= m·l for g = 2^254 + 2·B + 1, rounded up
        minus(multiple, power_of_two(254))
    } else {
        // g <= m·l + p - 1, rounded down
        minus(plus(multiple, F::MODULUS), plus(power_of_two(254), 2u64.into()))
    };
    limit.div2();
    limit
}

/// Lowest digit and number of digits of each limb, from the top.
fn limbs() -> impl Iterator<Item = (usize, usize)> {
    let whole = (0..LIMBS).rev().map(|limb| (TAIL_BITS + limb * LIMB_BITS, LIMB_BITS));
    whole.chain([(0, TAIL_BITS)])
}

/// `h·q` for a point `q` on the curve of order exactly `l` (the caller enforces both), with `h` as the canonical
/// integer below `p`.
pub(super) fn times_canonical(b: &mut Builder, h: &Num, q: &Edwards) -> Edwards {
    times_form(b, h, q, &form_of(h.value()))
}

/// [`times_canonical`] with the form as advice.
fn times_form(b: &mut Builder, h: &Num, q: &Edwards, form: &Form) -> Edwards {
    let (product, limbs) = b.group("challenge_multiple", |b| chain(b, q, form));
    b.group("challenge_canonical", |b| enforce_canonical(b, h, form, &limbs));
    product
}

/// `g·q`, and the digits of `g` as limbs from the top.
fn chain(b: &mut Builder, q: &Edwards, form: &Form) -> (Edwards, Vec<Num>) {
    let digit = |i: usize| form.digits.get_bit(i);
    // The order is odd, so `x` and `v` are not 0.
    let base = q.to_montgomery(b);
    let twice = base.double(b);
    let slope = (base.v.value() - twice.v.value()) * (base.u.value() - twice.u.value()).inverse().unwrap_or_default();
    let mut sum = twice.add(b, &base, slope);
    let mut slopes = chain_slopes(q, &digit).into_iter();
    let mut limb_values = Vec::with_capacity(LIMBS + 1);
    for (low, width) in limbs().take(LIMBS) {
        let mut signed_digits = vec![Num::default(); width];
        for i in (0..width).rev() {
            let v = plus_or_minus(b, &base.v, digit(low + i));
            let addend = Montgomery { u: base.u.clone(), v: v.clone() };
            let pair = [slopes.next(), slopes.next()].map(|slope| slope.expect("two slopes a digit"));
            sum = sum.double_add(b, &addend, pair);
            signed_digits[i] = v;
        }
        limb_values.push(limb(b, &base.v, &signed_digits, bits_from(&form.digits, low, width)));
    }
    // Odd order again: not the point of order 2.
    let mut sum = sum.to_edwards(b);
    let mut signed_digits = vec![Num::default(); TAIL_BITS];
    for i in (0..TAIL_BITS).rev() {
        let x = plus_or_minus(b, &q.x, digit(i));
        sum = sum.double(b).add(b, &Edwards { x: x.clone(), y: q.y.clone() });
        signed_digits[i] = x;
    }
    limb_values.push(limb(b, &q.x, &signed_digits, bits_from(&form.digits, 0, TAIL_BITS)));
    (sum, limb_values)
}

/// A new variable that is `value` or its negative (1 row).
fn plus_or_minus(b: &mut Builder, value: &Num, positive: bool) -> Num {
    let signed = b.witness(if positive { value.value() } else { -value.value() });
    b.enforce(&(&signed - value), &(&signed + value), &Num::default());
    signed
}

/// The number whose bits are the signs of `digits`, lowest first, each digit being `unit` or `-unit` and `unit` not 0
/// (1 row).
fn limb(b: &mut Builder, unit: &Num, digits: &[Num], value: u64) -> Num {
    let limb = b.witness(F::from(value));
    b.enforce_with(|b| {
        let mut sum = Num::default();
        for (i, digit) in digits.iter().enumerate() {
            sum.add_scaled(F::from(1u64 << i), digit);
        }
        let all_ones = b.constant(F::from((1u64 << digits.len()) - 1));
        (unit.clone(), &limb.scaled(F::from(2u64)) - &all_ones, sum)
    });
    limb
}

/// Values of the chain's slopes, two a digit, from the top digit down.
fn chain_slopes(q: &Edwards, digit: &impl Fn(usize) -> bool) -> Vec<F> {
    let q = advice::point(q.x.value(), q.y.value());
    let mut sum = q + q + q;
    let mut sums = vec![q, sum];
    for i in (TAIL_BITS..DIGITS).rev() {
        let half = if digit(i) { sum + q } else { sum - q };
        sum += half;
        sums.extend([half, sum]);
    }
    let sums: Vec<Coordinates> = coordinates(&sums);
    let base = sums[0];
    let pairs = (0..DIGITS - TAIL_BITS).flat_map(|n| {
        let (before, half) = (sums[1 + 2 * n], sums[2 + 2 * n]);
        let v = if digit(DIGITS - 1 - n) { base.v } else { -base.v };
        [(before, Coordinates { u: base.u, v }), (before, half)]
    });
    advice::slopes(pairs)
}

/// Enforces that the limbs are the digits of a form of `h` below `p`.
fn enforce_canonical(b: &mut Builder, h: &Num, form: &Form, values: &[Num]) {
    let (odd, low) = (b.boolean(form.odd), b.boolean(form.low));
    let both = b.mul(&odd, &low);

    // h = g - m·l with g = 2^254 + 2·B + 1
    let order = F::from(Scalar::MODULUS);
    let two_to = |exponent: usize| F::from(2u64).pow([exponent as u64]);
    let mut g = b.constant(two_to(254) + F::one() - order * F::from(multiple_of_order(false, false)));
    for ((lowest, _), limb) in limbs().zip(values) {
        g.add_scaled(two_to(lowest + 1), limb);
    }
    g.add_scaled(-order, &odd);
    g.add_scaled(-order * F::from(6u64), &low);
    b.enforce_equal(&g, h);

    let limits: Vec<Num> = limbs().map(|at| limit_limb(b, at, [&odd, &low, &both])).collect();
    enforce_side(b, values, &limits, &low, form.decisive);
}

/// A limb of the limit as a form in `e`, `t` and their product.
fn limit_limb(b: &Builder, (lowest, width): (usize, usize), [odd, low, both]: [&Num; 3]) -> Num {
    let limb = |odd, low| F::from(bits_from(&limit(odd, low), lowest, width));
    let [zero, e, t, et] = [(false, false), (true, false), (false, true), (true, true)].map(|(e, t)| limb(e, t));
    let mut form = b.constant(zero);
    form.add_scaled(e - zero, odd);
    form.add_scaled(t - zero, low);
    form.add_scaled(et - e - t + zero, both);
    form
}

/// Enforces `values >= limits` if `low` is 1, else `values <= limits`, as numbers of limbs from the top; `decisive` is
/// advice.
fn enforce_side(b: &mut Builder, values: &[Num], limits: &[Num], low: &Num, decisive: usize) {
    let last = values.len() - 1;
    let differences: Vec<Num> = values.iter().zip(limits).map(|(value, limit)| value - limit).collect();

    // One selector is 1; the last is what the others leave.
    let mut selectors: Vec<Num> = (0..last).map(|i| b.boolean(i == decisive)).collect();
    let mut left = b.one();
    let mut undecided = Vec::with_capacity(last);
    for selector in &selectors {
        left = &left - selector;
        undecided.push(left.clone());
    }
    b.enforce_boolean(&left);
    selectors.push(left);

    // Above the decisive limb all are equal.
    for (undecided, difference) in undecided.iter().zip(&differences) {
        b.enforce(undecided, difference, &Num::default());
    }
    let mut decided = Num::default();
    for (selector, difference) in selectors.iter().zip(&differences) {
        let part = b.mul(selector, difference);
        decided += &part;
    }
    // In the direction asked for: above 0, or at least 0 if all but the last limb are equal.
    let one = b.one();
    let direction = &low.scaled(F::from(2u64)) - &one;
    let ahead = b.mul(&direction, &decided);
    let margin = &(&ahead - &one) + &selectors[last];
    b.bits(&margin, LIMB_BITS);
}

#[cfg(test)]
#[path = "variable_base_tests.rs"]
mod tests;
