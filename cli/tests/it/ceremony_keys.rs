//! Key files that have everything but what provers multiply: `sheaf deploy` and `sheaf keys transcript` look at the verifying
//! key and the transcript alone, and to make the rest takes minutes.

use alloy::primitives::{B256, U256, uint};
use sheaf_circuits::batch::rows;
use sheaf_circuits::ceremony::{Transcript, initial_digest};
use sheaf_circuits::evm::{g1_from_words, g2_from_words};
use sheaf_circuits::keys::{KeySet, Origin, StoredKeys, development_verifying_key};
use sheaf_circuits::matrices::Matrices;
use sheaf_circuits::prove::ProvingKey;
use sheaf_core::geometry::Geometry;
use sheaf_core::shape::Shape;
use std::path::{Path, PathBuf};

const GEOMETRY: Geometry = Geometry::PROTOCOL;
const G1: [U256; 2] = [uint!(1_U256), uint!(2_U256)];
/// The generator of G2 in EIP-197's order.
pub(crate) const G2: [U256; 4] = uint!([
    0x198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2_U256,
    0x1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed_U256,
    0x090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b_U256,
    0x12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa_U256,
]);

/// A shape's development keys, in a file of their usual name.
pub(crate) fn development(folder: &Path, shape: Shape) -> PathBuf {
    let path = KeySet::development_path(folder, GEOMETRY, &shape);
    stored(shape).write(&path).unwrap();
    path
}

/// The key that a ceremony begins with: γ and δ are 1, and nobody has contributed.
pub(crate) fn ceremony(path: &Path, shape: Shape) {
    let mut keys = stored(shape);
    let key = &mut keys.proving_key;
    let g2 = g2_from_words(G2).unwrap();
    (key.vk.gamma_g2, key.vk.delta_g2, key.delta_g1) = (g2, g2, g1_from_words(G1).unwrap());
    let initial = initial_digest((GEOMETRY, &shape), keys.fingerprint, key);
    keys.origin = Origin::Ceremony(Transcript { phase1: B256::repeat_byte(1), initial, contributions: Vec::new() });
    keys.write(path).unwrap();
}

fn stored(shape: Shape) -> StoredKeys {
    let fingerprint = Matrices::from(&rows(GEOMETRY, &shape)).fingerprint();
    let vk = development_verifying_key(GEOMETRY, &shape);
    let g1 = g1_from_words(G1).unwrap();
    let proving_key = ProvingKey {
        vk,
        // Any points: in G1, neither has a part in verifying.
        beta_g1: g1,
        delta_g1: g1,
        a_query: Vec::new(),
        b_g1_query: Vec::new(),
        b_g2_query: Vec::new(),
        h_query: Vec::new(),
        l_query: Vec::new(),
    };
    StoredKeys { geometry: GEOMETRY, shape, fingerprint, origin: Origin::Development, proving_key }
}
