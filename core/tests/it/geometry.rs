//! One function maps (account, word) to an address, and it never maps two to one.

use sheaf_core::geometry::{Geometry, child_number, parent};

#[test]
fn addresses_of_a_small_tree_are_a_bijection() {
    for depth in 4..=6 {
        let g = Geometry::new(depth);
        let mut seen = vec![false; g.word_count() as usize];
        for account in 0..g.account_capacity() {
            for word in 0..64 {
                let address = g.address(account, word) as usize;
                assert!(!std::mem::replace(&mut seen[address], true), "account {account} word {word}");
                assert_eq!(g.locate(address as u32), (account, word));
            }
        }
        assert!(seen.into_iter().all(|s| s));
    }
}

#[test]
fn the_protocol_geometry_has_the_specified_sizes() {
    let g = Geometry::PROTOCOL;
    assert_eq!((g.account_bits(), g.quad_bits(), g.node_id_bits()), (24, 28, 27));
    assert_eq!(g.first_leaf_id(), (4u32.pow(14) - 1) / 3);
    assert_eq!(g.address(5, 15), 95);
    assert_eq!(g.address(5, 16), (16 << 24) + 5);
    assert_eq!(g.address((1 << 24) - 1, 63), (1 << 30) - 1);
}

#[test]
#[should_panic(expected = "account index out of range")]
fn an_account_past_the_last_has_no_address() {
    Geometry::PROTOCOL.address(1 << 24, 3);
}

#[test]
fn heap_numbering_is_its_own_inverse() {
    for id in 0..1000u32 {
        for k in 0..4 {
            let child = 4 * id + k + 1;
            assert_eq!((parent(child), child_number(child)), (id, k as usize));
        }
    }
}
