//! The circuit's size and keys against the targets and the golden file.

use sheaf_circuits::batch::{PUBLIC_INPUTS, batch};
use sheaf_circuits::golden::Golden;
use sheaf_circuits::r1cs::{Builder, Mode};
use sheaf_circuits::witness::{Private, Public};
use sheaf_core::F;
use sheaf_core::geometry::Geometry;
use sheaf_core::shape::Shape;

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

#[test]
fn larger_shapes_fill_their_domain() {
    for (shape, domain) in [(Shape::MEDIUM, 1usize << 20), (Shape::LARGE, 1 << 22)] {
        let mut b = Builder::new(Mode::Witness);
        let blank = Private::blank(&shape);
        let public = Public { c: F::default(), x: F::default(), y: F::default() };
        batch(&mut b, Geometry::PROTOCOL, &shape, &public, &blank);
        println!("{shape:?}: {} rows", b.row_count());
        let used = b.row_count() + 1 + PUBLIC_INPUTS;
        assert!(used <= domain && domain - used < 1_000, "{used} of {domain}");
        assert!(shape.holds_any_operation(Geometry::PROTOCOL));
    }
}
