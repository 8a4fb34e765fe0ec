//! Decimal amounts: one encoding a value, and the nearest one named for the rest.

use proptest::prelude::*;
use sheaf_core::amount::{PackedAmount, PackedFee};

proptest! {
    #[test]
    fn what_encodes_decodes_to_itself(bits in 0u64..1 << 40) {
        let raw = PackedAmount::from_bits(bits).unwrap();
        if let Some(value) = raw.value() {
            let canonical = PackedAmount::encode(value).unwrap();
            prop_assert_eq!(canonical.value(), Some(value));
            prop_assert!(canonical.exponent() <= raw.exponent());
            prop_assert_eq!(sheaf_core::F::from(value), raw.to_field());
        }
    }

    #[test]
    fn the_nearest_is_representable_and_near(value in any::<u128>()) {
        if let Err(error) = PackedFee::encode(value) {
            let nearest = error.nearest;
            prop_assert!(PackedFee::encode(nearest).is_ok());
            // Nothing representable lies between: neither one unit beside it on the way to the value.
            let distance = nearest.abs_diff(value);
            for offset in 0..distance.min(200) {
                prop_assert!(value.checked_sub(offset).is_none_or(|v| PackedFee::encode(v).is_err()));
                prop_assert!(value.checked_add(offset).is_none_or(|v| PackedFee::encode(v).is_err()));
            }
        }
    }
}

#[test]
fn the_edges_of_the_mantissa() {
    assert_eq!(PackedFee::encode(511).unwrap().bits(), 511);
    assert_eq!(PackedFee::encode(512).unwrap_err().nearest, 510);
    assert_eq!(PackedFee::encode(516).unwrap_err().nearest, 520);
    assert_eq!(PackedFee::encode(515).unwrap_err().nearest, 510);
    assert_eq!(PackedFee::encode(520).unwrap().bits(), 52 | 1 << 9);
    assert_eq!(PackedFee::encode(0).unwrap().bits(), 0);
    assert_eq!(PackedAmount::from_bits(1 << 40), None);
    assert_eq!(PackedAmount::from_bits(31 << 35 | ((1 << 35) - 1)).unwrap().value(), None);
}
