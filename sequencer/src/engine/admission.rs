//! What a transaction must be to be executed, checked before the slot function, with a reason for the user.

use super::{Engine, Verified};
use crate::config::Config;
use crate::error::Refusal;
use crate::state::Unresolved;
use sheaf_core::operation::Operation;
use sheaf_core::slot::SlotError;
use sheaf_core::transaction::{Resolution, Target};

/// How far ahead an expiry may lie, seconds.
pub(crate) const EXPIRES_AHEAD_MAX_S: u32 = 24 * 60 * 60;

impl Engine {
    /// The operation that carries `verified` out in a batch of this time.
    pub(super) fn admit(&self, verified: &Verified, timestamp: u32, now: u32) -> Result<Operation, Refusal> {
        let payload = &verified.transaction.payload;
        if !self.state.contains(payload.from) || !self.state.account(payload.from).exists() {
            return Err(Refusal::UnknownAccount(payload.from));
        }
        let sender = self.state.account(payload.from);
        if sender.key_hash != verified.signed.key_hash {
            return Err(Refusal::WrongKey(payload.from));
        }
        let (expected, found) = (sender.nonce, payload.nonce);
        if found < expected {
            return Err(Refusal::NonceTooOld { expected, found });
        }
        if found > expected {
            return Err(Refusal::NonceGap { expected, found });
        }
        if payload.expires < timestamp {
            return Err(Refusal::Expired { expires: payload.expires, timestamp });
        }
        let latest = timestamp.max(now).saturating_add(EXPIRES_AHEAD_MAX_S);
        if payload.expires > latest {
            return Err(Refusal::ExpiresTooFar { expires: payload.expires, latest });
        }
        if !self.tokens.contains(&payload.token) {
            return Err(Refusal::UnknownToken(payload.token));
        }
        let operation = payload.operation(self.receiver(&payload.target)?);
        let minimum = self.fees(&operation, payload.token);
        if payload.fee.value().is_some_and(|fee| fee < minimum) {
            return Err(Refusal::FeeTooSmall { minimum });
        }
        Ok(operation)
    }

    fn receiver(&self, target: &Target) -> Result<Resolution, Refusal> {
        match target {
            // A withdrawal has no receiving account.
            Target::L1(_) => Ok(Resolution::Existing(Config::FEE_ACCOUNT)),
            Target::Account(pair) => self.state.resolve(pair).map_err(|unresolved| match unresolved {
                Unresolved::Retired => Refusal::ReceiverRetired,
                Unresolved::Full => Refusal::NoFreeAccount,
            }),
        }
    }

    /// The slot function's refusal, for the user.
    pub(super) fn refusal(&self, verified: &Verified, timestamp: u32, error: SlotError) -> Refusal {
        let payload = &verified.transaction.payload;
        match error {
            SlotError::Balance => Refusal::InsufficientBalance {
                account: payload.from,
                token: payload.token,
                balance: self.state.account(payload.from).balance(payload.token),
            },
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
