//! Takes executed but unsettled work back to a given batch, and has it executed again as far as it still holds.
//!
//! ```mermaid
//! stateDiagram-v2
//!     [*] --> requested: settlement sees that L1 can't take the next batch any more
//!     requested --> unwound: a leader's start, one database transaction
//!     unwound --> unwound: a block of replays, which settles their fate
//!     unwound --> [*]: nothing waits to be replayed
//! ```
//!
//! A sequencer that leads and sees a request drains, and starts again in its own process. At a start, a request is carried
//! out before anything is loaded: state, tree and open batch are then read as after any other end. The engine finds what
//! was taken back among the replays and executes it before anything new. Each block deletes the replays whose fate it
//! settles in its own database transaction, so a crash loses and repeats nothing. Nonces, expiries and balances decide as
//! they always do; what they refuse now is kept among the dropped transactions with the reason.

use crate::config::Config;
use crate::environment::Environment;
use crate::store::{self, StoreError};
use sqlx::PgConnection;

/// Carries out what is requested, on the connection that holds the writer's lock, and says whether anything was.
///
/// # Errors
/// [`StoreError`]; nothing of an unwinding is done if it fails.
pub(crate) async fn perform_requested(
    writer: &mut PgConnection,
    epoch: i64,
    config: &Config,
    environment: &Environment,
) -> Result<bool, StoreError> {
    let mut performed = false;
    while let Some(request) = store::requested_unwinding(&mut *writer).await? {
        let (to_batch, reason) = (request.to_batch, &request.reason);
        tracing::warn!(request = request.number, %to_batch, reason, "taking executed batches back");
        match store::unwind(writer, &request, config, epoch, environment).await? {
            Some(done) => tracing::warn!(
                request = request.number,
                %to_batch,
                block = %done.block,
                operations = done.operations,
                words = done.words,
                "batches were taken back; their operations are executed again as far as they hold"
            ),
            None => {
                tracing::error!(request = request.number, %to_batch, "there is no such batch, or L1 has a later one: nothing is taken back")
            }
        }
        performed = true;
    }
    Ok(performed)
}
