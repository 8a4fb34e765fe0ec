//! Receipts are those of independent implementations, and nothing else than what was signed verifies.

use alloy_primitives::{Address, B256, Signature, U256, address, hex, uint};
use k256::ecdsa::SigningKey;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use sheaf_core::receipt::{COUNT_MAX, Leaf, Receipt, ReceiptError, ReceiptJson, Tree, digest, root_of};

const CHAIN_ID: u64 = 31_337;
const CONTRACT: Address = address!("5fbdb2315678afecb367f032d93f642f64180aa3");
/// A development node's first key, and the address of it.
const KEY: [u8; 32] = hex!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
const SIGNER: Address = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");

/// What anvil's `eth_signTypedData_v4` answers for the block of [`block`].
const SIGNATURE: [u8; 65] = hex!(
    "3329721a45fe978b06a10c3241885d2f782f3e5ac62254969e26cc0a8769c8377db0f2382e5fc82676f9a7284515088c9dfca2451d91e58f49a6cb17207ea1031b"
);

/// A block of `count` transactions.
fn block(count: u32) -> Vec<Leaf> {
    let leaf = |index: u32| Leaf { hash: B256::repeat_byte(index as u8 + 1), block: 41, index, batch: 7, position: 3 + index };
    (0..count).map(leaf).collect()
}

fn sign(digest: B256) -> [u8; 65] {
    let key = SigningKey::from_slice(&KEY).unwrap();
    Signature::from(key.sign_prehash_recoverable(digest.as_slice()).unwrap()).as_bytes()
}

fn signed(leaves: &[Leaf]) -> Vec<Receipt> {
    let tree = Tree::new(leaves);
    let signature = sign(digest(CHAIN_ID, CONTRACT, leaves[0].block, tree.count(), tree.root()));
    leaves.iter().map(|leaf| Receipt::new(leaf, &tree, signature)).collect()
}

fn verified(receipt: &Receipt, hash: B256) -> Result<(), ReceiptError> {
    receipt.verify(hash, CHAIN_ID, CONTRACT, SIGNER)
}

#[test]
fn leaves_and_roots_are_those_of_another_implementation() {
    // Made with @noble/hashes from the definition.
    let vectors = [
        (1, hex!("56af9b8a5349a9c558e3db6d4e146b5a844c0c2ba37a1977c3f59afcc20c6fe7")),
        (3, hex!("225d15da4842fdc8d6e53fe0b0a735b5f59b23acc05c8288a8b70d809fe887aa")),
        (5, hex!("ff5d9c8a57c79461f12cafaea72f4e3b491b535e796867e141504b548d7bccd8")),
    ];
    for (count, root) in vectors {
        assert_eq!(Tree::new(&block(count)).root(), B256::new(root), "{count} leaves");
    }
    assert_eq!(Tree::new(&[]).root(), B256::ZERO);
}

#[test]
fn block_is_signed_as_wallets_sign_typed_data() {
    let leaves = block(5);
    let tree = Tree::new(&leaves);
    for leaf in &leaves {
        verified(&Receipt::new(leaf, &tree, SIGNATURE), leaf.hash).unwrap();
    }
    assert_eq!(sign(digest(CHAIN_ID, CONTRACT, 41, 5, tree.root())), SIGNATURE);
}

#[test]
fn a_lone_right_end_is_taken_up_and_has_a_shorter_path() {
    let tree = Tree::new(&block(5));
    assert_eq!((0..5).map(|index| tree.path(index).len()).collect::<Vec<_>>(), [3, 3, 3, 3, 1]);
    // Repeating the last leaf, as other trees do, is another block.
    let mut repeated = block(6);
    repeated[5].hash = repeated[4].hash;
    assert_ne!(Tree::new(&repeated).root(), tree.root());
    assert!(Tree::new(&block(1)).path(0).is_empty());
}

#[test]
fn a_leaf_is_never_a_node_nor_a_node_a_leaf() {
    let leaves = block(4);
    let tree = Tree::new(&leaves);
    let node = Tree::new(&leaves[..2]).root();
    let sibling = tree.path(0)[1];
    // The upper half of the tree leads to the same root; what is passed off as a leaf is no digest of one.
    assert_eq!(root_of(node, 0, 2, &[sibling]).unwrap(), tree.root());
    let leaf = |bytes: &[u8]| Leaf {
        hash: B256::from_slice(&bytes[..32]),
        block: u64::from_be_bytes(bytes[32..40].try_into().unwrap()),
        index: u32::from_be_bytes(bytes[40..44].try_into().unwrap()),
        batch: u64::from_be_bytes(bytes[44..52].try_into().unwrap()),
        position: u32::from_be_bytes(bytes[52..56].try_into().unwrap()),
    };
    let children = [leaves[0].digest(), leaves[1].digest()].concat();
    assert_ne!(leaf(&children).digest(), node);
}

#[test]
fn count_index_and_path_are_bounded() {
    let leaf = block(1)[0].digest();
    for count in [0, COUNT_MAX + 1, u32::MAX] {
        assert_eq!(root_of(leaf, 0, count, &[]), Err(ReceiptError::Count { found: count }));
    }
    let most = vec![B256::ZERO; 20];
    assert!(root_of(leaf, 0, COUNT_MAX, &most).is_ok());
    for index in [5, 6, u32::MAX] {
        assert_eq!(root_of(leaf, index, 5, &[B256::ZERO]), Err(ReceiptError::Index { found: index, count: 5 }));
    }
    for (index, length) in [(0, 2), (0, 4), (4, 0), (4, 2), (4, 3)] {
        let wrong = ReceiptError::PathLength { found: length, index, count: 5 };
        assert_eq!(root_of(leaf, index, 5, &vec![B256::ZERO; length]), Err(wrong));
    }
}

/// Changes one field of a receipt.
type Change = fn(&mut Receipt);

#[test]
fn every_changed_field_is_refused() {
    let leaves = block(5);
    let good = signed(&leaves).remove(1);
    let hash = leaves[1].hash;
    verified(&good, hash).unwrap();
    let changes: [(&str, Change); 11] = [
        ("block", |r| r.block += 1),
        ("index", |r| r.index = 0),
        ("index beyond", |r| r.index = 5),
        ("count", |r| r.count += 1),
        ("count of none", |r| r.count = 0),
        ("batch", |r| r.batch -= 1),
        ("position", |r| r.position += 1),
        ("path", |r| r.path[1].0[31] ^= 1),
        ("path order", |r| r.path.swap(0, 1)),
        ("signature's r", |r| r.signature[0] ^= 1),
        ("signature's s", |r| r.signature[63] ^= 1),
    ];
    for (field, change) in changes {
        let mut changed = good.clone();
        change(&mut changed);
        assert!(verified(&changed, hash).is_err(), "{field} was changed");
    }
    assert_eq!(verified(&good, leaves[2].hash).unwrap_err().code(), "receipt_wrong_signer");
    let other = |chain_id, contract, signer| good.verify(hash, chain_id, contract, signer).unwrap_err();
    assert!(matches!(other(1, CONTRACT, SIGNER), ReceiptError::WrongSigner { .. }), "another chain");
    assert!(matches!(other(CHAIN_ID, Address::ZERO, SIGNER), ReceiptError::WrongSigner { .. }), "another contract");
    let wrong = ReceiptError::WrongSigner { expected: CONTRACT, found: SIGNER };
    assert_eq!(other(CHAIN_ID, CONTRACT, CONTRACT), wrong, "another signer");
}

#[test]
fn a_signature_has_one_form() {
    const ORDER: U256 = uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);
    let leaves = block(5);
    let good = signed(&leaves).remove(0);
    let refused = |signature| verified(&Receipt { signature, ..good.clone() }, leaves[0].hash).unwrap_err();
    // The other s is a valid signature for ECDSA, and would recover to the same signer.
    let mut high = good.signature;
    let s = ORDER - U256::from_be_slice(&high[32..64]);
    high[32..64].copy_from_slice(&s.to_be_bytes::<32>());
    high[64] ^= 27 ^ 28;
    assert_eq!(refused(high), ReceiptError::Signature);
    for parity in [0, 1, 26, 29, 255] {
        let mut other = good.signature;
        other[64] = parity;
        assert_eq!(refused(other), ReceiptError::Signature, "{parity}");
    }
    let mut flipped = good.signature;
    flipped[64] ^= 27 ^ 28;
    assert_ne!(refused(flipped), ReceiptError::Signature);
    assert_eq!(refused([0; 65]), ReceiptError::Signature);
}

#[test]
fn json_is_read_strictly() {
    let leaves = block(5);
    let good = ReceiptJson::from(&signed(&leaves)[0]);
    let refused = |change: fn(&mut ReceiptJson)| {
        let mut changed = good.clone();
        change(&mut changed);
        changed.verify(leaves[0].hash, CHAIN_ID, CONTRACT, SIGNER).unwrap_err().code()
    };
    assert_eq!(refused(|r| r.signature.truncate(130)), "hex_length");
    assert_eq!(refused(|r| r.signature.replace_range(0..2, "0X")), "hex_digit");
    assert_eq!(refused(|r| r.path[0].push('0')), "hex_length");
    let mut value = serde_json::to_value(&good).unwrap();
    value["misspelt"] = true.into();
    assert!(serde_json::from_value::<ReceiptJson>(value).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn every_path_leads_to_the_root_and_to_no_other_place(
        count in 1u32..70, index in any::<proptest::sample::Index>(), other in any::<proptest::sample::Index>(),
    ) {
        let leaves = block(count);
        let tree = Tree::new(&leaves);
        let (index, other) = (index.index(count as usize) as u32, other.index(count as usize) as u32);
        let path = tree.path(index);
        let leaf = leaves[index as usize].digest();
        prop_assert_eq!(root_of(leaf, index, count, &path).unwrap(), tree.root());
        if other != index {
            prop_assert_ne!(root_of(leaf, other, count, &path).ok(), Some(tree.root()));
        }
    }

    #[test]
    fn receipts_survive_json(count in 1u32..20, index in any::<proptest::sample::Index>()) {
        let leaves = block(count);
        let at = index.index(leaves.len());
        let receipt = signed(&leaves).remove(at);
        let text = serde_json::to_string(&ReceiptJson::from(&receipt)).unwrap();
        let read: ReceiptJson = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(read.to_receipt().unwrap(), receipt);
        prop_assert!(read.verify(leaves[at].hash, CHAIN_ID, CONTRACT, SIGNER).is_ok());
    }
}
