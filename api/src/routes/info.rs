//! What a wallet needs to know, and whether all is well.

use crate::error::ApiError;
use crate::model::{Database, Health, Info, Limits, MinimumFee, OpenBatch, Sequencer, Tokens};
use crate::queries;
use crate::state::AppState;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use sheaf_core::json::{address_to_hex, field_to_hex};
use std::sync::Arc;

pub(super) async fn info(State(state): State<Arc<AppState>>) -> Result<Json<Info>, ApiError> {
    let chain = state.chain().await?;
    let tokens = queries::tokens(&state.pool).await?;
    let status = state.sequencers.status().await?;
    let fee = |fee: &sheaf_sequencer::MinimumFee| MinimumFee {
        token: fee.token.get(),
        transfer: fee.transfer.0.to_string(),
        transfer_new: fee.transfer_new.0.to_string(),
        withdraw: fee.withdraw.0.to_string(),
    };
    Ok(Json(Info {
        chain_id: chain.chain_id,
        contract: address_to_hex(chain.contract),
        domain: field_to_hex(chain.domain),
        receipt_signer: address_to_hex(status.receipt_signer),
        fee_account: chain.fee_account,
        shapes: chain.shapes.clone(),
        depth: chain.depth,
        tokens,
        minimum_fees: status.minimum_fees.iter().map(fee).collect(),
        batch: OpenBatch { number: status.open_batch.0, timestamp: status.timestamp },
        limits: Limits {
            max_body_bytes: state.config.max_body_bytes,
            max_transactions: state.max_transactions(&status),
            max_expiry_seconds: status.expires_ahead_max,
            max_pending: status.limits.pending_max,
        },
    }))
}

pub(super) async fn tokens(State(state): State<Arc<AppState>>) -> Result<Json<Tokens>, ApiError> {
    Ok(Json(Tokens { tokens: queries::tokens(&state.pool).await? }))
}

/// Answers also when everything else is down, and then says what.
pub(super) async fn health(State(state): State<Arc<AppState>>) -> (StatusCode, Json<Health>) {
    let (l1, waiting, keys, status, sequencer) = tokio::join!(
        queries::l1_health(&state.pool),
        queries::waiting(&state.pool),
        queries::key_health(&state.pool),
        state.sequencers.status(),
        state.sequencers.health(),
    );
    let database = Database { ready: l1.is_ok() && waiting.is_ok() };
    let ready = match sequencer {
        Ok(health) => {
            // The reason may tell of our internals, so it goes to the log.
            if let Some(reason) = &health.reason {
                tracing::warn!(reason, "the sequencer is not ready");
            }
            health.ready
        }
        Err(_) => false,
    };
    let sequencer = Sequencer { ready, pending: status.ok().map(|status| status.pending as u64) };
    let ready = database.ready && sequencer.ready;
    let (l1, waiting, keys) = (l1.ok().flatten(), waiting.ok(), keys.unwrap_or_default());
    let health = Health { ready, database, sequencer, l1, waiting, keys };
    (if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(health))
}
