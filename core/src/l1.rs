//! What the contract computes, computed here too: domain, queue entries, challenge, withdrawals.

use crate::F;
use crate::operation::{OpCode, Operation};
use crate::types::{AccountId, TokenId, field_to_bytes};
use alloy_primitives::{Address, B256, U256, keccak256};
use ark_ff::PrimeField;

/// Local test chains: the only ones on which the contract takes development keys.
pub const LOCAL_CHAINS: [u64; 2] = [31_337, 1_337];

/// Whether a chain is a local test chain.
pub fn is_local_chain(chain_id: u64) -> bool {
    LOCAL_CHAINS.contains(&chain_id)
}

/// `keccak256(abi.encode(chain id, contract)) mod p`: what every signature is made for.
pub fn domain(chain_id: u64, contract: Address) -> F {
    let mut encoded = [0u8; 64];
    encoded[24..32].copy_from_slice(&chain_id.to_be_bytes());
    encoded[44..].copy_from_slice(contract.as_slice());
    F::from_be_bytes_mod_order(keccak256(encoded).as_slice())
}

/// Bytes of a queue entry's preimage.
pub const QUEUE_PREIMAGE_BYTES: usize = 73;

/// The preimage of the queue entry that `operation` settles: its posted form with the operator's free
/// fields (a deposit's index, an exit's amount) zeroed. `None` for operations that are not from L1.
pub fn queue_preimage(operation: &Operation) -> Option<[u8; QUEUE_PREIMAGE_BYTES]> {
    let nobody = AccountId::new(0)?;
    let entry = match *operation {
        Operation::Deposit { token, amount, owner, key_hash, .. }
        | Operation::DepositRefund { token, amount, owner, key_hash } => {
            Operation::Deposit { account: nobody, token, amount, owner, key_hash }
        }
        Operation::ForcedExit { account, token, caller, .. } => Operation::ForcedExit { account, token, amount: 0, caller },
        Operation::SetKey { .. } => *operation,
        _ => return None,
    };
    let mut preimage = [0u8; QUEUE_PREIMAGE_BYTES];
    preimage[..21].copy_from_slice(&entry.core().to_be_bytes::<32>()[11..]);
    preimage[21..41].copy_from_slice(entry.aux1().as_slice());
    preimage[41..].copy_from_slice(&field_to_bytes(entry.aux2()));
    Some(preimage)
}

/// The hash that the contract keeps of a queue entry: 224 bits, the low 32 cleared (the deadline's place).
pub fn queue_hash(preimage: &[u8; QUEUE_PREIMAGE_BYTES]) -> U256 {
    U256::from_be_bytes(keccak256(preimage).0) >> 32 << 32
}

/// One payment that leaves to L1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// Who may claim it.
    pub recipient: Address,
    /// The token.
    pub token: TokenId,
    /// How much, in the token's smallest unit; above 0.
    pub amount: u128,
}

/// What leaves with a batch, in the order of its hash: withdrawals first, then exits and refunds.
///
/// An amount above `u128::MAX` can't be in a batch that satisfies, and counts as none.
pub fn withdrawals(operations: &[Operation]) -> Vec<Withdrawal> {
    let of = |l1: bool| operations.iter().filter(move |o| o.code().is_l1() == l1).filter_map(withdrawal);
    of(false).chain(of(true)).collect()
}

fn withdrawal(operation: &Operation) -> Option<Withdrawal> {
    let (recipient, token, amount) = match *operation {
        Operation::Withdraw { recipient, token, amount, .. } => (recipient, token, amount.value()?),
        Operation::ForcedExit { caller, token, amount, .. } => (caller, token, amount),
        Operation::DepositRefund { owner, token, amount, .. } => (owner, token, amount),
        _ => return None,
    };
    (amount > 0).then_some(Withdrawal { recipient, token: token.token()?, amount })
}

/// The next link of the withdrawals hash.
pub fn withdrawals_hash_step(hash: B256, withdrawal: &Withdrawal) -> B256 {
    let mut preimage = [0u8; 128];
    preimage[..32].copy_from_slice(hash.as_slice());
    preimage[44..64].copy_from_slice(withdrawal.recipient.as_slice());
    preimage[95] = withdrawal.token.get();
    preimage[112..].copy_from_slice(&withdrawal.amount.to_be_bytes());
    keccak256(preimage)
}

/// The hash that the contract keeps for a batch; zero if nothing leaves.
pub fn withdrawals_hash(withdrawals: &[Withdrawal]) -> B256 {
    withdrawals.iter().fold(B256::ZERO, withdrawals_hash_step)
}

/// Number of L1 operations at the front of a batch.
pub fn l1_count(operations: &[Operation]) -> usize {
    operations.iter().take_while(|o| o.code().is_l1()).count()
}

/// The bytes of a batch's operations as posted.
pub fn posted(operations: &[Operation]) -> Vec<u8> {
    let mut bytes = Vec::new();
    operations.iter().filter(|o| o.code() != OpCode::Noop).for_each(|o| o.encode(&mut bytes));
    bytes
}
