//! Points of Baby Jubjub as variables, and its group law in two forms.
//!
//! *Edwards*, `a·x² + y² = 1 + d·x²·y²` with `a = 168700`, `d = 168696`: `a` is a square and `d` is none, so addition and
//! doubling are complete: on the curve no denominator is ever 0.
//!
//! *Montgomery*, `v² = u³ + A·u² + u` with `A = 168698`, by `u = (1 + y)/(1 - y)`, `v = u/x`: cheaper, but addition divides
//! by `u₂ - u₁` and doubling by `2v`. Every use says why these are not 0. The map is defined for all points but those with
//! `x = 0`, the identity and the point of order 2; the way back divides by `v`, 0 only at the point of order 2, and by
//! `u + 1`, which is never 0: `u = -1` would need `v² = A - 2 = d`, and `d` is no square.

use crate::r1cs::{Builder, Num};
use ark_ff::{AdditiveGroup, Field, One};
use sheaf_core::F;

/// The Edwards coefficient `a`.
pub(super) fn coeff_a() -> F {
    F::from(168_700u64)
}

/// The Edwards coefficient `d`.
pub(super) fn coeff_d() -> F {
    F::from(168_696u64)
}

/// The Montgomery coefficient `A`.
pub(super) fn montgomery_a() -> F {
    F::from(168_698u64)
}

/// A point in Edwards coordinates.
#[derive(Clone, Debug)]
pub struct Edwards {
    /// First coordinate.
    pub x: Num,
    /// Second coordinate.
    pub y: Num,
}

/// A point in Montgomery coordinates, not the identity.
#[derive(Clone, Debug)]
pub(super) struct Montgomery {
    pub(super) u: Num,
    pub(super) v: Num,
}

/// `x²` and `y²` of a point.
pub(super) struct Squares {
    x2: Num,
    y2: Num,
}

impl Edwards {
    /// Enforces that the point is on the curve (3 rows).
    pub(super) fn enforce_on_curve(&self, b: &mut Builder) -> Squares {
        let squares = self.squares(b);
        let Squares { x2, y2 } = &squares;
        // x²·(d·y² - a) = y² - 1, two rows for the squares and this one.
        let factor = &y2.scaled(coeff_d()) - &b.constant(coeff_a());
        let right = y2 - &b.one();
        b.enforce(x2, &factor, &right);
        squares
    }

    fn squares(&self, b: &mut Builder) -> Squares {
        Squares { x2: b.square(&self.x), y2: b.square(&self.y) }
    }

    /// Twice a point on the curve (5 rows).
    pub(super) fn double(&self, b: &mut Builder) -> Self {
        let squares = self.squares(b);
        self.double_with(b, &squares)
    }

    /// Twice a point on the curve whose squares are at hand (3 rows).
    pub(super) fn double_with(&self, b: &mut Builder, Squares { x2, y2 }: &Squares) -> Self {
        let xy = b.mul(&self.x, &self.y);
        let ax2 = x2.scaled(coeff_a());
        let sum = &ax2 + y2;
        let x = b.quotient(&xy.scaled(F::from(2u64)), &sum);
        let two = b.constant(F::from(2u64));
        let y = b.quotient(&(y2 - &ax2), &(&two - &sum));
        Self { x, y }
    }

    /// The sum of two points on the curve (6 rows).
    pub(super) fn add(&self, b: &mut Builder, other: &Self) -> Self {
        let sum = self.sum(b, other);
        let x = b.quotient(&sum.x_over, &sum.x_under);
        let y = b.quotient(&sum.y_over, &sum.y_under);
        Self { x, y }
    }

    /// Enforces `self + other = total` for points on the curve (6 rows).
    pub(super) fn enforce_sum(&self, b: &mut Builder, other: &Self, total: &Self) {
        let sum = self.sum(b, other);
        b.enforce(&total.x, &sum.x_under, &sum.x_over);
        b.enforce(&total.y, &sum.y_under, &sum.y_over);
    }

    /// Numerators and denominators of a sum (4 rows).
    fn sum(&self, b: &mut Builder, other: &Self) -> Sum {
        let a = coeff_a();
        let x1y2 = b.mul(&self.x, &other.y);
        let y1x2 = b.mul(&self.y, &other.x);
        // (y1 - a·x1)·(x2 + y2) = y1·x2 + y1·y2 - a·x1·x2 - a·x1·y2
        let crossed = b.mul(&(&self.y - &self.x.scaled(a)), &(&other.x + &other.y));
        let product = b.mul(&x1y2, &y1x2).scaled(coeff_d());
        let one = b.one();
        let mut y_over = crossed;
        y_over.add_scaled(a, &x1y2);
        y_over.add_scaled(-F::one(), &y1x2);
        Sum { x_over: &x1y2 + &y1x2, x_under: &one + &product, y_over, y_under: &one - &product }
    }

    /// The same point in Montgomery coordinates (2 rows). The caller argues that `x` is not 0.
    pub(super) fn to_montgomery(&self, b: &mut Builder) -> Montgomery {
        let one = b.one();
        let u = b.quotient(&(&one + &self.y), &(&one - &self.y));
        let v = b.quotient(&u, &self.x);
        Montgomery { u, v }
    }
}

struct Sum {
    x_over: Num,
    x_under: Num,
    y_over: Num,
    y_under: Num,
}

impl Montgomery {
    /// The same point in Edwards coordinates (2 rows). The caller argues that it is not the point of order 2.
    pub(super) fn to_edwards(&self, b: &mut Builder) -> Edwards {
        let one = b.one();
        let x = b.quotient(&self.u, &self.v);
        let y = b.quotient(&(&self.u - &one), &(&self.u + &one));
        Edwards { x, y }
    }

    /// Twice the point (4 rows). The caller argues that `v` is not 0.
    pub(super) fn double(&self, b: &mut Builder) -> Self {
        let u2 = b.square(&self.u);
        let mut over = u2.scaled(F::from(3u64));
        over.add_scaled(montgomery_a().double(), &self.u);
        over += &b.one();
        let slope = b.quotient(&over, &self.v.scaled(F::from(2u64)));
        self.third(b, &slope, &self.u)
    }

    /// The sum with `other`, given the value of the slope between them (3 rows). The caller argues that the points have
    /// different `u`.
    pub(super) fn add(&self, b: &mut Builder, other: &Self, slope: F) -> Self {
        let slope = b.witness(slope);
        b.enforce(&slope, &(&other.u - &self.u), &(&other.v - &self.v));
        self.third(b, &slope, &other.u)
    }

    /// `2·self + other`, as `(self + other) + self`, whose first sum needs no `v` (5 rows). The caller argues that neither
    /// addition is of points with equal `u`, and gives the values of both slopes.
    pub(super) fn double_add(&self, b: &mut Builder, other: &Self, slopes: [F; 2]) -> Self {
        let [first, second] = slopes.map(|slope| b.witness(slope));
        b.enforce(&first, &(&other.u - &self.u), &(&other.v - &self.v));
        let u = third_u(b, &first, &self.u, &other.u);
        // second = (v - self.v)/(u - self.u) with v = first·(self.u - u) - self.v
        b.enforce(&(&first + &second), &(&self.u - &u), &self.v.scaled(F::from(2u64)));
        self.third(b, &second, &u)
    }

    /// The sum of two points, of which `self` is one and the other has the coordinate `other_u`, by their slope (2 rows).
    fn third(&self, b: &mut Builder, slope: &Num, other_u: &Num) -> Self {
        let u = third_u(b, slope, &self.u, other_u);
        let v = b.witness(slope.value() * (self.u.value() - u.value()) - self.v.value());
        b.enforce(slope, &(&self.u - &u), &(&v + &self.v));
        Self { u, v }
    }
}

/// The `u` of the sum of two points: `slope² - A - u₁ - u₂` (1 row).
fn third_u(b: &mut Builder, slope: &Num, first: &Num, second: &Num) -> Num {
    let rest = &(first + second) + &b.constant(montgomery_a());
    let u = b.witness(slope.value().square() - rest.value());
    b.enforce(slope, slope, &(&u + &rest));
    u
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::r1cs::Mode;
    use ark_ec::CurveGroup;
    use ark_ff::Zero;
    use sheaf_core::eddsa::{Point, Scalar, base8};

    #[test]
    fn edwards_addition_is_complete() {
        // Bernstein and others, <https://eprint.iacr.org/2008/013>, theorem 3.3 scaled: a square, d none.
        assert!(coeff_a().legendre().is_qr());
        assert!(coeff_d().legendre().is_qnr());
        assert_eq!(montgomery_a() + F::from(2u64), coeff_a());
        assert_eq!(montgomery_a() - F::from(2u64), coeff_d());
    }

    fn edwards(b: &mut Builder, point: Point) -> Edwards {
        Edwards { x: b.witness(point.x), y: b.witness(point.y) }
    }

    #[test]
    fn edwards_operations_equal_native_ones() {
        let multiple = |k: u64| (base8() * Scalar::from(k)).into_affine();
        let order_2 = Point::new_unchecked(F::zero(), -F::one());
        let points = [Point::zero(), order_2, multiple(1), multiple(2), -multiple(1), multiple(77)];
        for p in points {
            for q in points {
                let mut b = Builder::new(Mode::Check);
                let (x, y) = (edwards(&mut b, p), edwards(&mut b, q));
                x.enforce_on_curve(&mut b);
                let (sum, twice) = (x.add(&mut b, &y), x.double(&mut b));
                x.enforce_sum(&mut b, &y, &sum);
                assert_eq!(b.first_failure(), None);
                let native = (p + q).into_affine();
                assert_eq!((sum.x.value(), sum.y.value()), (native.x, native.y));
                let native = (p + p).into_affine();
                assert_eq!((twice.x.value(), twice.y.value()), (native.x, native.y));
                let mut off = sum.clone();
                off.x += &b.one();
                x.enforce_sum(&mut b, &y, &off);
                assert!(b.first_failure().is_some());
            }
        }
    }

    #[test]
    fn montgomery_coordinates_come_back() {
        let mut b = Builder::new(Mode::Check);
        let point = edwards(&mut b, (base8() * Scalar::from(5u64)).into_affine());
        let back = point.to_montgomery(&mut b).to_edwards(&mut b);
        assert_eq!((back.x.value(), back.y.value()), (point.x.value(), point.y.value()));
        let twice = point.to_montgomery(&mut b).double(&mut b).to_edwards(&mut b);
        let native = (base8() * Scalar::from(10u64)).into_affine();
        assert_eq!((twice.x.value(), twice.y.value()), (native.x, native.y));
        assert_eq!(b.first_failure(), None);
    }
}
