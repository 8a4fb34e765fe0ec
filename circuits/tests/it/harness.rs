//! Runs a batch circuit on any advice, and says which groups fail.

use alloy_primitives::keccak256;
use ark_ff::{One, PrimeField, Zero};
use sheaf_circuits::batch::{batch, rows};
use sheaf_circuits::r1cs::{Builder, Mode, Row};
use sheaf_circuits::witness::{Private, Public};
use sheaf_core::F;
use sheaf_core::geometry::Geometry;
use sheaf_core::shape::Shape;
use sheaf_core::types::field_to_bytes;
use std::collections::BTreeSet;
use std::sync::OnceLock;

type Side = Vec<(F, u32)>;

/// The rows of one circuit, ready to be evaluated many times.
#[derive(Debug)]
pub(crate) struct Circuit {
    geometry: Geometry,
    shape: Shape,
    rows: Vec<([Side; 3], u32)>,
    names: Vec<&'static str>,
}

impl Circuit {
    pub(crate) fn new(geometry: Geometry, shape: Shape) -> Self {
        let setup = rows(geometry, &shape);
        let side = |terms: &[(F, sheaf_circuits::r1cs::Var)]| terms.iter().map(|(k, v)| (*k, setup.index(*v) as u32)).collect();
        let flat = |row: &Row| ([side(&row.a), side(&row.b), side(&row.c)], row.group);
        Self { geometry, shape, rows: setup.rows().iter().map(flat).collect(), names: setup.group_names().to_vec() }
    }

    /// The circuit that most tests use.
    pub(crate) fn small() -> &'static Self {
        static SMALL: OnceLock<Circuit> = OnceLock::new();
        SMALL.get_or_init(|| Self::new(crate::world::GEOMETRY, crate::world::SHAPE))
    }

    /// The groups of the rows that fail for advice and public inputs.
    pub(crate) fn failures_with(&self, public: &Public, private: &Private) -> BTreeSet<&'static str> {
        let mut b = Builder::new(Mode::Witness);
        batch(&mut b, self.geometry, &self.shape, public, private);
        assert_eq!(b.row_count(), self.rows.len());
        let assignment = b.assignment();
        let eval = |side: &Side| {
            side.iter().fold(F::zero(), |sum, (k, v)| {
                let value = assignment[*v as usize];
                sum + if k.is_one() { value } else { *k * value }
            })
        };
        let fails = |[a, b, c]: &[Side; 3]| eval(a) * eval(b) != eval(c);
        self.rows.iter().filter(|(sides, _)| fails(sides)).map(|(_, group)| self.names[*group as usize]).collect()
    }

    /// The groups that fail when `c`, `x`, `y` and all that follows are made honestly of this advice.
    pub(crate) fn failures(&self, private: &Private) -> BTreeSet<&'static str> {
        let public = private.public_inputs(self.geometry, &self.shape, |c| {
            let mut preimage = field_to_bytes(c).to_vec();
            private.words.iter().for_each(|w| preimage.extend_from_slice(&field_to_bytes(*w)));
            F::from_be_bytes_mod_order(keccak256(preimage).as_slice())
        });
        let failures = self.failures_with(&public, private);
        for never in ["commitment", "evaluation", "challenges", "unnamed"] {
            assert!(!failures.contains(never), "{never} fails, so the trace was not made consistently: {failures:?}");
        }
        failures
    }
}
