//! `S·B8` for the generator `B8`: 63 windows of four bits.
//!
//! `S` stands in no row. What the equation asks is that the prover knows *some* integer `S` with `S·B8` on its left, and
//! since `B8` has order `l`, each such integer is as good as the one below `l`, which is the only one that the native
//! verifier takes: for every key, message and `R8`, an `S` exists for the circuit exactly if one exists natively.
//! So the windows' digits need not be bits of a number, and a window is a point of a list, not a selection:
//!
//! ```text
//!  window i:  d·16^i·B8 with d in ±{1, 3, .., 15}: u is a root of a polynomial of degree 8 (a product of two quartics
//!             over u, u², u³, u⁴), and v² is what the curve says, so that v has either sign        5 rows
//!  sum:       an incomplete addition a window, a complete one for the last                          3 rows
//! ```
//!
//! *Every `S` has such digits.* Sums of the 63 windows are the odd numbers of absolute value below `16^63 = 2^252`. An odd
//! `S < l` is among them; for an even one take `S - l`, which is odd since `l` is.
//!
//! *No exception.* Before window `i` (1 to 61) the sum is `n·B8` with `n` odd and `|n| < 16^i`; the window adds `m·B8` with
//! `16^i <= |m| < 16^(i+1)`. Equal `u` would mean `n = ±m` modulo `l`, but `0 < |n ± m| < 16^(i+1) + 16^i < 2^249 < l`.
//! Neither is the identity, since `0 < |n|, |m| < l`. The last window can meet the sum or its negative, so that addition
//! is left to the caller, in Edwards form.

use super::advice::{self, Coordinates, Sum, bits_from, coordinates, minus, plus, power_of_two};
use super::curve::{Edwards, Montgomery, montgomery_a};
use crate::r1cs::{Builder, Num};
use ark_ff::{AdditiveGroup, BigInteger, One, PrimeField, Zero};
use sheaf_core::F;
use sheaf_core::eddsa::{Scalar, base8};
use std::sync::OnceLock;

const WINDOWS: usize = 63;
const WINDOW_BITS: usize = 4;
/// Odd multiples in a window, signs apart.
const MULTIPLES: usize = 8;

/// One window's points `1, 3, .., 15` times `16^i·B8`.
struct Window {
    points: [Sum; MULTIPLES],
    coordinates: [Coordinates; MULTIPLES],
    /// Coefficients, from the lowest, of the monic quartics whose roots are the `u` of four points each.
    quartics: [[F; 5]; 2],
}

fn windows() -> &'static [Window] {
    static TABLE: OnceLock<Vec<Window>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut base = Sum::from(base8());
        let mut windows = Vec::with_capacity(WINDOWS);
        for _ in 0..WINDOWS {
            let twice = base.double();
            let mut points = [base; MULTIPLES];
            for i in 1..MULTIPLES {
                points[i] = points[i - 1] + twice;
            }
            let coordinates: [Coordinates; MULTIPLES] = coordinates(&points).try_into().expect("as many");
            let quartics = [0, 4].map(|at| with_roots(std::array::from_fn(|i| coordinates[at + i].u)));
            windows.push(Window { points, coordinates, quartics });
            base = points[MULTIPLES - 1] + base;
        }
        windows
    })
}

/// The monic polynomial with these roots, coefficients from the lowest.
fn with_roots(roots: [F; 4]) -> [F; 5] {
    let mut polynomial = [F::zero(); 5];
    polynomial[0] = F::one();
    for (degree, root) in roots.iter().enumerate() {
        for i in (0..=degree).rev() {
            let coefficient = polynomial[i];
            polynomial[i + 1] += coefficient;
            polynomial[i] = -coefficient * root;
        }
    }
    polynomial
}

/// The digits of `S` or `S - l`, whichever is odd, each as (index of the multiple, negative).
fn digits(s: Scalar) -> [(usize, bool); WINDOWS] {
    let s = s.into_bigint();
    let top = minus(power_of_two((WINDOWS * WINDOW_BITS) as u32), 1u64.into());
    // Σ d_i·16^i for d_i = 2·n_i - 15 is 2n - (2^252 - 1), where the n_i are the digits of n.
    let mut n = if s.is_odd() { plus(s, top) } else { minus(top, minus(Scalar::MODULUS, s)) };
    n.div2();
    std::array::from_fn(|i| {
        let digit = 2 * bits_from(&n, WINDOW_BITS * i, WINDOW_BITS) as i64 - 15;
        ((digit.unsigned_abs() as usize - 1) / 2, digit < 0)
    })
}

/// A point of a window's list or the negative of one (5 rows).
fn window_point(b: &mut Builder, window: &Window, (index, negative): (usize, bool)) -> Montgomery {
    let Coordinates { u, v } = window.coordinates[index];
    let u = b.witness(u);
    let u2 = b.square(&u);
    let u3 = b.mul(&u2, &u);
    let u4 = b.square(&u2);
    let one = b.one();
    let [low, high] = window.quartics.map(|quartic| {
        let mut value = Num::default();
        for (k, power) in quartic.iter().zip([&one, &u, &u2, &u3, &u4]) {
            value.add_scaled(*k, power);
        }
        value
    });
    b.enforce(&low, &high, &Num::default());
    let v = b.witness(if negative { -v } else { v });
    let mut square = &u3 + &u;
    square.add_scaled(montgomery_a(), &u2);
    b.enforce(&v, &v, &square);
    Montgomery { u, v }
}

/// `S·B8` as the sum of two points in Edwards form, either of which may be the other or its negative (502 rows).
pub(super) fn times_base8(b: &mut Builder, s: Scalar) -> [Edwards; 2] {
    let (windows, digits) = (windows(), digits(s));
    let slopes = sum_slopes(windows, &digits);
    let mut sum = window_point(b, &windows[0], digits[0]);
    for i in 1..WINDOWS - 1 {
        let point = window_point(b, &windows[i], digits[i]);
        sum = sum.add(b, &point, slopes[i - 1]);
    }
    let last = window_point(b, &windows[WINDOWS - 1], digits[WINDOWS - 1]);
    // Both have odd order, so neither is the point of order 2.
    [sum.to_edwards(b), last.to_edwards(b)]
}

/// Slopes of the incomplete additions.
fn sum_slopes(windows: &[Window], digits: &[(usize, bool); WINDOWS]) -> Vec<F> {
    let signed = |i: usize| {
        let (index, negative) = digits[i];
        let (point, Coordinates { u, v }) = (windows[i].points[index], windows[i].coordinates[index]);
        if negative { (-point, Coordinates { u, v: -v }) } else { (point, Coordinates { u, v }) }
    };
    let mut sum = Sum::ZERO;
    let sums: Vec<Sum> = (0..WINDOWS - 2)
        .map(|i| {
            sum += signed(i).0;
            sum
        })
        .collect();
    let sums = coordinates(&sums);
    advice::slopes(sums.into_iter().zip((1..WINDOWS - 1).map(|i| signed(i).1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::r1cs::Mode;
    use ark_ec::CurveGroup;

    #[test]
    fn every_kind_of_scalar_gives_its_multiple() {
        let half = Scalar::one() / Scalar::from(2u64);
        let powers = [4, 8, 128, 240, 244, 248].map(|e| Scalar::from(power_of_two(e)));
        let centers = [Scalar::zero(), half].into_iter().chain(powers);
        for s in centers.flat_map(|c| (0..4u64).flat_map(move |d| [c + Scalar::from(d), c - Scalar::from(d)])) {
            let mut b = Builder::new(Mode::Check);
            let [first, last] = times_base8(&mut b, s);
            let sum = first.add(&mut b, &last);
            let native = (base8() * s).into_affine();
            assert_eq!((sum.x.value(), sum.y.value()), (native.x, native.y), "S = {s}");
            assert_eq!(b.first_failure(), None, "S = {s}");
        }
    }

    #[test]
    fn sums_stay_apart_from_the_next_window() {
        // The bound of the written argument, for the last incomplete addition.
        let sixteen_to = |i: u32| power_of_two(4 * i);
        assert!(plus(sixteen_to(62), sixteen_to(61)) < Scalar::MODULUS);
        // All odd numbers that are needed have digits.
        assert!(Scalar::MODULUS < sixteen_to(63));
    }

    #[test]
    fn a_point_outside_the_list_is_refused() {
        let windows = windows();
        for (index, negative) in [(0, false), (3, true), (7, false)] {
            let mut b = Builder::new(Mode::Check);
            window_point(&mut b, &windows[5], (index, negative));
            assert_eq!(b.first_failure(), None);
            // The next window's point satisfies the curve's row, but not the list's.
            let foreign =
                Window { points: windows[6].points, coordinates: windows[6].coordinates, quartics: windows[5].quartics };
            let mut b = Builder::new(Mode::Check);
            window_point(&mut b, &foreign, (index, negative));
            assert_eq!(b.failures().count(), 1);
        }
    }
}
