//! Every variable of a finished assignment, changed alone, breaks a row.

use crate::mutation::survivors;
use crate::world::{GEOMETRY, SHAPE, mixed};
use sheaf_circuits::batch::batch;
use sheaf_circuits::r1cs::{Builder, Mode, Var};
use sheaf_circuits::witness::Private;
use std::collections::BTreeMap;

/// The survivors are inverses of 0: where a value that need not be different from 0 is 0, the advice that would prove that it is not
/// is multiplied by 0, and stands in no other row.
#[test]
fn every_variable_is_bound_but_for_inverses_of_zero() {
    let witness = mixed();
    let mut b = Builder::new(Mode::Check);
    batch(&mut b, GEOMETRY, &SHAPE, &witness.public_inputs(), &Private::from(&witness));
    let survivors = survivors(&mut b, 0);
    let mut by_group: BTreeMap<&str, usize> = BTreeMap::new();
    for index in survivors {
        let var = Var::Private(index as u32);
        let rows: Vec<_> = b.rows().iter().filter(|r| r.a.iter().chain(&r.b).chain(&r.c).any(|(_, v)| *v == var)).collect();
        assert_eq!(rows.len(), 1, "variable {index} stands in other rows, too");
        assert!(rows[0].b.len() == 1 && rows[0].b[0].1 == var, "variable {index} is no right factor");
        let left = rows[0].a.iter().map(|(k, v)| *k * b.value_of(*v)).sum::<sheaf_core::F>();
        assert_eq!(left, sheaf_core::F::from(0u64), "variable {index} is multiplied by something");
        *by_group.entry(b.group_names()[rows[0].group as usize]).or_default() += 1;
    }
    println!("{} variables; survivors: {by_group:?}", b.private().len());
    // The deposit's owner equals aux1; the TransferNew's receiver is empty; SetKey and Noop name no token; Transfer and Noop have
    // no aux1; Transfer, Withdraw and Noop have no aux2.
    let expected = [("ports", 1), ("receiver", 1), ("token_word", 2), ("zero_aux", 5)];
    assert_eq!(by_group.into_iter().collect::<Vec<_>>(), expected);
}
