//! Field and curve arithmetic of BN254 in lanes, twelve numbers at a time, for processors with AVX2 and FMA.
//!
//! ```text
//!  limbs ──▶ montgomery ──▶ prime (Fq) ──▶ quadratic (Fq2) ──▶ curve ──▶ groups ──▶ msm
//!                                                                       sums of     Pippenger's
//!                                                                       points      windows
//! ```

#[cfg(target_arch = "x86_64")]
mod curve;
#[cfg(target_arch = "x86_64")]
mod field;
#[cfg(target_arch = "x86_64")]
mod groups;
#[cfg(target_arch = "x86_64")]
mod limbs;
#[cfg(target_arch = "x86_64")]
mod montgomery;
#[cfg(target_arch = "x86_64")]
mod msm;
#[cfg(target_arch = "x86_64")]
mod prime;
#[cfg(target_arch = "x86_64")]
mod quadratic;

use ark_bn254::{Fr, g1, g2};
use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ff::BigInt;
#[cfg(target_arch = "x86_64")]
use pulp::x86::V3 as Instructions;

/// There are none.
#[cfg(not(target_arch = "x86_64"))]
#[derive(Clone, Copy, Debug)]
enum Instructions {}

/// That this processor has the instructions.
#[derive(Clone, Copy, Debug)]
pub struct Simd(Instructions);

impl Simd {
    /// Looks whether it does.
    pub fn detect() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        let found = Instructions::try_new();
        #[cfg(not(target_arch = "x86_64"))]
        let found = None;
        found.map(Self)
    }
}

/// Scalars, each with the places of its bases.
#[derive(Clone, Copy, Debug)]
pub struct Groups<'a> {
    /// The place of the first base. Places before it have none.
    pub first: u32,
    /// The scalars.
    pub scalars: &'a [BigInt<4>],
    /// The places of all scalars' bases, scalar by scalar.
    pub places: &'a [u32],
    /// Where each scalar's places end.
    pub ends: &'a [u32],
}

/// A curve whose points are multiplied here.
pub trait Curve: SWCurveConfig<ScalarField = Fr> {
    /// Σ scalar·base. Bases may be at infinity.
    ///
    /// # Panics
    /// If there are not as many scalars as bases, or one is not below the field's prime.
    fn sum_of_products(simd: Simd, bases: &[Affine<Self>], scalars: &[BigInt<4>]) -> Projective<Self>;

    /// Σ scalar·base over all bases of all groups: bases of the same scalar are added up first. Bases may be at infinity.
    ///
    /// # Panics
    /// If a place is behind the last base, or the groups' ends are not in order.
    fn sum_of_grouped_products(simd: Simd, bases: &[Affine<Self>], groups: Groups<'_>) -> Projective<Self>;
}

macro_rules! curve {
    ($config:ty) => {
        #[cfg(target_arch = "x86_64")]
        impl Curve for $config {
            fn sum_of_products(simd: Simd, bases: &[Affine<Self>], scalars: &[BigInt<4>]) -> Projective<Self> {
                msm::sum_of_products(simd.0, bases, scalars)
            }
            fn sum_of_grouped_products(simd: Simd, bases: &[Affine<Self>], groups: Groups<'_>) -> Projective<Self> {
                msm::sum_of_grouped_products(simd.0, bases, groups)
            }
        }

        #[cfg(not(target_arch = "x86_64"))]
        impl Curve for $config {
            fn sum_of_products(simd: Simd, _: &[Affine<Self>], _: &[BigInt<4>]) -> Projective<Self> {
                match simd.0 {}
            }
            fn sum_of_grouped_products(simd: Simd, _: &[Affine<Self>], _: Groups<'_>) -> Projective<Self> {
                match simd.0 {}
            }
        }
    };
}

curve!(g1::Config);
curve!(g2::Config);
