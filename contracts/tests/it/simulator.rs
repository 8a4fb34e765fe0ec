//! Groth16 proofs for any public inputs, made from a key whose trapdoor is known.
//!
//! The proofs are genuine: the contract's verifier can't tell them from a prover's. That is what a trapdoor is. So the
//! contract is tested against real proofs without a circuit, in milliseconds.

use alloy::primitives::{U256, keccak256};
use ark_bn254::{Fq, Fr, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::{CurveGroup, PrimeGroup};
use ark_ff::{Field, PrimeField};
use sheaf_contracts::Sheaf;

/// The trapdoor of a family of shapes.
#[derive(Clone, Debug)]
pub(crate) struct Simulator {
    alpha: Fr,
    beta: Fr,
    gamma: Fr,
    shapes: Vec<ShapeTrapdoor>,
}

#[derive(Clone, Debug)]
struct ShapeTrapdoor {
    slots: u16,
    delta: Fr,
    ic: [Fr; 4],
}

impl Simulator {
    /// Makes a trapdoor for shapes of these numbers of slots, always the same.
    pub(crate) fn new(slots: &[u16]) -> Self {
        let shapes = slots
            .iter()
            .enumerate()
            .map(|(i, &slots)| ShapeTrapdoor {
                slots,
                delta: scalar(&format!("delta {i}")),
                ic: std::array::from_fn(|j| scalar(&format!("ic {i} {j}"))),
            })
            .collect();
        Self { alpha: scalar("alpha"), beta: scalar("beta"), gamma: scalar("gamma"), shapes }
    }

    /// The part of the verifying key that all shapes share.
    pub(crate) fn key(&self) -> Sheaf::VerifyingKey {
        Sheaf::VerifyingKey { alpha: g1(self.alpha), beta: g2(self.beta), gamma: g2(self.gamma) }
    }

    /// The shapes with their parts of the verifying key.
    pub(crate) fn shapes(&self) -> Vec<Sheaf::Shape> {
        self.shapes
            .iter()
            .map(|shape| Sheaf::Shape { slots: shape.slots, delta: g2(shape.delta), ic: flatten(shape.ic.map(g1)) })
            .collect()
    }

    /// Proves that the public inputs are `inputs`, whatever they are.
    pub(crate) fn prove(&self, shape: u8, inputs: [Fr; 3]) -> [U256; 8] {
        let shape = &self.shapes[usize::from(shape)];
        let public: Fr = shape.ic[0] + inputs.iter().zip(&shape.ic[1..]).map(|(input, ic)| *input * ic).sum::<Fr>();
        let (a, b) = (scalar(&format!("a {inputs:?}")), scalar(&format!("b {inputs:?}")));
        let delta_inverse = shape.delta.inverse().expect("delta is not zero");
        let c = (a * b - self.alpha * self.beta - self.gamma * public) * delta_inverse;
        flatten([g1(a).as_slice(), g2(b).as_slice(), g1(c).as_slice()])
    }
}

/// The scalar that a label stands for.
fn scalar(label: &str) -> Fr {
    Fr::from_be_bytes_mod_order(keccak256(label).as_slice())
}

fn g1(scalar: Fr) -> [U256; 2] {
    let point: G1Affine = (G1Projective::generator() * scalar).into_affine();
    [word(point.x), word(point.y)]
}

/// EIP-197's order: the imaginary part comes first.
fn g2(scalar: Fr) -> [U256; 4] {
    let point: G2Affine = (G2Projective::generator() * scalar).into_affine();
    [point.x.c1, point.x.c0, point.y.c1, point.y.c0].map(word)
}

fn word(coordinate: Fq) -> U256 {
    U256::from_limbs(coordinate.into_bigint().0)
}

fn flatten<const N: usize>(parts: impl IntoIterator<Item = impl AsRef<[U256]>>) -> [U256; N] {
    let words: Vec<U256> = parts.into_iter().flat_map(|part| part.as_ref().to_vec()).collect();
    words.try_into().expect("the parts have N words")
}
