//! Circuit and native code agree on random batches of every operation.

use crate::harness::Circuit;
use crate::world::{GEOMETRY, KINDS, Random, SHAPE, mixed};
use sheaf_circuits::batch::{batch, rows};
use sheaf_circuits::r1cs::{Builder, Mode};
use sheaf_circuits::witness::Private;

const SEEDS: u64 = 4;
const BATCHES: usize = 12;

#[test]
fn random_batches_of_every_operation_satisfy_the_circuit() {
    let circuit = Circuit::small();
    let mut made = std::collections::BTreeMap::new();
    for seed in 0..SEEDS {
        let mut random = Random::new(seed);
        for number in 0..BATCHES {
            let witness = random.batch();
            let private = Private::from(&witness);
            let public = witness.public_inputs();
            let derived = private.public_inputs(GEOMETRY, &SHAPE, |c| witness.public.challenge(&SHAPE, c));
            assert_eq!(derived, public, "seed {seed}, batch {number}");
            let failures = circuit.failures_with(&public, &private);
            assert!(failures.is_empty(), "seed {seed}, batch {number}: {failures:?}");
            // Another root is refused.
            let mut other = private;
            other.words[2] += sheaf_core::F::from(1u64);
            assert!(circuit.failures(&other).contains("root"), "seed {seed}, batch {number}");
        }
        random.made.iter().for_each(|(kind, n)| *made.entry(*kind).or_insert(0) += n);
    }
    for kind in KINDS {
        assert!(made.get(kind).is_some_and(|n| *n > 0), "no {kind} in {made:?}");
    }
    println!("covered: {made:?}");
}

#[test]
fn the_rows_do_not_depend_on_values() {
    let witness = mixed();
    let mut check = Builder::new(Mode::Check);
    batch(&mut check, GEOMETRY, &SHAPE, &witness.public_inputs(), &Private::from(&witness));
    assert_eq!(check.first_failure(), None);
    let setup = rows(GEOMETRY, &SHAPE);
    assert_eq!(setup.rows().len(), check.rows().len());
    for (a, b) in setup.rows().iter().zip(check.rows()) {
        assert_eq!((&a.a, &a.b, &a.c), (&b.a, &b.b, &b.c));
    }
}
