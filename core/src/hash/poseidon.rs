//! Poseidon with circomlib's parameters, the hash that wallets use.

use crate::F;
use light_poseidon::{Poseidon, PoseidonHasher, parameters::bn254_x5::get_poseidon_parameters};
use std::cell::RefCell;

/// Most inputs that [`poseidon`] takes.
pub const POSEIDON_INPUTS_MAX: usize = 12;

thread_local! {
    /// Hashers by number of inputs: making one parses its constants, which costs more than a hash.
    static HASHERS: RefCell<[Option<Poseidon<F>>; POSEIDON_INPUTS_MAX + 1]> =
        const { RefCell::new([const { None }; POSEIDON_INPUTS_MAX + 1]) };
}

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
    assert!((1..=POSEIDON_INPUTS_MAX).contains(&inputs.len()), "poseidon takes 1 to 12 inputs");
    HASHERS.with_borrow_mut(|hashers| {
        hashers[inputs.len()]
            .get_or_insert_with(|| Poseidon::<F>::new_circom(inputs.len()).expect("parameters exist for this width"))
            .hash(inputs)
            .expect("the number of inputs fits the width")
    })
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
