//! The circuit's size and keys against the targets and the golden file.

use sheaf_circuits::golden::Golden;

#[test]
fn the_development_shape_is_what_the_golden_file_says() {
    let current = Golden::current();
    println!("{current:?}");
    let counts = current.counts;
    assert!(counts.slot <= 4541 && counts.leaf_row <= 666 && counts.node_row <= 596, "{counts:?}");
    assert!(counts.total <= 400_000, "{counts:?}");
    let golden = Golden::read().expect("golden/circuit.json is committed");
    assert_eq!(current, golden, "the circuit changed: look at the difference, then run `make golden`");
}
