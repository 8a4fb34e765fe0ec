//! The limits of the written argument, and forms of `h` that are none.

use super::*;
use crate::r1cs::Mode;
use ark_ec::CurveGroup;
use sheaf_core::eddsa::base8;

#[test]
fn limits_of_the_argument_hold() {
    let (l, p) = (Scalar::MODULUS, F::MODULUS);
    let one = BigInt::from(1u64);
    assert!(minus(times(l, 8), p) < power_of_two(126));
    assert!(power_of_two(250) < minus(l, one));
    // t = 1
    assert!(minus(power_of_two(255), times(l, 15)) < p);
    assert!(times(l, 15) > power_of_two(254));
    // t = 0
    assert!(power_of_two(254) > times(l, 10));
    assert!(plus(p, times(l, 10)) < power_of_two(255));
    assert!(minus(power_of_two(255), times(l, 16)) > times(l, 5));
    assert!(times(l, 14) > power_of_two(254));
    for (odd, low) in [(false, false), (true, false), (false, true), (true, true)] {
        assert!(limit(odd, low) < power_of_two(DIGITS as u32));
    }
}

#[test]
fn limits_are_tight() {
    let one = BigInt::from(1u64);
    let g = |digits: BigInt<4>| plus(plus(digits, digits), plus(power_of_two(254), one));
    for odd in [false, true] {
        let least = times(Scalar::MODULUS, multiple_of_order(odd, true));
        assert!(g(limit(odd, true)) >= least && g(minus(limit(odd, true), one)) < least);
        let end = plus(times(Scalar::MODULUS, multiple_of_order(odd, false)), F::MODULUS);
        assert!(g(limit(odd, false)) < end && g(plus(limit(odd, false), one)) >= end);
    }
}

/// Builds `h·8·B8` with a form that an attacker picks, and returns the groups that refuse it.
fn refusals(h: F, form: &Form) -> Vec<&'static str> {
    let mut b = Builder::new(Mode::Check);
    let h = b.witness(h);
    let point = (base8() * Scalar::from(8u64)).into_affine();
    let q = Edwards { x: b.witness(point.x), y: b.witness(point.y) };
    times_form(&mut b, &h, &q, form);
    let mut groups: Vec<_> = b.failures().collect();
    groups.dedup();
    groups
}

/// The form for a `V` of `h + above - below` with these choices, if the digits can express it.
fn form_for(h: F, [above, below]: [BigInt<4>; 2], odd: bool, low: bool) -> Option<Form> {
    let up = plus(plus(h.into_bigint(), above), times(Scalar::MODULUS, multiple_of_order(odd, low)));
    let down = plus(below, plus(power_of_two(254), 1u64.into()));
    if up < down {
        return None;
    }
    let mut digits = minus(up, down);
    if digits.is_odd() || digits >= power_of_two(254) {
        return None;
    }
    digits.div2();
    Some(Form::new(digits, odd, low))
}

/// Values of `h` around everything where the forms change.
fn edges() -> Vec<F> {
    let order = F::from(Scalar::MODULUS);
    let around = |center: F| (0..4u64).flat_map(move |d| [center + F::from(d), center - F::from(d)]);
    let turn = F::from(minus(power_of_two(255), times(Scalar::MODULUS, 15)));
    let multiples = (0..8u64).map(|n| order * F::from(n));
    multiples.chain([turn, turn - order]).flat_map(around).collect()
}

#[test]
fn every_allowed_form_is_taken_and_every_other_refused() {
    let zero = BigInt::from(0u64);
    let p = F::MODULUS;
    let (mut taken, mut refused) = (0, 0);
    for h in edges() {
        for (odd, low) in [(false, false), (true, false), (false, true), (true, true)] {
            if let Some(form) = form_for(h, [zero, zero], odd, low) {
                assert_eq!(refusals(h, &form), Vec::<&str>::new(), "h = {h}, {odd}, {low}");
                taken += 1;
            }
            for wrapped in [[p, zero], [zero, p]] {
                let Some(mut form) = form_for(h, wrapped, odd, low) else { continue };
                for decisive in 0..=LIMBS {
                    form.decisive = decisive;
                    assert_eq!(refusals(h, &form), ["challenge_canonical"], "h = {h}, {odd}, {low}, {decisive}");
                }
                refused += 1;
            }
        }
    }
    // 80 values of h; those near 0 and p have wrapped forms.
    assert!(taken >= 80 && refused >= 16, "{taken} taken, {refused} refused");
}

#[test]
fn digits_of_another_number_are_refused() {
    let h = F::from(12345u64);
    let mut form = form_of(h);
    form.digits = plus(form.digits, 1u64.into());
    assert_eq!(refusals(h, &form), ["challenge_canonical"]);
}
