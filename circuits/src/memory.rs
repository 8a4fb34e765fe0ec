//! The memory check: reads and writes of all ports, and the words of leaf rows, as two equal products.
//!
//! `Π init · Π writes = Π reads · Π final`, each factor `γ - (address + α·value + α²·time)`. Everything in a factor
//! was fixed by the commitment before `α` and `γ` were known.

use crate::r1cs::{Builder, Num, weighted_sum};
use crate::slot::Port;
use crate::tree::LeafNums;
use sheaf_core::F;
use sheaf_core::geometry::ARITY;
use sheaf_core::slot::PORTS;

/// The challenges that both multiset checks are made with.
#[derive(Debug)]
pub(crate) struct Challenges {
    pub(crate) alpha: Num,
    pub(crate) gamma: Num,
}

impl Challenges {
    /// `γ - (place + α·first + α²·second)` (two rows).
    pub(crate) fn factor(&self, b: &mut Builder, place: &Num, first: &Num, second: &Num) -> Num {
        let inner = b.mul(&self.alpha, second);
        let outer = b.mul(&self.alpha, &(first + &inner));
        &(&self.gamma - place) - &outer
    }

    /// [`Challenges::factor`] for a time that is a constant (one row).
    fn factor_at(&self, b: &mut Builder, address: &Num, value: &Num, time: u32) -> Num {
        let outer = b.mul(&self.alpha, &(value + &(&self.alpha * F::from(time))));
        &(&self.gamma - address) - &outer
    }
}

/// A product that grows by one factor a row.
#[derive(Debug)]
pub(crate) struct Product(Num);

impl Product {
    /// The empty product.
    pub(crate) fn new(b: &Builder) -> Self {
        Self(b.one())
    }

    /// Multiplies by `factor` (one row).
    pub(crate) fn push(&mut self, b: &mut Builder, factor: &Num) {
        self.0 = b.mul(&self.0, factor);
    }

    /// Multiplies by `factor` if the boolean `flag` is 1 (two rows).
    pub(crate) fn push_if(&mut self, b: &mut Builder, flag: &Num, factor: &Num) {
        let one = b.one();
        let factor = b.select(flag, factor, &one);
        self.push(b, &factor);
    }

    /// Adds `self = other` (one row).
    pub(crate) fn enforce_equal(&self, b: &mut Builder, other: &Self) {
        b.enforce_equal(&self.0, &other.0);
    }
}

/// The gaps of a slot's ports: how long before each port its word was last written.
#[derive(Debug)]
pub(crate) struct Gaps([Vec<Num>; PORTS]);

impl Gaps {
    /// Range-checks the gaps: none reaches into the future.
    pub(crate) fn new(b: &mut Builder, gaps: &[F; PORTS], time_bits: u32) -> Self {
        b.group("gap_width", |b| Self(gaps.map(|gap| b.digits(gap, time_bits as usize))))
    }

    /// All bits, in the order in which the trace packs them.
    pub(crate) fn bits(&self) -> impl Iterator<Item = &Num> {
        self.0.iter().flatten()
    }
}

/// Both sides of the memory check.
#[derive(Debug)]
pub(crate) struct Memory<'a> {
    challenges: &'a Challenges,
    left: Product,
    right: Product,
}

impl<'a> Memory<'a> {
    pub(crate) fn new(b: &Builder, challenges: &'a Challenges) -> Self {
        Self { challenges, left: Product::new(b), right: Product::new(b) }
    }

    /// The seven accesses of slot number `index` (five rows each).
    pub(crate) fn slot(&mut self, b: &mut Builder, index: usize, ports: &[Port; PORTS], gaps: &Gaps) {
        for (j, (port, gap)) in ports.iter().zip(&gaps.0).enumerate() {
            let now = u32::try_from(PORTS * index + j + 1).expect("fewer than 2^32 accesses");
            let last_write = &b.constant(F::from(now - 1)) - &weighted_sum(gap);
            let read = self.challenges.factor(b, &port.address, &port.old, &last_write);
            self.right.push(b, &read);
            let written = self.challenges.factor_at(b, &port.address, &port.new, now);
            self.left.push(b, &written);
        }
    }

    /// The words of a leaf row: first and last value of those that are touched (seven rows each).
    pub(crate) fn leaf(&mut self, b: &mut Builder, row: &LeafNums) {
        for k in 0..ARITY {
            let address = &(&row.quad * F::from(ARITY as u64)) + &b.constant(F::from(k as u64));
            let init = self.challenges.factor_at(b, &address, &row.old[k], 0);
            self.left.push_if(b, &row.touched[k], &init);
            let last = self.challenges.factor(b, &address, &row.new[k], &row.times[k]);
            self.right.push_if(b, &row.touched[k], &last);
        }
    }

    /// Closes the check.
    pub(crate) fn finish(self, b: &mut Builder) {
        self.left.enforce_equal(b, &self.right);
    }
}
