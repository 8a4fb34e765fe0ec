//! What the database belongs to, and who may write to it.

use super::StoreError;
use crate::config::Config;
use sqlx::{PgConnection, Row};
use std::time::Duration;

/// Key of the session lock that the writing connection holds.
pub(super) const WRITER_LOCK: i64 = 0x5348_4541_4600_0001;
/// A writer that was killed has its lock until the server sees that its connection is gone.
const WRITER_LOCK_TRIES: u32 = 50;
const WRITER_LOCK_PAUSE: Duration = Duration::from_millis(100);

/// Makes this connection the one that may write.
///
/// # Errors
/// [`StoreError::Fenced`] if another one keeps the lock for some seconds.
pub(crate) async fn take_writer_lock(connection: &mut PgConnection) -> Result<(), StoreError> {
    for _ in 0..WRITER_LOCK_TRIES {
        let taken = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(WRITER_LOCK).fetch_one(&mut *connection).await?;
        if taken {
            return Ok(());
        }
        tokio::time::sleep(WRITER_LOCK_PAUSE).await;
    }
    Err(StoreError::Fenced)
}

/// What must not change during a database's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    chain_id: i64,
    contract: Vec<u8>,
    shapes: serde_json::Value,
    depth: i32,
    fee_account: i32,
}

impl Identity {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            chain_id: config.chain_id.cast_signed(),
            contract: config.contract.to_vec(),
            shapes: serde_json::to_value(&config.shapes).expect("a list of shapes is plain data"),
            depth: config.depth.cast_signed(),
            fee_account: Config::FEE_ACCOUNT.get().cast_signed(),
        }
    }
}

/// Writes the identity into a new database or compares it.
///
/// # Errors
/// [`StoreError::OtherChain`].
pub(crate) async fn check_identity(connection: &mut PgConnection, identity: &Identity) -> Result<(), StoreError> {
    let Identity { chain_id, contract, shapes, depth, fee_account } = identity;
    sqlx::query(
        "INSERT INTO chain (chain_id, contract, shapes, depth, fee_account) VALUES ($1, $2, $3::jsonb, $4, $5)
         ON CONFLICT DO NOTHING",
    )
    .bind(chain_id)
    .bind(contract)
    .bind(shapes.to_string())
    .bind(depth)
    .bind(fee_account)
    .execute(&mut *connection)
    .await?;
    let row = sqlx::query("SELECT chain_id, contract, shapes::text AS shapes, depth, fee_account FROM chain")
        .fetch_one(&mut *connection)
        .await?;
    let text: String = row.try_get("shapes")?;
    let stored = Identity {
        chain_id: row.try_get("chain_id")?,
        contract: row.try_get("contract")?,
        shapes: serde_json::from_str(&text).map_err(|_| StoreError::Damaged("chain.shapes is no JSON".to_owned()))?,
        depth: row.try_get("depth")?,
        fee_account: row.try_get("fee_account")?,
    };
    if stored != *identity {
        return Err(StoreError::OtherChain(format!("it was made for {stored:?}, this is {identity:?}")));
    }
    Ok(())
}

/// Begins this sequencer's epoch: from here on, no earlier one can commit anything.
///
/// # Errors
/// [`StoreError::OtherChain`].
pub(crate) async fn begin_epoch(connection: &mut PgConnection, identity: &Identity) -> Result<i64, StoreError> {
    check_identity(connection, identity).await?;
    Ok(sqlx::query_scalar("UPDATE chain SET epoch = epoch + 1 RETURNING epoch").fetch_one(connection).await?)
}

/// The epoch of the latest sequencer, locked against change until the transaction ends.
pub(crate) async fn current_epoch(connection: &mut PgConnection) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("SELECT epoch FROM chain FOR SHARE").fetch_one(connection).await?)
}
