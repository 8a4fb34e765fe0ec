//! What a transaction must be to be executed, checked before the slot function, with a reason for the user.

use super::window::{Creations, Request};
use super::{Engine, Verified};
use crate::config::Config;
use crate::error::Refusal;
use crate::state::Unresolved;
use ark_ff::Zero;
use sheaf_core::F;
use sheaf_core::operation::Operation;
use sheaf_core::slot::SlotError;
use sheaf_core::transaction::{Resolution, Target};
use sheaf_core::types::{AccountId, TokenId};

/// How far ahead an expiry may lie, seconds.
pub(crate) const EXPIRES_AHEAD_MAX_S: u32 = 24 * 60 * 60;

impl Engine {
    /// Says whether a transaction may wait for its turn, as far as that can be known before: everything but the balance.
    ///
    /// # Errors
    /// [`Refusal`].
    pub(crate) fn admission(&self, verified: &Verified, now: u32) -> Result<(), Refusal> {
        let (expected, found) = (self.sender(verified)?, verified.transaction.payload.nonce);
        if found < expected {
            return Err(Refusal::NonceTooOld { expected, found });
        }
        let latest = expected.saturating_add(self.config.limits.future_nonces_max.saturating_sub(1));
        if found > latest {
            return Err(Refusal::NonceTooFar { latest, found });
        }
        let request = Request { verified, created_at: None, promised: false };
        self.terms(&request, &Creations::default(), self.timestamp(now), now).map(drop)
    }

    /// The next nonce of an account, 0 where there is none.
    pub(crate) fn next_nonce(&self, account: AccountId) -> u64 {
        let state = &self.ledger.state;
        if state.contains(account) { state.nonce(account) } else { 0 }
    }

    /// The operation that carries a transaction out after others that leave the sender with this nonce (`None`: with what it
    /// has), and that create these accounts.
    pub(super) fn admit(
        &self,
        request: &Request<'_>,
        nonce: Option<u64>,
        creations: &Creations,
        timestamp: u32,
        now: u32,
    ) -> Result<Operation, Refusal> {
        let found = request.verified.transaction.payload.nonce;
        let expected = self.sender(request.verified).map(|current| nonce.unwrap_or(current))?;
        if found < expected {
            return Err(Refusal::NonceTooOld { expected, found });
        }
        if found > expected {
            return Err(Refusal::NonceGap { expected, found });
        }
        self.terms(request, creations, timestamp, now)
    }

    /// Checks that the sender exists and has this key, and gives its next nonce.
    fn sender(&self, verified: &Verified) -> Result<u64, Refusal> {
        let (state, from) = (&self.ledger.state, verified.transaction.payload.from);
        let key_hash = if state.contains(from) { state.key_hash(from) } else { F::zero() };
        if key_hash.is_zero() {
            return Err(Refusal::UnknownAccount(from));
        }
        if key_hash != verified.signed.key_hash {
            return Err(Refusal::WrongKey(from));
        }
        Ok(state.nonce(from))
    }

    /// Checks what does not depend on the sender, and gives the operation.
    fn terms(&self, request: &Request<'_>, creations: &Creations, timestamp: u32, now: u32) -> Result<Operation, Refusal> {
        let payload = &request.verified.transaction.payload;
        if payload.expires < timestamp {
            return Err(Refusal::Expired { expires: payload.expires, timestamp });
        }
        if !request.promised {
            let latest = timestamp.max(now).saturating_add(EXPIRES_AHEAD_MAX_S);
            if payload.expires > latest {
                return Err(Refusal::ExpiresTooFar { expires: payload.expires, latest });
            }
            if !self.tokens.contains(&payload.token) {
                return Err(Refusal::UnknownToken(payload.token));
            }
        }
        let operation = payload.operation(self.receiver(request, creations)?);
        let minimum = self.fees(&operation, payload.token);
        if !request.promised && payload.fee.value().is_some_and(|fee| fee < minimum) {
            return Err(Refusal::FeeTooSmall { minimum });
        }
        Ok(operation)
    }

    fn receiver(&self, request: &Request<'_>, creations: &Creations) -> Result<Resolution, Refusal> {
        match &request.verified.transaction.payload.target {
            // A withdrawal has no receiving account.
            Target::L1(_) => Ok(Resolution::Existing(Config::FEE_ACCOUNT)),
            Target::Account(pair) => {
                creations.resolve(&self.ledger.state, pair, request.created_at).map_err(|unresolved| match unresolved {
                    Unresolved::Retired => Refusal::ReceiverRetired,
                    Unresolved::Full => Refusal::NoFreeAccount,
                })
            }
        }
    }

    fn fees(&self, operation: &Operation, token: TokenId) -> u128 {
        let fees = self.config.minimum_fee(token);
        match operation {
            Operation::TransferNew { .. } => fees.transfer_new.0,
            Operation::Withdraw { .. } => fees.withdraw.0,
            _ => fees.transfer.0,
        }
    }

    /// The slot function's refusal, for the user; what it says of the account is how that stands after the window.
    pub(super) fn refusal(&self, verified: &Verified, timestamp: u32, error: SlotError) -> Refusal {
        let payload = &verified.transaction.payload;
        match error {
            SlotError::Balance => Refusal::InsufficientBalance {
                account: payload.from,
                token: payload.token,
                balance: self.ledger.state.balance(payload.from, payload.token),
            },
            // One before it in the window was refused.
            SlotError::Nonce => Refusal::NonceGap { expected: self.next_nonce(payload.from), found: payload.nonce },
            SlotError::Expired => Refusal::Expired { expires: payload.expires, timestamp },
            SlotError::ZeroAux => Refusal::Malformed("an owner, recipient or key hash is zero".to_owned()),
            other => {
                // Admission has looked at everything else.
                tracing::error!(%other, from = %payload.from, "the slot function refuses what admission took");
                Refusal::Internal
            }
        }
    }
}
