//! Poseidon with circomlib's parameters, the hash that wallets use.

mod permutation;
mod tables;

use crate::F;
use light_poseidon::parameters::bn254_x5::get_poseidon_parameters;
use std::sync::OnceLock;
use tables::Tables;

/// Most inputs that [`poseidon`] takes.
pub const POSEIDON_INPUTS_MAX: usize = 12;

/// Hashes 1 to 12 field elements with circomlib's Poseidon (`circomlibjs`, `poseidon-lite`).
///
/// ```
/// use sheaf_core::{F, hash::poseidon};
/// let hash = poseidon(&[F::from(1u64), F::from(2u64)]);
/// assert_eq!(hash.to_string(), "7853200120776062878684798364095072458815029376092732009249414926327459813530");
/// ```
///
/// # Panics
/// If the number of inputs is 0 or above [`POSEIDON_INPUTS_MAX`].
pub fn poseidon(inputs: &[F]) -> F {
    macro_rules! by_width {
        ($($inputs:literal)*) => {
            match inputs.len() {
                $($inputs => {
                    static TABLES: OnceLock<Tables<{ $inputs + 1 }>> = OnceLock::new();
                    permutation::hash(TABLES.get_or_init(Tables::derive), inputs)
                })*
                _ => panic!("poseidon takes 1 to 12 inputs"),
            }
        };
    }
    by_width!(1 2 3 4 5 6 7 8 9 10 11 12)
}

/// The parameters of circomlib's Poseidon at one width: for the circuit.
#[derive(Debug, Clone)]
pub struct PoseidonParameters {
    /// Number of elements of the state, one more than the inputs.
    pub width: usize,
    /// Number of partial rounds, between the two halves of the 8 full ones.
    pub partial_rounds: usize,
    /// Constants added before the S-boxes, `width` a round.
    pub round_constants: Vec<F>,
    /// The matrix of every round, by rows.
    pub matrix: Vec<Vec<F>>,
}

/// Returns the parameters that [`poseidon`] uses for this number of inputs.
///
/// # Panics
/// If the number of inputs is 0 or above [`POSEIDON_INPUTS_MAX`].
pub fn poseidon_parameters(inputs: usize) -> PoseidonParameters {
    assert!((1..=POSEIDON_INPUTS_MAX).contains(&inputs), "poseidon takes 1 to 12 inputs");
    let parameters = get_poseidon_parameters::<F>(inputs as u8 + 1).expect("parameters exist for this width");
    assert_eq!((parameters.full_rounds, parameters.alpha), (super::constants::FULL_ROUNDS, 5));
    PoseidonParameters {
        width: parameters.width,
        partial_rounds: parameters.partial_rounds,
        round_constants: parameters.ark,
        matrix: parameters.mds,
    }
}
