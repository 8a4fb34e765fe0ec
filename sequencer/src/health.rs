//! Whether the sequencer works, and if not, why.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What parts of the sequencer complain about; ready when none does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Health {
    complaints: Arc<Mutex<BTreeMap<&'static str, String>>>,
}

impl Health {
    /// `part` can't work.
    pub(crate) fn complain(&self, part: &'static str, reason: impl ToString) {
        let reason = reason.to_string();
        if self.lock().insert(part, reason.clone()).is_none() {
            tracing::warn!(part, reason, "not ready: nothing is taken");
        }
    }

    /// `part` works (again).
    pub(crate) fn recover(&self, part: &'static str) {
        if self.lock().remove(part).is_some() {
            tracing::info!(part, "works again");
        }
    }

    /// Which parts don't work; `None` if all do.
    pub(crate) fn problem(&self) -> Option<String> {
        let complaints = self.lock();
        let sentences: Vec<_> = complaints.iter().map(|(part, reason)| format!("{part}: {reason}")).collect();
        (!sentences.is_empty()).then(|| sentences.join("; "))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, String>> {
        self.complaints.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
