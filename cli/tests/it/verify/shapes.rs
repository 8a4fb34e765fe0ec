//! A contract with two shapes: each batch is checked with the key of the shape that it names.

use super::world::{CHAIN_ID, SHAPE, case, key, prove_as};
use alloy::primitives::Address;
use sheaf_circuits::keys::development_verifying_key;
use sheaf_cli::verify::case::{Case, Deployment};
use sheaf_cli::verify::check::check;
use sheaf_cli::verify::keys::{KeyWords, Keys};
use sheaf_core::geometry::Geometry;
use sheaf_core::shape::Shape;

const CONTRACT: Address = Address::repeat_byte(0xcc);
const TIMESTAMP: u32 = 1_790_000_000;
const SECOND: Shape = Shape { id: 1, slots: 12, ..SHAPE };

#[test]
fn a_batch_of_the_second_shape_holds_with_its_key_and_not_with_the_first() {
    let second = development_verifying_key(Geometry::PROTOCOL, &SECOND);
    let [first_words, second_words] =
        [(key(), &SHAPE), (&second, &SECOND)].map(|(key, shape)| Keys::of_shape(key, shape.slots as u16).words().clone());
    assert_eq!((first_words.alpha, first_words.beta), (second_words.alpha, second_words.beta), "one phase 1");
    let shapes = [first_words.shapes.clone(), second_words.shapes].concat();
    let keys = Keys::new(KeyWords { shapes, ..first_words }).unwrap();
    let deployment = Deployment { chain_id: CHAIN_ID, contract: CONTRACT, keys };
    let code = |case: &Case| check(case, &deployment, &mut Vec::new()).map_or_else(|refusal| refusal.code(), |_| "accepted");

    let first = case(CONTRACT, TIMESTAMP, u64::from(TIMESTAMP) + 100);
    assert_eq!(code(&first), "accepted");
    let data =
        super::world::data(CONTRACT, [super::world::genesis(), sheaf_core::F::from(8)], TIMESTAMP, super::world::operations());
    let batch = prove_as(&data, &SECOND, &second);
    assert_eq!(code(&Case { batch: batch.clone(), ..first.clone() }), "accepted");
    for (mut batch, shape) in [(batch.clone(), 0), (first.batch.clone(), 1)] {
        batch.shape = shape;
        assert_eq!(code(&Case { batch, ..first.clone() }), "invalid_proof", "shape {shape} of the other's proof");
    }
    let unknown = Case { batch: sheaf_contracts::Sheaf::Batch { shape: 2, ..batch }, ..first };
    assert_eq!(code(&unknown), "unknown_shape");
}
