//! The verifying keys as the contract stores them (`src/Groth16.sol`).

use crate::Sheaf;
use alloy::primitives::{Address, U256, uint};

/// The modulus of the field of coordinates.
const BASE_MODULUS: U256 = uint!(0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47_U256);
/// Words that all shapes share: alpha, -beta, two zeros, -gamma.
const SHARED_WORDS: usize = 12;
/// Words of a shape: -delta, IC0 to IC3, the number of slots.
const SHAPE_WORDS: usize = 13;
/// The number that a contract's first creation gets (EIP-161). Sheaf's constructor creates one contract: its keys.
const FIRST_CREATION: u64 = 1;

/// The verifying keys of a contract, as its constructor took them. The points are not checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKeys {
    /// What all shapes share.
    pub key: Sheaf::VerifyingKey,
    /// The shapes, the place in this list being a shape's id.
    pub shapes: Vec<Sheaf::Shape>,
}

impl StoredKeys {
    /// Where a contract keeps its keys.
    pub fn address(contract: Address) -> Address {
        contract.create(FIRST_CREATION)
    }

    /// Reads the code at [`address`](Self::address): a byte STOP, then the words with beta, gamma and delta negated. `None` if it
    /// is something else.
    pub fn from_code(code: &[u8]) -> Option<Self> {
        let (stop, data) = code.split_first()?;
        let words: Vec<U256> = data.chunks(32).map(U256::from_be_slice).collect();
        let fits = words.len() > SHARED_WORDS && (words.len() - SHARED_WORDS).is_multiple_of(SHAPE_WORDS);
        if *stop != 0 || !data.len().is_multiple_of(32) || !fits {
            return None;
        }
        let (shared, shapes) = words.split_at(SHARED_WORDS);
        let shape =
            |w: &[U256]| Some(Sheaf::Shape { slots: u16::try_from(w[12]).ok()?, delta: negated(take(w, 0)), ic: take(w, 4) });
        Some(Self {
            key: Sheaf::VerifyingKey { alpha: take(shared, 0), beta: negated(take(shared, 2)), gamma: negated(take(shared, 8)) },
            shapes: shapes.chunks(SHAPE_WORDS).map(shape).collect::<Option<_>>()?,
        })
    }

    /// The words of a shape's verifying key: alpha, beta, gamma, delta, IC0 to IC3; `None` if there is no such shape.
    pub fn words(&self, shape: u8) -> Option<Vec<U256>> {
        let Sheaf::VerifyingKey { alpha, beta, gamma } = &self.key;
        let Sheaf::Shape { delta, ic, .. } = self.shapes.get(usize::from(shape))?;
        Some([&alpha[..], beta, gamma, delta, ic].concat())
    }
}

fn take<const N: usize>(words: &[U256], first: usize) -> [U256; N] {
    words[first..first + N].try_into().expect("N words")
}

/// A point of G2 negated. What is out of range stays out of range, or is on no curve.
fn negated([x1, x0, y1, y0]: [U256; 4]) -> [U256; 4] {
    let negate = |y: U256| if y.is_zero() { y } else { BASE_MODULUS.wrapping_sub(y) };
    [x1, x0, negate(y1), negate(y0)]
}
