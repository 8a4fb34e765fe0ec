//! Amounts as people write them: decimal numbers of whole tokens.

use super::WalletError;
use sheaf_core::amount::{PackedAmount, PackedFee};

/// Reads a decimal number of whole tokens into the token's smallest unit.
///
/// # Errors
/// [`WalletError::Amount`] for anything that is not exactly such a number below 2^128.
pub fn parse(text: &str, decimals: u8) -> Result<u128, WalletError> {
    let refused = |why: &str| WalletError::Amount(format!("{text:?} is no amount: {why}"));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
        return Err(refused("write a decimal number such as 1.5"));
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > decimals.into() {
        return Err(refused(&format!("this token has {decimals} decimal places")));
    }
    let scaled = format!("{whole}{fraction:0<width$}", width = decimals.into());
    scaled.parse().map_err(|_| refused("it is too large"))
}

/// Writes an amount of the smallest unit as a decimal number of whole tokens.
pub fn format(units: u128, decimals: u8) -> String {
    let decimals = usize::from(decimals);
    let digits = format!("{units:0>width$}", width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    match fraction.trim_end_matches('0') {
        "" => whole.to_owned(),
        fraction => format!("{whole}.{fraction}"),
    }
}

/// The smallest fee that has an encoding and is not below `least`.
pub fn fee_at_least(least: u128) -> u128 {
    let mut unit = 1;
    loop {
        let fee = least.div_ceil(unit) * unit;
        if PackedFee::encode(fee).is_ok() {
            return fee;
        }
        unit *= 10;
    }
}

/// The largest amount that has an encoding and is not above `most`.
pub fn amount_at_most(most: u128) -> u128 {
    let mut unit = 1;
    loop {
        let amount = most / unit * unit;
        if PackedAmount::encode(amount).is_ok() {
            return amount;
        }
        unit *= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::{fee_at_least, format, parse};

    #[test]
    fn decimal_numbers_are_read_exactly_and_written_shortly() {
        for (text, decimals, units, shown) in [
            ("1.5", 18, 1_500_000_000_000_000_000, "1.5"),
            ("0.000000000000000001", 18, 1, "0.000000000000000001"),
            ("12", 6, 12_000_000, "12"),
            ("12.", 6, 12_000_000, "12"),
            (".25", 2, 25, "0.25"),
            ("1.50000", 1, 15, "1.5"),
            ("7", 0, 7, "7"),
            ("0", 18, 0, "0"),
        ] {
            assert_eq!(parse(text, decimals).unwrap(), units, "{text}");
            assert_eq!(format(units, decimals), shown);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", ".", "-1", "+1", "1e3", "1,5", "0x10", " 1", "1.234", "1.2.3", "999999999999999999999999999999999999999"]
        {
            assert_eq!(parse(text, 2).unwrap_err().code(), "malformed_amount", "{text:?}");
        }
    }

    #[test]
    fn fees_are_rounded_up_to_an_encoding() {
        for (least, fee) in [(0, 0), (511, 511), (512, 520), (5_111, 5_200), (1_000_000, 1_000_000), (1_234_567, 1_240_000)] {
            assert_eq!(fee_at_least(least), fee);
        }
    }
}
