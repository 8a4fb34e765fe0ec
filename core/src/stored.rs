//! The bytes in which a batch's witness waits in the database for its prover.

use crate::F;
use crate::batch::PublicData;
use crate::eddsa::{PublicKey, Signature};
use crate::geometry::Geometry;
use crate::l1;
use crate::operation::Operation;
use crate::shape::Shape;
use crate::slot::SlotSignature;
use crate::trace::{BatchWitness, Trace};
use crate::types::AccountId;
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize, SerializationError};

/// First byte of the stored form.
const VERSION: u8 = 1;

/// Stored bytes that are no witness.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// The bytes end early, run over, or hold a value out of range.
    #[error("the stored witness is damaged: {0}")]
    Damaged(String),
    /// Another version of Sheaf wrote them.
    #[error("the stored witness has format {0}, this program reads format {VERSION}")]
    Version(u8),
}

impl From<SerializationError> for StoredError {
    fn from(error: SerializationError) -> Self {
        Self::Damaged(error.to_string())
    }
}

#[derive(CanonicalSerialize, CanonicalDeserialize)]
struct Stored {
    version: u8,
    depth: u32,
    shape: (u8, u64, u64, u64),
    roots: (F, F, F),
    timestamp: u32,
    fee_account: u32,
    l1_count: u32,
    op_count: u32,
    ops: Vec<u8>,
    /// Expiry and Ax, Ay, R8x, R8y, S, where there is a signature.
    signatures: Vec<Option<(u32, [[u8; 32]; 5])>>,
    trace: Trace,
    c: F,
}

impl BatchWitness {
    /// The stored form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Self { geometry, shape, public, trace, signatures, c } = self;
        let stored = Stored {
            version: VERSION,
            depth: geometry.depth(),
            shape: (shape.id, shape.slots as u64, shape.leaf_rows as u64, shape.node_rows as u64),
            roots: (public.domain, public.old_root, public.new_root),
            timestamp: public.timestamp,
            fee_account: public.fee_account.get(),
            l1_count: l1::l1_count(&public.operations) as u32,
            op_count: public.operations.len() as u32,
            ops: l1::posted(&public.operations),
            signatures: signatures.iter().map(|s| s.as_ref().map(signature_to_parts)).collect(),
            trace: trace.clone(),
            c: *c,
        };
        let mut bytes = Vec::with_capacity(stored.compressed_size());
        stored.serialize_compressed(&mut bytes).expect("a Vec takes all bytes");
        bytes
    }

    /// Reads the stored form back.
    ///
    /// # Errors
    /// [`StoredError`].
    pub fn from_bytes(mut bytes: &[u8]) -> Result<Self, StoredError> {
        let damaged = |what: &str| StoredError::Damaged(what.to_owned());
        match bytes.first() {
            Some(&VERSION) => {}
            Some(other) => return Err(StoredError::Version(*other)),
            None => return Err(damaged("it is empty")),
        }
        let stored = Stored::deserialize_compressed(&mut bytes)?;
        if !bytes.is_empty() {
            return Err(damaged("bytes are left over"));
        }
        if !(4..=crate::geometry::DEPTH).contains(&stored.depth) {
            return Err(damaged("depth"));
        }
        let (id, slots, leaf_rows, node_rows) = stored.shape;
        let operations = Operation::decode_all(&stored.ops, stored.l1_count as usize, stored.op_count as usize)
            .map_err(|e| damaged(&e.to_string()))?;
        let (domain, old_root, new_root) = stored.roots;
        let fee_account = AccountId::new(stored.fee_account).ok_or_else(|| damaged("fee account"))?;
        let signatures = stored.signatures.iter().map(|s| s.as_ref().map(signature_from_parts).transpose());
        Ok(Self {
            geometry: Geometry::new(stored.depth),
            shape: Shape { id, slots: slots as usize, leaf_rows: leaf_rows as usize, node_rows: node_rows as usize },
            public: PublicData { domain, old_root, new_root, timestamp: stored.timestamp, fee_account, operations },
            trace: stored.trace,
            signatures: signatures.collect::<Result<_, _>>()?,
            c: stored.c,
        })
    }
}

fn signature_to_parts(slot: &SlotSignature) -> (u32, [[u8; 32]; 5]) {
    let (key, signature) = (slot.public_key.to_bytes(), slot.signature.to_bytes());
    let part = |bytes: &[u8], i: usize| bytes[32 * i..32 * (i + 1)].try_into().expect("32 bytes");
    (slot.expires, [part(&key, 0), part(&key, 1), part(&signature, 0), part(&signature, 1), part(&signature, 2)])
}

fn signature_from_parts((expires, parts): &(u32, [[u8; 32]; 5])) -> Result<SlotSignature, StoredError> {
    let flat = parts.concat();
    let damaged = |what: String| StoredError::Damaged(what);
    let public_key = PublicKey::from_bytes(flat[..64].try_into().expect("64 bytes")).map_err(|e| damaged(e.to_string()))?;
    let signature = Signature::from_bytes(flat[64..].try_into().expect("96 bytes")).map_err(|e| damaged(e.to_string()))?;
    Ok(SlotSignature { public_key, signature, expires: *expires })
}
