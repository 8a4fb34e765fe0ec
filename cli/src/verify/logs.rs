//! The search for events, in as many pieces as the node wants.

use alloy::providers::Provider as _;
use alloy::rpc::types::{Filter, Log};
use alloy::sol_types::SolEvent;
use alloy::transports::TransportError;
use anyhow::{Context as _, Result};
use sheaf_settlement::l1::L1;

/// Searches a contract's events.
#[derive(Clone, Copy, Debug)]
pub(super) struct Logs<'a> {
    pub(super) l1: &'a L1,
    /// No event of the contract is in an earlier block.
    pub(super) first_block: u64,
}

/// The contract's events of one kind.
pub(super) fn filter<E: SolEvent>(l1: &L1) -> Filter {
    Filter::new().address(l1.contract).event_signature(E::SIGNATURE_HASH)
}

impl Logs<'_> {
    /// The logs that a filter finds in block `last` and before, in their order: searched backwards until `wanted` are found.
    ///
    /// All blocks are asked for at once. Most nodes refuse to search many, each at another number, so a refusal is taken for
    /// that, and the next question is for half as many.
    ///
    /// # Errors
    /// If the node does not answer, or refuses to search a single block.
    pub(super) async fn find(&self, filter: &Filter, last: u64, wanted: usize) -> Result<Vec<Log>> {
        let (mut end, mut found) = (last.saturating_add(1), Vec::new());
        let mut page = end.saturating_sub(self.first_block);
        while end > self.first_block && found.len() < wanted {
            let start = end.saturating_sub(page).max(self.first_block);
            match self.l1.provider.get_logs(&filter.clone().from_block(start).to_block(end - 1)).await {
                Ok(logs) => {
                    found.extend(logs);
                    end = start;
                }
                Err(error) if page > 1 && is_refusal(&error) => page = page.div_ceil(2),
                Err(error) => return Err(error).context("L1 does not give the contract's events"),
            }
        }
        Ok(in_order(found))
    }

    /// The logs that a filter finds in one block, in their order.
    ///
    /// # Errors
    /// If the node does not answer.
    pub(super) async fn of_block(&self, filter: &Filter, block: u64) -> Result<Vec<Log>> {
        let logs = self.l1.provider.get_logs(&filter.clone().from_block(block).to_block(block)).await;
        Ok(in_order(logs.context("L1 does not give the contract's events")?))
    }
}

/// Whether the node answered, but not with logs: in JSON-RPC, or in HTTP alone.
fn is_refusal(error: &TransportError) -> bool {
    error.as_error_resp().is_some() || error.as_transport_err().is_some_and(|kind| kind.as_http_error().is_some())
}

fn in_order(mut logs: Vec<Log>) -> Vec<Log> {
    logs.retain(|log| !log.removed);
    logs.sort_by_key(|log| (log.block_number, log.log_index));
    logs
}
