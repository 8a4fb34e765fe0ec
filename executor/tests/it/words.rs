//! The state as words against the plainest memory.

use crate::world::{Map, map_of};
use proptest::prelude::*;
use sheaf_core::F;
use sheaf_core::geometry::Geometry;
use sheaf_core::slot::Memory;
use sheaf_executor::Words;

proptest! {
    #[test]
    fn words_are_what_was_written(writes in proptest::collection::vec((0u32..20_000, 0u32..64, 0u64..3), 1..200)) {
        let geometry = Geometry::new(12);
        let (mut words, mut map) = (Words::new(geometry), Map::default());
        for (account, word, value) in writes {
            let address = geometry.address(account, word);
            prop_assert_eq!(words.get(address), map.read(address));
            words.set(address, F::from(value));
            map.write(address, F::from(value));
            prop_assert_eq!(words.get(address), F::from(value));
        }
        let addresses: Vec<_> = words.nonzero().map(|(address, _)| address).collect();
        prop_assert!(addresses.is_sorted());
        prop_assert!(map_of(&words) == map);
    }
}

#[test]
fn room_is_made_where_it_is_needed() {
    let geometry = Geometry::PROTOCOL;
    let mut words = Words::new(geometry);
    assert_eq!((words.accounts(), words.memory_bytes(), words.nonzero().count()), (0, 0, 0));
    words.set(geometry.address(9, 3), F::from(0u64));
    assert_eq!(words.memory_bytes(), 0, "a zero needs no room");
    words.set(geometry.address((1 << 24) - 1, 15), F::from(1u64));
    words.set(geometry.address(5, 63), F::from(2u64));
    assert!(words.memory_bytes() < 2 << 20, "one account takes no more than its chunk");
    words.reserve(geometry.address(7, 0));
    assert_eq!(words.accounts(), 4096);
    let found: Vec<_> = words.nonzero().collect();
    assert_eq!(found, [(geometry.address((1 << 24) - 1, 15), F::from(1u64)), (geometry.address(5, 63), F::from(2u64))]);
}

#[test]
fn a_million_accounts_fit_in_little_memory() {
    let geometry = Geometry::PROTOCOL;
    let mut words = Words::new(geometry);
    for account in (0..1 << 20).step_by(4096) {
        words.set(geometry.address(account, 0), F::from(1u64));
    }
    assert_eq!(words.accounts(), 1 << 20);
    assert!(words.memory_bytes() <= 128 << 20, "{} bytes", words.memory_bytes());
}

#[test]
#[should_panic(expected = "address out of range")]
fn an_address_outside_of_the_geometry_is_no_word() {
    Words::new(Geometry::new(4)).set(256, F::from(1u64));
}
