//! Makes blocks durable, one after the other, until each is.
//!
//! All writing goes through one connection, which holds the writer's lock. A commit whose outcome is unknown is
//! tried again on a new connection, where [`commit_block`] first looks whether the block exists.

use crate::block::BlockRecord;
use crate::builder::Progress;
use crate::environment::Environment;
use crate::health::Health;
use crate::signer::{SignedBlock, Signer};
use crate::store::{self, Holder, StoreError, commit_block, current_epoch, take_writer_lock};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};
use std::sync::Arc;
use std::time::Duration;

/// After this an attempt counts as failed.
const ATTEMPT_TIME_MAX: Duration = Duration::from_secs(15);
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// The writing connection and what it needs.
pub(crate) struct Committer {
    pub(crate) options: PgConnectOptions,
    pub(crate) connection: Option<PgConnection>,
    /// That connection, or the last one: until the server knows that it is gone, it has the lock.
    pub(crate) holder: Holder,
    pub(crate) epoch: i64,
    pub(crate) signer: Signer,
    pub(crate) progress: Arc<Progress>,
    pub(crate) environment: Environment,
    pub(crate) health: Health,
}

impl Committer {
    /// Signs the block, and returns its receipts once it is durable.
    ///
    /// # Errors
    /// [`StoreError`] if it never can be: a defect, or another sequencer.
    pub(crate) async fn commit(&mut self, block: &BlockRecord) -> Result<SignedBlock, StoreError> {
        let signed = self.signer.sign_block(block);
        let mut pause = PAUSE_MIN;
        loop {
            let reason = match tokio::time::timeout(ATTEMPT_TIME_MAX, self.attempt(block, &signed)).await {
                Ok(Ok(())) => {
                    self.health.recover("database");
                    self.progress.committed(block);
                    return Ok(signed);
                }
                Ok(Err(error)) if !error.is_transient() => return Err(error),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "the database does not answer".to_owned(),
            };
            tracing::warn!(block = %block.number, reason, "a block could not be committed, trying again");
            self.health.complain("database", reason);
            self.connection = None;
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn attempt(&mut self, block: &BlockRecord, signed: &SignedBlock) -> Result<(), StoreError> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            empty => {
                let (connection, holder) = reconnect(&self.options, self.epoch, &self.holder).await?;
                self.holder = holder;
                empty.insert(connection)
            }
        };
        commit_block(connection, block, signed, self.epoch, &self.environment).await
    }
}

/// A new writing connection under the same epoch, in the place of the last one.
async fn reconnect(options: &PgConnectOptions, epoch: i64, last: &Holder) -> Result<(PgConnection, Holder), StoreError> {
    let mut connection = options.connect().await?;
    // The server may never notice that it is gone, and what it was doing must come to an end.
    store::depose(&mut connection, last).await?;
    match take_writer_lock(&mut connection).await {
        // It is still about to end, or somebody who stands by has the lock and is about to begin an epoch.
        Err(StoreError::Fenced) if current_epoch(&mut connection).await? == epoch => Err(StoreError::Silent),
        Err(error) => Err(error),
        Ok(()) => {
            let holder = store::myself(&mut connection).await?;
            Ok((connection, holder))
        }
    }
}
