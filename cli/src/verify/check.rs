//! Everything that the contract checks of a batch, done again.

use super::case::{Case, Deployment, FIRST_BATCH, Previous};
use super::operations;
use super::refusal::Refusal;
use alloy::primitives::U256;
use sheaf_circuits::evm::proof_from_evm;
use sheaf_circuits::prove::{Proof, VerifyingKey, verify};
use sheaf_contracts::Sheaf;
use sheaf_core::F;
use sheaf_core::batch::{PublicData, PublicInputs};
use sheaf_core::l1::{domain, withdrawals, withdrawals_hash};
use sheaf_core::operation::Operation;
use sheaf_core::shape::Shape;
use sheaf_core::types::{AccountId, field_from_u256, u256_from_field};
use std::fmt;

/// How old a batch may be when it is accepted, seconds.
const MAX_AGE_SECONDS: u64 = 3 * 24 * 3600;
/// How far ahead of its block a batch may be, seconds.
const MAX_AHEAD_SECONDS: u64 = 15 * 60;
/// Bits of a header: timestamp and fee account.
const HEADER_BITS: u32 = 56;

/// One line of what was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// It holds.
    Held(String),
    /// What it must be held against is not known.
    Unknown(String),
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held(what) => write!(f, "ok           {what}"),
            Self::Unknown(what) => write!(f, "not checked  {what}"),
        }
    }
}

/// What a proof was verified with.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Its key.
    pub key: VerifyingKey,
    /// Its public inputs, computed from the batch's data.
    pub inputs: PublicInputs,
    /// The proof.
    pub proof: Proof,
}

/// Checks a batch in the contract's order, and notes in `lines` what was checked.
///
/// # Errors
/// The first check that does not hold.
pub fn check(case: &Case, deployment: &Deployment, lines: &mut Vec<Line>) -> Result<Verified, Refusal> {
    let mut held = |what: String| lines.push(Line::Held(what));
    let batch = &case.batch;
    if let Some(number) = check_number(case)? {
        held(format!("batch {number}"));
    }
    let domain = check_domain(case, deployment)?;
    held(format!(
        "domain {:#066x} of chain {} and contract {}",
        u256_from_field(domain),
        deployment.chain_id,
        deployment.contract
    ));
    let shape = Refusal::UnknownShape { shape: batch.shape, shapes: deployment.keys.shapes() };
    let (key, slots) = deployment.keys.shape(batch.shape).ok_or(shape)?;
    held(format!("shape {}, with {slots} slots", batch.shape));
    lines.extend(check_old_root(batch, case)?);
    let mut held = |what: String| lines.push(Line::Held(what));
    let (old_root, new_root) = (root(batch.oldRoot)?, root(batch.newRoot)?);
    let c = field_from_u256(batch.c).ok_or(Refusal::CommitmentOutOfField(batch.c))?;
    held("roots and commitment are below the modulus".to_owned());
    let (timestamp, fee_account) = header(batch.header)?;
    held(format!("header: timestamp {timestamp}, fee account {fee_account}"));
    lines.extend(check_time(timestamp, case)?);
    check_counts(batch, slots)?;
    let operations = check_operations(case, lines)?;
    lines.extend(check_settled(case)?);

    let data = PublicData { domain, old_root, new_root, timestamp, fee_account, operations };
    // The numbers of rows are in the key alone.
    let shape = Shape { id: batch.shape, slots: slots.into(), leaf_rows: 0, node_rows: 0 };
    let inputs = data.public_inputs(&shape, c);
    let proof = proof_from_evm(&batch.proof).map_err(|_| Refusal::PointNotOnCurve)?;
    lines.push(Line::Held("the proof's points are on their curves".to_owned()));
    if !verify(key, &inputs, &proof) {
        return Err(Refusal::InvalidProof);
    }
    let [c, x, y] = inputs.to_array().map(u256_from_field);
    lines.push(Line::Held(format!("the proof holds for c = {c:#066x}, x = {x:#066x}, y = {y:#066x}")));
    Ok(Verified { key: key.clone(), inputs, proof })
}

fn check_number(case: &Case) -> Result<Option<u64>, Refusal> {
    let follows = case.previous.and_then(|previous| previous.number).map(|number| number + 1);
    match (case.number, case.asked.or(follows)) {
        (Some(got), _) if follows.is_some_and(|f| f != got) => {
            Err(Refusal::WrongBatchNumber { expected: follows.unwrap_or(got), got })
        }
        (Some(got), Some(expected)) if got != expected => Err(Refusal::WrongBatchNumber { expected, got }),
        (number, expected) => Ok(number.or(expected)),
    }
}

fn check_domain(case: &Case, deployment: &Deployment) -> Result<F, Refusal> {
    let domain = domain(deployment.chain_id, deployment.contract);
    let expected = u256_from_field(domain);
    match case.domain {
        Some(got) if got != expected => Err(Refusal::WrongDomain { expected, got }),
        _ => Ok(domain),
    }
}

fn check_old_root(batch: &Sheaf::Batch, case: &Case) -> Result<Vec<Line>, Refusal> {
    let Some(Previous { number, root: expected, .. }) = case.previous else {
        return Ok(vec![Line::Unknown("old root and timestamp against the batch before, which is not known".to_owned())]);
    };
    if expected != batch.oldRoot {
        return Err(Refusal::WrongOldRoot { expected, got: batch.oldRoot });
    }
    let of = if number == Some(FIRST_BATCH - 1) { "that of the empty state" } else { "the new one of the batch before" };
    let mut lines = vec![Line::Held(format!("old root {expected:#066x} is {of}"))];
    if let Some(between) = &case.between {
        let (first, last) = (between.start(), between.end());
        lines.push(Line::Unknown(format!(
            "batches {first} to {last} before it, which L1 has not accepted: that they hold, and end with this root and place in \
             the queue"
        )));
    }
    Ok(lines)
}

/// What L1 accepted under this number is this very batch. Its proof may be another one.
fn check_settled(case: &Case) -> Result<Option<Line>, Refusal> {
    let (Some(settled), batch) = (&case.settled, &case.batch) else { return Ok(None) };
    let fields = [
        ("shape", batch.shape != settled.shape),
        ("timestamp", batch.header as u32 != settled.header as u32),
        ("fee account", batch.header >> 32 != settled.header >> 32),
        ("old root", batch.oldRoot != settled.oldRoot),
        ("new root", batch.newRoot != settled.newRoot),
        ("commitment", batch.c != settled.c),
        ("counts", (batch.l1Count, batch.opCount) != (settled.l1Count, settled.opCount)),
        ("operations", batch.ops != settled.ops),
    ];
    match fields.iter().find(|(_, differs)| *differs) {
        Some((field, _)) => Err(Refusal::SettledOtherwise(field)),
        None => Ok(Some(Line::Held("it is the batch that L1 accepted under this number".to_owned()))),
    }
}

fn root(value: U256) -> Result<F, Refusal> {
    field_from_u256(value).ok_or(Refusal::RootOutOfField(value))
}

fn header(header: u64) -> Result<(u32, AccountId), Refusal> {
    let out_of_range = Refusal::HeaderOutOfRange(header);
    if header >> HEADER_BITS != 0 {
        return Err(out_of_range);
    }
    let fee_account = AccountId::new((header >> 32) as u32).ok_or(out_of_range)?;
    Ok((header as u32, fee_account))
}

fn check_time(timestamp: u32, case: &Case) -> Result<Vec<Line>, Refusal> {
    let mut lines = Vec::new();
    if let Some(Previous { timestamp: last, .. }) = case.previous {
        if timestamp < last {
            return Err(Refusal::TimestampBackwards { last, got: timestamp });
        }
        lines.push(Line::Held(format!("the timestamp is not before {last}, the last one")));
    }
    let Some(block) = case.block_timestamp else {
        lines.push(Line::Unknown("the timestamp against its block's, which is not known".to_owned()));
        return Ok(lines);
    };
    let seconds = u64::from(timestamp);
    if seconds + MAX_AGE_SECONDS < block || seconds > block + MAX_AHEAD_SECONDS {
        return Err(Refusal::TimestampOutsideWindow { timestamp, block });
    }
    lines.push(Line::Held(format!(
        "the timestamp is within 3 days before to 15 minutes after {block}, its block's, or now if it has none"
    )));
    Ok(lines)
}

fn check_counts(batch: &Sheaf::Batch, slots: u16) -> Result<(), Refusal> {
    let (l1, operations) = (batch.l1Count, batch.opCount);
    if operations > slots {
        return Err(Refusal::TooManyOperations { operations, slots });
    }
    if l1 > operations {
        return Err(Refusal::L1CountAboveTotal { l1, operations });
    }
    Ok(())
}

fn check_operations(case: &Case, lines: &mut Vec<Line>) -> Result<Vec<Operation>, Refusal> {
    let Sheaf::Batch { ops, l1Count, opCount, .. } = &case.batch;
    let operations = operations::read(ops, *l1Count, *opCount, case.queue.as_deref())?;
    let bytes = ops.len();
    lines.push(Line::Held(format!("{opCount} operations, the first {l1Count} of them from L1, in {bytes} bytes")));
    lines.push(match case.queue {
        _ if *l1Count == 0 => Line::Held("it takes nothing from the queue".to_owned()),
        Some(_) => Line::Held("the operations from L1 are the queue's next ones".to_owned()),
        None => Line::Unknown("the operations from L1 against the queue, which is not known".to_owned()),
    });
    if let Some(decoded) = &case.decoded {
        let posted: Vec<_> = operations.iter().map(sheaf_api::model::Operation::from).collect();
        if *decoded != posted {
            let same = decoded.iter().zip(&posted).take_while(|(a, b)| a == b).count();
            return Err(Refusal::OperationsMismatch(same));
        }
        lines.push(Line::Held("the operations are decoded as they were posted".to_owned()));
    }
    if let Some(hash) = case.withdrawals_hash {
        if hash != withdrawals_hash(&withdrawals(&operations)) {
            return Err(Refusal::WithdrawalsMismatch);
        }
        lines.push(Line::Held("what leaves has the hash that L1 keeps".to_owned()));
    }
    Ok(operations)
}
