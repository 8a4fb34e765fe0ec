//! The lazy field against `ark-ff`, at every number that the invariants allow and around their bounds.

use super::{Constant, Lazy, MODULUS, Sum, TWICE_MODULUS, add_limbs, sub_limbs};
use crate::F;
use ark_ff::{Field, One, Zero};
use proptest::prelude::*;

/// Numbers below `2p`, with those at the bounds often.
fn arb_lazy() -> impl Strategy<Value = Lazy> {
    let below = |bound: [u64; 4]| {
        any::<[u64; 4]>().prop_filter_map("below the bound", move |mut limbs| {
            limbs[3] &= (1 << 63) - 1;
            sub_limbs(limbs, bound).1.then_some(Lazy(limbs))
        })
    };
    let edge = (0u64..3, any::<bool>(), prop::sample::select(vec![[0; 4], MODULUS, TWICE_MODULUS])).prop_filter_map(
        "below 2p",
        |(small, minus, base)| {
            let limbs = if minus { sub_limbs(base, [small, 0, 0, 0]).0 } else { add_limbs(base, [small, 0, 0, 0]) };
            sub_limbs(limbs, TWICE_MODULUS).1.then_some(Lazy(limbs))
        },
    );
    let sparse = prop::array::uniform4(prop::sample::select(vec![0, 1, u64::MAX >> 1, u64::MAX]))
        .prop_filter_map("below 2p", |limbs| sub_limbs(limbs, TWICE_MODULUS).1.then_some(Lazy(limbs)));
    prop_oneof![4 => below(TWICE_MODULUS), 2 => edge, 1 => sparse]
}

fn arb_constant() -> impl Strategy<Value = Constant> {
    arb_lazy().prop_map(|value| Constant::new(F::from(value)))
}

fn check(value: Lazy, expected: F) -> Result<(), TestCaseError> {
    prop_assert!(sub_limbs(value.0, TWICE_MODULUS).1, "{:x?} is not below 2p", value);
    prop_assert_eq!(F::from(value), expected);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn operations_equal_the_librarys_and_stay_below_the_bound(a in arb_lazy(), b in arb_lazy()) {
        let (x, y) = (F::from(a), F::from(b));
        check(a.plus(b), x + y)?;
        check(a.minus(b), x - y)?;
        check(a.times(b), x * y)?;
        check(a.squared(), x * x)?;
        check(a.fifth_power(), x.pow([5]))?;
    }

    #[test]
    fn a_sum_of_products_equals_the_librarys(pairs in prop::collection::vec((arb_lazy(), arb_constant()), 0..16)) {
        let (values, constants): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        let sum = values.iter().zip(&constants).map(|(v, c)| F::from(*v) * F::from(c.value())).sum();
        check(Lazy::dot(&values, &constants), sum)?;
    }

    #[test]
    fn a_sum_equals_the_librarys(values in prop::collection::vec(arb_lazy(), 1..20), doublings in 0u32..5) {
        let mut sum = values[1..].iter().fold(Sum::from(values[0]), |sum, value| sum.plus((*value).into()));
        (0..doublings).for_each(|_| sum = sum.doubled());
        check(sum.reduced(), values.into_iter().map(F::from).sum::<F>() * F::from(1u64 << doublings))?;
    }
}

#[test]
fn the_largest_sum_stays_below_the_bound() {
    let largest = Lazy(sub_limbs(TWICE_MODULUS, [1, 0, 0, 0]).0);
    let mut sum = Sum::from(largest);
    for count in 1..=Sum::VALUES_MAX as u64 {
        check(sum.reduced(), F::from(count) * F::from(largest)).unwrap();
        sum = sum.plus(largest.into());
    }
}

#[test]
fn the_largest_values_stay_below_the_bound() {
    let largest = Lazy(sub_limbs(TWICE_MODULUS, [1, 0, 0, 0]).0);
    let constant = Constant(sub_limbs(MODULUS, [1, 0, 0, 0]).0);
    for count in 0..=14u64 {
        let sum = Lazy::dot(&vec![largest; count as usize], &vec![constant; count as usize]);
        check(sum, F::from(count) * F::from(largest) * F::from(constant.value())).unwrap();
    }
    check(largest.times(largest), F::from(largest).square()).unwrap();
    check(largest.squared(), F::from(largest).square()).unwrap();
}

#[test]
fn an_element_comes_back() {
    for element in [F::zero(), F::one(), -F::one(), F::from(7u64)] {
        assert_eq!(F::from(Lazy::from(element)), element);
        assert_eq!(F::from(Constant::new(element).value()), element);
    }
    assert_eq!(F::from(Lazy(MODULUS)), F::zero());
}
