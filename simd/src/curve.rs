//! Curve points in lanes, and the curves of BN254.

use crate::field::Field;
use crate::limbs::Base;
use crate::prime::{LANES, Prime};
use crate::quadratic::Quadratic;
use ark_bn254::{Fr, g1, g2};
use ark_ec::AffineRepr;
use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ff::{One, Zero};
use pulp::x86::V3;

/// How the points of a curve y² = x³ + b stand in lanes.
pub(crate) trait Lanes: SWCurveConfig<ScalarField = Fr> {
    /// Twelve coordinates.
    type Field: Field<Ark = Self::BaseField>;

    /// 3b·a, reduced. `a` is reduced.
    fn times_3b(simd: V3, a: &Self::Field) -> Self::Field;
}

impl Lanes for g1::Config {
    type Field = Prime<Base>;

    /// b = 3.
    #[inline(always)]
    fn times_3b(simd: V3, a: &Self::Field) -> Self::Field {
        a.scale(simd, 3.0).reduce(simd).scale(simd, 3.0).reduce(simd)
    }
}

impl Lanes for g2::Config {
    type Field = Quadratic;

    #[inline(always)]
    fn times_3b(simd: V3, a: &Self::Field) -> Self::Field {
        let b = g2::Config::COEFF_B;
        Quadratic::multiply(simd, a, &Quadratic::splat(simd, &Quadratic::stored(&(b + b + b))))
    }
}

/// A point in affine coordinates in memory. At infinity both are 0, which is not on the curve.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point<F: Field> {
    pub(crate) x: F::Stored,
    pub(crate) y: F::Stored,
}

impl<F: Field> Point<F> {
    pub(crate) const INFINITY: Self = Self { x: F::ZERO, y: F::ZERO };

    pub(crate) fn is_infinity(&self) -> bool {
        self.x == F::ZERO && self.y == F::ZERO
    }

    pub(crate) fn negated(&self) -> Self {
        Self { x: self.x, y: F::negate(&self.y) }
    }

    /// From ark's form.
    pub(crate) fn new<P: Lanes<Field = F, BaseField = F::Ark>>(point: &Affine<P>) -> Self {
        point.xy().map_or(Self::INFINITY, |(x, y)| Self { x: F::stored(&x), y: F::stored(&y) })
    }

    /// To ark's form.
    pub(crate) fn affine<P: Lanes<Field = F, BaseField = F::Ark>>(&self) -> Affine<P> {
        if self.is_infinity() {
            return Affine::identity();
        }
        Affine::new_unchecked(F::element(&self.x), F::element(&self.y))
    }
}

/// Twelve points in homogeneous projective coordinates.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Homogeneous<F> {
    x: F,
    y: F,
    z: F,
}

impl<F: Field> Homogeneous<F> {
    /// Twelve times infinity.
    #[inline(always)]
    pub(crate) fn infinity(simd: V3) -> Self {
        let zero = F::splat(simd, &F::ZERO);
        Self { x: zero, y: F::splat(simd, &F::stored(&F::Ark::one())), z: zero }
    }

    /// Gathers points.
    #[inline(always)]
    pub(crate) fn load(simd: V3, points: [&Point<F>; LANES], one: &F::Stored) -> Self {
        let infinite = points.map(Point::is_infinity);
        let zero = F::ZERO;
        let y = std::array::from_fn(|lane| if infinite[lane] { one } else { &points[lane].y });
        let z = std::array::from_fn(|lane| if infinite[lane] { &zero } else { one });
        Self { x: F::load(simd, points.map(|point| &point.x)), y: F::load(simd, y), z: F::load(simd, z) }
    }

    /// To ark's form.
    #[inline(always)]
    pub(crate) fn store<P: Lanes<Field = F, BaseField = F::Ark>>(&self, simd: V3) -> [Projective<P>; LANES] {
        let (x, y, z) = (self.x.store(simd), self.y.store(simd), self.z.store(simd));
        std::array::from_fn(|lane| {
            let z = F::element(&z[lane]);
            // ark's are Jacobian: x/z², y/z³.
            if z.is_zero() {
                return Projective::zero();
            }
            Projective::new_unchecked(F::element(&x[lane]) * z, F::element(&y[lane]) * z * z, z)
        })
    }

    /// The complete addition law for a = 0: right for any two points (Renes, Costello and Batina, "Complete addition formulas
    /// for prime order elliptic curves", EUROCRYPT 2016, algorithm 7).
    #[inline(always)]
    pub(crate) fn add<P: Lanes<Field = F>>(&self, simd: V3, other: &Self) -> Self {
        let (xx, yy) = (product(simd, &self.x, &other.x), product(simd, &self.y, &other.y));
        let zz = product(simd, &self.z, &other.z);
        let xy = cross(simd, [&self.x, &self.y], [&other.x, &other.y], [&xx, &yy]);
        let yz = cross(simd, [&self.y, &self.z], [&other.y, &other.z], [&yy, &zz]);
        let xz = P::times_3b(simd, &cross(simd, [&self.x, &self.z], [&other.x, &other.z], [&xx, &zz]));
        let zz = P::times_3b(simd, &zz);
        let xx = xx.scale(simd, 3.0).reduce(simd);
        let (sum, difference) = (yy.add(simd, &zz).reduce(simd), yy.subtract(simd, &zz).reduce(simd));
        let minus_yz = yz.scale(simd, -1.0);
        Self {
            x: F::sum_of_2_products(simd, (&xy, &difference), (&minus_yz, &xz)).reduce(simd),
            y: F::sum_of_2_products(simd, (&xz, &xx), (&difference, &sum)).reduce(simd),
            z: F::sum_of_2_products(simd, (&sum, &yz), (&xx, &xy)).reduce(simd),
        }
    }
}

#[inline(always)]
fn product<F: Field>(simd: V3, a: &F, b: &F) -> F {
    F::multiply(simd, a, b).reduce(simd)
}

/// a0·b1 + a1·b0, from a0·b0 and a1·b1.
#[inline(always)]
fn cross<F: Field>(simd: V3, a: [&F; 2], b: [&F; 2], products: [&F; 2]) -> F {
    let all = F::multiply(simd, &a[0].add(simd, a[1]), &b[0].add(simd, b[1]));
    all.subtract(simd, products[0]).subtract(simd, products[1]).reduce(simd)
}
