//! What a change of the circuit changes: row counts and the hash of the development keys, pinned in
//! `circuits/golden/circuit.json`, so that a reviewer sees it.

use crate::batch::rows;
use crate::gadgets::{h4, sponge};
use crate::keys::{development_verifying_key, vk_hash};
use crate::memory::{Challenges, Gaps, Memory};
use crate::r1cs::{Builder, Mode, Num};
use crate::slot::{Context, slot};
use crate::tree::{LeafNums, NodeNums, Tree};
use crate::witness::Private;
use alloy_primitives::B256;
use serde::{Deserialize, Serialize};
use sheaf_core::geometry::Geometry;
use sheaf_core::hash::SPONGE_RATE;
use sheaf_core::shape::Shape;
use std::path::{Path, PathBuf};

/// Rows of the parts of a batch circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// One hash of four elements.
    pub h4: usize,
    /// One element absorbed by the commitment.
    pub sponge_element: usize,
    /// One slot with its memory accesses, without what the commitment absorbs of it.
    pub slot: usize,
    /// One leaf row with its part of both checks, without what the commitment absorbs of it.
    pub leaf_row: usize,
    /// One node row, the same.
    pub node_row: usize,
    /// The whole circuit.
    pub total: usize,
}

/// The content of the golden file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Golden {
    /// Row counts of the development shape.
    #[serde(flatten)]
    pub counts: Counts,
    /// Hash of the development shape's verifying key.
    pub vk_hash: B256,
}

/// Where the golden file is, in a checkout of the repository.
pub fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/circuit.json")
}

impl Golden {
    /// Reads the golden file of this checkout.
    ///
    /// # Errors
    /// If it can't be read or is not JSON of this form.
    pub fn read() -> std::io::Result<Self> {
        let text = std::fs::read_to_string(path())?;
        serde_json::from_str(&text).map_err(std::io::Error::other)
    }

    /// Replaces the golden file of this checkout.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn write(&self) -> std::io::Result<()> {
        let text = serde_json::to_string_pretty(self).expect("numbers and a hash are JSON");
        std::fs::create_dir_all(path().parent().expect("the file has a folder"))?;
        std::fs::write(path(), text + "\n")
    }
}

impl Golden {
    /// What the golden file should say: counts the rows, and makes the verifying key of the development shape (about
    /// a second).
    pub fn current() -> Self {
        let (geometry, shape) = (Geometry::PROTOCOL, Shape::DEVELOPMENT);
        let vk_hash = vk_hash(&development_verifying_key(geometry, &shape));
        Self { counts: count(geometry, &shape), vk_hash }
    }
}

/// Counts the rows of a shape's circuit and of its parts.
pub fn count(geometry: Geometry, shape: &Shape) -> Counts {
    let count = |part: &dyn Fn(&mut Builder)| {
        let mut b = Builder::new(Mode::Witness);
        part(&mut b);
        b.row_count()
    };
    let zero = Num::default;
    let private = Private::blank(&Shape { slots: 1, leaf_rows: 1, node_rows: 1, ..*shape });
    let challenges = Challenges { alpha: zero(), gamma: zero() };
    let time_bits = shape.time_bits();
    Counts {
        h4: count(&|b| drop(h4(b, [&zero(), &zero(), &zero(), &zero()]))),
        sponge_element: count(&|b| drop(sponge(b, &vec![zero(); SPONGE_RATE]))) / SPONGE_RATE,
        slot: count(&|b| {
            let ctx = Context { geometry, domain: zero(), timestamp: zero(), fee_account: zero() };
            let advice = &private.slots[0];
            let ports = slot(b, &ctx, [&zero(), &zero(), &zero()], advice);
            let gaps = Gaps::new(b, &advice.gaps, time_bits);
            crate::tree::pack(b, gaps.bits());
            Memory::new(b, &challenges).slot(b, 0, &ports, &gaps);
        }),
        leaf_row: count(&|b| {
            let row = LeafNums::new(b, geometry, time_bits, &private.leaves[0]);
            Memory::new(b, &challenges).leaf(b, &row);
            Tree::new(b, geometry, &challenges).leaf(b, &row);
        }),
        node_row: count(&|b| {
            let row = NodeNums::new(b, geometry, 1, &private.nodes[0]);
            Tree::new(b, geometry, &challenges).node(b, 1, &row);
        }),
        total: rows(geometry, shape).row_count(),
    }
}
