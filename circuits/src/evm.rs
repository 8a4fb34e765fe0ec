//! Points, proofs and verifying keys as the contract takes them: EIP-197 order, big-endian words, infinity as zeros.

use crate::prove::{Proof, VerifyingKey};
use alloy_primitives::U256;
use ark_bn254::{Fq, Fq2, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::{BigInt, PrimeField};

/// Bytes of a proof: eight words.
pub const PROOF_BYTES: usize = 256;

/// Words that are no proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// A coordinate is not below the base field's modulus.
    #[error("a coordinate of the proof is not below the modulus")]
    NotCanonical,
    /// A point is not on its curve, or not in the subgroup.
    #[error("a point of the proof is not on the curve")]
    NotOnCurve,
}

fn word(value: Fq) -> U256 {
    U256::from_limbs(value.into_bigint().0)
}

fn coordinate(word: U256) -> Result<Fq, ProofError> {
    Fq::from_bigint(BigInt(word.into_limbs())).ok_or(ProofError::NotCanonical)
}

/// A point of G1: x, y.
pub fn g1_words(point: &G1Affine) -> [U256; 2] {
    point.xy().map_or([U256::ZERO; 2], |(x, y)| [word(x), word(y)])
}

/// A point of G2: x1, x0, y1, y0, the imaginary parts first.
pub fn g2_words(point: &G2Affine) -> [U256; 4] {
    point.xy().map_or([U256::ZERO; 4], |(x, y)| [word(x.c1), word(x.c0), word(y.c1), word(y.c0)])
}

/// Reads what [`g1_words`] writes, and checks that it is a point.
///
/// # Errors
/// [`ProofError`].
pub fn g1_from_words(words: [U256; 2]) -> Result<G1Affine, ProofError> {
    if words == [U256::ZERO; 2] {
        return Ok(G1Affine::zero());
    }
    let point = G1Affine::new_unchecked(coordinate(words[0])?, coordinate(words[1])?);
    if point.is_on_curve() { Ok(point) } else { Err(ProofError::NotOnCurve) }
}

/// Reads what [`g2_words`] writes, and checks that it is a point of the subgroup.
///
/// # Errors
/// [`ProofError`].
pub fn g2_from_words(words: [U256; 4]) -> Result<G2Affine, ProofError> {
    if words == [U256::ZERO; 4] {
        return Ok(G2Affine::zero());
    }
    let [x1, x0, y1, y0] = [coordinate(words[0])?, coordinate(words[1])?, coordinate(words[2])?, coordinate(words[3])?];
    let point = G2Affine::new_unchecked(Fq2::new(x0, x1), Fq2::new(y0, y1));
    let valid = point.is_on_curve() && point.is_in_correct_subgroup_assuming_on_curve();
    if valid { Ok(point) } else { Err(ProofError::NotOnCurve) }
}

/// A proof as the contract's `uint256[8]`: A.x A.y B.x1 B.x0 B.y1 B.y0 C.x C.y.
pub fn proof_to_evm(proof: &Proof) -> [U256; 8] {
    let words = [g1_words(&proof.a).as_slice(), &g2_words(&proof.b), &g1_words(&proof.c)].concat();
    words.try_into().expect("2 + 4 + 2 words")
}

/// Reads what [`proof_to_evm`] writes, and checks that the points are points.
///
/// # Errors
/// [`ProofError`].
pub fn proof_from_evm(words: &[U256; 8]) -> Result<Proof, ProofError> {
    let [ax, ay, bx1, bx0, by1, by0, cx, cy] = *words;
    Ok(Proof { a: g1_from_words([ax, ay])?, b: g2_from_words([bx1, bx0, by1, by0])?, c: g1_from_words([cx, cy])? })
}

/// A proof as 256 big-endian bytes, the words of [`proof_to_evm`].
pub fn proof_to_bytes(proof: &Proof) -> [u8; PROOF_BYTES] {
    let bytes: Vec<u8> = proof_to_evm(proof).iter().flat_map(|word| word.to_be_bytes::<32>()).collect();
    bytes.try_into().expect("eight words")
}

/// Reads what [`proof_to_bytes`] writes.
///
/// # Errors
/// [`ProofError`].
pub fn proof_from_bytes(bytes: &[u8; PROOF_BYTES]) -> Result<Proof, ProofError> {
    proof_from_evm(&std::array::from_fn(|i| U256::from_be_slice(&bytes[32 * i..32 * (i + 1)])))
}

/// A verifying key's words: alpha (2), beta (4), gamma (4), delta (4), then each IC (2).
pub fn verifying_key_words(key: &VerifyingKey) -> Vec<U256> {
    let mut words = g1_words(&key.alpha_g1).to_vec();
    [&key.beta_g2, &key.gamma_g2, &key.delta_g2].into_iter().for_each(|point| words.extend(g2_words(point)));
    key.gamma_abc_g1.iter().for_each(|point| words.extend(g1_words(point)));
    words
}

/// Reads what [`verifying_key_words`] writes, and checks that the points are points.
///
/// # Errors
/// [`ProofError`], also [`ProofError::NotOnCurve`] for a point at infinity, which no honest key has: with infinity for
/// keys, A = alpha, B = beta, C = 0 would prove anything.
///
/// # Panics
/// With fewer than 16 words or an odd number of them: alpha, beta, gamma, delta and one IC are 16.
pub fn verifying_key_from_words(words: &[U256]) -> Result<VerifyingKey, ProofError> {
    assert!(words.len() >= 16 && words.len().is_multiple_of(2), "a verifying key has at least 16 words, two an IC");
    let (alpha, rest) = words.split_at(2);
    let (twos, ic) = rest.split_at(12);
    let finite = |point: &[U256]| if point.iter().all(U256::is_zero) { Err(ProofError::NotOnCurve) } else { Ok(()) };
    let one = |point: &[U256]| finite(point).and_then(|()| g1_from_words([point[0], point[1]]));
    let two = |point: &[U256]| finite(point).and_then(|()| g2_from_words([point[0], point[1], point[2], point[3]]));
    Ok(VerifyingKey {
        alpha_g1: one(alpha)?,
        beta_g2: two(&twos[..4])?,
        gamma_g2: two(&twos[4..8])?,
        delta_g2: two(&twos[8..])?,
        gamma_abc_g1: ic.chunks(2).map(one).collect::<Result<_, _>>()?,
    })
}
