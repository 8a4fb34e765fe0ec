//! Sums of many values, reduced once.

use super::{Lazy, Limbs, MODULUS, sub_limbs};

/// A sum of at most [`Sum::VALUES_MAX`] values, each below `2p`, in five limbs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sum {
    low: Limbs,
    high: u64,
}

impl From<Lazy> for Sum {
    #[inline(always)]
    fn from(value: Lazy) -> Self {
        Self { low: value.0, high: 0 }
    }
}

impl Sum {
    /// Most values in a sum, each counted as often as it is added.
    #[cfg(test)]
    pub(super) const VALUES_MAX: usize = 1 << 12;

    /// `self + other`.
    #[inline(always)]
    pub(crate) fn plus(self, other: Self) -> Self {
        let (a, b) = (self.low, other.low);
        let (r0, c) = a[0].carrying_add(b[0], false);
        let (r1, c) = a[1].carrying_add(b[1], c);
        let (r2, c) = a[2].carrying_add(b[2], c);
        let (r3, c) = a[3].carrying_add(b[3], c);
        Self { low: [r0, r1, r2, r3], high: self.high.wrapping_add(other.high).wrapping_add(u64::from(c)) }
    }

    /// `2·self`.
    #[inline(always)]
    pub(crate) fn doubled(self) -> Self {
        self.plus(self)
    }

    /// The sum as a value: less the quotient's estimate from its top bits times `p`.
    ///
    /// With `D` the top 16 bits of `p` plus 1 and `h` the sum's bits from 240 up, the estimate `q = h / D` is never too
    /// large, since `p < D·2^240`. The rest is below `D·2^240 + q·(D·2^240 - p)`, and `D·2^240 < 1.00006p`, so it is
    /// below `1.00006p + q·0.00006p`: below `2p` as long as `q < 2^13`, that is, for 2^12 values.
    #[inline(always)]
    pub(crate) fn reduced(self) -> Lazy {
        const DIVISOR: u64 = (MODULUS[3] >> 48) + 1;
        let quotient = (self.high << 16 | self.low[3] >> 48) / DIVISOR;
        let (m0, c) = quotient.carrying_mul(MODULUS[0], 0);
        let (m1, c) = quotient.carrying_mul(MODULUS[1], c);
        let (m2, c) = quotient.carrying_mul(MODULUS[2], c);
        // The rest fits four limbs, so what is above them cancels.
        let (m3, _) = quotient.carrying_mul(MODULUS[3], c);
        Lazy(sub_limbs(self.low, [m0, m1, m2, m3]).0)
    }
}
