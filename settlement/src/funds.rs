//! Says for how long the keys that pay for gas last, and warns in time: a key without funds stops settlement.

use crate::Result;
use crate::l1::L1;
use crate::repeat::{Next, Step};
use crate::sender::Sender;
use crate::store::keys;
use alloy::primitives::Address;
use alloy::providers::Provider;
use sqlx::postgres::PgPool;
use std::time::Duration;

/// How often the keys are looked at.
pub const INTERVAL: Duration = Duration::from_secs(60);

/// One of the keys.
#[derive(Clone, Copy, Debug)]
struct Key {
    kind: &'static str,
    address: Address,
    /// Whether it was warned that it does not last.
    warned: bool,
}

/// Looks after the keys.
#[derive(Debug)]
pub struct Funds {
    pool: PgPool,
    l1: L1,
    keys: Vec<Key>,
    /// What is left below this many days is too little.
    warning_days: f64,
}

impl Funds {
    /// For the keys of these senders.
    pub fn new<'a>(pool: PgPool, l1: L1, senders: impl IntoIterator<Item = &'a Sender>, warning_days: u32) -> Self {
        let key = |sender: &Sender| Key { kind: sender.kind(), address: sender.address(), warned: false };
        Self { pool, l1, keys: senders.into_iter().map(key).collect(), warning_days: warning_days.into() }
    }

    /// Writes down what each key has and for how long that lasts; warns once when it becomes too little.
    ///
    /// # Errors
    /// [`crate::Error::L1`] or [`crate::Error::Database`].
    pub async fn look(&mut self) -> Result<()> {
        for key in &mut self.keys {
            let balance = self.l1.provider.get_balance(key.address).await?;
            let days = keys::record(&self.pool, key.kind, key.address, balance).await?;
            let low = balance.is_zero() || days.is_some_and(|days| days < self.warning_days);
            if low && !key.warned {
                tracing::warn!(kind = key.kind, address = %key.address, balance_wei = %balance, days, "this key's funds run out");
            }
            // Not warned again at once when it hovers about the bound.
            let near = days.is_some_and(|days| days < 1.25 * self.warning_days);
            key.warned = low || (key.warned && near);
        }
        Ok(())
    }
}

impl Step for Funds {
    const NAME: &'static str = "funds";

    async fn step(&mut self) -> Result<Next> {
        self.look().await.map(|()| Next::Wait)
    }
}
