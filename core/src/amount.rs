//! Amounts and fees as they stand on the wire: a short decimal mantissa and exponent.

use crate::F;
use ark_ff::BigInt;
use serde::{Deserialize, Serialize};

/// A decimal floating-point number of `MANTISSA` + 5 bits: `m · 10^e`, `m < 2^MANTISSA`, `e < 32`.
///
/// On the wire the mantissa takes the low bits. A value has one canonical encoding, the one with the
/// smallest exponent; [`Decimal::encode`] makes only that one, [`Decimal::from_bits`] takes any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Decimal<const MANTISSA: u32>(u64);

/// The amount of a transfer or withdrawal: 40 bits, mantissa 35.
pub type PackedAmount = Decimal<35>;
/// A fee: 14 bits, mantissa 9.
pub type PackedFee = Decimal<9>;

/// Bits of the decimal exponent.
pub const EXPONENT_BITS: u32 = 5;

/// A value that has no exact encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{value} is not representable; the nearest representable value is {nearest}")]
pub struct NotRepresentable {
    /// What was asked for, in the token's smallest unit.
    pub value: u128,
    /// The nearest value that has an encoding (the smaller one of two that are equally near).
    pub nearest: u128,
}

impl<const MANTISSA: u32> Decimal<MANTISSA> {
    /// Width on the wire, in bits.
    pub const BITS: u32 = MANTISSA + EXPONENT_BITS;
    /// Zero.
    pub const ZERO: Self = Self(0);

    /// Encodes an exact value.
    ///
    /// # Errors
    /// [`NotRepresentable`], with the nearest value that is.
    ///
    /// ```
    /// use sheaf_core::amount::PackedAmount;
    /// let one_eth = PackedAmount::encode(1_000_000_000_000_000_000).unwrap();
    /// assert_eq!(one_eth.value(), Some(1_000_000_000_000_000_000));
    /// assert_eq!(PackedAmount::encode(123_456_789_012).unwrap_err().nearest, 123_456_789_010);
    /// ```
    pub fn encode(value: u128) -> Result<Self, NotRepresentable> {
        let mut mantissa = value;
        let mut exponent = 0;
        while mantissa >= 1 << MANTISSA {
            if !mantissa.is_multiple_of(10) {
                return Err(NotRepresentable { value, nearest: Self::nearest(value) });
            }
            mantissa /= 10;
            exponent += 1;
        }
        Ok(Self(mantissa as u64 | exponent << MANTISSA))
    }

    /// The representable value nearest to `value`, the smaller one of two.
    fn nearest(value: u128) -> u128 {
        let mut unit = 1u128;
        while value / unit >= 1 << MANTISSA {
            unit *= 10;
        }
        let below = value / unit * unit;
        // One unit above is representable too: it is either a mantissa in range, or 2^MANTISSA
        // units, which no exponent makes exact unless 10 divides it; then only `below` stands.
        match below.checked_add(unit) {
            Some(above) if above - value < value - below && Self::encode(above).is_ok() => above,
            _ => below,
        }
    }

    /// The raw bits on the wire; `None` if they are wider than [`Decimal::BITS`].
    pub const fn from_bits(bits: u64) -> Option<Self> {
        if bits >> Self::BITS == 0 { Some(Self(bits)) } else { None }
    }

    /// The raw bits on the wire.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The mantissa.
    #[inline]
    pub const fn mantissa(self) -> u64 {
        self.0 & ((1 << MANTISSA) - 1)
    }

    /// The decimal exponent.
    #[inline]
    pub const fn exponent(self) -> u32 {
        (self.0 >> MANTISSA) as u32
    }

    /// The value; `None` above `u128::MAX` (no balance can pay it).
    pub fn value(self) -> Option<u128> {
        u128::from(self.mantissa()).checked_mul(10u128.pow(self.exponent()))
    }

    /// The value as a field element, exact for every encoding: below 2^139.
    #[inline]
    pub fn to_field(self) -> F {
        // The mantissa stays as it is and the power carries Montgomery's factor twice, so that one multiplication does.
        F::new_unchecked(BigInt([self.mantissa(), 0, 0, 0])) * POWERS_OF_TEN_TWICE_MONTGOMERY[self.exponent() as usize]
    }
}

/// `10^e · R` as elements, with `R` Montgomery's factor: multiplies an integer that is not in Montgomery form.
const POWERS_OF_TEN_TWICE_MONTGOMERY: [F; 1 << EXPONENT_BITS] = {
    let mut powers = [F::new_unchecked(BigInt([0; 4])); 1 << EXPONENT_BITS];
    let mut e = 0;
    while e < powers.len() {
        let power = 10u128.pow(e as u32);
        powers[e] = F::new(F::new(BigInt([power as u64, (power >> 64) as u64, 0, 0])).0);
        e += 1;
    }
    powers
};
