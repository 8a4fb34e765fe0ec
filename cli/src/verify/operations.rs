//! The posted operations, read in the order in which the contract reads them, so that of several faults it names the
//! same one.

use super::refusal::Refusal;
use alloy::primitives::U256;
use sheaf_core::l1::{QUEUE_PREIMAGE_BYTES, queue_preimage};
use sheaf_core::operation::{AUX1_BYTES, AUX2_BYTES, DecodeError, L1_CORE_BYTES, L2_CORE_BYTES, OpCode, Operation};
use sheaf_core::types::{FIRST_BALANCE_WORD, field_from_bytes};

/// The preimage of an entry of the queue.
pub type QueueEntry = [u8; QUEUE_PREIMAGE_BYTES];

/// Reads a batch's operations: `l1_count` from L1, which must be `queue`'s where that is known, then those of L2, `count`
/// in all.
///
/// # Errors
/// The first [`Refusal`] that the contract would have; after all of those, [`Refusal::UnusedBits`].
pub fn read(mut bytes: &[u8], l1_count: u16, count: u16, queue: Option<&[QueueEntry]>) -> Result<Vec<Operation>, Refusal> {
    let (l1_count, count) = (usize::from(l1_count), usize::from(count));
    let mut operations = Vec::new();
    for index in 0..l1_count {
        let operation = read_l1(&mut bytes, index)?;
        if let Some(queue) = queue
            && queue_preimage(&operation).as_ref() != queue.get(index)
        {
            return Err(Refusal::QueueMismatch(index));
        }
        operations.push(operation);
    }
    let mut unused = None;
    for index in l1_count..count {
        match read_l2(&mut bytes, index)? {
            Some(operation) => operations.push(operation),
            None => unused = unused.or(Some(Refusal::UnusedBits(index))),
        }
    }
    if !bytes.is_empty() {
        return Err(Refusal::TrailingBytes(bytes.len()));
    }
    operations.iter().take(l1_count).try_for_each(check_leaving)?;
    unused.map_or(Ok(operations), Err)
}

fn read_l1(bytes: &mut &[u8], index: usize) -> Result<Operation, Refusal> {
    const AUX2: usize = L1_CORE_BYTES + AUX1_BYTES;
    let truncated = Refusal::OperationDataTruncated(index);
    if bytes.len() < AUX2 {
        return Err(truncated);
    }
    if bytes[L1_CORE_BYTES - 1] & 15 != OpCode::ForcedExit as u8 {
        let aux2 = bytes.get(AUX2..AUX2 + AUX2_BYTES).ok_or(truncated)?;
        field_from_bytes(aux2.try_into().expect("32 bytes")).ok_or(Refusal::WordOutOfField(index))?;
    }
    Operation::decode_as(bytes, true).map_err(|error| match error {
        DecodeError::Code(op) if OpCode::from_bits(op).is_some_and(OpCode::is_l2) => Refusal::QueueMismatch(index),
        // No entry of the queue has such a bit.
        DecodeError::UnusedBits => Refusal::QueueMismatch(index),
        other => refusal(other, index),
    })
}

/// `None`: an operation with a bit set that it does not use, which the contract leaves to the proof.
fn read_l2(bytes: &mut &[u8], index: usize) -> Result<Option<Operation>, Refusal> {
    let posted = *bytes;
    let operation = match Operation::decode_as(bytes, false) {
        Ok(operation) => Some(operation),
        Err(DecodeError::UnusedBits) => None,
        Err(error) => return Err(refusal(error, index)),
    };
    let core = U256::from_be_slice(&posted[..L2_CORE_BYTES]);
    let field = |shift: usize, bits: usize| ((core >> shift) & ((U256::from(1) << bits) - U256::from(1))).to::<u64>();
    let code = OpCode::from_bits(field(0, 4) as u8).expect("it was read");
    let (word, mantissa) = (field(4, 6) as u8, field(58, 35));
    if code == OpCode::Withdraw && mantissa > 0 && u32::from(word) < FIRST_BALANCE_WORD {
        return Err(Refusal::TokenWordOutOfRange(word));
    }
    *bytes = &posted[code.posted_len()..];
    Ok(operation)
}

fn refusal(error: DecodeError, index: usize) -> Refusal {
    match error {
        DecodeError::Truncated => Refusal::OperationDataTruncated(index),
        DecodeError::OutOfField => Refusal::WordOutOfField(index),
        DecodeError::UnusedBits => Refusal::UnusedBits(index),
        DecodeError::Code(op) if OpCode::from_bits(op).is_some_and(OpCode::is_l1) => Refusal::L1OperationAmongL2(index),
        DecodeError::Code(op) => Refusal::ReservedOperation(op),
        // Of one operation nothing can be left over.
        DecodeError::Trailing => Refusal::TrailingBytes(0),
    }
}

/// What leaves with an operation from L1 must name a token.
fn check_leaving(operation: &Operation) -> Result<(), Refusal> {
    match *operation {
        Operation::ForcedExit { token, amount, .. } | Operation::DepositRefund { token, amount, .. }
            if amount > 0 && token.token().is_none() =>
        {
            Err(Refusal::TokenWordOutOfRange(token.get()))
        }
        _ => Ok(()),
    }
}
