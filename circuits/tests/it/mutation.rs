//! Attacks on a finished assignment.

use ark_bn254::Fr as F;
use ark_ff::One;
use sheaf_circuits::r1cs::{Builder, Row, Var};
use std::collections::BTreeMap;

/// What [`survivors`] answers when all is bound.
pub(crate) const NONE: [usize; 0] = [];

/// Changes every private variable but the first `free` ones, one at a time, and returns the numbers of those whose change
/// breaks no row. A row is looked at for each variable in it, so this takes as long as checking all rows a few times.
pub(crate) fn survivors(b: &mut Builder, free: usize) -> Vec<usize> {
    assert_eq!(b.first_failure(), None, "the attack starts from a valid assignment");
    let rows: Vec<Row> = b.rows().to_vec();
    let mut rows_of: BTreeMap<Var, Vec<usize>> = BTreeMap::new();
    for (i, row) in rows.iter().enumerate() {
        for (_, var) in row.a.iter().chain(&row.b).chain(&row.c) {
            rows_of.entry(*var).or_default().push(i);
        }
    }
    let survives = |b: &mut Builder, i: usize, change: F| {
        b.private_mut()[i] += change;
        let in_rows = rows_of.get(&Var::Private(i as u32));
        let broken = in_rows.is_some_and(|r| r.iter().any(|row| !b.row_holds(&rows[*row])));
        b.private_mut()[i] -= change;
        !broken
    };
    (free..b.private().len())
        .filter(|i| {
            let value = b.private()[*i];
            // By one, to the negative (a flipped sign), and to the complement (a flipped bit).
            let changes = [F::one(), -value - value, F::one() - value - value];
            changes.into_iter().filter(|c| *c != F::from(0u64)).any(|change| survives(b, *i, change))
        })
        .collect()
}
